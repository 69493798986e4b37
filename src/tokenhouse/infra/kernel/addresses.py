"""Callers' addresses, as far as something is counted by them."""

import ipaddress


def neighbourhood(address: str) -> str:
    """Give what an address is counted as: itself, or the /64 that one customer has of IPv6; `unknown` for none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))
