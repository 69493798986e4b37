"""Charges: taking credits for what was used, and the receipts of it."""

import time
from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query, Response
from pydantic import ConfigDict, Field
from pydantic_core import to_json

from tokenhouse.domain import metering
from tokenhouse.domain.access.rules import acts_for
from tokenhouse.domain.access.types import Identity
from tokenhouse.domain.market import find_model
from tokenhouse.domain.metering.types import Done, Order, ReceiptRow
from tokenhouse.entrypoints.api.call import Call, party_of, uuid_of
from tokenhouse.entrypoints.api.cursor import cursor_of, uuid_after
from tokenhouse.entrypoints.api.problems import JSON_TYPE, Rendered
from tokenhouse.entrypoints.api.reference import COMMAND, LIST, READ, created, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, replayable, response_of, router
from tokenhouse.entrypoints.api.types import (
    Answer,
    AnyCredits,
    Body,
    Credits,
    Id,
    Instant,
    Metadata,
    Quantity,
    UsageType,
    Word,
    checked,
)
from tokenhouse.entrypoints.api.v1.receipts import ReceiptOut, ReceiptRowOut, receipt_json, row_json
from tokenhouse.infra.database import PLATFORM, Actor
from tokenhouse.infra.kernel.errors import Forbidden, NotFound, ValidationFailed

routes = router("Charges")
CHARGES = "/v1/charges"
_AHEAD_SECONDS = 1.0  # what the app's clock may be ahead of ours
_REPLAYED = (b"idempotency-replayed", b"true")
_TYPE = (b"content-type", JSON_TYPE)


class ChargeBody(Body):
    """What was used, by whom. One of `amount`, `model_id` with a price, or `operation` says what it costs."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"account_id": "u-42", "operation": "chat", "model_id": "m-1"},
                {"account_id": "u-42", "amount": 5, "metadata": {"conversation": "c-7"}},
                {"account_id": "u-42", "operation": "document_upload", "quantity": {"chunk": 10}},
            ]
        }
    )

    account_id: Id
    """Who pays: a user or an organization."""
    user_id: Id | None = None
    """Who used it: a label, which need not be an account."""
    operation: Word | None = None
    """An operation of the catalog: its price and its credit type."""
    credit_type: Word | None = None
    """Which credits, where no operation says so; `general` unless given."""
    amount: Credits | None = None
    """Credits to take, instead of a price."""
    quantity: Quantity | None = None
    """How many units: a number for prices of one unit, else a number for each."""
    model_id: Id | None = None
    """The model that was used: it has a price of its own perhaps, and owners who earn."""
    character_id: Id | None = None
    """The character that spoke, instead of its model."""
    usage_type: UsageType | None = None
    upstream_model: Word | None = None
    """The provider's model that did the work."""
    provider: Word | None = None
    cost_nano_usd: AnyCredits | None = None
    """What the provider asked for it, in nano-dollars."""
    occurred_at: Instant | None = None
    """When it was used, where that was earlier. For platform keys."""
    metadata: Metadata | None = None


def order_of(
    call: Call,
    identity: Identity,
    body: ChargeBody,
    raw: object,
    sort: Literal["charge", "hold"] = "charge",
    *,
    path: str | None = None,
    ttl_seconds: int = 0,
) -> Order:
    """Make the order that a body asks for; `raw` is the body as it was sent."""
    occurred_at = _used_at(call, body.occurred_at) if body.occurred_at is not None else None
    return Order(
        call.command(identity, raw, path),
        sort,
        body.operation,
        body.credit_type,
        body.amount,
        body.quantity,
        body.model_id,
        body.character_id,
        body.usage_type,
        body.user_id,
        body.upstream_model,
        body.provider,
        body.cost_nano_usd,
        occurred_at,
        body.metadata,
        ttl_seconds,
        False,
        not call.platform,
    )


def _used_at(call: Call, at: datetime) -> str | None:
    """Read when something was used, by the database's clock; None for now."""
    if not call.platform:
        raise Forbidden("Only platform keys may say when something was used. Leave out occurred_at.")
    ahead = at.timestamp() - time.time() - call.runtime.database.skew_seconds
    if ahead > _AHEAD_SECONDS:
        raise ValidationFailed.of("occurred_at", "lies in the future; leave it out for now")
    return at.isoformat() if ahead <= 0 else None


async def charge(call: Call, body: ChargeBody) -> Done:
    """Take the credits for one use."""
    call.require_key()
    identity = call.runtime.identities.known(body.account_id)
    if identity is None or not acts_for(call.authority, body.account_id):
        identity = await call.account(body.account_id, "charges:write")
    else:
        call.require("charges:write")
    return await call.runtime.submit(order_of(call, identity, body, call.body))


def _rendered(done: Done) -> Rendered:
    assert done.receipt is not None  # noqa: S101 - a charge has one
    headers = [_TYPE, _REPLAYED] if done.replayed else [_TYPE]
    return Rendered(201, headers, to_json(receipt_json(done.receipt)))


