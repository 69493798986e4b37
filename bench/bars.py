"""What is asked for, and whether what was measured is enough."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.rounds import YARDSTICK
from bench.sample import Sample

LARGE = "large: "
_NEAR = 0.10
Verdict = Literal["ok", "near", "missed"]

_TIMES = {
    "charges, 64 callers": 2.0,
    "charges, 256 callers": 3.0,
    "HTTP: charges, 2 workers": 1.5,
    "HTTP: batches of 100, 2 workers": 2.5,
}
_HOT = ("charges, 256 callers", "charges, 256 callers, no hot model", 0.15)
_GROWTH = 0.20
_MILLISECONDS = {
    "checks, 64 callers": 10.0,
    "charges, 64 callers": 50.0,
    "stats, 64 callers": 30.0,
    "HTTP: check, 64 callers": 10.0,
    "HTTP: check, paced": 10.0,
    "HTTP: charges, 2 workers": 50.0,
    "HTTP: charge, paced": 50.0,
    "HTTP: deduct-token, 64 callers": 50.0,
    "HTTP: deduct-token, paced": 50.0,
    "HTTP: stats, 64 callers": 30.0,
    "HTTP: stats, paced": 30.0,
}
_ANY_ENDPOINT_MILLISECONDS = 200.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar. Short of it by a tenth at most is `near`."""

    name: str
    asked: str
    found: float
    shown: str
    verdict: Verdict


def judge(samples: dict[str, list[Sample]]) -> list[Bar]:
    """Judge what was measured; what was not has no bar."""
    bars = [_times(name, samples, asked) for name, asked in _TIMES.items() if name in samples]
    hot, without, most = _HOT
    if hot in samples and without in samples:
        bars.append(_loss("a hot model costs", samples[hot], samples[without], most))
    for name, found in samples.items():
        small = name.removeprefix(LARGE)
        if small != name and small in samples:
            bars.append(_loss(f"growth costs: {small}", found, samples[small], _GROWTH))
    endpoints = {name: _ANY_ENDPOINT_MILLISECONDS for name in samples if name.startswith("endpoint")}
    for name, asked in (_MILLISECONDS | endpoints).items():
        taken = median(sample.quantile(0.99) for sample in samples.get(name, ()))
        if taken:
            bars.append(_bar(f"p99: {name}", f"< {asked:g} ms", taken, f"{taken:.1f} ms", asked / taken))
    return bars


def median(values: Iterable[float | None]) -> float | None:
    """The median of those that are known."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def ratios(samples: Sequence[Sample], others: Sequence[Sample]) -> list[float]:
    """Rates of one by the other's, round by round."""
    return [one.rate / other.rate for one, other in zip(samples, others, strict=True) if other.rate]


def _times(name: str, samples: dict[str, list[Sample]], asked: float) -> Bar:
    found = median(ratios(samples[name], samples[YARDSTICK])) or 0.0
    return _bar(name, f"≥ {asked:g} × TPC-B", found, f"{found:.2f} ×", found / asked)


def _loss(title: str, one: Sequence[Sample], other: Sequence[Sample], most: float) -> Bar:
    lost = 1 - (median(ratios(one, other)) or 0.0)
    return _bar(title, f"≤ {most:.0%}", lost, f"{lost:.0%}", most / max(lost, 1e-9))


def _bar(name: str, asked: str, found: float, shown: str, share: float) -> Bar:
    """Judge: `share` is 1 or more where the bar is cleared."""
    verdict: Verdict = "ok" if share >= 1 else "near" if share >= 1 - _NEAR else "missed"
    return Bar(name, asked, found, shown, verdict)
