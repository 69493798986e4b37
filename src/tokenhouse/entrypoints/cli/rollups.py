"""`rollups …`: the sums of use that figures are read from, derived anew or looked at."""

from typing import TYPE_CHECKING

import typer

from tokenhouse.entrypoints.cli.output import Json, give_json, pairs, say

if TYPE_CHECKING:
    from tokenhouse.domain.insights.types import Mark

rollups = typer.Typer(
    help="The sums of use that figures are read from. `verify` proves them with the books.", no_args_is_help=True
)


@rollups.command()
def rebuild() -> None:
    """Derive every sum again from the records. Figures stay right and readable meanwhile."""
    from tokenhouse.entrypoints.cli.session import run

    say(f"Derived from {run(_rebuild()):,} records.")


@rollups.command()
def show(as_json: Json = False) -> None:
    """Show how far the records are in the sums."""
    from tokenhouse.entrypoints.cli.session import run

    mark = run(_mark())
    told = {
        "rolled_at": mark.rolled_at,
        "current": mark.current,
        "up_to_transaction": mark.upto,
        "transactions_since": mark.waiting,
    }
    if as_json:
        give_json(told)
    else:
        pairs(told)


async def _rebuild() -> int:
    from tokenhouse.domain import insights
    from tokenhouse.entrypoints.cli.session import opened

    async with opened(connections=2) as session:
        return await insights.rebuild(session.database)


async def _mark() -> "Mark":
    from tokenhouse.domain import insights
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import PLATFORM

    async with opened(connections=2) as session, session.database.read(PLATFORM) as tx:
        return await insights.mark(tx)