async def fast_charge(call: Call) -> Rendered:
    """Serve POST /v1/charges without the framework: the same model, the same verb, the same answer."""
    return _rendered(await charge(call, checked(ChargeBody, call.body)))


@routes.post(
    CHARGES,
    operation_id="charges_create",
    summary="Charge",
    status_code=201,
    responses={**created(ReceiptOut), **COMMAND},
)
async def charges_create(call: TheCall, body: ChargeBody) -> Response:
    """Take credits for one use, at once, and pay whoever earns by it.

    Never below zero: where the credits do not suffice nothing is taken, and the answer is 402 with what is needed
    and what is there. The same `Idempotency-Key` gives the first answer again, for ever.
    """
    return response_of(_rendered(await charge(call, body)))


@routes.get(
    CHARGES,
    operation_id="charges_list",
    summary="List receipts",
    responses={**found(ReceiptRowOut, listed=True), **LIST},
)
async def charges_list(
    call: TheCall,
    account_id: Annotated[str, Query(description="Whose receipts.")],
    since: Annotated[Instant | None, Query(alias="from", description="Used at this time or later.")] = None,
    until: Annotated[Instant | None, Query(alias="to", description="Used before this time.")] = None,
    operation: Annotated[str | None, Query(max_length=128)] = None,
    model_id: Annotated[str | None, Query(max_length=128)] = None,
    user_id: Annotated[str | None, Query(max_length=128)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List an account's receipts, the newest first."""
    if since is not None and until is not None and since > until:
        raise ValidationFailed.of("from", "lies after `to`; swap them")
    party = party_of(await call.account(account_id, "wallets:read"))
    after = uuid_after(cursor)
    refuse_nul(operation=operation, model_id=model_id, user_id=user_id)
    async with call.runtime.database.read(Actor((party.id,))) as tx:
        number = None
        if model_id is not None:
            model = await find_model(tx, model_id, archived=True)
            if model is None:
                return answer(page([], None))
            number = model.id
        rows = await metering.receipts_of(
            tx, party, before=after, since=since, until=until, operation=operation, model_id=number,
            user_label=user_id, most=limit + 1,
        )  # fmt: skip
    following = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return answer(page([row_json(row) for row in rows[:limit]], following))


def refuse_nul(**texts: str | None) -> None:
    """Refuse the character NUL in a parameter."""
    for name, text in texts.items():
        if text is not None and "\0" in text:
            raise ValidationFailed.of(name, "holds the character NUL; take it out")


@routes.get(
    "/v1/charges/{charge_id}",
    operation_id="charges_get",
    summary="Read a receipt",
    responses={**found(ReceiptRowOut), **READ},
)
async def charges_get(call: TheCall, charge_id: str) -> Response:
    """Read one receipt, with how much of it was given back since."""
    row = await receipt_row(call, charge_id, "wallets:read")
    return answer(row_json(row))


async def receipt_row(call: Call, charge_id: str, *scopes: str) -> ReceiptRow:
    """Find a charge that the call may see. NotFound: there is none, or it is another's."""
    number = str(uuid_of(charge_id, "charge"))
    async with call.runtime.database.read(PLATFORM) as tx:
        row = (await metering.receipt_rows(tx, [number])).get(number)
    if row is None or row.kind == "report" or not acts_for(call.authority, row.account_external_id or ""):
        raise NotFound("There is no such charge, or it is not yours.")
    call.require(*scopes)
    return row


class ReverseBody(Body):
    """What to give back of a charge, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the picture failed"}]})

    amount: Credits | None = None
    """Credits to give back; left out: all that is left of the charge."""
    reason: Word
    """Why, for the records."""


class ReversalOut(Answer):
    """What was given back, and what was taken back from those who had earned by it."""

    id: str
    charge_id: str
    account_id: str
    credit_type: str
    amount: int
    balance: int
    left: int = Field(description="Credits of the charge that could still be given back.")
    earnings_taken_back_nano_usd: int
    earnings_taken_back_usd: str
    earnings_lost_nano_usd: int = Field(description="Paid out already: the platform's loss.")
    earnings_lost_usd: str
    reason: str
    created_at: datetime


@routes.post(
    "/v1/charges/{charge_id}/reverse",
    operation_id="charges_reverse",
    summary="Reverse a charge",
    status_code=201,
    responses={**created(ReversalOut), **COMMAND},
)
async def charges_reverse(call: TheCall, charge_id: str, body: ReverseBody) -> Response:
    """Give credits back to the grants that they came from, whole or in part, and take back what was earned by them.

    Earnings that were paid out already stay: that part is the platform's loss. For platform keys and admins.
    """
    call.require_key()
    row = await receipt_row(call, charge_id, "admin")
    identity = await call.existing(row.account_external_id or "")
    command = call.command(identity, call.body, f"{CHARGES}/{row.id}/reverse")
    catalog = (await call.runtime.commit.rates()).catalog
    told, replayed = await metering.reverse(
        call.runtime.database, catalog, command, row.id, body.amount, body.reason, call.by(),
        maturity_days=call.runtime.maturity_days,
    )  # fmt: skip
    return replayable(told, 201, replayed=replayed)
