"""How often somebody may try: to sign in, to sign up, to have a mail sent."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil
from typing import TYPE_CHECKING, Protocol

from tokenhouse.domain.access.signing import as_matched
from tokenhouse.infra.kernel.addresses import neighbourhood

if TYPE_CHECKING:
    from tokenhouse.entrypoints.web.site import Site

_PEOPLE_BEHIND_AN_ADDRESS = 5
"""An office shares one address: it gets so many times the tries of one e-mail."""

_ADDRESSES_OF_AN_EMAIL = 5
"""So many addresses together may try one e-mail as often as each may. Were it one, anybody could keep others out."""

_AT_LEAST_SECONDS = 0.3


class Budget(Protocol):
    """Counts tries."""

    async def hit(self, name: str, key: str, per_minute: int) -> float:
        """Count a try. 0.0: it is allowed; else the seconds to wait."""


async def sign_in_budget(site: "Site", name: str, email: str, address: str | None) -> int:
    """Count a try of an e-mail from an address; 0 where it is allowed, else the whole seconds to wait.

    Counted are the address, the e-mail from that address, and the e-mail from all of them. The e-mail is counted as it
    is matched, so that another spelling is no other try, and by its digest: what counts need not know whom.
    """
    person = hashlib.sha256(as_matched(email).encode()).hexdigest()
    place, most = neighbourhood(address or ""), site.tries_per_minute
    for kind, key, limit in (
        ("address", place, most * _PEOPLE_BEHIND_AN_ADDRESS),
        ("email-there", f"{person} {place}", most),
        ("email", person, most * _ADDRESSES_OF_AN_EMAIL),
    ):
        if wait := await site.budget.hit(f"{name}:{kind}", key, limit):
            return ceil(wait)
    return 0


@asynccontextmanager
async def at_least(seconds: float = _AT_LEAST_SECONDS) -> AsyncIterator[None]:
    """Take so long at least: longer than either of two ways takes, so that the time does not tell which it was."""
    ends = time.monotonic() + seconds
    try:
        yield
    finally:
        await asyncio.sleep(max(0.0, ends - time.monotonic()))
