"""`demo`: load the demo beside a running server, or alone."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tokenhouse.entrypoints.cli.output import Json, give_json, say

if TYPE_CHECKING:
    from datetime import date

    from tokenhouse.domain.payouts.types import Terms
    from tokenhouse.entrypoints.cli.demo.loader import Loaded
    from tokenhouse.infra.database import Database

SEED = 1
_WAIT_SECONDS = 0.5


def demo(
    seed: Annotated[int, typer.Option(help="Another seed tells another story, beside the first.")] = SEED,
    end_day: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="The last day of use.", show_default="yesterday")
    ] = None,
    as_json: Json = False,
) -> None:
    """Load the demo: accounts on every plan, creators, models, and ninety days of use.

    Safe to repeat, and beside a running server: what is there already stays as it is. Refused in production.
    """
    from tokenhouse.entrypoints.cli.session import run

    loaded = run(_demo(seed, _day(end_day)))
    if as_json:
        give_json(asdict(loaded))
        return
    say(
        f"The demo is loaded: {loaded.accounts} accounts, {loaded.models} models, {loaded.uses:,} uses from "
        f"{loaded.first_day} to {loaded.last_day} ({loaded.new:,} new)."
    )
    for reason, count in loaded.refused.most_common():
        say(f"{count:,} uses were refused: {reason}")


def _day(text: str | None) -> "date | None":
    from tokenhouse.entrypoints.cli.demo.loader import parsed_day

    try:
        return None if text is None else parsed_day(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day such as 2030-01-31", param_hint="--end-day") from None


async def _demo(seed: int, end: "date | None") -> "Loaded":
    from tokenhouse.domain import catalog as catalogs
    from tokenhouse.entrypoints.cli import startup
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import PLATFORM
    from tokenhouse.settings import load_settings

    settings = load_settings()
    startup.refuse_demo_in_production(settings)
    async with opened(settings) as session:
        async with session.database.read(PLATFORM) as tx:
            version = (await catalogs.load(tx)).version
        if not version:
            await startup.apply_catalog(settings, session.booted)
        password = settings.demo_password.get_secret_value() if settings.demo_password else None
        return await _load(session.database, seed, settings.payout_terms, end, password)


async def _load(database: "Database", seed: int, terms: "Terms", end: "date | None", password: str | None) -> "Loaded":
    """Load it when nobody else does: a second run waits for the first."""
    from tokenhouse.entrypoints.cli.demo.doors import open_doors
    from tokenhouse.entrypoints.cli.demo.loader import Loader
    from tokenhouse.infra.database.exclusive import exclusive

    while True:
        async with exclusive(database, "demo") as mine:
            if mine:
                with _progress() as tell:
                    loader = Loader(database, seed, terms, tell)
                    await loader.people()
                    made_up = await open_doors(database, password)
                    if made_up is not None:  # told at once: loading may be killed
                        say(
                            "admin@, creator@, user@ and new@example.com sign in at /login. Their password, shown once:"
                        )
                        say(f"  {made_up}")
                    return await loader.load(end)
        await asyncio.sleep(_WAIT_SECONDS)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn("Demo: {task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("…")
        yield lambda what, done, total: progress.update(task, description=what.lower(), completed=done, total=total)
