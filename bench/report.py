"""Medians over the rounds, the bars, and how both are shown."""

import os
import platform
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import bars
from bench.plan import Plan
from bench.rounds import YARDSTICK, Found
from bench.sample import Sample


@dataclass(frozen=True, slots=True)
class Line:
    """What was measured, as medians over the rounds. times: of the yardstick's rate in the same round."""

    name: str
    rate: float
    least: float
    most: float
    times: float | None
    p50_ms: float | None
    p99_ms: float | None
    python_us: float | None
    postgres_us: float | None
    failed: int
    note: str


@dataclass(frozen=True, slots=True)
class Report:
    """The whole run."""

    machine: dict[str, str]
    rounds: int
    lines: list[Line]
    bars: list[bars.Bar]
    remarks: list[str]

    def as_json(self) -> dict[str, object]:
        """The same for machines."""
        return asdict(self)


def make(plan: Plan, found: Found, postgres: str) -> Report:
    """Work it all out."""
    lines = [_line(name, samples, found.samples[YARDSTICK]) for name, samples in found.samples.items()]
    lines.sort(key=lambda line: _order(line.name))
    cost = isolation_cost(lines)
    remarks = [cost, *found.remarks] if cost else found.remarks
    return Report(_machine(postgres), plan.rounds, lines, bars.judge(found.samples), remarks)


def _order(name: str) -> int:
    prefixes = ("pgbench", "charges", "checks", "stats", bars.LARGE, "HTTP", "endpoint", "one by one")
    return next(place for place, prefix in enumerate(prefixes) if name.startswith(prefix))


def _line(name: str, samples: Sequence[Sample], yardstick: Sequence[Sample]) -> Line:
    rates = [sample.rate for sample in samples]
    latency = name != YARDSTICK
    return Line(
        name,
        statistics.median(rates),
        min(rates),
        max(rates),
        bars.median(bars.ratios(samples, yardstick)) if latency else None,
        bars.median(sample.quantile(0.5) for sample in samples),
        bars.median(sample.quantile(0.99) for sample in samples),
        bars.median(sample.python_us or None for sample in samples),
        bars.median(sample.postgres_us or None for sample in samples),
        sum(sample.failed for sample in samples),
        next((sample.note for sample in reversed(samples) if sample.note), ""),
    )


def isolation_cost(lines: Sequence[Line]) -> str | None:
    """Say what row-level security and signed tokens add."""
    known = {line.name: line.p50_ms for line in lines}
    said = []
    for what, name in (("a dashboard's read", "reads"), ("a charge alone in its commit", "charges")):
        bound, free = known.get(f"one by one: {name}"), known.get(f"one by one: {name}, no isolation")
        if bound and free:
            said.append(f"{what} takes {bound / free:.2f} × as long as without it")
    return f"isolation: {'; '.join(said)}" if said else None


def show(report: Report, console: Console) -> None:
    """Print the tables."""
    table = Table(title=f"Medians over {report.rounds} rounds", title_justify="left", header_style="bold")
    table.add_column("what")
    for heading in ("a second", "least – most", "× TPC-B", "p50 ms", "p99 ms", "Python µs", "PostgreSQL µs"):
        table.add_column(heading, justify="right")
    table.add_column("note", overflow="fold")
    number: Callable[[float | None, str], str] = lambda value, how: "" if value is None else format(value, how)  # noqa: E731
    for line in report.lines:
        failed = f"{line.failed:,} failed; " if line.failed else ""
        table.add_row(
            line.name, f"{line.rate:,.0f}", f"{line.least:,.0f} – {line.most:,.0f}", number(line.times, ".2f"),
            number(line.p50_ms, ".2f"), number(line.p99_ms, ".2f"), number(line.python_us, ".0f"),
            number(line.postgres_us, ".0f"), failed + line.note,
        )  # fmt: skip
    console.print(table)
    verdicts = Table(title="Bars", title_justify="left", header_style="bold")
    for heading in ("what", "asked", "found", ""):
        verdicts.add_column(heading, justify="left" if heading == "what" else "right")
    colour = {"ok": "green", "near": "yellow", "missed": "red"}
    for bar in report.bars:
        verdicts.add_row(bar.name, bar.asked, bar.shown, f"[{colour[bar.verdict]}]{bar.verdict}[/]")
    console.print(verdicts)
    for remark in report.remarks:
        console.print(remark, markup=False, highlight=False)
    console.print("; ".join(f"{name} {value}" for name, value in report.machine.items()), markup=False, highlight=False)


def _machine(postgres: str) -> dict[str, str]:
    model = "unknown processor"
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    except OSError:
        model = platform.processor() or model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": f"{cores} × {model}",
        "PostgreSQL": postgres,
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
