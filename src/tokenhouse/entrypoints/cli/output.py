"""Data on stdout, talk on stderr; `--json` makes the data JSON."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]

_WIDE = 240


def say(text: str = "") -> None:
    """Talk to the person: a line on stderr."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201 - this is where the command talks


def give(text: str) -> None:
    """Give data: a line on stdout."""
    print(text, flush=True)  # noqa: T201 - this is where the command answers


def give_json(value: object) -> None:
    """Give data as JSON; times and ids as text."""
    give(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """Give a table on stdout; the columns named in `right` are figures."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        shown.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(_cell(value)) for value in row))
    # A file or a pipe has no width of its own: nothing is folded there.
    Console(file=sys.stdout, width=None if sys.stdout.isatty() else _WIDE).print(shown)


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, datetime):
        return value.isoformat(" ", "seconds")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def pairs(values: Mapping[str, Any]) -> None:
    """Give names with their values, a line each."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        give(f"{name:<{width}}  {_cell(value)}")


@contextmanager
def working(what: str) -> Iterator[Callable[[str], None]]:
    """Show on a terminal that work goes on; yields what tells its present step."""
    from rich.console import Console

    console = Console(stderr=True)
    with console.status(what) as status:
        yield lambda step: status.update(f"{what}: {step}")


def explain(error: Exception) -> bool:
    """Say an expected failure in words; False where it is a defect, whose traceback is wanted."""
    from tokenhouse.infra.database.process import StartError
    from tokenhouse.infra.kernel.errors import TokenhouseError, ValidationFailed
    from tokenhouse.settings import SettingsError

    if isinstance(error, SettingsError):
        say("The settings cannot be used:")
        for problem in error.problems:
            say(f"  {problem}")
    elif isinstance(error, ValidationFailed) and len(error.errors) > 1:
        say(f"{error.title}:")
        for one in error.errors:
            say(f"  {one['field']}: {one['message']}")
    elif isinstance(error, TokenhouseError):
        say(error.detail)
    elif isinstance(error, StartError):
        say(str(error))
    else:
        return False
    return True
