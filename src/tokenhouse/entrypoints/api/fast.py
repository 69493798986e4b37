"""What apps call all the time, served without the framework: the same bodies, the same verbs, the same answers.

The gate looks here first. Each of these routes stands in the framework too, for the reference and for traces.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar
from urllib.parse import parse_qs

from fastapi import Response

from tokenhouse.entrypoints.api import compat
from tokenhouse.entrypoints.api.call import Call
from tokenhouse.entrypoints.api.compat_shapes import BalanceBody, DeductBody
from tokenhouse.entrypoints.api.gate import FastRoute
from tokenhouse.entrypoints.api.problems import Rendered
from tokenhouse.entrypoints.api.types import Body, checked
from tokenhouse.entrypoints.api.v1 import checks, holds
from tokenhouse.entrypoints.api.v1.charges import CHARGES, ChargeBody, fast_charge

B = TypeVar("B", bound=Body)


def routes() -> Mapping[tuple[str, str], FastRoute]:
    """Give the routes, by method and path."""
    return {
        ("POST", CHARGES): fast_charge,
        ("POST", "/v1/check"): _of(checks.check, ChargeBody),
        ("POST", "/v1/holds"): _of(holds.holds_create, holds.HoldBody),
        ("POST", "/api/deduct-token"): _of(compat.deduct_token, DeductBody),
        ("POST", "/api/v1/tokens/check-balance"): _of(compat.check_balance, BalanceBody),
        ("GET", "/api/v1/tokens/stats"): _stats,
    }


def _of(route: Callable[[Call, B], Awaitable[Response]], model: type[B]) -> FastRoute:
    async def fast(call: Call) -> Rendered:
        return _rendered(await route(call, checked(model, call.body)))

    return fast


async def _stats(call: Call) -> Rendered:
    named = parse_qs(call.query.decode("latin-1"), keep_blank_values=True).get("organizationId")
    return _rendered(await compat.token_stats(call, named[-1] if named else None))


def _rendered(response: Response) -> Rendered:
    headers = [header for header in response.raw_headers if header[0] != b"content-length"]
    return Rendered(response.status_code, headers, bytes(response.body))
