"""Payouts: earnings asked for, approved, sent, failed, cancelled; one by one and many at once."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import ConfigDict, Field

from tokenhouse.domain import metering, payouts
from tokenhouse.domain.access.rules import acts_for, manages
from tokenhouse.domain.access.types import Identity
from tokenhouse.domain.payouts.types import Action, Payout, State
from tokenhouse.entrypoints.api.call import NO_BODY, Call, uuid_of
from tokenhouse.entrypoints.api.cursor import cursor_of, uuid_after
from tokenhouse.entrypoints.api.patience import patiently
from tokenhouse.entrypoints.api.problems import document
from tokenhouse.entrypoints.api.reference import COMMAND, LIST, READ, Problem, created, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, replayable, router
from tokenhouse.entrypoints.api.types import (
    Answer,
    Body,
    Credits,
    Id,
    IdempotencyKey,
    Instant,
    Note,
    Word,
    an_object,
    checked,
)
from tokenhouse.infra.database import PLATFORM, Actor, Tx
from tokenhouse.infra.kernel.errors import Forbidden, NotFound, TokenhouseError, ValidationFailed

routes = router("Payouts")
PAYOUTS = "/v1/payouts"
MOST = 1000
_STRANGER = "There is no such payout, or it is not yours."
_NOT_A_MANAGER = "Only the account itself, its admins and the platform have earnings paid out."


class PayoutBody(Body):
    """Earnings to be paid out."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"account_id": "c-7", "amount_nano_usd": 25_000_000_000}]}
    )

    account_id: Id
    """Whose earnings."""
    amount_nano_usd: Credits
    """Nano-dollars; a method that pays whole cents takes no more than those, and leaves the rest payable."""
    method: Word | None = None
    """How; unless given as the account has said, else `manual`."""


class PayoutItem(PayoutBody):
    """A payout of many, with the key that names it."""

    idempotency_key: IdempotencyKey | None = None
    """As the header of a single payout: one key space. Left out: named by the header and its place in the list."""


class PayoutsBulkBody(Body):
    """Payouts to be requested, or an action on those there are."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"payouts": [{"account_id": "c-7", "amount_nano_usd": 25_000_000_000}]},
                {"ids": ["01980f7c-2b3c-7a10-8c4d-6e5f4a3b2c1d"], "action": "complete"},
            ]
        }
    )

    payouts: list[PayoutItem] | None = Field(None, max_length=MOST)
    ids: list[str] | None = Field(None, max_length=MOST)
    action: Literal["approve", "complete", "fail", "cancel"] | None = None
    """What is done to all of `ids`, each by itself."""


class StepBody(Body):
    """What there is to say of a payout's step; all of it may be left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reference": "transfer 4711"}]})

    reference: Word | None = None
    """By what the payment is found again."""
    reason: Note | None = None
    """Why, for the records and the payee."""


class PayoutOut(Answer):
    """Money on its way to who earned it."""

    id: str
    account_id: str | None
    amount_nano_usd: int
    amount_usd: str
    method: str
    state: Literal["pending", "processing", "completed", "failed", "cancelled", "unknown"] = Field(
        description="unknown: the answer of who was to pay it was lost; it is looked up, never sent again."
    )
    reference: str | None
    reason: str | None
    requested_at: datetime
    ended_at: datetime | None


class PayoutEventOut(Answer):
    """A state that a payout came to."""

    state: str
    by: str = Field(description="`account NUMBER`, `key ID`, `platform` or `service`.")
    reason: str | None
    at: datetime


class PayoutDetailsOut(PayoutOut):
    """A payout and every state that it was in."""

    history: list[PayoutEventOut]


class PayoutOutcomeOut(Answer):
    """What became of one of many."""

    id: str | None
    status: int = Field(description="As of a single one: 201, 200, 402, 404, 409 …")
    payout: PayoutOut | None = None
    error: Problem | None = None


class PayoutsBulkOut(Answer):
    """An outcome each, in order."""

    data: list[PayoutOutcomeOut]


