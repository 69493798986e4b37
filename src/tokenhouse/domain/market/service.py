"""The verbs of models and characters, which are the platform's to change."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from tokenhouse.domain import access, catalog
from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.domain.market import rules
from tokenhouse.domain.market.types import (
    Category,
    Character,
    CharacterChanges,
    CharacterPlace,
    Model,
    ModelChanges,
    ModelPlace,
    ModelValues,
    NewCharacter,
    NewModel,
    Owned,
    Place,
    PricingVersion,
    Sort,
    Wanted,
)
from tokenhouse.infra.database import Tx, arrays, load_queries, sqlstate
from tokenhouse.infra.kernel.errors import Conflict, NotFound
from tokenhouse.infra.kernel.ids import new_id

_Q = load_queries(__file__)
_CREATE_MODEL = _Q.rows("create_model", int)
_UPDATE_MODEL = _Q.nothing("update_model")
_LOCK_MODEL = _Q.rows("lock_model", int)
_ARCHIVE_MODEL = _Q.nothing("archive_model")
_MODELS = _Q.rows("models", Model)
_MODEL_PAGE = _Q.rows("model_page", ModelPlace)
_CATEGORIES = _Q.rows("categories", Category)
_PRICING_VERSIONS = _Q.rows("pricing_versions", PricingVersion)
_CREATE_CHARACTER = _Q.rows("create_character", datetime)
_FIND_CHARACTER = _Q.rows("find_character", Character)
_OWNED_BY = _Q.rows("owned_by", Owned)
_CHARACTER_PAGE = _Q.rows("character_page", CharacterPlace)
_LOCK_CHARACTER = _Q.nothing("lock_character")
_UPDATE_CHARACTER = _Q.nothing("update_character")
_ARCHIVE_CHARACTER = _Q.nothing("archive_character")

ANY = Wanted()
"""Every model that is not archived."""

_TAKEN = "23505"


async def create_model(tx: Tx, terms: Catalog, new: NewModel) -> Model:
    """Put a model on the market. The platform's.

    Conflict (already_exists): the id is taken; the transaction is then lost. NotFound: no such creator.
    UnknownReference: no such earnings policy. ValidationFailed: a price that is none, no id as ids are.
    """
    external_id = new_id() if new.external_id is None else rules.check_external_id(new.external_id)
    rules.check_policy(terms, new.earnings_policy)
    pricing = _pricing(rules.price_given(new.pricing, new.credit_cost), new.credit_cost)
    values = rules.values_of(new, pricing, await _creator(tx, new.creator_id))
    try:
        await tx.one(_CREATE_MODEL, external_id=external_id, **_params(values))
    except Exception as error:
        _refuse_taken(error, "model", external_id)
        raise
    return (await find_models(tx, [external_id]))[external_id]


async def update_model(tx: Tx, terms: Catalog, external_id: str, changes: ModelChanges) -> Model:
    """Change a model; another price is another version of it. The platform's. Raises as `create_model`.

    NotFound: no such model, or archived. Conflict (already_owned): several own what is to be exclusive.
    """
    rules.check_policy(terms, changes.get("earnings_policy"))
    given = rules.price_given(changes.get("pricing"), changes.get("credit_cost"))
    pricing = _pricing(given, changes.get("credit_cost"))
    creator = await _creator(tx, changes.get("creator_id"))
    model, owners = await _locked(tx, external_id)
    values = rules.values_after(model, changes, pricing, creator)
    rules.check_owners(values, owners)
    await tx.run(_UPDATE_MODEL, id=model.id, **_params(values))
    return (await find_models(tx, [external_id]))[external_id]


async def remove_model(tx: Tx, external_id: str) -> Model:
    """Take a model off the market for good; its records, receipts and earnings stay. The platform's.

    NotFound: no such model, or archived before.
    """
    model, _ = await _locked(tx, external_id)
    await tx.run(_ARCHIVE_MODEL, id=model.id)
    return (await find_models(tx, [external_id]))[external_id]


async def lock_model(tx: Tx, external_id: str) -> Model:
    """Lock a model against other changes, and return it as it is now. NotFound: none, or archived. The platform's."""
    return (await _locked(tx, external_id))[0]


