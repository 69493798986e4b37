"""The same, times a multiplier for how often the model was used before and one for the type of use."""

from collections.abc import Mapping
from dataclasses import dataclass

from tokenhouse.domain.catalog.types import EarningsPolicy
from tokenhouse.infra.kernel.money import BPS, round_half_even

KIND = "tiered"


@dataclass(frozen=True, slots=True)
class Params:
    """Nano-dollars per use and per credit; multipliers in basis points.

    `tiers` are (uses before this one, multiplier) from the highest down; below the lowest, and for a type
    that is not in `types`, the multiplier is 1.
    """

    per_use_nanos: int
    per_credit_nanos: int
    tiers: tuple[tuple[int, int], ...]
    types: Mapping[str, int]


def fits(policy: EarningsPolicy) -> bool:
    """Whether a catalog's policy without a kind is meant to be this one."""
    return bool(policy.tiers or policy.type_multipliers)


def params_of(policy: EarningsPolicy) -> Params:
    """Take the figures of a catalog's policy."""
    return Params(
        policy.per_use_nanos,
        policy.per_credit_nanos,
        tuple(sorted(policy.tiers, reverse=True)),
        policy.type_multipliers,
    )


def counts_uses(params: Params) -> bool:
    """Tell whether there are tiers at all."""
    return bool(params.tiers)


def accrue(params: Params, credits: int, prior_uses: int, usage_type: str) -> int:
    """(per_use + credits × per_credit) × tier × type, in nano-dollars, rounded half-even at the end."""
    base = params.per_use_nanos + credits * params.per_credit_nanos
    tier = next((multiplier for uses, multiplier in params.tiers if prior_uses >= uses), BPS)
    return round_half_even(base * tier * params.types.get(usage_type, BPS), BPS * BPS)
