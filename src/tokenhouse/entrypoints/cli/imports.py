"""`import usage`: charge for uses that stand in a file, once each however often it is run."""

import asyncio
import csv
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Self

import typer

from tokenhouse.entrypoints.cli.output import Json, give_json, pairs, say

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from tokenhouse.domain.access import Identities
    from tokenhouse.domain.metering import Checks, GroupCommit
    from tokenhouse.domain.metering.types import Done, Order
    from tokenhouse.entrypoints.cli.session import Session
    from tokenhouse.entrypoints.cli.usage_rows import Reading, Row, UsageFile
    from tokenhouse.infra.kernel.errors import TokenhouseError

imports = typer.Typer(no_args_is_help=True, help="Bring in what happened elsewhere.")

CHUNK = 1000
PATH = "/v1/charges"
_TRIES = 10

File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True, help="CSV with a heading, UTF-8.")]
Maps = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="FIELD=COLUMN", help="Where a field of the charge stands, if not under its name."),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="FIELD=VALUE", help="A field's value where the file has none."),
]
Key = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="A column that names each use.", show_default="the file and the row"),
]


@dataclass(slots=True)
class Tally:
    """What became of the rows."""

    rows: int = 0
    charged: int = 0
    replayed: int = 0
    refused: int = 0
    credits: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)


@imports.command()
def usage(
    file: File,
    mapped: Maps = None,
    fixed: Sets = None,
    key: Key = None,
    zone: Annotated[str | None, typer.Option(help="Time zone of times that name none, such as UTC.")] = None,
    delimiter: Annotated[str, typer.Option(help="What stands between cells.")] = ",",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and price every row, charge none.")] = False,
    as_json: Json = False,
) -> None:
    """Charge for each row of FILE. Interrupted or run again, it charges nothing twice.

    Fields are those of POST /v1/charges, and metadata.NAME. What is refused goes to FILE.refused.csv with the
    reason; mend the cause and run the same command again. Exit 1 where a row was refused.
    """
    from tokenhouse.entrypoints.cli.session import run
    from tokenhouse.entrypoints.cli.usage_rows import Reading, UsageFile

    source = UsageFile(file, "\t" if delimiter == "\\t" else delimiter)
    reading = Reading(source.columns, _assigned("--map", mapped), _assigned("--set", fixed), key, _zone(zone))
    with _Refused(source) as refused:
        tally = run(_import(source, reading, refused, dry_run=dry_run))
    _tell(tally, refused, dry_run=dry_run, as_json=as_json)
    if tally.refused:
        raise typer.Exit(1)


def _assigned(option: str, given: list[str] | None) -> dict[str, str]:
    pairs_given = {}
    for text in given or []:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise typer.BadParameter(f"{text!r} is not NAME=VALUE", param_hint=option)
        pairs_given[name] = value
    return pairs_given


def _zone(name: str | None) -> "tzinfo | None":
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return None if name is None else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise typer.BadParameter(f"{name!r} is no time zone", param_hint="--zone") from None


