"""The platform's figures: what all uses came to, who is near their limit. For platform keys, admins and support."""

from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import BeforeValidator, Field, WithJsonSchema

from tokenhouse.domain import insights
from tokenhouse.domain.insights import AtRisk, By, Figures, Sort
from tokenhouse.entrypoints.api.cursor import cursor_of, number_after
from tokenhouse.entrypoints.api.reference import LIST, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, router
from tokenhouse.entrypoints.api.types import Answer
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import ValidationFailed
from tokenhouse.infra.kernel.money import BPS, round_half_even, usd_text

routes = router("Analytics")

MOST_DAYS = 1100
_USUAL_DAYS = 30
_YEARS = range(1980, 9000)
_PERCENT_BPS = 100


def _day(value: object) -> object:
    if value is None or isinstance(value, date):
        return value
    if isinstance(value, str) and len(value) == len("2030-01-31"):
        with suppress(ValueError):
            day = date.fromisoformat(value)
            if day.year in _YEARS:
                return day
    raise ValueError("must be a day such as 2030-01-31")


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
"""A day of the calendar."""


class FiguresOut(Answer):
    """What uses came to. Dollars as whole nano-dollars, and exactly as text."""

    uses: int
    credits: int
    earnings_nano_usd: int = Field(description="What owners and creators earned.")
    earnings_usd: str
    revenue_nano_usd: int = Field(description="What the credits were sold for.")
    revenue_usd: str
    cost_nano_usd: int = Field(description="What the provider of the AI asked for the uses whose cost is known.")
    cost_usd: str
    margin_nano_usd: int = Field(description="revenue - cost - earnings: too much by what is not known of the cost.")
    margin_usd: str
    uncosted_uses: int = Field(description="Uses whose cost is not known.")
    uncosted_share_bps: int = Field(description="The same, in basis points of all uses.")


class SpanOut(FiguresOut):
    """The figures of some days, both included."""

    first: date = Field(alias="from")
    last: date = Field(alias="to")


class DayOut(FiguresOut):
    """The figures of a stretch of days that begins there."""

    date: date


class SubjectOut(FiguresOut):
    """The figures of an operation, a model, an account …; id null: of uses that named none."""

    id: str | None
    name: str | None


class PurchasesOut(Answer):
    """Models bought, and the credits paid for them."""

    count: int
    credits: int


class PlatformFiguresOut(Answer):
    """What all uses came to."""

    totals: SpanOut
    before: SpanOut
    """As many days before."""
    purchases: PurchasesOut
    trend: list[DayOut]
    by: str
    data: list[SubjectOut]


class AtRiskOut(Answer):
    """An account that has used much of an allowance of the present period."""

    account_id: str | None
    kind: str
    name: str | None
    plan: str
    credit_type: str
    allowance: int
    used: int
    left: int
    used_bps: int = Field(description="Of the allowance, in basis points.")
    refreshes_at: datetime


@routes.get(
    "/v1/analytics/platform",
    operation_id="analytics_platform",
    summary="Read the platform's figures",
    responses={**found(PlatformFiguresOut), **LIST},
)
async def analytics_platform(
    call: TheCall,
    first: Annotated[Day | None, Query(alias="from", description="The first day (UTC); 29 before the last.")] = None,
    last: Annotated[Day | None, Query(alias="to", description="The last day (UTC), included; today.")] = None,
    by: Annotated[By, Query(description="What `data` is by.")] = "operation",
    sort: Annotated[Sort, Query(description="What there is most of first.")] = "revenue",
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    trend: Annotated[Literal["day", "week", "month"], Query(description="Weeks begin on Monday.")] = "day",
) -> Response:
    """Read what uses came to: in all, day by day, and by operation, model, plan, account, …; with cost and margin."""
    call.require_admin()
    async with call.runtime.database.read(PLATFORM) as tx:
        begin, end = days_asked(first, last, await insights.today(tx))
        seen = await insights.overview(tx, begin, end)
        rows = await insights.spending_by(tx, by, begin, end, sort=sort, most=limit)
    length = end - begin + timedelta(days=1)
    return answer(
        {
            "totals": {"from": begin, "to": end, **figures_json(seen.total)},
            "before": {"from": begin - length, "to": end - length, **figures_json(seen.before)},
            "purchases": {"count": seen.purchases.count, "credits": seen.purchases.credits},
            "trend": [{"date": day, **figures_json(one)} for day, one in insights.grouped(seen.days, trend)],
            "by": by,
            "data": [{"id": name, "name": title, **figures_json(one)} for name, title, one in rows],
        }
    )


@routes.get(
    "/v1/analytics/accounts-at-risk",
    operation_id="analytics_at_risk",
    summary="List accounts near their limit",
    responses={**found(AtRiskOut, listed=True), **LIST},
)
async def analytics_accounts_at_risk(
    call: TheCall,
    used_percent: Annotated[int, Query(ge=1, le=100, description="From how much of the allowance on.")] = 80,
    kind: Annotated[Literal["user", "organization"] | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List the accounts that have used that much of an allowance of the present period, the most used first."""
    call.require_admin()
    skipped = number_after(cursor) or 0
    async with call.runtime.database.read(PLATFORM) as tx:
        rows = await insights.at_risk(
            tx, from_bps=used_percent * _PERCENT_BPS, kind=kind, skipped=skipped, most=limit + 1
        )
    following = cursor_of(skipped + limit) if len(rows) > limit else None
    return answer(page([_risk(row) for row in rows[:limit]], following))


def days_asked(first: date | None, last: date | None, today: date) -> tuple[date, date]:
    """Give the days that are meant, both included. ValidationFailed: the wrong way round, or too many."""
    end = last or max(today, first or today)
    begin = first or end - timedelta(days=_USUAL_DAYS - 1)
    if begin > end:
        raise ValidationFailed.of("from", "lies after `to`; swap them")
    if (end - begin).days >= MOST_DAYS:
        raise ValidationFailed.of("from", f"lies more than {MOST_DAYS:,} days before `to`; ask for fewer at once")
    return begin, end


def figures_json(figures: Figures) -> dict[str, Any]:
    """Give figures ready to be written as JSON."""
    told: dict[str, Any] = {"uses": figures.uses, "credits": figures.credits}
    for name in ("earnings", "revenue", "cost", "margin"):
        told |= dollars(name, getattr(figures, name))
    told["uncosted_uses"] = figures.uncosted
    told["uncosted_share_bps"] = figures.uncosted_bps
    return told


def dollars(name: str, nanos: int) -> dict[str, Any]:
    """Give an amount both ways."""
    return {f"{name}_nano_usd": nanos, f"{name}_usd": usd_text(nanos)}


def _risk(row: AtRisk) -> dict[str, Any]:
    return {
        "account_id": row.account_id,
        "kind": row.kind,
        "name": row.name,
        "plan": row.plan_id,
        "credit_type": row.credit_type,
        "allowance": row.allowance,
        "used": row.used,
        "left": row.allowance - row.used,
        "used_bps": round_half_even(row.used * BPS, row.allowance),
        "refreshes_at": row.renews_at,
    }
