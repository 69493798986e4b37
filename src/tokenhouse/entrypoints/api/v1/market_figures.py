"""The market in figures: by category, models side by side, those who earn, and advice that says why."""

from datetime import date
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field

from tokenhouse.domain import insights
from tokenhouse.domain.insights import CategoryRow, Compared, CreatorSort, CreatorSums, Use
from tokenhouse.entrypoints.api.cursor import cursor_of, number_after
from tokenhouse.entrypoints.api.reference import LIST, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, router
from tokenhouse.entrypoints.api.types import Answer, Id
from tokenhouse.entrypoints.api.v1.platform_figures import Day, days_asked, dollars
from tokenhouse.infra.database import PLATFORM, Actor
from tokenhouse.infra.kernel.errors import NotFound, ValidationFailed
from tokenhouse.infra.kernel.money import BPS, round_half_even, usd_text

routes = router("Analytics")

_TOO_FEW = 3
_MOST_COMPARED = 10

First = Annotated[Day | None, Query(alias="from", description="The first day (UTC); 29 before the last.")]
Last = Annotated[Day | None, Query(alias="to", description="The last day (UTC), included; today.")]


class CategoryOut(Answer):
    """A category of models. Where fewer than three models were used, only the platform sees credits and earnings."""

    category: str
    models: int = Field(description="On offer.")
    models_used: int
    uses: int = Field(description="By others than owners and creators.")
    uses_before: int = Field(description="In as many days before.")
    growth_bps: int | None = Field(description="Of the uses, in basis points; null where there were none before.")
    credits: int | None
    earnings_nano_usd: int | None
    earnings_usd: str | None


class MarketFiguresOut(Answer):
    """The market by category, the most used first."""

    first: date = Field(alias="from")
    last: date = Field(alias="to")
    data: list[CategoryOut]


class UseDayOut(Answer):
    """A model's day."""

    date: date
    uses: int
    credits: int
    earnings_nano_usd: int


class ComparedOut(Answer):
    """A model beside others: others' uses of it, by how many, and what they earned."""

    model_id: str
    name: str
    category: str
    uses: int
    users: int
    credits: int
    earnings_nano_usd: int
    earnings_usd: str
    uses_before: int
    earnings_before_nano_usd: int
    earnings_before_usd: str
    growth_bps: int | None
    trend: list[UseDayOut]


class ComparisonOut(Answer):
    """Models side by side, in the order in which they were named."""

    first: date = Field(alias="from")
    last: date = Field(alias="to")
    data: list[ComparedOut]


class CreatorRowOut(Answer):
    """Somebody who earned by others' uses."""

    account_id: str | None
    name: str | None
    models: int = Field(description="That they own or made.")
    uses: int
    credits: int
    earnings_nano_usd: int
    earnings_usd: str
    uses_before: int
    earnings_before_nano_usd: int
    earnings_before_usd: str
    growth_bps: int | None = Field(description="Of the earnings; null where there were none before.")
    accrued_nano_usd: int = Field(description="All that others' uses earned them since ever, paid out or not.")
    accrued_usd: str


class AdviceOut(Answer):
    """A recommendation, and why."""

    kind: str
    title: str
    reason: str = Field(description="In figures.")
    model_id: str | None
    category: str | None
    credit_type: str | None


class AdviceListOut(Answer):
    """What an account might do, what matters most first; none where the figures say nothing."""

    account_id: str
    data: list[AdviceOut]


@routes.get(
    "/v1/analytics/market",
    operation_id="analytics_market",
    summary="Read the market by category",
    responses={**found(MarketFiguresOut), **LIST},
)
async def analytics_market(call: TheCall, first: First = None, last: Last = None) -> Response:
    """Read how many models each category has, how much they are used, and what they earn. For everybody."""
    call.require("wallets:read")
    async with call.runtime.database.read(PLATFORM) as tx:
        begin, end = days_asked(first, last, await insights.today(tx))
        views = await insights.market_view(tx, begin, end)
    return answer({"from": begin, "to": end, "data": [_category(view, all_of_it=call.platform) for view in views]})


