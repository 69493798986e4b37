"""What a model becomes by a change, and whether it may be sold: pure."""

from dataclasses import fields, replace
from typing import Any

from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.domain.market.types import Model, ModelChanges, ModelValues, NewModel, Sale
from tokenhouse.infra.kernel.errors import Conflict, InsufficientTokens, UnknownReference, ValidationFailed
from tokenhouse.infra.kernel.ids import is_external_id

CREDIT_TYPE = "general"
"""What models are bought with."""

_PRICES = ("pricing", "credit_cost")
_LOOKED_UP = (*_PRICES, "creator_id")


def values_of(new: NewModel, pricing: dict[str, str] | None, creator: int | None) -> ModelValues:
    """Give what is to be written of a new model, its price and its creator looked up."""
    return ModelValues(
        new.name, new.category, new.description, new.features, pricing, new.upstream_model, new.provider,
        new.price_credits, new.premium, new.active, new.monetized, creator, new.ownership,
        new.creator_share_bps, new.earnings_policy,
    )  # fmt: skip


def values_after(
    model: Model, changes: ModelChanges, pricing: dict[str, str] | None, creator: int | None
) -> ModelValues:
    """Give what is to be written of a model after changes; price and creator hold where changes name them."""
    as_it_is = ModelValues(
        model.name, model.category, model.description, tuple(model.features), model.pricing,
        model.upstream_model, model.provider, model.price_credits, model.premium, model.active,
        model.monetized, model.creator, model.ownership, model.creator_share_bps, model.earnings_policy,
    )  # fmt: skip
    plain: dict[str, Any] = {name: value for name, value in changes.items() if name not in _LOOKED_UP}
    if "features" in plain:
        plain["features"] = tuple(plain["features"])
    if any(name in changes for name in _PRICES):
        plain["pricing"] = pricing
    if "creator_id" in changes:
        plain["creator"] = creator
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