@routes.post(
    PAYOUTS,
    operation_id="payouts_create",
    summary="Request a payout",
    status_code=201,
    responses={**created(PayoutOut, description="Requested."), **COMMAND},
)
async def payouts_create(call: TheCall, body: PayoutBody) -> Response:
    """Ask for earnings to be paid out. They leave the payable balance at once, and come back if it fails.

    For the account itself, an organization's admins, platform keys and admins. Over what is payable: 402.
    """
    told, replayed = await _request(call, body, call.body)
    return replayable(told, 201, replayed=replayed)


async def _request(call: Call, body: PayoutBody, raw: object) -> tuple[dict[str, Any], bool]:
    call.require_key()
    identity = await managed(call, body.account_id)
    command = call.command(identity, raw, PAYOUTS)
    new = payouts.NewPayout(body.amount_nano_usd, body.method)

    async def withdraw(tx: Tx) -> tuple[dict[str, Any], bool]:
        return await metering.withdraw(tx, call.runtime.payouts, command, new, call.by())

    return await patiently(call.runtime.database, Actor((identity.id,), teller=True), withdraw)


@routes.get(
    PAYOUTS,
    operation_id="payouts_list",
    summary="List payouts",
    responses={**found(PayoutOut, listed=True), **LIST},
)
async def payouts_list(
    call: TheCall,
    account_id: Annotated[str | None, Query(description="Whose; left out by the platform: all.")] = None,
    state: State | None = None,
    method: Annotated[str | None, Query(max_length=64, pattern=r"^[a-z0-9_]*$")] = None,
    since: Annotated[Instant | None, Query(alias="from", description="Requested at this time or later.")] = None,
    until: Annotated[Instant | None, Query(alias="to", description="Requested before this time.")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List payouts, the newest first: an account's, or all of them for the platform."""
    if since is not None and until is not None and since > until:
        raise ValidationFailed.of("from", "lies after `to`; swap them")
    own = call.authority.account
    if account_id is None and own is not None and not call.platform:
        account_id = own.external_id
    identity = None
    if account_id is None:
        call.require("admin", "wallets:read")
    else:
        identity = await call.account(account_id, "wallets:read")
    number = identity.id if identity else None
    before = uuid_after(cursor)
    async with call.runtime.database.read(Actor((number,)) if number is not None else PLATFORM) as tx:
        rows = await payouts.payouts_of(
            tx, number, state=state, method=method, before=before, since=since, until=until, most=limit + 1
        )
    following = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return answer(page([payouts.told(row) for row in rows[:limit]], following))


@routes.get(
    PAYOUTS + "/{payout_id}",
    operation_id="payouts_get",
    summary="Read a payout",
    responses={**found(PayoutDetailsOut), **READ},
)
async def payouts_get(call: TheCall, payout_id: str) -> Response:
    """Read one payout, and every state that it was in."""
    payout = await _found(call, payout_id)
    call.require("wallets:read")
    async with call.runtime.database.read(Actor((payout.account_id,))) as tx:
        events = await payouts.events_of(tx, payout)
    history = [{"state": one.state, "by": one.by, "reason": one.reason, "at": one.at} for one in events]
    return answer({**payouts.told(payout), "history": history})


def _step(action: Action, summary: str, text: str) -> None:
    """Serve one action on a payout."""

    async def step(call: TheCall, payout_id: str, body: StepBody | None = None) -> Response:
        call.require_key()
        raw = {} if call.body is NO_BODY else call.body
        told, replayed = await _act(call, payout_id, action, body or StepBody(), raw)
        return replayable(told, 200, replayed=replayed)

    routes.add_api_route(
        f"{PAYOUTS}/{{payout_id}}/{action}",
        step,
        methods=["POST"],
        name=f"payouts_{action}",
        operation_id=f"payouts_{action}",
        summary=summary,
        description=text,
        responses={**created(PayoutOut, 200), **COMMAND},
    )


_step("approve", "Approve a payout", "Let a payout be sent. For platform keys and admins; where approval is required, "
      "for another than who requested it.")  # fmt: skip
_step("complete", "Complete a payout", "Say that a payout was sent. For platform keys and admins; where approval is "
      "required, after it.")  # fmt: skip
_step("fail", "Fail a payout", "Say that a payout was not sent: its money goes back to the payable balance, once. For "
      "platform keys and admins.")  # fmt: skip
_step("cancel", "Cancel a payout", "Take a pending payout back: its money is payable again. For who may request it.")


async def _act(call: Call, payout_id: str, action: Action, body: StepBody, raw: object) -> tuple[dict[str, Any], bool]:
    """Carry out an action on a payout that the call may see."""
    payout = await _found(call, payout_id)
    if action == "cancel":
        identity = await managed(call, payout.account_external_id or "")
    else:
        call.require("admin")
        identity = await call.existing(payout.account_external_id or "")
    command = call.command(identity, raw, f"{PAYOUTS}/{payout.id}/{action}")

    async def act(tx: Tx) -> tuple[dict[str, Any], bool]:
        return await payouts.act(
            tx, call.runtime.payouts, command, payout.id, action, call.by(),
            reason=body.reason, reference=body.reference,
        )  # fmt: skip

    return await patiently(call.runtime.database, Actor((identity.id,), teller=True), act)


async def _found(call: Call, payout_id: str) -> Payout:
    """Find a payout that the call may see. NotFound: there is none, or it is another's."""
    number = uuid_of(payout_id, "payout")
    async with call.runtime.database.read(PLATFORM) as tx:
        payout = await payouts.payout_of(tx, number)
    if payout is None or not acts_for(call.authority, payout.account_external_id or ""):
        raise NotFound(_STRANGER)
    return payout


async def managed(call: Call, account_id: str) -> Identity:
    """Find an account whose money the caller may move. Another's: NotFound; without the role or scope: Forbidden."""
    if acts_for(call.authority, account_id) and not manages(call.authority, account_id):
        raise Forbidden(_NOT_A_MANAGER)
    return await call.account(account_id, "charges:write")


@routes.post(
    f"{PAYOUTS}/bulk",
    operation_id="payouts_bulk",
    summary="Request or act on many payouts",
    responses={**found(PayoutsBulkOut, description="An outcome each."), **COMMAND},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/PayoutsBulkBody"}}},
        }
    },
)
async def payouts_bulk(call: TheCall) -> Response:
    """Request up to 1 000 payouts (`payouts`), or do the same to up to 1 000 (`ids` and `action`), each by itself.

    A bad one fails alone. Each has an idempotency key in the key space of its account: the one that it names, else one
    made of the header `Idempotency-Key` and its place or id. Send the whole call again after a failure: what was done
    is answered again and not repeated.
    """
    body = checked(_Envelope, call.body)
    if (body.payouts is None) == (body.ids is None) or (body.ids is None) != (body.action is None):
        raise ValidationFailed.of("body", "takes `payouts`, or `ids` and an `action`")
    if body.action is None:
        items = enumerate(body.payouts or ())
        return answer({"data": [await _outcome(201, None, _requesting(call, at, item)) for at, item in items]})
    call.require_key()
    ids = body.ids or ()
    return answer({"data": [await _outcome(200, one, _acting(call, one, body.action)) for one in ids]})