@routes.get(
    "/v1/analytics/compare",
    operation_id="analytics_compare",
    summary="Put models side by side",
    responses={**found(ComparisonOut), **LIST},
)
async def analytics_compare(
    call: TheCall,
    model_id: Annotated[list[Id], Query(description="Up to ten, each as `model_id=…`.")],
    account_id: Annotated[str | None, Query(description="As they count for whom; platform keys: for all.")] = None,
    first: First = None,
    last: Last = None,
) -> Response:
    """Compare models that an account earns by: uses, users, earnings and their trend. The platform compares any."""
    if not 1 <= len(model_id) <= _MOST_COMPARED or len(set(model_id)) < len(model_id):
        raise ValidationFailed.of("model_id", f"name 1 to {_MOST_COMPARED} models, each once")
    own = call.authority.account
    whose = account_id or (None if call.platform or own is None else own.external_id)
    identity = None if whose is None else await call.account(whose, "wallets:read")
    if identity is None:
        call.require("wallets:read")
    async with call.runtime.database.read(PLATFORM if identity is None else Actor((identity.id,))) as tx:
        models = await insights.models_found(tx, model_id, identity and identity.id)
        if any(name not in models or (identity is not None and not models[name].own) for name in model_id):
            raise NotFound("There is no such model, or it is not yours.")
        begin, end = days_asked(first, last, await insights.today(tx))
        seen = await insights.compare(tx, identity and identity.id, [models[name] for name in model_id], begin, end)
    return answer({"from": begin, "to": end, "data": [_compared(one) for one in seen]})


@routes.get(
    "/v1/analytics/creators",
    operation_id="analytics_creators",
    summary="List those who earn",
    responses={**found(CreatorRowOut, listed=True), **LIST},
)
async def analytics_creators(
    call: TheCall,
    first: First = None,
    last: Last = None,
    sort: Annotated[CreatorSort, Query(description="What there is most of first.")] = "earnings",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List who earned by others' uses of their models in a time, or in as many days before. For the platform."""
    call.require_admin()
    skipped = number_after(cursor) or 0
    async with call.runtime.database.read(PLATFORM) as tx:
        begin, end = days_asked(first, last, await insights.today(tx))
        rows = await insights.creators(tx, begin, end, sort=sort, skipped=skipped, most=limit + 1)
    following = cursor_of(skipped + limit) if len(rows) > limit else None
    return answer(page([_creator(row) for row in rows[:limit]], following))


@routes.get(
    "/v1/analytics/recommendations",
    operation_id="analytics_recommendations",
    summary="Read what an account might do",
    responses={**found(AdviceListOut), **LIST},
)
async def analytics_recommendations(
    call: TheCall, account_id: Annotated[str, Query(description="For whom.")]
) -> Response:
    """Read recommendations for somebody who earns by models or pays, each with its reason in figures."""
    identity = await call.account(account_id, "wallets:read")
    # What is said of the market is of many models together, or of how often one was used.
    async with call.runtime.database.read(PLATFORM) as tx:
        found_out = await insights.facts(tx, identity.id)
    return answer(
        {
            "account_id": identity.external_id,
            "data": [
                {
                    "kind": one.kind,
                    "title": one.title,
                    "reason": one.reason,
                    "model_id": one.model_id,
                    "category": one.category,
                    "credit_type": one.credit_type,
                }
                for one in insights.advise(found_out)
            ],
        }
    )


def _category(view: CategoryRow, *, all_of_it: bool) -> dict[str, Any]:
    told = all_of_it or view.used >= _TOO_FEW
    return {
        "category": view.category,
        "models": view.on_offer,
        "models_used": view.used,
        "uses": view.uses,
        "uses_before": view.uses_before,
        "growth_bps": _growth(view.uses, view.uses_before),
        "credits": view.credits if told else None,
        "earnings_nano_usd": view.nanos if told else None,
        "earnings_usd": usd_text(view.nanos) if told else None,
    }


def _compared(one: Compared) -> dict[str, Any]:
    return {
        "model_id": one.model.model_id,
        "name": one.model.name,
        "category": one.model.category,
        "uses": one.now.uses,
        "users": one.users,
        "credits": one.now.credits,
        **dollars("earnings", one.now.nanos),
        "uses_before": one.before.uses,
        **dollars("earnings_before", one.before.nanos),
        "growth_bps": _growth(one.now.nanos, one.before.nanos),
        "trend": [_day(day, use) for day, use in one.days],
    }


def _day(day: date, use: Use) -> dict[str, Any]:
    return {"date": day, "uses": use.uses, "credits": use.credits, "earnings_nano_usd": use.nanos}


def _creator(row: CreatorSums) -> dict[str, Any]:
    return {
        "account_id": row.account_id,
        "name": row.name,
        "models": row.models,
        "uses": row.uses,
        "credits": row.credits,
        **dollars("earnings", row.nanos),
        "uses_before": row.uses_before,
        **dollars("earnings_before", row.nanos_before),
        "growth_bps": _growth(row.nanos, row.nanos_before),
        **dollars("accrued", row.accrued),
    }


def _growth(now: int, before: int) -> int | None:
    return round_half_even((now - before) * BPS, before) if before > 0 else None
