"""Earnings: what others' uses of an account's models brought it."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field

from tokenhouse.domain import insights, metering
from tokenhouse.domain.metering import Accrual
from tokenhouse.entrypoints.api.cursor import cursor_of, uuid_after
from tokenhouse.entrypoints.api.reference import LIST, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, router
from tokenhouse.entrypoints.api.types import Answer
from tokenhouse.infra.database import Actor
from tokenhouse.infra.kernel.money import usd_text

routes = router("Earnings")


class AccrualOut(Answer):
    """What one use brought, or what its reversal took back."""

    id: str
    kind: str
    """earning or reversal."""
    charge_id: str
    model_id: str
    usage_type: str
    user_id: str
    """A pseudonym of who paid, the same each time."""
    credits: int
    nano_usd: int
    usd: str
    occurred_at: datetime
    created_at: datetime


class EarningsOut(Answer):
    """What an account is owed: accrued = maturing + payable + in payout + paid."""

    account_id: str
    accrued_nano_usd: int
    accrued_usd: str
    maturing_nano_usd: int = Field(description="Not payable yet: it may still be reversed.")
    maturing_usd: str
    payable_nano_usd: int
    payable_usd: str
    in_payout_nano_usd: int
    in_payout_usd: str
    paid_nano_usd: int
    paid_usd: str
    data: list[AccrualOut]
    next_cursor: str | None
    has_more: bool


@routes.get(
    "/v1/earnings", operation_id="earnings_get", summary="Read earnings", responses={**found(EarningsOut), **LIST}
)
async def earnings_get(
    call: TheCall,
    account_id: Annotated[str, Query(description="Whose earnings.")],
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """Read what an account has earned, in sums and use by use, the newest first."""
    identity = await call.account(account_id, "wallets:read")
    before = uuid_after(cursor)
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        days = call.runtime.maturity_days
        sums = await metering.statement(tx, identity.id, days, await insights.maturing(tx, identity.id, days))
        rows = await metering.accruals(tx, identity.id, before=before, most=limit + 1)
    told: dict[str, Any] = {"account_id": identity.external_id}
    for name in ("accrued", "maturing", "payable", "in_payout", "paid"):
        nanos = getattr(sums, name)
        told[f"{name}_nano_usd"] = nanos
        told[f"{name}_usd"] = usd_text(nanos)
    more = len(rows) > limit
    return answer(
        {
            **told,
            "data": [_told(row) for row in rows[:limit]],
            "next_cursor": cursor_of(rows[limit - 1].id) if more else None,
            "has_more": more,
        }
    )


def _told(accrual: Accrual) -> dict[str, Any]:
    return {
        "id": str(accrual.id),
        "kind": accrual.kind,
        "charge_id": str(accrual.charge_id),
        "model_id": accrual.model_id,
        "usage_type": accrual.usage_type,
        "user_id": accrual.user_id,
        "credits": accrual.credits,
        "nano_usd": accrual.nanos,
        "usd": usd_text(accrual.nanos),
        "occurred_at": accrual.occurred_at,
        "created_at": accrual.created_at,
    }
