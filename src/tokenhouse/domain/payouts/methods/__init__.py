"""Payout methods: each a file that knows how money reaches a payee, found by a scan of this folder or an entry point.

A method module has:

- `KIND`: its name, as a request gives it;
- `WHOLE_CENTS`: whether it pays whole cents only; what is below one then stays payable;
- `payee(given)`: the payee's details out of what was given, and a hint that may be shown. ValidationFailed: they do not
  do;
- `sender(setup)`: what sends by it under these settings; None where people pay by hand and say so.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import cast

from tokenhouse.domain.payouts.types import MethodModule
from tokenhouse.infra.kernel.errors import UnknownReference
from tokenhouse.infra.kernel.plugins import discover

ENTRY_POINT_GROUP = "tokenhouse.payout_methods"


@cache
def found() -> Mapping[str, MethodModule]:
    """Give the method modules there are, by kind. ValueError where two claim one."""
    modules: dict[str, MethodModule] = {}
    for module in discover(__name__, ENTRY_POINT_GROUP):
        method = cast("MethodModule", module)
        if method.KIND in modules:
            raise ValueError(f"two payout methods claim the kind {method.KIND!r}; rename one")
        modules[method.KIND] = method
    return MappingProxyType(modules)


def method_of(kind: str) -> MethodModule:
    """Give a method by its kind. UnknownReference: there is none."""
    if kind not in found():
        raise UnknownReference.of(
            "method", f"there is no payout method {kind!r}; there are {', '.join(sorted(found()))}"
        )
    return found()[kind]
