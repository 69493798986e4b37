"""Many charges in one call, each on its own."""

import asyncio
from typing import Any

from fastapi import Response
from pydantic import ConfigDict, Field

from tokenhouse.domain.access.rules import acts_for
from tokenhouse.domain.metering.types import Done, Order
from tokenhouse.entrypoints.api.call import Call
from tokenhouse.entrypoints.api.problems import document
from tokenhouse.entrypoints.api.reference import Problem, found, refusals
from tokenhouse.entrypoints.api.routing import TheCall, answer, router
from tokenhouse.entrypoints.api.types import Answer, Body, IdempotencyKey, an_object, checked
from tokenhouse.entrypoints.api.v1.charges import CHARGES, ChargeBody, order_of
from tokenhouse.entrypoints.api.v1.receipts import ReceiptOut, receipt_json
from tokenhouse.infra.kernel.errors import TokenhouseError, ValidationFailed
from tokenhouse.infra.kernel.ids import is_external_id

routes = router("Charges")
MOST = 1000
_YIELD_EVERY = 50  # so that single charges are not kept waiting


class BatchItem(ChargeBody):
    """A charge with the key that names it."""

    idempotency_key: IdempotencyKey
    """As the header of a single charge: one key space."""


class BatchBody(Body):
    """Up to 1 000 charges."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"charges": [{"account_id": "u-42", "operation": "chat", "idempotency_key": "message-1"}]}]
        }
    )

    charges: list[BatchItem] = Field(max_length=MOST)
    """Carried out in order; each succeeds or fails alone."""


class OutcomeOut(Answer):
    """What became of one charge."""

    status: int = Field(description="As of a single charge: 201, 402, 422 …")
    replayed: bool = Field(description="Whether it was carried out before, under the same key.")
    receipt: ReceiptOut | None = None
    error: Problem | None = None


class BatchOut(Answer):
    """An outcome for each charge, in order."""

    data: list[OutcomeOut]


class _Envelope(Body):
    """The call itself; its items are looked at one by one."""

    charges: list[Any] = Field(max_length=MOST)


@routes.post(
    "/v1/charges/batch",
    operation_id="charges_create_batch",
    summary="Charge many",
    responses={**found(BatchOut, description="An outcome each."), **refusals(400, 401, 413, 415, 422, 503)},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/BatchBody"}}},
        }
    },
)
async def charges_create_batch(call: TheCall) -> Response:
    """Carry out up to 1 000 charges, each on its own: a bad one fails alone.

    The call itself needs no `Idempotency-Key`: every charge has its own, in one key space with single charges. Send
    the whole call again after a failure; what was done is answered again and not repeated.
    """
    items = checked(_Envelope, call.body).charges
    await _meet(call, items)
    outcomes: list[Order | TokenhouseError | Done] = []
    for number, item in enumerate(items):
        if number % _YIELD_EVERY == _YIELD_EVERY - 1:
            await asyncio.sleep(0)
        try:
            outcomes.append(await _order(call, item))
        except TokenhouseError as refusal:
            outcomes.append(refusal)
    done = iter(await call.runtime.submit_all([one for one in outcomes if isinstance(one, Order)]))
    data = [_outcome(next(done) if isinstance(one, Order) else one) for one in outcomes]
    return answer({"data": data})


async def _meet(call: Call, items: list[Any]) -> None:
    """Look up all the accounts of a batch at once: each is then at hand."""
    named = [item.get("account_id") for item in items if isinstance(item, dict)]
    ids = {name for name in named if isinstance(name, str) and is_external_id(name)}
    await call.runtime.identities.find_all(name for name in ids if acts_for(call.authority, name))


async def _order(call: Call, item: object) -> Order:
    """Read one charge. What is wrong with it is raised, and is its own affair."""
    body = checked(BatchItem, an_object(item))
    identity = await call.account(body.account_id, "charges:write")
    raw = {name: value for name, value in an_object(item).items() if name != "idempotency_key"}
    single = call.with_key(body.idempotency_key)
    return order_of(single, identity, body, raw, path=CHARGES)


def _outcome(result: Done | TokenhouseError | Order) -> dict[str, Any]:
    if isinstance(result, TokenhouseError):
        return {"status": result.status, "replayed": False, "error": document(result)}
    if not isinstance(result, Done) or result.receipt is None:
        raise ValidationFailed("A charge has no receipt.")  # cannot be: charges have one
    return {"status": 201, "replayed": result.replayed, "receipt": receipt_json(result.receipt)}
