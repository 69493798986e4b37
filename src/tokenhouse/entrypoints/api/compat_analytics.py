"""A creator's figures by the sources' own path and names."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Response

from tokenhouse.domain import access, insights, metering
from tokenhouse.domain.insights.rules import months, weeks
from tokenhouse.domain.insights.types import Creator, ModelSums, Point, Recent, Sums
from tokenhouse.domain.metering import Accrual
from tokenhouse.entrypoints.api.problems import exact_json
from tokenhouse.entrypoints.api.reference import COMPAT_READ, found
from tokenhouse.entrypoints.api.routing import TheCall, router
from tokenhouse.entrypoints.api.types import Answer
from tokenhouse.infra.database import Actor
from tokenhouse.infra.kernel.money import round_half_even, usd_number
from tokenhouse.infra.kernel.periods import zone

routes = router("Compatibility")

_TOP = 5
_LATEST = 20


class CompatSummaryOut(Answer):
    """A period in one line; `activeModels` are those used in it."""

    totalEarnings: float  # noqa: N815 - the sources' name, as all below
    """Dollars, exact to the nano-dollar."""
    activeModels: int  # noqa: N815
    totalUsage: int  # noqa: N815
    totalTokens: int  # noqa: N815
    averageEarnings: float  # noqa: N815
    """By active model."""


class CompatModelLineOut(Answer):
    """One model's figures."""

    modelId: str  # noqa: N815
    modelName: str  # noqa: N815
    modelCategory: str  # noqa: N815
    earnings: float
    usage: int
    tokens: int


class CompatTrendPointOut(Answer):
    """A day, or the first of a week or month; weeks begin on Monday."""

    date: date
    earnings: float
    usage: int
    tokens: int


class CompatTrendsOut(Answer):
    """The period in days, weeks and months, where nothing happened as well."""

    daily: list[CompatTrendPointOut]
    weekly: list[CompatTrendPointOut]
    monthly: list[CompatTrendPointOut]


class CompatActivityLineOut(Answer):
    """A use by somebody else, who is named by a pseudonym."""

    modelId: str  # noqa: N815
    modelName: str  # noqa: N815
    usageType: str  # noqa: N815
    tokens: int
    earnings: float
    user: str
    createdAt: datetime  # noqa: N815


class CompatTransactionLineOut(Answer):
    """What was credited for a use, or taken back by its reversal: below zero then."""

    id: str
    type: str
    amount: float
    status: str
    createdAt: datetime  # noqa: N815


class CreatorAnalyticsOut(Answer):
    """A creator's figures of a period."""

    success: bool
    summary: CompatSummaryOut
    models: list[CompatModelLineOut]
    trends: CompatTrendsOut
    topModels: list[CompatModelLineOut]  # noqa: N815
    recentActivity: list[CompatActivityLineOut]  # noqa: N815
    transactions: list[CompatTransactionLineOut]


@routes.get(
    "/api/creator-analytics",
    operation_id="compat_creator_analytics",
    summary="A creator's figures",
    responses={**found(CreatorAnalyticsOut), **COMPAT_READ},
)
async def creator_analytics(
    call: TheCall,
    period: Annotated[Literal["7", "30", "90", "365"], Query(description="Days: today and those before.")] = "30",
    modelId: Annotated[str | None, Query(max_length=128, description="Of this model alone.")] = None,  # noqa: N803
) -> Response:
    """Read what others' uses of the caller's models brought, for the caller or whom X-User-ID names.

    Days are those of the account's time zone. Another's model shows nothing.
    """
    identity = await call.caller()
    call.require("wallets:read")
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        account = await access.find_account(tx, identity.external_id)
        asked = await insights.last_days(tx, int(period), zone(account.time_zone if account else "UTC"))
        model = await insights.model_number(tx, modelId) if modelId is not None else None
        figures = await insights.creator(tx, identity.id, asked, model)
        latest = await insights.recent(tx, identity.id, asked, model, most=_LATEST)
        credited = await metering.accruals(tx, identity.id, most=_LATEST)
    moves = [one for one in credited if one.occurred_at >= asked.since and modelId in (None, one.model_id)]
    told = {"success": True, **_told(figures), **_lately(latest, moves)}
    return Response(exact_json(told), 200, None, "application/json")


def _told(figures: Creator) -> dict[str, Any]:
    active = sum(1 for one in figures.models if one.sums.uses > 0)
    average = round_half_even(figures.total.nanos, active) if active else 0
    lines = [_line(one) for one in figures.models]
    return {
        "summary": {
            "totalEarnings": usd_number(figures.total.nanos),
            "activeModels": active,
            "totalUsage": figures.total.uses,
            "totalTokens": figures.total.credits,
            "averageEarnings": usd_number(average),
        },
        "models": lines,
        "trends": {
            "daily": _points(figures.days),
            "weekly": _points(weeks(figures.days)),
            "monthly": _points(months(figures.days)),
        },
        "topModels": lines[:_TOP],
    }


def _sums(sums: Sums) -> dict[str, Any]:
    return {"earnings": usd_number(sums.nanos), "usage": sums.uses, "tokens": sums.credits}


def _line(one: ModelSums) -> dict[str, Any]:
    model = one.model
    return {
        "modelId": model.external_id, "modelName": model.name, "modelCategory": model.category, **_sums(one.sums),
    }  # fmt: skip


def _points(points: list[Point]) -> list[dict[str, Any]]:
    return [{"date": point.day.isoformat(), **_sums(point.sums)} for point in points]


def _lately(latest: list[Recent], moves: list[Accrual]) -> dict[str, Any]:
    return {
        "recentActivity": [
            {
                "modelId": one.model_id,
                "modelName": one.model_name,
                "usageType": one.usage_type,
                "tokens": one.credits,
                "earnings": usd_number(one.nanos),
                "user": one.user_id,
                "createdAt": one.occurred_at,
            }
            for one in latest
        ],
        "transactions": [
            {
                "id": str(one.id),
                "type": one.kind,
                "amount": usd_number(one.nanos),
                "status": "completed",
                "createdAt": one.created_at,
            }
            for one in moves
        ],
    }
