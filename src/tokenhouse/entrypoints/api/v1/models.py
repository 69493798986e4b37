"""Models on sale, and buying one."""

from dataclasses import replace
from typing import Annotated

from fastapi import Query, Response
from pydantic import ConfigDict

from tokenhouse.domain import access, market
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.access.types import Identity
from tokenhouse.domain.market.types import Model, ModelChanges, NewModel, Wanted
from tokenhouse.entrypoints.api.call import Call
from tokenhouse.entrypoints.api.patience import patiently
from tokenhouse.entrypoints.api.reference import COMMAND, LIST, READ, WRITE, created, found, refusals
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, replayable, router
from tokenhouse.entrypoints.api.types import Body, Note
from tokenhouse.entrypoints.api.v1.holds import NoBody
from tokenhouse.entrypoints.api.v1.model_shapes import (
    ModelBody,
    ModelCategoryOut,
    ModelOut,
    ModelPatch,
    ModelQuery,
    PurchaseOut,
    cursor_of_place,
    given_in,
    model_json,
    place_after,
)
from tokenhouse.infra.database import PLATFORM, Actor, Tx
from tokenhouse.infra.kernel.errors import NotFound

routes = router("Models")


def reader(call: Call) -> Actor:
    """Give the actor that reads models: the platform sees their creators."""
    own = call.authority.account
    return PLATFORM if call.platform or own is None else Actor((own.id,))


@routes.post(
    "/v1/models",
    operation_id="models_create",
    summary="Create a model",
    status_code=201,
    responses={**created(ModelOut, description="Made."), **WRITE},
)
async def models_create(call: TheCall, body: ModelBody) -> Response:
    """Put a model on the market. For platform keys and admins.

    Where the operator lets creators submit models, one from a user's own key or session waits for approval: it is
    inactive and nobody's, and its creator is the user.
    """
    creator = None
    if call.runtime.creator_models and not call.platform:
        creator = (await call.account(body.creator_id or (await call.caller()).external_id, "market:write")).external_id
    else:
        call.require_admin()
    catalog = (await call.runtime.commit.rates()).catalog
    new = NewModel(
        body.name, body.category, body.price_credits, body.premium, body.active, body.monetized, body.ownership,
        body.id, body.description, tuple(body.features), body.pricing, body.credit_cost, body.upstream_model,
        body.provider, body.creator_id, body.creator_share_bps, body.earnings_policy, body.image_url,
    )  # fmt: skip
    if creator is not None:
        new = replace(new, active=False, approval="pending", creator_id=creator)
    async with call.runtime.database.transaction(PLATFORM) as tx:
        model = await market.create_model(tx, catalog, new)
        await access.record(tx, call.by(), model_act("model.create", model, None, model))
    return answer(model_json(model), 201)


@routes.get(
    "/v1/models",
    operation_id="models_list",
    summary="List models",
    responses={**found(ModelOut, listed=True), **refusals(400), **LIST},
)
async def models_list(call: TheCall, asked: Annotated[ModelQuery, Query()]) -> Response:
    """List models, the newest first unless `sort` says otherwise.

    Others than the platform see the active ones, and of what they own or made themselves the others too.
    """
    after = place_after(asked.cursor, asked.sort)
    if "\0" in f"{asked.category}{asked.q}{asked.creator_id}":
        return answer(page([], None))
    owner = await call.caller() if asked.owned else None
    async with call.runtime.database.read(reader(call)) as tx:
        wanted = await _wanted(call, tx, asked, owner)
        rows, end = ([], None) if wanted is None else await market.list_models(
            tx, wanted, sort=asked.sort, after=after, most=asked.limit
        )  # fmt: skip
    return answer(page([model_json(row) for row in rows], cursor_of_place(end, asked.sort)))


async def _wanted(call: Call, tx: Tx, asked: ModelQuery, owner: Identity | None) -> Wanted | None:
    """Say which models are asked for; None: none can be, for nobody whom the reader knows made them."""
    creator = None
    if asked.creator_id is not None:
        # Who made a model is known to the platform and to the creator: for others it is nobody's.
        account = await access.find_account(tx, asked.creator_id)
        if account is None:
            return None
        creator = account.id
    active = asked.active if call.platform or owner is not None or creator is not None else True
    return Wanted(
        asked.q, asked.category, asked.premium, active, owner.id if owner else None, creator, asked.price_from,
        asked.price_to,
    )  # fmt: skip


@routes.get(
    "/v1/model-categories",
    operation_id="model_categories",
    summary="List categories",
    responses={**found(ModelCategoryOut, listed=True), **LIST},
)
async def model_categories(call: TheCall) -> Response:
    """List the categories that have models, by name, and how many; others than the platform see active ones."""
    async with call.runtime.database.read(reader(call)) as tx:
        rows = await market.categories(tx, active=None if call.platform else True)
    return answer(page([{"category": row.category, "models": row.models} for row in rows], None))


@routes.get(
    "/v1/models/{model_id}",
    operation_id="models_get",
    summary="Read a model",
    responses={**found(ModelOut), **READ},
)
async def models_get(call: TheCall, model_id: str) -> Response:
    """Read a model."""
    async with call.runtime.database.read(reader(call)) as tx:
        return answer(model_json(await visible(call, tx, model_id)))


