"""Prices in and out of their written form: units to decimal strings of credits, exact to nine places."""

from collections.abc import Mapping
from itertools import pairwise

from tokenhouse.domain.catalog.types import MAX_CREDITS, UNITS, Bulk, Price, PriceTier
from tokenhouse.infra.kernel.errors import ValidationFailed
from tokenhouse.infra.kernel.money import BPS, scaled_of, scaled_text

_PLACES = 9
_MAX_RATE = MAX_CREDITS * 10**_PLACES


def rates_of(value: object) -> tuple[tuple[str, int], ...]:
    """Read `{ call = "3" }` as (unit, nano-credits) pairs in UNITS' order. ValueError says what to mend."""
    if not isinstance(value, Mapping):
        raise ValueError('must be units and their prices, such as { call = "3" }')  # noqa: TRY004
    rates = {}
    for unit, text in value.items():
        if unit not in UNITS:
            raise ValueError(f"{_shown(unit)} is no unit; units are {', '.join(UNITS)}")
        if not isinstance(text, str):
            raise ValueError(f'{unit} must be a decimal string such as "0.0015", so that it stays exact')  # noqa: TRY004
        rate = scaled_of(text, _PLACES)
        if rate < 0:
            raise ValueError(f'{unit} is below 0; a price is 0 or more, and "0" is free')
        if rate > _MAX_RATE:
            raise ValueError(f"{unit} is over {MAX_CREDITS:,} credits")
        rates[unit] = rate
    return tuple((unit, rates[unit]) for unit in UNITS if unit in rates)


def tiers_of(value: object) -> tuple[PriceTier, ...]:
    """Read `[{ from = 1000, price = { call = "2" } }]`. ValueError says what to mend."""
    tiers = []
    for entry in _entries(value, "from", "price"):
        rates = rates_of(entry["price"])
        if not rates:
            raise ValueError('each needs a price, such as { from = 1000, price = { call = "2" } }')
        tiers.append(PriceTier(_from_quantity(entry["from"]), rates))
    _ascending([tier.from_quantity for tier in tiers])
    return tuple(tiers)


def bulk_of(value: object) -> tuple[Bulk, ...]:
    """Read `[{ from = 100, discount_bps = 500 }]`. ValueError says what to mend."""
    bulk = []
    for entry in _entries(value, "from", "discount_bps"):
        discount = entry["discount_bps"]
        if type(discount) is not int or not 0 <= discount <= BPS:
            raise ValueError(f"discount_bps must be a whole number from 0 to {BPS} (500 is 5 %)")
        bulk.append(Bulk(_from_quantity(entry["from"]), discount))
    _ascending([step.from_quantity for step in bulk])
    return tuple(bulk)


def price_of(rates: object, tiers: object = (), bulk: object = ()) -> Price:
    """Read a whole price. ValueError says what to mend; tiers must price the very units of `rates`."""
    price = Price(rates_of(rates), tiers_of(tiers), bulk_of(bulk))
    units = [unit for unit, _ in price.rates]
    for tier in price.tiers:
        if [unit for unit, _ in tier.rates] != units:
            raise ValueError(f"tiers: each must price {', '.join(units) or 'what price prices'} and nothing else")
    return price


def parse_pricing(value: object, field: str = "pricing") -> Price:
    """Read a model's own price, as a request gives it: `{"input_token": "0.0015", …}`, at least one unit.

    ValidationFailed names `field`.
    """
    try:
        price = price_of(value)
    except ValueError as error:
        raise ValidationFailed.of(field, str(error)) from None
    if not price.rates:
        raise ValidationFailed.of(field, 'names no unit; give one, such as {"call": "1"}, or leave it out')
    return price


def written_rates(rates: tuple[tuple[str, int], ...]) -> dict[str, str]:
    """Write rates as they are read: the shortest decimal strings."""
    return {unit: scaled_text(rate, _PLACES) for unit, rate in rates}


def written_tiers(price: Price) -> list[dict[str, object]]:
    """Write tiers as they are read."""
    return [{"from": tier.from_quantity, "price": written_rates(tier.rates)} for tier in price.tiers]


def written_bulk(price: Price) -> list[dict[str, object]]:
    """Write bulk discounts as they are read."""
    return [{"from": step.from_quantity, "discount_bps": step.discount_bps} for step in price.bulk]


def price_text(price: Price) -> str:
    """Say a price in words: "0.0015 per input_token + 0.006 per output_token; 5 % off from 100"."""
    said = _rates_text(price.rates) if price.rates else "no price"
    for tier in price.tiers:
        said += f"; {_rates_text(tier.rates)} from {tier.from_quantity:,}"
    for step in price.bulk:
        said += f"; {scaled_text(step.discount_bps, 2)} % off from {step.from_quantity:,}"
    return said


def _rates_text(rates: tuple[tuple[str, int], ...]) -> str:
    return " + ".join(f"{text} per {unit}" for unit, text in written_rates(rates).items())


def _entries(value: object, *fields: str) -> list[Mapping[str, object]]:
    if not isinstance(value, list | tuple):
        raise ValueError("must be a list")  # noqa: TRY004
    for entry in value:
        if not isinstance(entry, Mapping) or set(entry) != set(fields):
            raise ValueError(f"each entry must have {' and '.join(fields)}, and nothing else")
    return list(value)


def _from_quantity(value: object) -> int:
    if type(value) is not int or not 1 <= value <= MAX_CREDITS:
        raise ValueError(f"from must be a whole number from 1 to {MAX_CREDITS:,}")
    return value


def _ascending(steps: list[int]) -> None:
    if any(later <= earlier for earlier, later in pairwise(steps)):
        raise ValueError("from must ascend from entry to entry")


def _shown(value: object) -> str:
    return repr(value)[:60]
