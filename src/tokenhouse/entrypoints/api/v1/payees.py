"""How and when an account is paid: the payee's details, kept sealed, and what is paid out by itself."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Response
from pydantic import ConfigDict, Field

from tokenhouse.domain import access, payouts
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.access.types import Identity
from tokenhouse.domain.payouts.types import MethodSet, Schedule
from tokenhouse.entrypoints.api.reference import READ, WRITE, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, router
from tokenhouse.entrypoints.api.types import Answer, AnyCredits, Body, Word
from tokenhouse.entrypoints.api.v1.payouts import managed
from tokenhouse.infra.database import PLATFORM, Actor, Tx
from tokenhouse.infra.kernel.errors import NotFound
from tokenhouse.infra.kernel.money import usd_text

routes = router("Payouts")

_Detail = Annotated[str, Field(min_length=1, max_length=500)]
_NO_METHOD = "The account has not said how it is paid. Say so with PUT /v1/accounts/ID/payout-method."
_NO_SCHEDULE = "Nothing is paid out to this account by itself. PUT a schedule for it."


class PayoutMethodBody(Body):
    """How an account is paid."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"method": "manual", "details": {"name": "Ada Lovelace", "iban": "DE02120300000000202051"}}]
        }
    )

    method: Word
    """A method of paying, such as `manual`."""
    details: Annotated[dict[Annotated[str, Field(min_length=1, max_length=64)], _Detail], Field(max_length=32)]
    """What the method needs to know of the payee. Kept sealed; never shown again but to the platform."""


class PayoutMethodOut(Answer):
    """How an account is paid."""

    account_id: str
    method: str
    hint: str = Field(description="As much of the details as may be shown.")
    changed_at: datetime


class PayeeOut(PayoutMethodOut):
    """How an account is paid, with the payee's details."""

    details: dict[str, str]


class PayoutScheduleBody(Body):
    """What is paid out by itself: all that is payable, in whole cents."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"every": "month", "day": 1, "minimum_nano_usd": 10_000_000_000},
                {"every": "threshold", "minimum_nano_usd": 100_000_000_000},
            ]
        }
    )

    every: Literal["week", "month", "threshold"]
    """threshold: as soon as the minimum is payable, at most once a day."""
    day: Annotated[int, Field(ge=1, le=31)] | None = None
    """Of the week, 1 (Monday) to 7; of the month, where a short one ends before it: on its last day."""
    minimum_nano_usd: AnyCredits = 0
    """Below it nothing is paid; it waits for the next time."""


class PayoutScheduleOut(Answer):
    """What is paid out by itself."""

    account_id: str
    every: str
    day: int | None
    minimum_nano_usd: int
    minimum_usd: str
    changed_at: datetime


@routes.put(
    "/v1/accounts/{account_id}/payout-method",
    operation_id="payout_method_set",
    summary="Say how an account is paid",
    responses={**found(PayoutMethodOut, description="Kept, sealed."), **WRITE},
)
async def payout_method_set(call: TheCall, account_id: str, body: PayoutMethodBody) -> Response:
    """Say by which method an account is paid, and the payee's details, which are kept sealed.

    For the account itself, an organization's admins, platform keys and admins.
    """
    identity = await managed(call, account_id)
    sealer = call.runtime.sealer()
    async with call.runtime.database.transaction(PLATFORM) as tx:
        before = await payouts.paid_by(tx, identity.id)
        now = await payouts.set_method(tx, sealer, identity.id, body.method, body.details)
        told = _method(identity, now)
        await access.record(tx, call.by(), _act("payout.method", identity, before and _method(identity, before), told))
    return answer(told)


@routes.get(
    "/v1/accounts/{account_id}/payout-method",
    operation_id="payout_method_get",
    summary="Read how an account is paid",
    responses={**found(PayoutMethodOut), **READ},
)
async def payout_method_get(call: TheCall, account_id: str) -> Response:
    """Read by which method an account is paid, and the end of the number, never the details."""
    identity = await call.account(account_id, "wallets:read")
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        return answer(_method(identity, await _set(tx, identity)))


@routes.post(
    "/v1/accounts/{account_id}/payout-method/reveal",
    operation_id="payout_method_reveal",
    summary="Read a payee's details",
    responses={**found(PayeeOut), **WRITE},
)
async def payout_method_reveal(call: TheCall, account_id: str) -> Response:
    """Read the payee's details, to pay by hand; that they were read is recorded. For platform keys and admins."""
    identity = await call.account(account_id, "admin")
    sealer = call.runtime.sealer()
    async with call.runtime.database.transaction(PLATFORM) as tx:
        now = await _set(tx, identity)
        await access.record(tx, call.by(), _act("payout.reveal", identity, None, None))
    return answer({**_method(identity, now), "details": payouts.unseal(sealer, now)})


