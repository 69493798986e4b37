"""Show that each check can fail: plant one violation at a time in a copy of the tree and see it caught.

    python scripts/plant_violations.py [part of a name or check …]      exit status 1 where one escapes

The violations are in planted.toml. One is caught when its check fails and the output names the planted thing.
Each check must pass on the untouched copy first; otherwise its failing proves nothing.
"""

import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
COPIED = [
    *("src", "tests", "docs", "pyproject.toml", "Makefile"),
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "LICENSE"),
]
BIN = Path(sys.executable).parent
PLANTED = Path(__file__).with_name("planted.toml")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One entry of planted.toml: once `written` stands in `path`, `check` must fail and say `says`."""

    name: str
    check: str
    path: str
    says: str
    imports: str = ""
    before: str = ""
    text: str = ""
    times: int = 1
    after: str = ""

    @property
    def written(self) -> str:
        """What is planted."""
        if self.imports:
            return f"\nimport {self.imports}\n"
        return self.before + self.text * self.times + self.after


VIOLATIONS = [Violation(**entry) for entry in tomllib.loads(PLANTED.read_text())["violation"]]


def command(check: str, path: str) -> list[str]:
    """What runs a check in the copy; style and types look at the planted file alone."""
    tool, _, part = check.partition(" ")
    python = sys.executable
    commands: dict[str, list[str]] = {
        "layers": [str(BIN / "lint-imports"), "--no-logo", "--contract", part],
        "house": [python, "-m", "pytest", "-q", "-x", "-c", "house.ini", f"tests/house/test_{part}.py"],
        "ruff": [str(BIN / "ruff"), "check", "--no-cache", path],
        "mypy": [str(BIN / "mypy"), path],
        "sqlfluff": [str(BIN / "sqlfluff"), "lint", "--disable-progress-bar", path],
    }
    return commands[tool]


class Copy:
    """A copy of the tree in which one violation at a time is planted."""

    def __init__(self, home: Path) -> None:
        self.home = home
        for name in COPIED:
            source, target = ROOT / name, home / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            elif source.exists():
                shutil.copy(source, target)
        # Without the plug-ins and settings of the whole test suite a check starts in a fraction of a second.
        (home / "house.ini").write_text(
            "[pytest]\npythonpath = tests\naddopts = --import-mode=importlib -p no:cacheprovider\n"
        )
        self.environment = os.environ | {
            "PYTHONPATH": str(home / "src"),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }

    def run(self, check: str, path: str) -> tuple[bool, str]:
        """Whether the check passes, and what it says with its line breaks taken out."""
        done = subprocess.run(
            command(check, path),
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode == 0, " ".join((done.stdout + done.stderr).split())

    def plant(self, violation: Violation) -> str:
        """Plant, check, take out again; empty where it was caught, else what went wrong."""
        target = self.home / violation.path
        before = target.read_text() if target.exists() else None
        made = [folder for folder in target.parents if not folder.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((before or "") + violation.written)
        try:
            passes, said = self.run(violation.check, violation.path)
        finally:
            if before is None:
                target.unlink()
            else:
                target.write_text(before)
            for folder in made:
                shutil.rmtree(folder, ignore_errors=True)
        if passes:
            return "not caught"
        return "" if violation.says in said else f"failed for another reason: {said[-300:]}"


def sound(copy: Copy, checks: Sequence[str]) -> list[str]:
    """The checks that fail on the untouched copy."""
    anywhere = "src/tokenhouse/infra/kernel/money.py"
    return [f"{check}: {said[-300:]}" for check in checks for passes, said in [copy.run(check, anywhere)] if not passes]


def survey(copy: Copy, violations: Sequence[Violation], done: Callable[[Violation, str], None]) -> None:
    """Plant each in turn."""
    for violation in violations:
        done(violation, copy.plant(violation))


def main(names: Sequence[str]) -> int:
    chosen = [v for v in VIOLATIONS if not names or any(name in f"{v.name} {v.check}" for name in names)]
    began = time.monotonic()
    results: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="planted-") as folder, ThreadPoolExecutor(2) as pool:
        copies = [Copy(Path(folder) / str(n)) for n in range(2)]
        checks = sorted({v.check for v in chosen if v.check != "sqlfluff"})
        broken = [line for part in pool.map(sound, copies, (checks[::2], checks[1::2])) for line in part]
        if broken:
            print("These fail already without a violation:", *broken, sep="\n  ")
            return 1

        def done(violation: Violation, wrong: str) -> None:
            results[violation.name] = wrong

        list(pool.map(survey, copies, (chosen[::2], chosen[1::2]), (done, done)))
    table = Table("violation", "check", "caught", box=None, pad_edge=False)
    for violation in chosen:
        table.add_row(violation.name, violation.check, results[violation.name] or "yes")
    Console(width=140, highlight=False).print(table)
    escaped = sum(map(bool, results.values()))
    print(f"{len(chosen) - escaped} of {len(chosen)} violations caught in {time.monotonic() - began:.0f} s")
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