async def find_model(tx: Tx, external_id: str, *, archived: bool = False) -> Model | None:
    """Return the model of that id; one that is archived only if asked for."""
    model = (await find_models(tx, [external_id])).get(external_id)
    return model if model is None or archived or model.archived_at is None else None


async def find_models(tx: Tx, external_ids: Iterable[str]) -> dict[str, Model]:
    """Return models by their ids, archived ones too; the ids that are none are left out."""
    rows = await tx.all(_MODELS, external_ids=arrays.texts(set(external_ids)))
    return {row.external_id: row for row in rows}


async def list_models(
    tx: Tx, wanted: Wanted = ANY, *, sort: Sort = "newest", after: Place | None = None, most: int = 100
) -> tuple[list[Model], Place | None]:
    """Return models that are not archived, as they are wanted, in an order: a page of them, and where it ended.

    after: where the page before ended; None returned: there are no more.
    """
    words = None if wanted.q is None else rules.words_of(wanted.q)
    if wanted.q is not None and words is None:
        return [], None
    page = await tx.all(
        _MODEL_PAGE,
        sort=sort,
        words=words,
        category=wanted.category,
        premium=wanted.premium,
        active=wanted.active,
        owner=wanted.owner,
        creator=wanted.creator,
        price_from=wanted.price_from,
        price_to=wanted.price_to,
        after_rank=after.rank if after else None,
        after_word=after.word if after else None,
        after_id=after.id if after else None,
        most=most + 1,
    )
    shown = page[:most]
    found = await find_models(tx, [one.external_id for one in shown])
    end = Place(shown[-1].rank, shown[-1].word, shown[-1].id) if len(page) > most else None
    return [found[one.external_id] for one in shown], end


async def categories(tx: Tx, *, active: bool | None = None) -> list[Category]:
    """Return the categories that have models, and how many; active: only those that are, or are not."""
    return await tx.all(_CATEGORIES, active=active)


async def put_model(tx: Tx, terms: Catalog, fields: Mapping[str, Any]) -> tuple[Model | None, Model]:
    """Change the model of an id, or make it where there is none: what it was (None: it is new), and what it is.

    fields: those of ModelChanges, and `id`. The platform's. Raises as `create_model` and `update_model`;
    ValidationFailed where a new one lacks name or category; Conflict (already_exists) for one that was archived.
    """
    external_id = rules.check_external_id(fields["id"])
    given: dict[str, Any] = {name: value for name, value in fields.items() if name != "id"}
    before = await find_model(tx, external_id, archived=True)
    if before is not None and before.archived_at is not None:
        raise Conflict(
            f"The model {external_id!r} was taken off the market for good. Choose another id.", code="already_exists"
        )
    if before is not None:
        changes: ModelChanges = given  # type: ignore[assignment] # the caller's fields are those of ModelChanges
        before, _ = await _locked(tx, external_id)
        return before, await update_model(tx, terms, external_id, changes)
    return None, await create_model(tx, terms, rules.new_model(external_id, given))


async def decide_submission(tx: Tx, terms: Catalog, external_id: str, *, approved: bool) -> tuple[Model, Model]:
    """Put a model on the market that its creator submitted, or refuse it: what it was, and what it is. The platform's.

    One that was refused may still be approved. NotFound: no such model. Conflict (not_pending): it does not wait.
    """
    before, _ = await _locked(tx, external_id)
    rules.check_submission(before, approved=approved)
    changes: ModelChanges = {"approval": "approved" if approved else "rejected", "active": approved}
    return before, await update_model(tx, terms, external_id, changes)


async def pricing_versions(tx: Tx, model_id: int) -> list[PricingVersion]:
    """Return what a use of a model has cost over time, the latest price first."""
    return await tx.all(_PRICING_VERSIONS, model_id=model_id)


