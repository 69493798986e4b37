"""Alert channels: each a file that delivers letters, found by a scan of this folder or an entry point.

A channel module has:

- `KIND`: its name;
- `outlet(setup)`: what delivers by it under these settings; None where they do not set it up. ValueError: they make
  no sense. An outlet has `where`, words for an operator without any secret, and `deliver(letter)`, which raises
  Undelivered and ends within two minutes, for others take the letter after three.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import cast

from tokenhouse.domain.alerts.types import ChannelModule, Outlet, Setup
from tokenhouse.infra.kernel.plugins import discover

ENTRY_POINT_GROUP = "tokenhouse.alert_channels"


@cache
def found() -> Mapping[str, ChannelModule]:
    """Give the channel modules there are, by kind. ValueError where two claim one."""
    modules: dict[str, ChannelModule] = {}
    for module in discover(__name__, ENTRY_POINT_GROUP):
        channel = cast("ChannelModule", module)
        if channel.KIND in modules:
            raise ValueError(f"two alert channels claim the kind {channel.KIND!r}; rename one")
        modules[channel.KIND] = channel
    return MappingProxyType(modules)


def outlet_of(kind: str, setup: Setup) -> Outlet | None:
    """Give what delivers by a channel, None where it is not set up. ValueError: no such channel, or a wrong setup."""
    if kind not in found():
        raise ValueError(f"there is no alert channel {kind!r}; there are {', '.join(sorted(found()))}")
    return found()[kind].outlet(setup)
