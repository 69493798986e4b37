"""So much per use and per credit, whoever uses it and however often."""

from dataclasses import dataclass

from tokenhouse.domain.catalog.types import EarningsPolicy

KIND = "flat"


@dataclass(frozen=True, slots=True)
class Params:
    """Nano-dollars per use and per credit."""

    per_use_nanos: int
    per_credit_nanos: int


def fits(policy: EarningsPolicy) -> bool:
    """Whether a catalog's policy without a kind is meant to be this one."""
    return not policy.tiers and not policy.type_multipliers


def params_of(policy: EarningsPolicy) -> Params:
    """Take the figures of a catalog's policy."""
    if not fits(policy):
        raise ValueError(f"earnings policy {policy.id}: kind flat has no tiers and no type_multipliers")
    return Params(policy.per_use_nanos, policy.per_credit_nanos)


def counts_uses(params: Params) -> bool:  # noqa: ARG001 - what all policies are asked
    """Tell that the uses before make no difference."""
    return False


def accrue(params: Params, credits: int, prior_uses: int, usage_type: str) -> int:  # noqa: ARG001
    """per_use + credits × per_credit, in nano-dollars."""
    return params.per_use_nanos + credits * params.per_credit_nanos
