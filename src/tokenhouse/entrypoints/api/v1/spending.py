"""What an account spent, on its own clocks."""

from datetime import date, timedelta
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field

from tokenhouse.domain import access, insights
from tokenhouse.domain.insights import Spent
from tokenhouse.entrypoints.api.reference import LIST, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, router
from tokenhouse.entrypoints.api.types import Answer
from tokenhouse.entrypoints.api.v1.platform_figures import Day, PurchasesOut, days_asked
from tokenhouse.infra.database import Actor
from tokenhouse.infra.kernel.periods import zone

routes = router("Analytics")

_DAY = timedelta(days=1)


class SpentOut(Answer):
    """Charges less what was given back, and their credits of all types."""

    uses: int
    credits: int


class SpentSpanOut(SpentOut):
    """The same of some days, both included."""

    first: date = Field(alias="from")
    last: date = Field(alias="to")


class SpentDayOut(SpentOut):
    """The same of a day."""

    date: date


class SpentOnOut(SpentOut):
    """The same of an operation, a model, a user …; id null: of charges that named none."""

    id: str | None
    name: str | None


class AccountSpendingOut(Answer):
    """What an account spent."""

    account_id: str
    time_zone: str = Field(description="Whose days these are.")
    totals: SpentSpanOut
    before: SpentSpanOut
    """As many days before."""
    trend: list[SpentDayOut]
    purchases: PurchasesOut
    by_credit_type: list[SpentOnOut]
    by_operation: list[SpentOnOut]
    by_model: list[SpentOnOut]
    by_usage_type: list[SpentOnOut]
    by_user: list[SpentOnOut] = Field(description="By the `user_id` that charges gave.")


@routes.get(
    "/v1/analytics/user",
    operation_id="analytics_user",
    summary="Read what an account spent",
    responses={**found(AccountSpendingOut), **LIST},
)
async def analytics_user(
    call: TheCall,
    account_id: Annotated[str, Query(description="Whose spending: a user's or an organization's.")],
    first: Annotated[Day | None, Query(alias="from", description="The first day; 29 before the last.")] = None,
    last: Annotated[Day | None, Query(alias="to", description="The last day, included; today.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Of each list.")] = 10,
) -> Response:
    """Read what an account spent day by day, and by operation, model, credit type and user; days are of its zone."""
    identity = await call.account(account_id, "wallets:read")
    catalog = (await call.runtime.commit.rates()).catalog
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        account = await access.find_account(tx, identity.external_id)
        name = account.time_zone if account else "UTC"
        begin, end = days_asked(first, last, await insights.today(tx, zone(name)))
        seen = await insights.account_spending(tx, identity.id, begin, end, zone(name), catalog.codes, limit)
    length = end - begin
    return answer(
        {
            "account_id": identity.external_id,
            "time_zone": name,
            "totals": _spent(seen.total, {"from": begin, "to": end}),
            "before": _spent(seen.before, {"from": begin - length - _DAY, "to": begin - _DAY}),
            "trend": [_spent(one, {"date": day}) for day, one in seen.days],
            "purchases": {"count": seen.purchases.count, "credits": seen.purchases.credits},
            **{
                f"by_{by}": [_spent(one, {"id": key, "name": title}) for key, title, one in rows]
                for by, rows in seen.by.items()
            },
        }
    )


def _spent(spent: Spent, of: dict[str, Any]) -> dict[str, Any]:
    return {**of, "uses": spent.uses, "credits": spent.credits}
