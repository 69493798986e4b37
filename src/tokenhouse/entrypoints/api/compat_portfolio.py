"""The sources' analytics of a user's models, by their path and field names."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from fastapi import Response

from tokenhouse.domain import access, insights, ledger, market, metering
from tokenhouse.domain.earnings.types import ModelEarnings
from tokenhouse.domain.insights import OwnedModel, Portfolio
from tokenhouse.domain.market.types import Model
from tokenhouse.domain.metering import Accrual
from tokenhouse.entrypoints.api.compat import _answer, _model_json
from tokenhouse.entrypoints.api.compat_shapes import CompatModel
from tokenhouse.entrypoints.api.reference import COMPAT_READ, found
from tokenhouse.entrypoints.api.routing import TheCall, router
from tokenhouse.entrypoints.api.types import Answer
from tokenhouse.infra.database import PLATFORM, Actor
from tokenhouse.infra.kernel.money import round_half_even, usd_number
from tokenhouse.infra.kernel.periods import zone

routes = router("Compatibility")

_RECENT_DAYS = 30
_MOST_RECENT = 20
_LOOKED_THROUGH = 200


class ModelLine(Answer):
    """What a model brought: dollars, others' uses of it, and the tokens that they spent on it."""

    modelId: str  # noqa: N815 - the sources' name, as all below
    modelName: str  # noqa: N815
    earnings: float
    usage: int
    tokens: int


class PurchasedLine(ModelLine):
    """The same of a model that was bought, with what was paid for it, in tokens."""

    category: str
    price: int
    purchasedAt: datetime  # noqa: N815
    lastUsageAt: datetime | None  # noqa: N815


class CategoryLine(Answer):
    """What the models of a category brought, in dollars."""

    category: str
    earnings: float


class ActivityLine(Answer):
    """A use that earned. user: a pseudonym, the same each time."""

    modelId: str  # noqa: N815
    modelName: str  # noqa: N815
    usageType: str  # noqa: N815
    tokens: int
    earnings: float
    user: str
    createdAt: datetime  # noqa: N815


class PortfolioOverview(Answer):
    """Sums over all of a user's models, since ever."""

    totalModels: int  # noqa: N815
    """Models on offer."""
    purchasedModels: int  # noqa: N815
    tokensSpent: int  # noqa: N815
    """Paid for models."""
    totalEarnings: float  # noqa: N815
    totalEarningsTokens: int  # noqa: N815
    """Spent by others on the user's models."""
    averageEarnings: float  # noqa: N815
    """For each purchased model."""
    mostProfitable: ModelLine | None  # noqa: N815
    totalUsage: int  # noqa: N815


class ModelAnalyticsOut(Answer):
    """A user's models: what they cost, what they bring, and what is still to be had."""

    success: bool
    overview: PortfolioOverview
    categories: list[CategoryLine]
    purchased: list[PurchasedLine]
    recentActivity: list[ActivityLine]  # noqa: N815
    """Of the last thirty days, the newest first."""
    available: list[CompatModel]


@routes.get(
    "/api/model-analytics",
    operation_id="compat_model_analytics",
    summary="What a user's models cost and bring",
    responses={**found(ModelAnalyticsOut), **COMPAT_READ},
)
async def model_analytics(call: TheCall) -> Response:
    """Read the caller's models (or those of X-User-ID): paid, earned, by category, lately, and what is on offer."""
    identity = await call.caller()
    call.require("wallets:read")
    database = call.runtime.database
    async with database.read(PLATFORM) as tx:
        account = await access.find_account(tx, identity.external_id)
        shelf = await insights.portfolio(tx, identity.id)
        offered = await market.find_models(tx, shelf.to_buy)
        now = await ledger.now(tx)
    async with database.read(Actor((identity.id,))) as tx:
        accruals = await metering.accruals(tx, identity.id, most=_LOOKED_THROUGH)
    local = now.astimezone(zone(account.time_zone if account else "UTC"))
    since = datetime.combine(local.date() - timedelta(days=_RECENT_DAYS - 1), time(), local.tzinfo).astimezone(UTC)
    return _answer(_told(shelf, offered, [one for one in accruals if one.occurred_at >= since]))


def _told(shelf: Portfolio, offered: dict[str, Model], accruals: list[Accrual]) -> dict[str, Any]:
    total = sum(one.nanos for one in shelf.earned)
    categories: dict[str, int] = {owned.category: 0 for owned in shelf.owned}
    for one in shelf.earned:
        categories[one.model_category] = categories.get(one.model_category, 0) + one.nanos
    best = shelf.earned[0] if shelf.earned and shelf.earned[0].nanos > 0 else None
    names = {one.model_id: one.model_name for one in shelf.earned}
    taken_back = {one.charge_id for one in accruals if one.kind == "reversal"}
    recent = [one for one in accruals if one.kind == "earning" and one.charge_id not in taken_back][:_MOST_RECENT]
    return {
        "overview": {
            "totalModels": shelf.on_offer,
            "purchasedModels": len(shelf.owned),
            "tokensSpent": sum(one.price_credits for one in shelf.owned),
            "totalEarnings": usd_number(total),
            "totalEarningsTokens": sum(one.credits for one in shelf.earned),
            "averageEarnings": usd_number(round_half_even(total, len(shelf.owned)) if shelf.owned else 0),
            "mostProfitable": best and _line(best),
            "totalUsage": sum(one.uses for one in shelf.earned),
        },
        "categories": [
            {"category": category, "earnings": usd_number(nanos)}
            for category, nanos in sorted(categories.items(), key=lambda one: (-one[1], one[0]))
        ],
        "purchased": [_purchased(one) for one in shelf.owned],
        "recentActivity": [
            {
                "modelId": one.model_id,
                "modelName": names.get(str(one.model_id), one.model_id),
                "usageType": one.usage_type,
                "tokens": one.credits,
                "earnings": usd_number(one.nanos),
                "user": one.user_id,
                "createdAt": one.occurred_at,
            }
            for one in recent
        ],
        "available": [_model_json(offered[name], owned=False) for name in shelf.to_buy if name in offered],
    }


def _line(one: ModelEarnings) -> dict[str, Any]:
    return {
        "modelId": one.model_id,
        "modelName": one.model_name,
        "earnings": usd_number(one.nanos),
        "usage": one.uses,
        "tokens": one.credits,
    }


def _purchased(one: OwnedModel) -> dict[str, Any]:
    return {
        "modelId": one.model_id,
        "modelName": one.name,
        "category": one.category,
        "price": one.price_credits,
        "earnings": usd_number(one.nanos),
        "usage": one.uses,
        "tokens": one.credits,
        "purchasedAt": one.bought_at,
        "lastUsageAt": one.last_used_at,
    }
