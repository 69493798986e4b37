"""Who is really calling, and how, where a proxy stands in front: what it says is believed of trusted proxies only."""

import ipaddress
from collections.abc import Mapping, MutableMapping, Sequence
from functools import lru_cache
from typing import Any

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SCHEMES = {b"http": "http", b"https": "https"}
_MOST_HOPS = 64


class Proxies:
    """Reads X-Forwarded-For and X-Forwarded-Proto of the networks that are trusted.

    Each proxy appends whom it heard to X-Forwarded-For: from its end, the first address that is no trusted proxy's is
    the caller's. What is no address there ends the search: the last trusted one then stands for the caller.
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = tuple(networks)
        self._trusts = lru_cache(maxsize=4096)(self._is_trusted)

    def see(self, scope: MutableMapping[str, Any], headers: Mapping[bytes, bytes]) -> str:
        """Put the caller's address and scheme into the scope; return the address, "" where there is none."""
        client = scope.get("client")
        peer: str = client[0] if client else ""
        if b"x-forwarded-for" not in headers and b"x-forwarded-proto" not in headers:
            return peer
        if not self._trusts(peer):
            return peer
        # A header may stand several times: its lines make one list.
        lines = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
        caller = self._caller(b",".join(lines).decode("latin-1"), peer)
        if caller != peer:
            scope["client"] = (caller, 0)
        scheme = _SCHEMES.get(headers.get(b"x-forwarded-proto", b"").strip().lower())
        if scheme is not None:
            scope["scheme"] = scheme
        return caller

    def _caller(self, forwarded: str, peer: str) -> str:
        caller = peer
        for hop in reversed(forwarded.split(",")[-_MOST_HOPS:]):
            address = _address(hop.strip())
            if address is None:
                break
            caller = str(address)
            if not self._trusts(caller):
                break
        return caller

    def _is_trusted(self, host: str) -> bool:
        address = _address(host)
        return address is not None and any(address in network for network in self._networks)


def _address(text: str) -> Address | None:
    """Read an address, perhaps with a port; one of IPv4 that is written as one of IPv6 is one of IPv4."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
