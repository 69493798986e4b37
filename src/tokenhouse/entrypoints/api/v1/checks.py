"""Check: is there enough? Nothing is taken."""

from fastapi import Response

from tokenhouse.entrypoints.api.reference import READ, found, refusals
from tokenhouse.entrypoints.api.routing import TheCall, answer, router
from tokenhouse.entrypoints.api.types import Answer
from tokenhouse.entrypoints.api.v1.charges import ChargeBody, order_of

routes = router("Charges")


class VerdictOut(Answer):
    """Whether a charge could be paid now."""

    allowed: bool
    required: int
    """Credits that it would take."""
    available: int
    """Credits that can be spent."""


@routes.post(
    "/v1/check",
    operation_id="check",
    summary="Check",
    responses={**found(VerdictOut, description="Looked."), **READ, **refusals(400, 409, 413, 415, 422)},
)
async def check(call: TheCall, body: ChargeBody) -> Response:
    """Say whether a charge could be paid, what it would take and what there is. Nothing is taken or set aside.

    To be sure of the credits, place a hold: between a check and a charge others may spend them.
    """
    identity = await call.account(body.account_id, "wallets:read", "charges:write")
    call.key = call.key or "check"
    verdict = await call.runtime.checks.check(order_of(call, identity, body, None))
    return answer({"allowed": verdict.allowed, "required": verdict.required, "available": verdict.available})