class _Refused:
    """Writes the refused rows beside the file, with their reasons; the file appears with the first."""

    def __init__(self, source: "UsageFile") -> None:
        self.path = source.path.with_name(f"{source.path.name}.refused.csv")
        self._heading = [*source.columns, "refused_row", "refused_reason"]
        self._width = len(source.columns)
        self._target: IO[str] | None = None

    def __enter__(self) -> Self:
        self.path.unlink(missing_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._target is not None:
            self._target.close()

    def add(self, row: "Row", reason: str) -> None:
        cells = [*row.cells[: self._width], *[""] * (self._width - len(row.cells))]
        if self._target is None:
            self._target = self.path.open("w", encoding="utf-8", newline="")
            csv.writer(self._target).writerow(self._heading)
        csv.writer(self._target).writerow([*cells, row.number, reason])


async def _import(source: "UsageFile", reading: "Reading", refused: _Refused, *, dry_run: bool) -> Tally:
    from tokenhouse.domain import access, ledger, metering
    from tokenhouse.domain.access.acts import Act, By
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import PLATFORM

    async with opened() as session:
        async with session.database.read(PLATFORM) as tx:
            buckets = (await access.deployment(tx)).buckets
            now = await ledger.now(tx)
        if not dry_run:
            async with session.database.transaction(PLATFORM) as tx:
                act = Act("usage.import", "file", source.digest, after={"digest": source.digest})
                await access.record(tx, By("cli"), act)
        commit = metering.GroupCommit(
            session.database, buckets=buckets, queue_limit=2 * CHUNK, upgrade_url=session.settings.upgrade_url
        )
        checks = metering.Checks(session.database, commit)
        work = _Work(session, reading, source.digest, now, refused, access.Identities(session.database))
        with _progress(source.size) as advance:
            for chunk in _chunks(source.rows(advance)):
                await work.chunk(chunk, commit, checks if dry_run else None)
        await commit.close()
        return work.tally


def _chunks(rows: "Iterator[Row]") -> "Iterator[list[Row]]":
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


@dataclass(slots=True)
class _Work:
    """The import under way."""

    session: "Session"
    reading: "Reading"
    digest: str
    now: "datetime"
    refused: _Refused
    identities: "Identities"
    tally: Tally = field(default_factory=Tally)

    async def chunk(self, rows: "Sequence[Row]", commit: "GroupCommit", checks: "Checks | None") -> None:
        """Carry out some rows, in order; with `checks` only price them."""
        self.tally.rows += len(rows)
        bodies: list[tuple[Row, dict[str, object]]] = []
        for row in rows:
            body = self._body(row)
            if body is not None:
                bodies.append((row, body))
        known = await self.identities.find_all({str(body["account_id"]) for _, body in bodies})
        orders: list[tuple[Row, Order]] = []
        for row, body in bodies:
            identity = known.get(str(body["account_id"]))
            if identity is None:
                self._refuse(row, "not_found", f"account_id: there is no account {body['account_id']!r}")
                continue
            orders.append((row, self._order(row, body, identity)))
        if checks is not None:
            await self._price(orders, checks)
            return
        outcomes = await self._submit([order for _, order in orders], commit)
        for (row, _), outcome in zip(orders, outcomes, strict=True):
            self._count(row, outcome)

    def _body(self, row: "Row") -> dict[str, object] | None:
        from datetime import datetime

        from tokenhouse.infra.kernel.errors import ValidationFailed

        if row.problem is not None:
            self._refuse(row, "malformed_row", row.problem)
            return None
        try:
            body = self.reading.body(row)
            self.reading.key(row, self.digest)
        except ValidationFailed as error:
            self._refuse(row, error.code, error.detail)
            return None
        occurred_at = body.get("occurred_at")
        if isinstance(occurred_at, str) and datetime.fromisoformat(occurred_at) > self.now:
            self._refuse(row, ValidationFailed.code, "occurred_at: lies in the future")
            return None
        return body

    def _order(self, row: "Row", body: dict[str, object], identity: object) -> "Order":
        from typing import Any, cast

        from tokenhouse.domain.ledger.types import Command, Party
        from tokenhouse.domain.metering.types import Order
        from tokenhouse.infra.kernel import strict_json

        said = cast("dict[str, Any]", body)
        who = cast("Any", identity)
        command = Command(
            Party(who.id, who.bucket, who.external_id),
            self.reading.key(row, self.digest),
            # The same charge through the API, under the same key, is the same command.
            strict_json.digest(PATH, body).hex(),
        )
        return Order(
            command,
            "charge",
            operation=said.get("operation"),
            credit_type=said.get("credit_type"),
            amount=said.get("amount"),
            quantity=said.get("quantity"),
            model_id=said.get("model_id"),
            character_id=said.get("character_id"),
            usage_type=said.get("usage_type"),
            user_label=said.get("user_id"),
            upstream_model=said.get("upstream_model"),
            provider=said.get("provider"),
            cost_nanos=said.get("cost_nano_usd"),
            occurred_at=said.get("occurred_at"),
            metadata=json.dumps(said["metadata"], ensure_ascii=False) if "metadata" in said else None,
        )

    async def _submit(self, orders: "list[Order]", commit: "GroupCommit") -> "list[Done | TokenhouseError]":
        """Carry out orders; while the database is away the same ones are sent again, which their keys make safe."""
        from tokenhouse.infra.kernel.errors import Unavailable

        for tries_left in reversed(range(_TRIES)):
            outcomes = await commit.submit_all(orders)
            away = next((one for one in outcomes if isinstance(one, Unavailable)), None)
            if away is None:
                return outcomes
            if not tries_left:
                raise Unavailable(f"{away.detail} Run the same command again: it goes on where it was.")
            say("The database is away; trying again.")
            await asyncio.sleep(1)
        return []

    async def _price(self, orders: "list[tuple[Row, Order]]", checks: "Checks") -> None:
        from tokenhouse.infra.kernel.errors import TokenhouseError

        verdicts = await asyncio.gather(*(checks.check(order) for _, order in orders), return_exceptions=True)
        for (row, order), verdict in zip(orders, verdicts, strict=True):
            if isinstance(verdict, TokenhouseError):
                self._refuse(row, verdict.code, verdict.detail)
            elif isinstance(verdict, BaseException):
                raise verdict
            else:
                self.tally.charged += 1
                self.tally.credits[order.credit_type or order.operation or "general"] += verdict.required

    def _count(self, row: "Row", outcome: "Done | TokenhouseError") -> None:
        from tokenhouse.domain.metering.types import Done

        if not isinstance(outcome, Done):
            self._refuse(row, outcome.code, outcome.detail)
        elif outcome.replayed:
            self.tally.replayed += 1
        else:
            self.tally.charged += 1
            if outcome.receipt is not None:
                self.tally.credits[outcome.receipt.credit_type] += outcome.receipt.amount

    def _refuse(self, row: "Row", code: str, reason: str) -> None:
        self.tally.refused += 1
        self.tally.reasons[code] += 1
        self.refused.add(row, reason)


@contextmanager
def _progress(size: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("Importing"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("import", total=size)
        yield lambda count: progress.advance(task, count)


def _tell(tally: Tally, refused: _Refused, *, dry_run: bool, as_json: bool) -> None:
    done = "would_charge" if dry_run else "charged"
    if as_json:
        give_json(
            {
                "rows": tally.rows,
                done: tally.charged,
                "replayed": tally.replayed,
                "refused": tally.refused,
                "credits": dict(tally.credits),
                "reasons": dict(tally.reasons),
                "refused_file": str(refused.path) if tally.refused else None,
            }
        )
        return
    pairs({"rows": tally.rows, done: tally.charged, "replayed": tally.replayed, "refused": tally.refused})
    for name, total in sorted(tally.credits.items()):
        say(f"{total:,} credits of {name}" if not dry_run else f"{total:,} credits for {name}")
    for code, count in tally.reasons.most_common():
        say(f"{count:,} refused: {code}")
    if tally.refused:
        say(f"The refused rows and why: {refused.path}")