async def create_character(tx: Tx, new: NewCharacter) -> Character:
    """Make a character that speaks for a model. The platform's.

    NotFound: no such model, or archived. Conflict (already_exists): the id is taken; the transaction is lost.
    """
    external_id = new_id() if new.external_id is None else rules.check_external_id(new.external_id)
    model = await find_model(tx, new.model_id)
    if model is None:
        raise no_model(new.model_id)
    try:
        created_at = await tx.one(
            _CREATE_CHARACTER,
            external_id=external_id,
            name=new.name,
            image_url=new.image_url,
            model_id=model.id,
        )
    except Exception as error:
        _refuse_taken(error, "character", external_id)
        raise
    return Character(external_id, new.name, new.image_url, model.external_id, created_at)


async def find_character(tx: Tx, external_id: str) -> Character | None:
    """Return the character of that id, if there is one."""
    return await tx.first(_FIND_CHARACTER, external_id=external_id)


async def list_characters(
    tx: Tx, *, model_id: str | None = None, before: int | None = None, most: int = 100
) -> list[CharacterPlace]:
    """Return characters, of one model or of all, the newest first; before: older than the one of that number."""
    return await tx.all(_CHARACTER_PAGE, model_id=model_id, before=before, most=most)


async def update_character(tx: Tx, external_id: str, changes: CharacterChanges) -> tuple[Character, Character]:
    """Change a character: what it was, and what it is. The platform's.

    NotFound: no such character; no such model, or archived.
    """
    await tx.run(_LOCK_CHARACTER, external_id=external_id)
    before = await find_character(tx, external_id)
    if before is None:
        raise _no_character(external_id)
    after = replace(before, **changes)
    model = await find_model(tx, after.model_id)
    if model is None:
        raise no_model(after.model_id)
    await tx.run(
        _UPDATE_CHARACTER, external_id=external_id, name=after.name, image_url=after.image_url, model_id=model.id
    )
    return before, after


async def remove_character(tx: Tx, external_id: str) -> Character:
    """Take a character off for good; receipts that name it stay. The platform's. NotFound: no such character."""
    await tx.run(_LOCK_CHARACTER, external_id=external_id)
    character = await find_character(tx, external_id)
    if character is None:
        raise _no_character(external_id)
    await tx.run(_ARCHIVE_CHARACTER, external_id=external_id)
    return character


async def owned_by(tx: Tx, account_id: int) -> list[Owned]:
    """Return what an account bought and still owns, the latest first."""
    return await tx.all(_OWNED_BY, account_id=account_id)


async def _locked(tx: Tx, external_id: str) -> tuple[Model, int]:
    """Lock a model; return it as it is now, and how many own it."""
    owners: int | None = await tx.one(_LOCK_MODEL, external_id=external_id)
    if owners is None:
        raise no_model(external_id)
    return (await find_models(tx, [external_id]))[external_id], owners


async def _creator(tx: Tx, creator_id: str | None) -> int | None:
    if creator_id is None:
        return None
    account = await access.find_account(tx, creator_id)
    if account is None:
        raise NotFound(f"There is no account {creator_id!r} to be the creator. Create it with POST /v1/accounts.")
    return account.id


def _pricing(given: object, credit_cost: int | None) -> dict[str, str] | None:
    if given is None:
        return None
    field = "pricing" if credit_cost is None else "credit_cost"
    return catalog.written_rates(catalog.parse_pricing(given, field).rates)


def _params(values: ModelValues) -> dict[str, object]:
    return {**rules.written(values), "features": json.dumps(values.features)}


def _no_character(external_id: str) -> NotFound:
    return NotFound(f"There is no character {external_id[:128]!r}. Create it with POST /v1/characters.")


def no_model(external_id: str) -> NotFound:
    """Say that there is no such model."""
    return NotFound(f"There is no model {external_id[:128]!r}. Create it with POST /v1/models.")


def _refuse_taken(error: Exception, what: str, external_id: str) -> None:
    """Turn a unique violation into the Conflict that it means."""
    if sqlstate(error) == _TAKEN:
        raise Conflict(
            f"There is a {what} {external_id!r} already. Choose another id.", code="already_exists"
        ) from error