class _Envelope(Body):
    """The call itself; the items are looked at one by one."""

    payouts: list[Any] | None = Field(None, max_length=MOST)
    ids: list[str] | None = Field(None, max_length=MOST)
    action: Literal["approve", "complete", "fail", "cancel"] | None = None


_Doing = Callable[[], Awaitable[tuple[dict[str, Any], bool]]]


def _requesting(call: Call, number: int, item: object) -> _Doing:
    async def request() -> tuple[dict[str, Any], bool]:
        body = checked(PayoutItem, an_object(item))
        raw = {name: value for name, value in an_object(item).items() if name != "idempotency_key"}
        key = body.idempotency_key
        if key is None:
            call.require_key()
            key = f" bulk {number} {call.key}"  # no key of an app's can begin with a space
        return await _request(call.with_key(key), body, raw)

    return request


def _acting(call: Call, payout_id: str, action: Action) -> _Doing:
    async def act() -> tuple[dict[str, Any], bool]:
        single = call.with_key(f" bulk {payout_id[:64]} {call.key}")
        return await _act(single, payout_id, action, StepBody(), {})

    return act


async def _outcome(status: int, payout_id: str | None, doing: _Doing) -> dict[str, Any]:
    """Do one of many, and say what became of it."""
    try:
        told, _ = await doing()
    except TokenhouseError as refusal:
        return {"id": payout_id, "status": refusal.status, "error": document(refusal)}
    return {"id": told["id"], "status": status, "payout": told}
