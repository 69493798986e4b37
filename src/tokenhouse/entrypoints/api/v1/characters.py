"""Characters: the names and faces that models speak with."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import ConfigDict

from tokenhouse.domain import access, market
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.market.types import Character, CharacterChanges, CharacterPlace, NewCharacter
from tokenhouse.entrypoints.api.cursor import cursor_of, number_after
from tokenhouse.entrypoints.api.patience import patiently
from tokenhouse.entrypoints.api.reference import LIST, READ, WRITE, created, found, refusals
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, router
from tokenhouse.entrypoints.api.types import Answer, Body, Id, Name
from tokenhouse.entrypoints.api.v1.model_shapes import Url
from tokenhouse.entrypoints.api.v1.models import known, reader
from tokenhouse.infra.database import PLATFORM, Tx
from tokenhouse.infra.kernel.errors import NotFound

routes = router("Models")


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


class CharacterPatch(Body):
    """What to change of a character; what is left out stays, null takes the picture away."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Emma"}]})

    name: Name = ""
    image_url: Url | None = None
    model_id: Id = ""


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


@routes.get(
    "/v1/characters",
    operation_id="characters_list",
    summary="List characters",
    responses={**found(CharacterOut, listed=True), **LIST},
)
async def characters_list(
    call: TheCall,
    model_id: Annotated[str | None, Query(max_length=128)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List characters, of one model or of all, the newest first."""
    before = number_after(cursor)
    if model_id is not None and "\0" in model_id:
        return answer(page([], None))
    async with call.runtime.database.read(reader(call)) as tx:
        rows = await market.list_characters(tx, model_id=model_id, before=before, most=limit + 1)
    following = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return answer(page([_character_json(row) for row in rows[:limit]], following))


@routes.patch(
    "/v1/characters/{character_id}",
    operation_id="characters_update",
    summary="Change a character",
    responses={**found(CharacterOut, description="Changed."), **WRITE},
)
async def characters_update(call: TheCall, character_id: str, body: CharacterPatch) -> Response:
    """Change a character. Another model speaks from the next charge on. For platform keys and admins."""
    call.require_admin()
    changes: CharacterChanges = body.model_dump(include=body.model_fields_set)  # type: ignore[assignment] # its fields

    async def change(tx: Tx) -> Character:
        before, after = await market.update_character(tx, known(character_id, "character"), changes)
        act = Act("character.update", "character", character_id, None, _character_json(before), _character_json(after))
        await access.record(tx, call.by(), act)
        return after

    return answer(_character_json(await patiently(call.runtime.database, PLATFORM, change)))


@routes.delete(
    "/v1/characters/{character_id}",
    operation_id="characters_remove",
    summary="Remove a character",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It is off."}, **READ},
)
async def characters_remove(call: TheCall, character_id: str) -> Response:
    """Take a character off for good; receipts that name it stay. For platform keys and admins."""
    call.require_admin()

    async def remove(tx: Tx) -> None:
        gone = await market.remove_character(tx, known(character_id, "character"))
        await access.record(
            tx, call.by(), Act("character.remove", "character", character_id, None, _character_json(gone))
        )

    await patiently(call.runtime.database, PLATFORM, remove)
    return Response(status_code=204)


def _character_json(character: Character | CharacterPlace) -> dict[str, Any]:
    return {
        "id": character.external_id,
        "name": character.name,
        "image_url": character.image_url,
        "model_id": character.model_id,
        "created_at": character.created_at,
    }
