"""Models on sale, the characters that speak for them, and buying one."""

from datetime import datetime
from typing import Annotated, Any, Literal, get_type_hints

from fastapi import Query, Response
from pydantic import ConfigDict, Field

from tokenhouse.domain import access, market
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.catalog.types import UNITS
from tokenhouse.domain.market.rules import credit_cost
from tokenhouse.domain.market.types import Character, Model, ModelChanges, NewCharacter, NewModel
from tokenhouse.entrypoints.api.call import Call
from tokenhouse.entrypoints.api.cursor import cursor_of, number_after
from tokenhouse.entrypoints.api.patience import patiently
from tokenhouse.entrypoints.api.reference import COMMAND, LIST, READ, WRITE, created, found, refusals
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, replayable, router
from tokenhouse.entrypoints.api.types import Answer, AnyCredits, Body, Id, Name, Word
from tokenhouse.entrypoints.api.v1.holds import NoBody
from tokenhouse.infra.database import PLATFORM, Actor, Tx
from tokenhouse.infra.kernel.errors import NotFound

routes = router("Models")

Features = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=50)]
Description = Annotated[str, Field(max_length=10_000)]
Pricing = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=40)]],
    Field(
        min_length=1,
        max_length=len(UNITS),
        json_schema_extra={"examples": [{"input_token": "0.0015", "output_token": "0.006"}]},
    ),
]
Share = Annotated[int, Field(ge=0, le=10_000)]
Url = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^(https?://|/)\S+$")]


class ModelBody(Body):
    """A model to be put on the market."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "m-1", "name": "Emma", "category": "Realistic", "credit_cost": 1, "price_credits": 5000,
                    "premium": True, "active": True, "monetized": True, "ownership": "exclusive",
                }
            ]
        }
    )  # fmt: skip

    id: Id | None = None
    name: Name
    category: Word
    description: Description | None = None
    features: Features = Field(default_factory=list)
    credit_cost: AnyCredits | None = None
    """Credits for a use: short for a pricing by call."""
    pricing: Pricing | None = None
    """Credits per unit as decimal strings; neither this nor credit_cost: the operation's price holds."""
    upstream_model: Word | None = None
    provider: Word | None = None
    price_credits: AnyCredits = 0
    """What it costs to buy it, in general credits."""
    premium: bool = False
    active: bool = True
    monetized: bool = True
    """Whether uses of it earn."""
    creator_id: Id | None = None
    ownership: Literal["exclusive", "shared"] = "exclusive"
    creator_share_bps: Share = 0
    """The creator's part of what a use earns, in basis points; the owners share the rest."""
    earnings_policy: Word | None = None
    """A policy of the catalog; `flat` unless given."""


class ModelPatch(Body):
    """What to change of a model; what is left out stays, null takes away what may be missing."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"active": False}]})

    name: Name = ""
    category: Word = ""
    description: Description | None = None
    features: Features = Field(default_factory=list)
    credit_cost: AnyCredits | None = None
    pricing: Pricing | None = None
    upstream_model: Word | None = None
    provider: Word | None = None
    price_credits: AnyCredits = 0
    premium: bool = False
    active: bool = True
    monetized: bool = True
    creator_id: Id | None = None
    ownership: Literal["exclusive", "shared"] = "exclusive"
    creator_share_bps: Share = 0
    earnings_policy: Word | None = None


class ModelOut(Answer):
    """A model on the market."""

    id: str
    name: str
    category: str
    description: str | None
    features: list[str]
    credit_cost: int | None
    """Credits for a use, where the price is by call."""
    pricing: dict[str, str] | None
    pricing_version: int
    upstream_model: str | None
    provider: str | None
    price_credits: int
    premium: bool
    active: bool
    monetized: bool
    creator_id: str | None
    """For the platform, and for the creator."""
    ownership: str
    creator_share_bps: int
    earnings_policy: str | None
    character_id: str | None
    """Its first character."""
    character_name: str | None
    character_image: str | None
    created_at: datetime
    updated_at: datetime


class CharacterBody(Body):
    """A character to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "emma", "name": "Emma", "model_id": "m-1"}]})

    id: Id | None = None
    name: Name
    image_url: Url | None = None
    model_id: Id


class CharacterOut(Answer):
    """A character and the model behind it."""

    id: str
    name: str
    image_url: str | None
    model_id: str
    created_at: datetime


class PurchaseOut(Answer):
    """What was bought, for how much."""

    model_id: str
    account_id: str
    price_credits: int
    credit_type: str
    balance: int
    ownership: str
    bought_at: datetime


