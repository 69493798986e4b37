"""What a model becomes by a change, and whether it may be sold: pure."""

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.domain.market.types import Model, ModelChanges, ModelValues, NewModel, Ownership, Sale
from tokenhouse.infra.kernel.errors import (
    Conflict,
    Forbidden,
    InsufficientTokens,
    NotFound,
    UnknownReference,
    ValidationFailed,
)
from tokenhouse.infra.kernel.ids import is_external_id

CREDIT_TYPE = "general"
"""What models are bought with."""

REVIEW_CHARACTERS = 2000

_WORD = re.compile(r"\w+")
_MOST_WORDS = 16
_PRICES = ("pricing", "credit_cost")
_LOOKED_UP = (*_PRICES, "creator_id")


def values_of(new: NewModel, pricing: dict[str, str] | None, creator: int | None) -> ModelValues:
    """Give what is to be written of a new model, its price and its creator looked up."""
    return ModelValues(
        new.name, new.category, new.description, new.features, pricing, new.upstream_model, new.provider,
        new.price_credits, new.premium, new.active, new.monetized, creator, new.ownership,
        new.creator_share_bps, new.earnings_policy, new.image_url, new.approval,
    )  # fmt: skip


def new_model(external_id: str, given: Mapping[str, Any]) -> NewModel:
    """Give a model to be made of what is said of it. ValidationFailed where name or category is missing."""
    missing = [name for name in ("name", "category") if name not in given]
    if missing:
        errors = [{"field": name, "message": "is missing, and there is no such model yet"} for name in missing]
        raise ValidationFailed(f"{missing[0]}: {errors[0]['message']}", errors=errors)
    said = {name: value for name, value in given.items() if name not in ("features", *missing)}
    base = NewModel(
        name=given["name"], category=given["category"], price_credits=0, premium=False, active=True, monetized=True,
        ownership="exclusive", external_id=external_id, features=tuple(given.get("features", ())),
    )  # fmt: skip
    return replace(base, **said)


def values_after(
    model: Model, changes: ModelChanges, pricing: dict[str, str] | None, creator: int | None
) -> ModelValues:
    """Give what is to be written of a model after changes; price and creator hold where changes name them.

    Who switches a submitted model on has approved it.
    """
    as_it_is = ModelValues(
        model.name, model.category, model.description, tuple(model.features), model.pricing,
        model.upstream_model, model.provider, model.price_credits, model.premium, model.active,
        model.monetized, model.creator, model.ownership, model.creator_share_bps, model.earnings_policy,
        model.image_url, model.approval,
    )  # fmt: skip
    plain: dict[str, Any] = {name: value for name, value in changes.items() if name not in _LOOKED_UP}
    if "features" in plain:
        plain["features"] = tuple(plain["features"])
    if any(name in changes for name in _PRICES):
        plain["pricing"] = pricing
    if "creator_id" in changes:
        plain["creator"] = creator
    if changes.get("active") and "approval" not in changes:
        plain["approval"] = "approved"
    return replace(as_it_is, **plain)


def price_given(pricing: object, credit_cost: int | None) -> object:
    """Give the price that was meant, still to be read: `credit_cost: N` is short for {"call": "N"}."""
    if credit_cost is None:
        return pricing
    if pricing is not None:
        raise ValidationFailed.of("credit_cost", "is short for a pricing by call; give one of the two")
    if credit_cost < 0:
        raise ValidationFailed.of("credit_cost", "is below 0; 0 is free")
    return {"call": str(credit_cost)}


def credit_cost(pricing: dict[str, str] | None) -> int | None:
    """Give the whole credits of a use, where the price is that simple."""
    if pricing is None or list(pricing) != ["call"]:
        return None
    text = pricing["call"]
    return int(text) if text.isdecimal() else None


def check_policy(catalog: Catalog, policy: str | None) -> None:
    """Refuse with UnknownReference an earnings policy that the catalog does not have."""
    if policy is not None and policy not in catalog.policies:
        raise UnknownReference.of(
            "earnings_policy", f"{policy[:128]!r} is none; the catalog has {', '.join(catalog.policies)}"
        )


