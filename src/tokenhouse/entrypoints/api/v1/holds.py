"""Holds: credits set aside before the work, captured or voided after it."""

from datetime import datetime
from typing import Any

from fastapi import Response
from pydantic import ConfigDict, Field

from tokenhouse.domain import ledger
from tokenhouse.domain.access.rules import acts_for
from tokenhouse.domain.access.types import Identity
from tokenhouse.domain.ledger.types import Hold
from tokenhouse.domain.metering.types import Done, HoldOrder
from tokenhouse.entrypoints.api.call import NO_BODY, Call, uuid_of
from tokenhouse.entrypoints.api.reference import COMMAND, READ, created, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, replayable, router
from tokenhouse.entrypoints.api.types import Answer, AnyCredits, Body
from tokenhouse.entrypoints.api.v1.charges import ChargeBody, order_of
from tokenhouse.entrypoints.api.v1.receipts import ReceiptOut, receipt_json
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import NotFound

routes = router("Holds")


class HoldBody(ChargeBody):
    """What will be used, by whom: as a charge."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"account_id": "u-42", "operation": "avatar_generation"}]}
    )

    ttl_seconds: int | None = Field(None, ge=1, le=604_800)
    """How long the credits stay aside at most; then they come back by themselves."""


class HoldOut(Answer):
    """Credits set aside."""

    id: str
    account_id: str
    credit_type: str
    amount: int
    state: str = Field(description="live, captured, voided or expired.")
    expires_at: datetime
    available: int = Field(description="Credits that are left to spend.")
    balance: int = Field(description="Credits in the wallet, held ones included.")
    created_at: datetime


class HoldRowOut(Answer):
    """A hold with what became of it."""

    id: str
    account_id: str
    credit_type: str
    amount: int
    state: str
    captured: int | None
    expires_at: datetime
    created_at: datetime
    ended_at: datetime | None


class VoidOut(Answer):
    """A hold that was given back."""

    id: str
    state: str
    amount: int
    available: int
    balance: int


class CaptureBody(Body):
    """How much of the hold was used."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount": 4200}]})

    amount: AnyCredits
    """Credits to take; the rest comes back. 0 is fine."""


class NoBody(Body):
    """Nothing: send `{}` or no body at all."""


@routes.post(
    "/v1/holds",
    operation_id="holds_create",
    summary="Place a hold",
    status_code=201,
    responses={**created(HoldOut), **COMMAND},
)
async def holds_create(call: TheCall, body: HoldBody) -> Response:
    """Set credits aside before the work is done. Two holds never get the same credits.

    Capture what was used, or void it; a hold that nobody ends gives itself back when its time is over.
    """
    call.require_key()
    identity = await call.account(body.account_id, "charges:write")
    ttl = body.ttl_seconds or call.runtime.hold_ttl_seconds
    done = await call.runtime.submit(order_of(call, identity, body, call.body, "hold", ttl_seconds=ttl))
    return replayable(done.answer, 201, replayed=done.replayed)


@routes.get(
    "/v1/holds/{hold_id}",
    operation_id="holds_get",
    summary="Read a hold",
    responses={**found(HoldRowOut), **READ},
)
async def holds_get(call: TheCall, hold_id: str) -> Response:
    """Read a hold: live, captured, voided or expired."""
    hold, identity = await _hold(call, hold_id, "wallets:read", "charges:write")
    async with call.runtime.database.read(PLATFORM) as tx:
        over = hold.state == "live" and hold.expires_at <= await ledger.now(tx)
    catalog = (await call.runtime.commit.rates()).catalog
    return answer(
        {
            "id": str(hold.id),
            "account_id": identity.external_id,
            "credit_type": catalog.codes[hold.asset_id],
            "amount": hold.amount,
            "state": "expired" if over else hold.state,
            "captured": hold.captured,
            "expires_at": hold.expires_at,
            "created_at": hold.created_at,
            "ended_at": hold.ended_at,
        }
    )


@routes.post(
    "/v1/holds/{hold_id}/capture",
    operation_id="holds_capture",
    summary="Capture a hold",
    responses={**created(ReceiptOut, 200), **COMMAND},
)
async def holds_capture(call: TheCall, hold_id: str, body: CaptureBody) -> Response:
    """Take what was used, give back the rest, and pay whoever earns by it.

    More than is held: 409, and the hold lives on. A hold ends once.
    """
    done = await _end(call, hold_id, "capture", body.amount)
    assert done.receipt is not None  # noqa: S101 - a capture has one
    return replayable(receipt_json(done.receipt), 200, replayed=done.replayed)


@routes.post(
    "/v1/holds/{hold_id}/void",
    operation_id="holds_void",
    summary="Void a hold",
    responses={**created(VoidOut, 200), **COMMAND},
)
async def holds_void(call: TheCall, hold_id: str, body: NoBody | None = None) -> Response:
    """Give all of it back: the work was not done."""
    del body
    done = await _end(call, hold_id, "void", 0)
    return replayable(done.answer, 200, replayed=done.replayed)


async def _end(call: Call, hold_id: str, sort: Any, amount: int) -> Done:  # noqa: ANN401 - capture or void
    call.require_key()
    hold, identity = await _hold(call, hold_id, "charges:write")
    raw = {} if call.body is NO_BODY else call.body
    command = call.command(identity, raw, f"/v1/holds/{hold.id}/{sort}")
    model_id, character_id = hold.details.get("model_id"), hold.details.get("character_id")
    return await call.runtime.submit(
        HoldOrder(
            command, str(hold.id), hold.asset_id, sort, amount,
            str(model_id) if model_id is not None else None,
            str(character_id) if character_id is not None else None,
        )
    )  # fmt: skip


async def _hold(call: Call, hold_id: str, *scopes: str) -> tuple[Hold, Identity]:
    """Find a hold that the call may act on. NotFound: there is none, or it is another's."""
    number = uuid_of(hold_id, "hold")
    async with call.runtime.database.read(PLATFORM) as tx:
        hold = await ledger.hold_of(tx, number)
    name = hold.account_external_id if hold is not None else None
    if hold is None or name is None or not acts_for(call.authority, name):
        raise NotFound("There is no such hold, or it is not yours.")
    call.require(*scopes)
    return hold, await call.existing(name)
