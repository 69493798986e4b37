"""Many models changed in one call, each on its own."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import Response
from pydantic import ConfigDict, Field

from tokenhouse.domain import access, market
from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.domain.market.types import Model, ModelChanges
from tokenhouse.entrypoints.api.call import Call
from tokenhouse.entrypoints.api.patience import patiently
from tokenhouse.entrypoints.api.problems import document
from tokenhouse.entrypoints.api.reference import WRITE, Problem, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, router
from tokenhouse.entrypoints.api.types import Answer, Body, Id, checked
from tokenhouse.entrypoints.api.v1.model_shapes import ModelOut, ModelPatch, given_in, model_json
from tokenhouse.entrypoints.api.v1.models import model_act
from tokenhouse.infra.database import PLATFORM, Tx
from tokenhouse.infra.kernel.errors import TokenhouseError, ValidationFailed

routes = router("Models")
MOST = 500

Done = tuple[int, Model]
Work = Callable[[Tx], Awaitable[Done]]


class ModelItem(ModelPatch):
    """A model to be changed, or made where there is none of its id: then with name and category."""

    id: Id


class ModelBulkBody(Body):
    """Either `ids` with an action or with changes for all of them, or `models`, each with its own."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"ids": ["m-1", "m-2"], "action": "deactivate"},
                {"ids": ["m-1", "m-2"], "changes": {"category": "Anime"}},
                {"models": [{"id": "m-1", "price_credits": 4500}]},
            ]
        }
    )

    ids: Annotated[list[Id], Field(min_length=1, max_length=MOST)] | None = None
    action: Literal["activate", "deactivate", "archive"] | None = None
    changes: ModelPatch | None = None
    """As of PATCH /v1/models/{id}."""
    models: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MOST)] | None = None
    """Each as of PATCH with its `id`; one that is new as of POST. A bad one fails alone."""


class ModelOutcomeOut(Answer):
    """What became of one model."""

    id: str | None
    status: int = Field(description="200 changed or archived, 201 made, or the refusal's.")
    model: ModelOut | None = None
    error: Problem | None = None


class ModelOutcomesOut(Answer):
    """An outcome for each model, in order."""

    data: list[ModelOutcomeOut]


@routes.post(
    "/v1/models/bulk",
    operation_id="models_bulk",
    summary="Change many models",
    responses={**found(ModelOutcomesOut, description="An outcome each."), **WRITE},
)
async def models_bulk(call: TheCall, body: ModelBulkBody) -> Response:
    """Change, make or archive up to 500 models, each on its own: a bad one fails alone. For platform keys and admins.

    It may be sent again as it is: what is done is done.
    """
    call.require_admin()
    catalog = (await call.runtime.commit.rates()).catalog
    works: list[tuple[str | None, Work | TokenhouseError]]
    if body.models is not None and body.ids is None and body.action is None and body.changes is None:
        works = [_put(call, catalog, item) for item in body.models]
    elif body.ids is not None and body.models is None and (body.action is None) != (body.changes is None):
        works = [(one, _work(call, catalog, one, body)) for one in body.ids]
    else:
        raise ValidationFailed.of("ids", "comes with either `action` or `changes`; or send `models` alone")
    return answer({"data": [await _outcome(call, name, work) for name, work in works]})


async def _outcome(call: Call, external_id: str | None, work: Work | TokenhouseError) -> dict[str, Any]:
    """Do one of them in a transaction of its own, and say what became of it."""
    try:
        if isinstance(work, TokenhouseError):
            raise work
        status, model = await patiently(call.runtime.database, PLATFORM, work)
    except TokenhouseError as refusal:
        return {"id": external_id, "status": refusal.status, "model": None, "error": document(refusal)}
    return {"id": model.external_id, "status": status, "model": model_json(model), "error": None}


def _work(call: Call, catalog: Catalog, external_id: str, body: ModelBulkBody) -> Work:
    """Say what is to be done to a model named by its id."""
    if body.action == "archive":

        async def archive(tx: Tx) -> Done:
            model = await market.remove_model(tx, external_id)
            await access.record(tx, call.by(), model_act("model.remove", model, model, None))
            return 200, model

        return archive
    changes: ModelChanges = {"active": body.action == "activate"}
    if body.changes is not None:
        changes = given_in(body.changes)  # type: ignore[assignment] # the fields of ModelPatch are those of it

    async def change(tx: Tx) -> Done:
        before = await market.lock_model(tx, external_id)
        model = await market.update_model(tx, catalog, external_id, changes)
        await access.record(tx, call.by(), model_act("model.update", model, before, model))
        return 200, model

    return change


def _put(call: Call, catalog: Catalog, raw: dict[str, Any]) -> tuple[str | None, Work | TokenhouseError]:
    """Say what is to be done of an item; what is wrong with it is its own affair."""
    external_id = raw.get("id") if isinstance(raw.get("id"), str) else None
    try:
        item = checked(ModelItem, raw)
    except ValidationFailed as refusal:
        return external_id, refusal
    fields = {**given_in(item), "id": item.id}

    async def put(tx: Tx) -> Done:
        before, model = await market.put_model(tx, catalog, fields)
        act = model_act("model.create" if before is None else "model.update", model, before, model)
        await access.record(tx, call.by(), act)
        return 201 if before is None else 200, model

    return item.id, put
