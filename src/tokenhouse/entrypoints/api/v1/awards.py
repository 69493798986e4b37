"""Money for creators beside what uses bring: adjustments by hand, bonuses by rule."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import AfterValidator, ConfigDict, Field

from tokenhouse.domain import access, earnings, metering
from tokenhouse.domain.access.acts import Act
from tokenhouse.entrypoints.api.call import party_of
from tokenhouse.entrypoints.api.cursor import cursor_of, uuid_after
from tokenhouse.entrypoints.api.patience import patiently
from tokenhouse.entrypoints.api.reference import COMMAND, LIST, created, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, replayable, router
from tokenhouse.entrypoints.api.types import MAX_CREDITS, Answer, Body, Id
from tokenhouse.infra.database import Actor, Tx
from tokenhouse.infra.kernel.money import usd_text

routes = router("Earnings")

Reason = Annotated[str, Field(min_length=1, max_length=500)]


def _not_nothing(nanos: int) -> int:
    if not nanos:
        raise ValueError("must be above 0 to give, or below 0 to take back")
    return nanos


class AdjustmentBody(Body):
    """Money to be given to an earner, or taken back."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"amount_nano_usd": 5_000_000_000, "reason": "For the contest in June"}]}
    )

    amount_nano_usd: Annotated[
        int,
        Field(ge=-MAX_CREDITS, le=MAX_CREDITS, json_schema_extra={"not": {"const": 0}, "examples": [5_000_000_000]}),
        AfterValidator(_not_nothing),
    ]
    """Nano-dollars: above 0 given, payable at once; below 0 taken out of what is payable."""
    reason: Reason
    """Why; the earner reads it."""
    model_id: Id | None = None
    """The model that it is about."""


class AdjustmentOut(Answer):
    """Money that was given to an earner, or taken back."""

    id: str
    account_id: str
    amount_nano_usd: int
    amount_usd: str
    reason: str
    model_id: str | None
    created_at: datetime


class BonusOut(Answer):
    """A bonus that was paid."""

    id: str
    bonus: str = Field(description="The rule's id in the catalog.")
    rule_version: int = Field(description="The catalog's version that brought the rule as it was then.")
    model_id: str | None = Field(description="The model that it was paid for, if one.")
    amount_nano_usd: int
    amount_usd: str
    created_at: datetime


@routes.post(
    "/v1/accounts/{account_id}/earnings-adjustments",
    operation_id="earnings_adjust",
    summary="Adjust earnings",
    status_code=201,
    responses={**created(AdjustmentOut, description="Adjusted."), **COMMAND},
)
async def earnings_adjust(call: TheCall, account_id: str, body: AdjustmentBody) -> Response:
    """Give an earner money beside what uses bring, or take some back. For platform keys and admins.

    What is given is payable at once. No more is taken than is payable: else 402.
    """
    call.require_key()
    identity = await call.account(account_id, "admin")
    command = call.command(identity, call.body)

    async def adjust(tx: Tx) -> tuple[dict[str, Any], bool]:
        told, replayed = await metering.adjust(
            tx, command, body.amount_nano_usd, body.reason, body.model_id, call.runtime.maturity_days
        )
        if not replayed:
            act = Act("earnings.adjust", "adjustment", str(told["id"]), identity.id, after=told)
            await access.record(tx, call.by(), act)
        return told, replayed

    told, replayed = await patiently(call.runtime.database, Actor((0,), teller=True), adjust)
    return replayable(told, 201, replayed=replayed)


@routes.get(
    "/v1/bonuses",
    operation_id="bonuses_list",
    summary="List bonuses",
    responses={**found(BonusOut, listed=True), **LIST},
)
async def bonuses_list(
    call: TheCall,
    account_id: Annotated[str, Query(description="Whose bonuses.")],
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List the bonuses that an account was paid, the newest first. Each rule pays once for what it asks."""
    identity = await call.account(account_id, "wallets:read")
    before = uuid_after(cursor)
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        rows = await earnings.bonuses_of(tx, party_of(identity), before=before, most=limit + 1)
    data = [
        {
            "id": str(row.id),
            "bonus": row.rule,
            "rule_version": row.rule_version,
            "model_id": row.model_id,
            "amount_nano_usd": row.nanos,
            "amount_usd": usd_text(row.nanos),
            "created_at": row.created_at,
        }
        for row in rows[:limit]
    ]
    return answer(page(data, cursor_of(rows[limit - 1].id) if len(rows) > limit else None))
