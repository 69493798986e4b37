"""`audit`: who did what, and the head of the chain that proves it."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenhouse.entrypoints.cli.output import Json, give, give_json, say

if TYPE_CHECKING:
    from tokenhouse.domain.access.acts import ActView
    from tokenhouse.domain.ledger.types import Fault, Head

audit = typer.Typer(no_args_is_help=True, help="Who did what, and the chain that proves it.")

_FORMATS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%SZ"]
Kept = Annotated[Path, typer.Option("--head", help="What `audit head` printed.", exists=True, dir_okay=False)]
Since = Annotated[datetime | None, typer.Option("--from", formats=_FORMATS, help="Recorded at or after; UTC.")]
Until = Annotated[datetime | None, typer.Option("--to", formats=_FORMATS, help="Recorded before; UTC.")]


@audit.command("list")
def list_acts(
    actor: Annotated[str | None, typer.Option(help="Who acted: an account's id.")] = None,
    act: Annotated[str | None, typer.Option(help="What was done, such as plan.change.")] = None,
    target: Annotated[str | None, typer.Option(help="account:ID, model:ID, key:ID, or a kind.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
    as_json: Json = False,
) -> None:
    """List acts, the newest first."""
    from dataclasses import asdict

    from tokenhouse.entrypoints.cli.output import table
    from tokenhouse.entrypoints.cli.session import run

    found = run(_list_acts(actor, act, target, _utc(since), _utc(until), limit))
    if as_json:
        give_json([asdict(one) for one in found])
        return
    columns = ["id", "at", "via", "actor", "act", "target", "account", "address"]
    rows = [
        [one.id, one.at, one.via, one.actor or one.actor_number, one.act, f"{one.target_kind}:{one.target or '?'}",
         one.account or one.account_number, one.address]
        for one in found
    ]  # fmt: skip
    table(columns, [[str(row[0]), *row[1:]] for row in rows])


@audit.command()
def head() -> None:
    """Print the chain's last block as JSON: keep it where nobody who can write the database can write."""
    from tokenhouse.entrypoints.cli.session import run

    found = run(_head())
    if found is None:
        say("There is no block yet: the jobs process closes one a minute after something was recorded.")
        raise typer.Exit(1)
    give_json({"number": found.number, "digest": found.digest, "made_at": found.made_at.isoformat()})


@audit.command()
def check(kept: Kept, as_json: Json = False) -> None:
    """Compare the chain with a head that was kept: whether that block, and all others, stand as they did.

    `verify --audit` derives what the blocks cover. Exit 1 where something differs.
    """
    from tokenhouse.entrypoints.cli.session import run

    wanted = _read(kept)
    fault = run(_check(wanted))
    if as_json:
        said = None if fault is None else {"number": fault.number, "what": fault.what, "detail": fault.detail}
        give_json({"holds": fault is None, "head": wanted.number, "fault": said})
    elif fault is None:
        give(f"ok    block {wanted.number} is the one that was kept, and the chain hangs on it")
    else:
        give(f"FAIL  block {fault.number} ({fault.what}): {fault.detail}")
    if fault is not None:
        raise typer.Exit(1)


def _utc(at: datetime | None) -> datetime | None:
    from datetime import UTC

    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


def _read(kept: Path) -> "Head":
    from tokenhouse.domain.ledger.types import Head

    try:
        said = json.loads(kept.read_text())
        return Head(int(said["number"]), str(said["digest"]), datetime.fromisoformat(said["made_at"]))
    except (ValueError, KeyError, TypeError):
        raise typer.BadParameter(f"{kept} is not what `tokenhouse audit head` prints", param_hint="--head") from None


async def _list_acts(
    actor: str | None,
    act: str | None,
    target: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> "list[ActView]":
    from tokenhouse.domain import access
    from tokenhouse.entrypoints.cli.session import account_of, opened
    from tokenhouse.infra.database import PLATFORM

    kind, _, name = (target or "").partition(":")
    async with opened(connections=2) as session:
        who = (await account_of(session, actor)).id if actor is not None else None
        if kind == "account" and name:
            name = str((await account_of(session, name)).id)
        async with session.database.read(PLATFORM) as tx:
            return await access.list_acts(
                tx,
                actor_id=who,
                act=act,
                target_kind=kind or None,
                target_id=name or None,
                since=since,
                until=until,
                most=limit,
            )


async def _head() -> "Head | None":
    from tokenhouse.domain import ledger
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import PLATFORM

    async with opened(connections=2) as session, session.database.read(PLATFORM) as tx:
        return await ledger.chain_head(tx)


async def _check(wanted: "Head") -> "Fault | None":
    from tokenhouse.domain import ledger
    from tokenhouse.entrypoints.cli.session import opened

    async with opened(connections=2) as session:
        return await ledger.check_head(session.database, wanted)