@routes.put(
    "/v1/accounts/{account_id}/payout-schedule",
    operation_id="payout_schedule_set",
    summary="Pay out by itself",
    responses={**found(PayoutScheduleOut, description="In force."), **WRITE},
)
async def payout_schedule_set(call: TheCall, account_id: str, body: PayoutScheduleBody) -> Response:
    """Have all that is payable paid out every week or month, or once there is enough; from tomorrow on.

    Days are those of the account's time zone. For the account itself, an organization's admins, platform keys and
    admins.
    """
    identity = await managed(call, account_id)
    new = payouts.NewSchedule(body.every, body.day, body.minimum_nano_usd)
    async with call.runtime.database.transaction(PLATFORM) as tx:
        account = await access.find_account(tx, account_id)
        if account is None:
            raise NotFound("There is no such account.")
        before = await payouts.schedule_of(tx, identity.id)
        told = _schedule(identity, await payouts.set_schedule(tx, identity.id, account.time_zone, new))
        was = before and _schedule(identity, before)
        await access.record(tx, call.by(), _act("payout.schedule", identity, was, told))
    return answer(told)


@routes.get(
    "/v1/accounts/{account_id}/payout-schedule",
    operation_id="payout_schedule_get",
    summary="Read what is paid out by itself",
    responses={**found(PayoutScheduleOut), **READ},
)
async def payout_schedule_get(call: TheCall, account_id: str) -> Response:
    """Read when an account is paid by itself; 404 where it is not."""
    identity = await call.account(account_id, "wallets:read")
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        schedule = await payouts.schedule_of(tx, identity.id)
    if schedule is None:
        raise NotFound(_NO_SCHEDULE)
    return answer(_schedule(identity, schedule))


@routes.delete(
    "/v1/accounts/{account_id}/payout-schedule",
    operation_id="payout_schedule_drop",
    summary="Pay out nothing by itself",
    status_code=204,
    responses={204: {"description": "Nothing is paid out by itself any more."}, **WRITE},
)
async def payout_schedule_drop(call: TheCall, account_id: str) -> Response:
    """Pay out only what is asked for. 404 where there is no schedule."""
    identity = await managed(call, account_id)
    async with call.runtime.database.transaction(PLATFORM) as tx:
        before = await payouts.schedule_of(tx, identity.id)
        if before is None or not await payouts.drop_schedule(tx, identity.id):
            raise NotFound(_NO_SCHEDULE)
        was = _schedule(identity, before)
        await access.record(tx, call.by(), _act("payout.schedule", identity, was, None))
    return Response(status_code=204)


async def _set(tx: Tx, identity: Identity) -> MethodSet:
    method = await payouts.paid_by(tx, identity.id)
    if method is None:
        raise NotFound(_NO_METHOD)
    return method


def _method(identity: Identity, method: MethodSet) -> dict[str, Any]:
    return {
        "account_id": identity.external_id,
        "method": method.kind,
        "hint": method.hint,
        "changed_at": method.changed_at,
    }


def _schedule(identity: Identity, schedule: Schedule) -> dict[str, Any]:
    return {
        "account_id": identity.external_id,
        "every": schedule.every,
        "day": schedule.day or None,
        "minimum_nano_usd": schedule.minimum,
        "minimum_usd": usd_text(schedule.minimum),
        "changed_at": schedule.changed_at,
    }


def _act(name: str, identity: Identity, before: object, after: object) -> Act:
    return Act(name, "account", str(identity.id), identity.id, before, after)