async def visible(call: Call, tx: Tx, model_id: str) -> Model:
    """Find a model that the caller may see: an active one, or what they submitted. NotFound otherwise."""
    model = await market.find_model(tx, known(model_id))
    own = call.authority.account
    if model is None or not (
        model.active or call.platform or (model.approval != "approved" and own is not None and model.creator == own.id)
    ):
        raise NotFound("There is no such model.")
    return model


@routes.patch(
    "/v1/models/{model_id}",
    operation_id="models_update",
    summary="Change a model",
    responses={**found(ModelOut, description="Changed."), **WRITE},
)
async def models_update(call: TheCall, model_id: str, body: ModelPatch) -> Response:
    """Change a model; another price holds for uses from now on. For platform keys and admins."""
    call.require_admin()
    catalog = (await call.runtime.commit.rates()).catalog
    changes: ModelChanges = given_in(body)  # type: ignore[assignment] # the fields of ModelPatch are those of it

    async def change(tx: Tx) -> Model:
        before = await market.lock_model(tx, known(model_id))
        model = await market.update_model(tx, catalog, model_id, changes)
        await access.record(tx, call.by(), model_act("model.update", model, before, model))
        return model

    return answer(model_json(await patiently(call.runtime.database, PLATFORM, change)))


class ModelRejectBody(Body):
    """Why a submitted model is refused."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the name is taken elsewhere"}]})

    reason: Note | None = None
    """Why, for the records."""


@routes.post(
    "/v1/models/{model_id}/approve",
    operation_id="models_approve",
    summary="Approve a submitted model",
    responses={**found(ModelOut, description="On the market."), **WRITE},
)
async def models_approve(call: TheCall, model_id: str, body: NoBody | None = None) -> Response:
    """Put a model on the market that its creator submitted. For platform keys and admins."""
    del body
    call.require_admin()
    return await _decided(call, model_id, approved=True)


@routes.post(
    "/v1/models/{model_id}/reject",
    operation_id="models_reject",
    summary="Reject a submitted model",
    responses={**found(ModelOut, description="Rejected; it stays inactive."), **WRITE},
)
async def models_reject(call: TheCall, model_id: str, body: ModelRejectBody | None = None) -> Response:
    """Refuse a model that its creator submitted; it may still be approved later. For platform keys and admins."""
    call.require_admin()
    return await _decided(call, model_id, approved=False, reason=body.reason if body else None)


async def _decided(call: Call, model_id: str, *, approved: bool, reason: str | None = None) -> Response:
    catalog = (await call.runtime.commit.rates()).catalog

    async def decide(tx: Tx) -> Model:
        before, after = await market.decide_submission(tx, catalog, known(model_id), approved=approved)
        told = {**model_json(after), "reason": reason}
        name = "model.approve" if approved else "model.reject"
        await access.record(tx, call.by(), Act(name, "model", model_id, after.creator, model_json(before), told))
        return after

    return answer(model_json(await patiently(call.runtime.database, PLATFORM, decide)))


@routes.delete(
    "/v1/models/{model_id}",
    operation_id="models_remove",
    summary="Remove a model",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It is off the market."}, **READ},
)
async def models_remove(call: TheCall, model_id: str) -> Response:
    """Take a model off the market for good; its receipts and earnings stay. For platform keys and admins."""
    call.require_admin()

    async def remove(tx: Tx) -> Model:
        model = await market.remove_model(tx, known(model_id))
        await access.record(tx, call.by(), model_act("model.remove", model, model, None))
        return model

    await patiently(call.runtime.database, PLATFORM, remove)
    return Response(status_code=204)


@routes.post(
    "/v1/models/{model_id}/purchase",
    operation_id="models_purchase",
    summary="Buy a model",
    status_code=201,
    responses={**created(PurchaseOut, description="Bought."), **COMMAND},
)
async def models_purchase(call: TheCall, model_id: str, body: NoBody | None = None) -> Response:
    """Buy a model with general credits, for the caller, or for whom a platform key names by X-User-ID.

    Owners earn when others use the model. An exclusive model has one owner.
    """
    del body
    told, replayed = await purchase(call, known(model_id), {}, f"/v1/models/{model_id}/purchase")
    return replayable(told, 201, replayed=replayed)


async def purchase(call: Call, model_id: str, body: object, path: str) -> tuple[dict[str, object], bool]:
    """Buy a model for the caller: the answer, and whether it is a replay."""
    call.require_key()
    identity = await call.caller()
    call.require("market:write")
    command = call.command(identity, body, path)
    catalog = (await call.runtime.commit.rates()).catalog

    async def buy(tx: Tx) -> tuple[dict[str, object], bool]:
        return await market.purchase(tx, catalog, command, model_id, call.runtime.upgrade_url)

    return await patiently(call.runtime.database, Actor((identity.id,), teller=True), buy)


def model_act(name: str, model: Model, before: Model | None, after: Model | None) -> Act:
    """Name what is done to a model."""
    was, told = (None if one is None else model_json(one) for one in (before, after))
    return Act(name, "model", model.external_id, None, was, told)


def known(external_id: str, what: str = "model") -> str:
    """Give back an id of a path. NotFound where it can be none: the database takes no NUL."""
    if "\0" in external_id:
        raise NotFound(f"There is no such {what}.")
    return external_id
