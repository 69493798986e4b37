"""Earnings policies: each a file with one pure formula, found by a scan of this folder or an entry point.

A policy module has:

- `KIND`: its name, which a catalog's policy may give as `kind`;
- `fits(policy)`: whether it is meant where no kind is given; exactly one module says so;
- `params_of(policy)`: its frozen figures, from a catalog's policy; ValueError where they do not make sense;
- `counts_uses(params)`: whether the result depends on the uses before;
- `accrue(params, credits, prior_uses, usage_type)`: whole nano-dollars, 0 or more, rounded half-even once.
  It may come to more than 64 bits; the caller checks.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Protocol, cast

from tokenhouse.domain.catalog.types import EarningsPolicy
from tokenhouse.domain.earnings.types import Formula
from tokenhouse.infra.kernel.plugins import discover

ENTRY_POINT_GROUP = "tokenhouse.earnings_policies"


class PolicyModule(Protocol):
    """What a policy file exports."""

    KIND: str

    def fits(self, policy: EarningsPolicy) -> bool: ...  # noqa: D102 - said above, as are the rest

    def params_of(self, policy: EarningsPolicy) -> Any: ...  # noqa: ANN401, D102 - the module's own type

    def counts_uses(self, params: Any) -> bool: ...  # noqa: ANN401, D102

    def accrue(self, params: Any, credits: int, prior_uses: int, usage_type: str) -> int: ...  # noqa: ANN401, D102


@cache
def found() -> Mapping[str, PolicyModule]:
    """Give the policy modules there are, by kind. ValueError where two claim one."""
    modules: dict[str, PolicyModule] = {}
    for module in discover(__name__, ENTRY_POINT_GROUP):
        policy_module = cast("PolicyModule", module)
        if policy_module.KIND in modules:
            raise ValueError(f"two earnings policies claim the kind {policy_module.KIND!r}; rename one")
        modules[policy_module.KIND] = policy_module
    return MappingProxyType(modules)


def formula_of(policy: EarningsPolicy) -> Formula:
    """Make a catalog's policy usable. ValueError for an unknown kind or figures that make no sense."""
    if policy.kind is not None and policy.kind not in found():
        raise ValueError(
            f"earnings policy {policy.id}: there is no kind {policy.kind!r}; "
            f"leave it out or give one of {', '.join(sorted(found()))}"
        )
    named = [found()[policy.kind]] if policy.kind is not None else None
    fitting = named or [module for module in found().values() if module.fits(policy)]
    if len(fitting) != 1:
        kinds = ", ".join(sorted(module.KIND for module in fitting)) or "none"
        raise ValueError(f"earnings policy {policy.id}: {kinds} of the kinds fit it; name one by `kind`")
    module = fitting[0]
    params = module.params_of(policy)
    return Formula(policy, module.KIND, module.counts_uses(params), params, module.accrue)
