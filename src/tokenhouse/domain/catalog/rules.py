"""What a use costs, how two catalogs differ, and where a catalog pays more than it takes. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from fractions import Fraction
from typing import Protocol

from tokenhouse.domain.catalog.prices import price_text
from tokenhouse.domain.catalog.types import (
    MAX_CREDITS,
    USAGE_TYPES,
    Catalog,
    CatalogWarning,
    Change,
    Document,
    EarningsPolicy,
    Kind,
    Operation,
    Price,
)
from tokenhouse.infra.kernel.errors import UnknownReference, ValidationFailed
from tokenhouse.infra.kernel.money import BPS, NANOS, bps_text, ceil_div, round_half_even, usd_said

Quantity = int | Mapping[str, int]


def find_operation(catalog: Catalog, operation_id: str) -> Operation:
    """Give the operation of that id; UnknownReference (422) where there is none."""
    operation = catalog.operations.get(operation_id)
    if operation is None:
        raise UnknownReference.of(
            "operation", f"{operation_id[:128]} is not in the catalog; name one that is, or give an amount"
        )
    return operation


def quote(price: Price, quantity: Quantity | None = None) -> int:
    """Whole credits for a quantity: the sum over the units, tiers and discounts applied, rounded up once.

    `quantity`: for a price of one unit an integer (1 if None) or a mapping that names it; for several units a
    mapping from unit to count, in which a unit left out counts 0. Counts are 0 to 10**15. ValidationFailed
    for anything else, and with code `operation_unpriced` where there is no price.
    """
    if price.whole >= 0:
        if quantity is None:
            return price.whole
        if type(quantity) is int and 0 <= quantity <= MAX_CREDITS:
            return _within(price.whole * quantity)
    counts = _counts(price, quantity)
    total = sum(counts.values())
    rates = price.rates
    for tier in price.tiers:
        if total >= tier.from_quantity:
            rates = tier.rates
    keep = BPS
    for step in price.bulk:
        if total >= step.from_quantity:
            keep = BPS - step.discount_bps
    nanos = sum(rate * counts.get(unit, 0) for unit, rate in rates)
    return _within(ceil_div(nanos * keep, NANOS * BPS))


def _counts(price: Price, quantity: Quantity | None) -> Mapping[str, int]:
    if not price.rates:
        raise ValidationFailed.of(
            "operation",
            "has no price, so nothing may be charged for it; give it one in the catalog, or name an amount",
            code="operation_unpriced",
        )
    units = [unit for unit, _ in price.rates]
    if quantity is None or isinstance(quantity, int):
        if len(units) > 1:
            raise ValidationFailed.of("quantity", f'must count each of {", ".join(units)}: {{"{units[0]}": 1, …}}')
        return {units[0]: 1 if quantity is None else _count("quantity", quantity)}
    if not quantity:
        raise ValidationFailed.of("quantity", f"counts nothing; count {', '.join(units)}")
    for unit in quantity:
        if unit not in units:
            raise ValidationFailed.of("quantity", f"{unit[:64]!r} is not priced here; count {', '.join(units)}")
    return {unit: _count(f"quantity.{unit}", count) for unit, count in quantity.items()}


def _count(field: str, count: object) -> int:
    if type(count) is not int or not 0 <= count <= MAX_CREDITS:
        raise ValidationFailed.of(field, "must be a whole number from 0 to 10^15")
    return count


def _within(credit_sum: int) -> int:
    if credit_sum > MAX_CREDITS:
        raise ValidationFailed.of("quantity", "comes to more than 10^15 credits; charge it in parts")
    return credit_sum


# ---- differences ----


class _Item(Protocol):
    @property
    def id(self) -> str: ...


def diff(old: Catalog | Document | None, new: Catalog | Document) -> list[Change]:
    """List what differs, in words; a catalog applied for the first time adds everything."""
    changes: list[Change] = []
    before = set(old.credit_types) if old else set()
    changes += [
        Change("credit_type", code, "added", f"credit type {code}: new")
        for code in new.credit_types
        if code not in before
    ]
    changes += [
        Change("credit_type", code, "removed", f"credit type {code}: withdrawn")
        for code in sorted(before - set(new.credit_types))
    ]
    changes += _between("operation", old.operations if old else {}, new.operations)
    changes += _between("plan", old.plans if old else {}, new.plans)
    changes += _between("top_up", old.top_ups if old else {}, new.top_ups)
    changes += _between("earnings_policy", old.policies if old else {}, new.policies)
    changes += _between("bonus", old.bonuses if old else {}, new.bonuses)
    return changes


def _between(kind: Kind, old: Mapping[str, _Item], new: Mapping[str, _Item]) -> Iterator[Change]:
    name = kind.replace("_", " ")
    for item_id, item in new.items():
        was = old.get(item_id)
        if was is None:
            said = "; ".join(_said(item).values())
            yield Change(kind, item_id, "added", f"{name} {item_id}: new; {said}")
        elif was != item:
            before, after = _said(was), _said(item)
            words = [
                f"{before.get(part, 'nothing')} -> {after.get(part, 'nothing')}"
                for part in before | after
                if before.get(part) != after.get(part)
            ]
            yield Change(kind, item_id, "changed", f"{name} {item_id}: {'; '.join(words)}")
    for item_id in old:
        if item_id not in new:
            yield Change(kind, item_id, "removed", f"{name} {item_id}: withdrawn")


def _said(item: object) -> dict[str, str]:
    """Say each field of an item in words, those that say nothing left out."""
    words: dict[str, str] = {}
    for one in fields(item):  # type: ignore[arg-type]  # items are dataclasses
        value = getattr(item, one.name)
        if one.name in ("id", "version") or value is None or value == {}:
            continue
        words[one.name] = f"{one.name.removesuffix('_nanos')} {_value_text(one.name, value)}"
    return words


def _value_text(name: str, value: object) -> str:
    if isinstance(value, Price):
        return price_text(value)
    if name.endswith("_nanos") and isinstance(value, int):
        return f"{usd_said(value)}"
    if name == "type_multipliers" and isinstance(value, Mapping):
        return ", ".join(f"{usage} x{bps_text(bps)}" for usage, bps in sorted(value.items()))
    if name == "tiers" and isinstance(value, tuple):
        return ", ".join(f"from {uses:,} uses x{bps_text(bps)}" for uses, bps in value) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_value_text('', value[key])}" for key in sorted(value)) or "none"
    if isinstance(value, frozenset | tuple):
        return ", ".join(sorted(str(one) for one in value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) and not name.endswith("variant") else str(value)


# ---- warnings ----


def best_per_credit(policy: EarningsPolicy) -> Fraction:
    """Most nano-dollars that a policy pays for a credit: uses of one credit, best tier, best type."""
    tier = max([BPS, *(bps for _, bps in policy.tiers)])
    kind = max(policy.type_multipliers.get(usage, BPS) for usage in USAGE_TYPES)
    return Fraction((policy.per_use_nanos + policy.per_credit_nanos) * tier * kind, BPS * BPS)


def warnings(catalog: Catalog | Document) -> list[CatalogWarning]:
    """Say where earnings may exceed what the credits were sold for, and what has no price.

    Compared are credits of type general: each policy's best earning with the cheapest offer whose credits it
    earns on, and the best policy with each plan that gives credits for nothing.
    """
    found: list[CatalogWarning] = []
    paid, free = _offers(catalog)
    for policy in catalog.policies.values():
        best = best_per_credit(policy)
        offers = [offer for offer in paid if offer[3] in policy.earn_on]
        cheapest = min(offers, key=lambda offer: Fraction(offer[2], offer[1]), default=None)
        if cheapest is not None and best > Fraction(cheapest[2], cheapest[1]):
            found.append(CatalogWarning("earning_above_price", _above(policy.id, best, cheapest)))
    for name, credit_sum, _, source in free:
        earning = [policy for policy in catalog.policies.values() if source in policy.earn_on]
        policy_best = max(earning, key=best_per_credit, default=None)
        if policy_best is not None and best_per_credit(policy_best) > 0:
            total = usd_said(_rounded(best_per_credit(policy_best) * credit_sum))
            rate = _rate_text(best_per_credit(policy_best))
            text = (
                f"{name} gives {credit_sum:,} credits for nothing, and the {policy_best.id} policy pays "
                f"up to {rate} for each: {total} of earnings may stand against nothing, for each account; "
                f"take {source} out of its earn_on, or accept it"
            )
            found.append(CatalogWarning("earning_on_free_credits", text))
    found.extend(
        CatalogWarning(
            "operation_unpriced",
            f'operation {operation.id} has no price, so its use is refused; price it, "0" if it is free',
        )
        for operation in catalog.operations.values()
        if not operation.price.rates
    )
    return found


_Offer = tuple[str, int, int, str]  # name, credits, nano-dollars, source of the grant


def _offers(catalog: Catalog | Document) -> tuple[list[_Offer], list[_Offer]]:
    paid: list[_Offer] = []
    free: list[_Offer] = []
    for plan in catalog.plans.values():
        credit_sum = plan.allowances.get("general", 0) * plan.allowance_periods
        if credit_sum and plan.price_nanos:
            paid.append((plan.id, credit_sum, plan.price_nanos, "allowance"))
        elif credit_sum:
            free.append((plan.id, credit_sum, 0, "allowance"))
    paid.extend(
        (pack.id, pack.credits, pack.price_nanos, "top_up")
        for pack in catalog.top_ups.values()
        if pack.credit_type == "general" and pack.price_nanos
    )
    return paid, free


def _above(policy_id: str, best: Fraction, offer: _Offer) -> str:
    name, credit_sum, price_nanos, _ = offer
    return (
        f"{name} sells {credit_sum:,} credits for {usd_said(price_nanos)} = "
        f"{_rate_text(Fraction(price_nanos, credit_sum))} a credit; the {policy_id} policy pays up to "
        f"{_rate_text(best)}: {usd_said(_rounded(best * credit_sum))} of earnings may stand against "
        f"{usd_said(price_nanos)}"
    )


def _rounded(nanos: Fraction) -> int:
    return round_half_even(nanos.numerator, nanos.denominator)


def _rate_text(nanos: Fraction) -> str:
    if nanos.denominator == 1:
        return f"{usd_said(int(nanos))}"
    return f"about {usd_said(_rounded(nanos))}" if nanos > 1 else "less than $0.000000001"
