"""`prices`: what upstream models cost, by the operator's own table, which goes before the published prices."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tokenhouse.entrypoints.cli.output import Json, give, give_json, say, table

if TYPE_CHECKING:
    from tokenhouse.domain.metering import MissingPrice, UpstreamPrice

prices = typer.Typer(no_args_is_help=True, help="What upstream models cost.")

File = Annotated[
    Path, typer.Argument(help="A price list: .toml, .json or .csv.", exists=True, dir_okay=False, readable=True)
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only read the file.")]
_KINDS = (".toml", ".json", ".csv")


@prices.command("import")
def import_prices(file: File, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Add a price list: provider, model, input_usd, cached_input_usd, output_usd a million tokens, valid_from.

    Prices are added beside those of earlier lists; of two for the same model and time, the later list's holds. Costs
    that are known stay; those that are not are looked up again by the jobs.
    """
    from tokenhouse.entrypoints.cli.session import run

    if file.suffix not in _KINDS:
        raise typer.BadParameter(f"must end with {', '.join(_KINDS)}", param_hint="FILE")
    version = None
    found = _read(file)
    if not dry_run:
        version = run(_import(found))
    if as_json:
        give_json({"version": version, "prices": [_row(one) for one in found]})
    elif version is None:
        say(f"{len(found):,} prices can be imported; nothing was.")
    else:
        say(f"{len(found):,} prices are imported, as version {version}.")


@prices.command("list")
def list_prices(as_json: Json = False) -> None:
    """List the operator's prices in force, in dollars a million tokens."""
    from tokenhouse.entrypoints.cli.session import run

    rows = [_row(one) for one in run(_list())]
    if as_json:
        give_json(rows)
        return
    columns = ["provider", "model", "valid_from", "input_usd", "cached_input_usd", "output_usd", "version"]
    table(columns, [[row[name] for name in columns] for row in rows], right=columns[3:])


@prices.command()
def missing(as_json: Json = False) -> None:
    """List upstream models that were used and that no table has a price of: their cost is not known. Exit 1 if any."""
    from tokenhouse.entrypoints.cli.session import run

    found = run(_missing())
    if as_json:
        give_json([asdict(one) for one in found])
    elif found:
        columns = ["provider", "model", "uses", "first used", "last used"]
        rows = [[one.provider, one.model, one.uses, one.first_used_at, one.last_used_at] for one in found]
        table(columns, rows, right=["uses"])
        say("Give their prices with: tokenhouse prices import FILE")
    else:
        give("Every upstream model that was used has a price.")
    if found:
        raise typer.Exit(1)


def _row(price: "UpstreamPrice") -> dict[str, Any]:
    from tokenhouse.infra.kernel.money import usd_text

    return {
        "provider": price.provider,
        "model": price.model,
        "valid_from": price.valid_from,
        "input_usd": usd_text(price.input_nanos),
        "cached_input_usd": usd_text(price.cached_nanos),
        "output_usd": usd_text(price.output_nanos),
        "version": price.version,
    }


def _read(file: Path) -> "list[UpstreamPrice]":
    from tokenhouse.domain import metering

    return metering.parse_prices(file.read_text("utf-8-sig"), file.suffix.removeprefix("."))


async def _import(found: "list[UpstreamPrice]") -> int:
    from tokenhouse.domain import metering
    from tokenhouse.domain.access.acts import By
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import PLATFORM

    async with opened() as session, session.database.transaction(PLATFORM) as tx:
        return await metering.import_prices(tx, found, By("cli"))


async def _list() -> "list[UpstreamPrice]":
    from tokenhouse.domain import metering
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import PLATFORM

    async with opened() as session, session.database.read(PLATFORM) as tx:
        return await metering.operator_prices(tx)


async def _missing() -> "list[MissingPrice]":
    from tokenhouse.domain import metering
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import PLATFORM

    async with opened() as session, session.database.read(PLATFORM) as tx:
        return await metering.missing_prices(tx)
