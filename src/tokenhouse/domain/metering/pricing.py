"""What an order names and what it costs: pure, like the rules that call it."""

from collections.abc import Mapping

from tokenhouse.domain.catalog.rules import find_operation, quote
from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.domain.metering.types import AnyOrder, Character, HoldOrder, Order, Priced, Terms
from tokenhouse.infra.kernel.errors import Conflict, Forbidden, NotFound, UnknownReference, ValidationFailed

DEFAULT_CREDIT_TYPE = "general"


def asset_of(catalog: Catalog, order: AnyOrder) -> int:
    """Return the asset that an order takes from, known before anything is loaded. UnknownReference: no such type."""
    if isinstance(order, HoldOrder):
        return order.asset_id
    code = order.credit_type
    if order.operation is not None:
        own = find_operation(catalog, order.operation).credit_type
        if code is not None and code != own:
            raise ValidationFailed.of("credit_type", f"operation {order.operation!r} is paid in {own}; leave this out")
        code = own
    asset_id = catalog.credit_types.get(code or DEFAULT_CREDIT_TYPE)
    if asset_id is None:
        raise UnknownReference.of("credit_type", f"there is no credit type {code!r} in the catalog")
    return asset_id


def price(catalog: Catalog, models: Mapping[str, Terms], characters: Mapping[str, Character], order: Order) -> Priced:
    """Look up what the order names and what it costs: its amount, else the model's price, else the operation's."""
    operation = find_operation(catalog, order.operation) if order.operation is not None else None
    terms, character = _terms(models, characters, order)
    asset_id = asset_of(catalog, order)
    rates, version = None, None
    if terms is not None and terms.price is not None:
        rates, version = terms.price, terms.pricing_version
    elif operation is not None:
        rates, version = operation.price, operation.version
    amount = order.amount
    if amount is None:
        if rates is not None:
            amount = quote(rates, order.quantity)
        elif order.fallback is not None:
            amount, version = order.fallback, None
        else:
            raise ValidationFailed.of(
                "amount",
                "name an operation, a model with a price of its own, or an amount: one of them is needed",
            )
    else:
        if order.at_price and rates is not None and amount < quote(rates, order.quantity):
            raise Forbidden("The amount lies below the price. Leave `amount` out to pay the price.")
        version = None
    return Priced(amount, asset_id, order.operation, version, terms, character, _usage_type(order))


def _usage_type(order: Order) -> str:
    if order.usage_type is not None:
        return order.usage_type
    if order.operation == "chat":
        return "chat"
    if order.operation == "image_generation" or (isinstance(order.quantity, dict) and "image" in order.quantity):
        return "image_generation"
    return "other"


def _terms(
    models: Mapping[str, Terms], characters: Mapping[str, Character], order: Order
) -> tuple[Terms | None, Character | None]:
    """Find the model that is used. NotFound, or 409 for an inactive one, unless the order is lenient."""
    terms, character = None, None
    if order.model_id is not None:
        terms = models.get(order.model_id)
        if terms is None and not order.lenient:
            raise NotFound(f"There is no model {order.model_id!r}. Create it with POST /v1/models.")
    if order.character_id is not None:
        character = characters.get(order.character_id)
        if character is None and not order.lenient:
            raise NotFound(f"There is no character {order.character_id!r}. Create it with POST /v1/characters.")
        if terms is not None and character is not None and terms.model_id != character.terms.model_id:
            raise ValidationFailed.of("character_id", f"belongs to another model than {order.model_id!r}")
        terms = character.terms if character is not None else terms
    if terms is not None and not terms.active and not order.lenient:
        raise Conflict(
            f"The model {terms.external_id!r} is not active. Activate it, or use another.",
            code="model_inactive",
        )
    return terms, character
