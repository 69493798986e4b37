"""What ends an ownership: giving a model back for its price, and handing it on."""

from datetime import datetime

from fastapi import Response
from pydantic import ConfigDict, Field

from tokenhouse.domain import market
from tokenhouse.entrypoints.api.patience import patiently
from tokenhouse.entrypoints.api.reference import COMMAND, WRITE, created, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, replayable, router
from tokenhouse.entrypoints.api.types import Answer, Body, Id, Note
from tokenhouse.entrypoints.api.v1.models import known
from tokenhouse.infra.database import PLATFORM, Actor, Tx

routes = router("Models")

_TELLER = Actor((0,), teller=True)


class ModelRefundBody(Body):
    """Whose purchase to undo, and why."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"account_id": "u-42", "reason": "bought by mistake"}]})

    account_id: Id
    reason: Note | None = None
    """Why, for the records."""


class ModelRefundOut(Answer):
    """What was given back."""

    model_id: str
    account_id: str
    price_credits: int = Field(description="Credits given back: those that the purchase took.")
    credit_type: str
    balance: int
    reason: str | None
    refunded_at: datetime


class ModelTransferBody(Body):
    """From whom a model goes to whom, and why."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"from_account_id": "u-42", "to_account_id": "u-7", "reason": "a gift"}]}
    )

    from_account_id: Id
    to_account_id: Id
    reason: Note | None = None
    """Why, for the records."""


class ModelTransferOut(Answer):
    """Who owned a model, and who owns it now."""

    model_id: str
    from_account_id: str
    to_account_id: str
    transferred_at: datetime


@routes.post(
    "/v1/models/{model_id}/refund",
    operation_id="models_refund",
    summary="Refund a purchase",
    status_code=201,
    responses={**created(ModelRefundOut, description="Given back."), **COMMAND},
)
async def models_refund(call: TheCall, model_id: str, body: ModelRefundBody) -> Response:
    """Undo a purchase: its price goes back to the grants that paid it, and the account no longer owns the model.

    What the account earned meanwhile stays its own. An exclusive model is on sale again. For platform keys and admins.
    """
    call.require_key()
    identity = await call.account(body.account_id, "admin")
    command = call.command(identity, call.body, f"/v1/models/{known(model_id)}/refund")
    catalog = (await call.runtime.commit.rates()).catalog

    async def refund(tx: Tx) -> tuple[dict[str, object], bool]:
        return await market.refund(tx, catalog, command, model_id, body.reason, call.by())

    told, replayed = await patiently(call.runtime.database, _TELLER, refund)
    return replayable(told, 201, replayed=replayed)


@routes.post(
    "/v1/models/{model_id}/transfer",
    operation_id="models_transfer",
    summary="Hand a model on",
    responses={**found(ModelTransferOut, description="Handed on."), **WRITE},
)
async def models_transfer(call: TheCall, model_id: str, body: ModelTransferBody) -> Response:
    """Hand a model from one account to another: it earns for the other from the next use on. No credits move.

    What was earned until then stays with who earned it. For platform keys and admins.
    """
    giver = await call.account(body.from_account_id, "admin")
    taker = await call.account(body.to_account_id, "admin")
    ids = (giver.external_id, taker.external_id)

    async def transfer(tx: Tx) -> datetime:
        return await market.transfer(tx, known(model_id), *ids, call.by(), body.reason)

    at = await patiently(call.runtime.database, PLATFORM, transfer)
    return answer({"model_id": model_id, "from_account_id": ids[0], "to_account_id": ids[1], "transferred_at": at})