def model_json(model: Model) -> dict[str, Any]:
    """Give a model ready to be written as JSON."""
    return {
        "id": model.external_id,
        "name": model.name,
        "category": model.category,
        "description": model.description,
        "features": model.features,
        "credit_cost": credit_cost(model.pricing),
        "pricing": model.pricing,
        "pricing_version": model.pricing_version,
        "upstream_model": model.upstream_model,
        "provider": model.provider,
        "price_credits": model.price_credits,
        "premium": model.premium,
        "active": model.active,
        "monetized": model.monetized,
        "creator_id": model.creator_id,
        "ownership": model.ownership,
        "creator_share_bps": model.creator_share_bps,
        "earnings_policy": model.earnings_policy,
        "character_id": model.character_id,
        "character_name": model.character_name,
        "character_image": model.character_image,
        "created_at": model.created_at,
        "updated_at": model.updated_at,
    }


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
    """Put a model on the market. For platform keys and admins."""
    call.require_admin()
    catalog = (await call.runtime.commit.rates()).catalog
    new = NewModel(
        body.name, body.category, body.price_credits, body.premium, body.active, body.monetized, body.ownership,
        body.id, body.description, tuple(body.features), body.pricing, body.credit_cost, body.upstream_model,
        body.provider, body.creator_id, body.creator_share_bps, body.earnings_policy,
    )  # fmt: skip
    async with call.runtime.database.transaction(PLATFORM) as tx:
        model = await market.create_model(tx, catalog, new)
        await access.record(tx, call.by(), _act("model.create", model, None, model))
    return answer(model_json(model), 201)


@routes.get(
    "/v1/models",
    operation_id="models_list",
    summary="List models",
    responses={**found(ModelOut, listed=True), **LIST},
)
async def models_list(
    call: TheCall,
    category: Annotated[str | None, Query(max_length=128)] = None,
    active: Annotated[bool | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List models, the newest first. Others than the platform see the active ones."""
    before = number_after(cursor)
    if not call.platform:
        active = True
    if category is not None and "\0" in category:
        return answer(page([], None))
    async with call.runtime.database.read(reader(call)) as tx:
        rows = await market.list_models(tx, before=before, category=category, active=active, most=limit + 1)
    following = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return answer(page([model_json(row) for row in rows[:limit]], following))


@routes.get(
    "/v1/models/{model_id}",
    operation_id="models_get",
    summary="Read a model",
    responses={**found(ModelOut), **READ},
)
async def models_get(call: TheCall, model_id: str) -> Response:
    """Read a model."""
    async with call.runtime.database.read(reader(call)) as tx:
        model = None if "\0" in model_id else await market.find_model(tx, model_id)
    if model is None or not (model.active or call.platform):
        raise NotFound("There is no such model.")
    return answer(model_json(model))


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
    given = body.model_dump(include=body.model_fields_set & _CHANGEABLE)
    changes: ModelChanges = given  # type: ignore[assignment] # the fields of ModelPatch are those of ModelChanges

    async def change(tx: Tx) -> Model:
        before = await market.lock_model(tx, _known(model_id))
        model = await market.update_model(tx, catalog, model_id, changes)
        await access.record(tx, call.by(), _act("model.update", model, before, model))
        return model

    return answer(model_json(await patiently(call.runtime.database, PLATFORM, change)))


_CHANGEABLE = frozenset(get_type_hints(ModelChanges))


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
        model = await market.remove_model(tx, _known(model_id))
        await access.record(tx, call.by(), _act("model.remove", model, model, None))
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
    told, replayed = await purchase(call, _known(model_id), {}, f"/v1/models/{model_id}/purchase")
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


def _act(name: str, model: Model, before: Model | None, after: Model | None) -> Act:
    """Name what is done to a model."""
    was, told = (None if one is None else model_json(one) for one in (before, after))
    return Act(name, "model", model.external_id, None, was, told)


def _known(model_id: str) -> str:
    if "\0" in model_id:
        raise NotFound("There is no such model.")
    return model_id


@routes.post(
    "/v1/characters",
    operation_id="characters_create",
    summary="Create a character",
    status_code=201,
    responses={**created(CharacterOut, description="Made."), **WRITE},
)
async def characters_create(call: TheCall, body: CharacterBody) -> Response:
    """Make a character that speaks for a model. For platform keys and admins."""
    call.require_admin()
    new = NewCharacter(body.name, body.model_id, body.id, body.image_url)
    async with call.runtime.database.transaction(PLATFORM) as tx:
        made = await market.create_character(tx, new)
        act = Act("character.create", "character", made.external_id, after=_character_json(made))
        await access.record(tx, call.by(), act)
    return answer(_character_json(made), 201)


@routes.get(
    "/v1/characters/{character_id}",
    operation_id="characters_get",
    summary="Read a character",
    responses={**found(CharacterOut), **refusals(401, 404, 503)},
)
async def characters_get(call: TheCall, character_id: str) -> Response:
    """Read a character."""
    async with call.runtime.database.read(reader(call)) as tx:
        character = None if "\0" in character_id else await market.find_character(tx, character_id)
    if character is None:
        raise NotFound("There is no such character.")
    return answer(_character_json(character))


def _character_json(character: Character) -> dict[str, Any]:
    return {
        "id": character.external_id,
        "name": character.name,
        "image_url": character.image_url,
        "model_id": character.model_id,
        "created_at": character.created_at,
    }
