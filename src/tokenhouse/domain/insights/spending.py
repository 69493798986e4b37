"""What all uses came to: credits, what those were worth, what they earned, what they cost. For the platform alone.

Days are UTC's. A reversal takes away on the day of its use. Every figure is that of the records at the moment of
reading: kept sums, and what was recorded since they were made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal, get_args

from tokenhouse.domain import metering
from tokenhouse.domain.insights import service
from tokenhouse.domain.insights.margins import NOTHING, Figures, parts_of
from tokenhouse.domain.metering import Cost, OpenCost
from tokenhouse.infra.database import PLATFORM, Database, Tx, arrays, load_queries

By = Literal["operation", "model", "plan", "account", "organization", "user", "usage_type", "credit_type", "upstream"]
Sort = Literal["revenue", "margin", "cost", "earnings", "credits", "uses"]
BYS: tuple[By, ...] = get_args(By)

_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class DaySpend:
    """What the uses of a UTC day came to. revenue: 10^-18 dollars; earned and cost: nano-dollars."""

    at: date
    uses: int
    credits: int
    earned: int
    revenue: Decimal
    cost: int
    costed: int


@dataclass(frozen=True, slots=True)
class SubjectSpend:
    """The same of an operation, model, account …: its id, None for uses that named none."""

    id: str | None
    name: str | None
    uses: int
    credits: int
    earned: int
    revenue: Decimal
    cost: int
    costed: int


@dataclass(frozen=True, slots=True)
class Purchases:
    """Models bought, and the credits paid for them."""

    count: int
    credits: int


@dataclass(frozen=True, slots=True)
class AtRisk:
    """An account, and how much of an allowance of the present period it has used. Credits."""

    account_id: str | None
    kind: str
    name: str | None
    plan_id: str
    credit_type: str
    allowance: int
    used: int
    renews_at: datetime


@dataclass(frozen=True, slots=True)
class Overview:
    """What the uses of a time came to, day by day, and of the time as long before it."""

    first: date
    last: date
    total: Figures
    before: Figures
    days: tuple[tuple[date, Figures], ...]
    purchases: Purchases


_Q = load_queries(__file__, "spending.sql")
_COST_USES = _Q.rows("cost_uses", int)
_BY_DAY = _Q.rows("spend_by_day", DaySpend)
_BY = _Q.rows("spend_by", SubjectSpend)
_PURCHASES = _Q.rows("purchases_between", Purchases)
_AT_RISK = _Q.rows("at_risk", AtRisk)


async def cost_uses(database: Database) -> int:
    """Look up what some uses cost that did not say; returns how many were looked up, 0 where none is left."""
    async with database.read(PLATFORM) as tx:
        tables = await metering.price_tables(tx)
        found = await metering.open_costs(tx, tables, _AT_ONCE)
    if not found:
        return 0
    costs = [_cost_of(tables, use) for use in found]
    async with database.transaction(PLATFORM) as tx:
        await tx.one(
            _COST_USES,
            buckets=arrays.ints(use.bucket for use in found),
            uses=arrays.ints(str(use.usage_id) for use in found),
            nanos=arrays.ints(None if cost is None else cost.nanos for cost in costs),
            sources=arrays.texts(None if cost is None else cost.source for cost in costs),
            versions=arrays.texts(None if cost is None else cost.version for cost in costs),
            tried=tables.name,
        )
    return len(found)


def _cost_of(tables: metering.PriceTables, use: OpenCost) -> Cost | None:
    return tables.cost(use.provider, use.model, metering.tokens_of(use.quantity), use.occurred_at)


async def overview(tx: Tx, first: date, last: date) -> Overview:
    """Return what the uses from `first` to `last` came to, both included."""
    length = last - first + timedelta(days=1)
    rows = {row.at: _figures(row) for row in await tx.all(_BY_DAY, first=first - length, last=last)}
    began = datetime.combine(first, time(), UTC)
    purchases = await purchases_between(tx, None, began, began + length)
    days = [first + timedelta(days=n) for n in range(length.days)]
    return Overview(
        first,
        last,
        _sum(rows, days),
        _sum(rows, [day - length for day in days]),
        tuple((day, _sum(rows, [day])) for day in days),
        purchases,
    )


def _sum(rows: Mapping[date, Figures], days: Sequence[date]) -> Figures:
    return sum((rows[day] for day in days if day in rows), NOTHING)


async def purchases_between(tx: Tx, account_id: int | None, since: datetime, until: datetime) -> Purchases:
    """Return the models that an account (None: anybody) bought from a moment on, before another."""
    return await tx.one(_PURCHASES, since=since, until=until, account_id=account_id)


async def spending_by(
    tx: Tx, by: By, first: date, last: date, *, sort: Sort = "revenue", most: int = 10
) -> list[tuple[str | None, str | None, Figures]]:
    """Return (id, name, figures) of operations, models, accounts … from `first` to `last`, the most first."""
    parts = parts_of(first, last, await service.today(tx))
    kinds = ("organization", "user") if by == "account" else (by,)
    rows = await tx.all(
        _BY,
        kinds=arrays.texts(kinds),
        by_model=by == "model",
        grains=arrays.texts(part.grain for part in parts),
        starts=arrays.texts(part.first.isoformat() for part in parts),
        ends=arrays.texts(part.beyond.isoformat() for part in parts),
        first=first,
        last=last,
        sort=sort,
        most=most,
    )
    return [(row.id, row.name, _figures(row)) for row in rows]


def _figures(row: DaySpend | SubjectSpend) -> Figures:
    return Figures(row.uses, row.credits, row.earned, int(row.revenue), row.cost, row.costed)


async def at_risk(tx: Tx, *, from_bps: int, kind: str | None = None, skipped: int = 0, most: int = 100) -> list[AtRisk]:
    """Return accounts that have used at least `from_bps` basis points of an allowance of this period, as the platform.

    The most used first. kind: `user` or `organization` alone.
    """
    return await tx.all(_AT_RISK, from_bps=from_bps, account_kind=kind, skipped=skipped, most=most)