def check_owners(values: ModelValues, owners: int) -> None:
    """Refuse with Conflict to make a model exclusive that several own."""
    if values.ownership == "exclusive" and owners > 1:
        raise Conflict(
            f"{owners} accounts own this model, so it stays shared. End their ownership first.",
            code="already_owned",
        )


def check_submission(model: Model, *, approved: bool) -> None:
    """Refuse with Conflict to decide about a model that does not wait for it."""
    if model.approval == "approved" or (model.approval == "rejected" and not approved):
        raise Conflict(f"The model {model.external_id!r} is {model.approval} already.", code="not_pending")


def check_external_id(external_id: str) -> str:
    """Give back an id that may be one; ValidationFailed otherwise."""
    if not is_external_id(external_id):
        raise ValidationFailed.of("id", "must be 1-128 characters of A-Z a-z 0-9 . _ : @ -")
    return external_id


def decide_sale(sale: Sale, model_id: str, available: int, upgrade_url: str) -> int:
    """Give the price that is paid, in credits; raises why the model cannot be bought.

    Conflict: model_inactive, already_owned (by the buyer, or for good by another). InsufficientTokens.
    """
    if not sale.active:
        raise Conflict(f"The model {model_id!r} is not active. Choose another.", code="model_inactive")
    if sale.owned:
        raise Conflict(f"You own the model {model_id!r} already.", code="already_owned")
    if sale.ownership == "exclusive" and sale.owners:
        raise Conflict(f"The model {model_id!r} is sold; it has one owner only. Choose another.", code="already_owned")
    if available < sale.price_credits:
        raise InsufficientTokens(
            f"The model costs {sale.price_credits:,} tokens and {available:,} are available. Buy tokens or "
            "move to a larger plan, then try again with a new key.",
            required=sale.price_credits,
            available=available,
            upgrade_url=upgrade_url,
        )
    return sale.price_credits


def written(values: ModelValues) -> dict[str, object]:
    """Give the values by name, as the statements that write a model take them, but for the features."""
    names = [field.name for field in fields(values)]
    return {name: getattr(values, name) for name in names if name != "features"}


def words_of(q: str) -> str | None:
    """Give a search as PostgreSQL reads it: models in which every word of it begins a word. None: no word in it."""
    found = _WORD.findall(q)[:_MOST_WORDS]
    return " & ".join(f"'{word}':*" for word in found) or None


def decide_refund(owned: Ownership | None, model_id: str, account_id: str) -> Ownership:
    """Give the ownership whose price goes back; raises why none does.

    NotFound: the account does not own the model. Conflict: already_refunded, not_bought (it came by a transfer).
    """
    if owned is None or not (owned.live or owned.refunded):
        raise _not_owned(model_id, account_id)
    if not owned.live:
        raise Conflict(
            f"The purchase of the model {model_id!r} was refunded already. Nothing is left to do.",
            code="already_refunded",
        )
    if owned.entry_id is None:
        raise Conflict(
            f"The model {model_id!r} came to this account by a transfer, for which nothing was paid. Transfer it on "
            "instead.",
            code="not_bought",
        )
    return owned


def decide_transfer(giver: Ownership | None, taker: Ownership | None, model_id: str, accounts: tuple[str, str]) -> int:
    """Give the number of the ownership that goes from one account to the other; raises why it does not.

    NotFound: the giver does not own the model. Conflict (already_owned): the taker does.
    """
    giving, taking = accounts
    if giver is None or not giver.live:
        raise _not_owned(model_id, giving)
    if taker is not None and taker.live:
        raise Conflict(f"The account {taking!r} owns the model {model_id!r} already.", code="already_owned")
    return giver.id


def check_review(*, used: bool, earns: bool) -> None:
    """Refuse with Forbidden the review of who never used the model, or earns by it."""
    if earns:
        raise Forbidden("Who owns a model or made it does not review it.")
    if not used:
        raise Forbidden("Only who used a model reviews it. Use it first; a use that was reversed does not count.")


def _not_owned(model_id: str, account_id: str) -> NotFound:
    return NotFound(f"The account {account_id!r} does not own the model {model_id[:128]!r}.")
