"""How often somebody may try: to sign in, to sign up, to have a mail sent."""

import hashlib
import time
from collections import deque
from math import ceil
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tokenhouse.entrypoints.web.site import Site

_WINDOW_SECONDS = 60.0
_MOST_KEYS = 100_000
_PEOPLE_BEHIND_AN_ADDRESS = 5
"""An office shares one address: it gets so many times the tries of one e-mail."""


class Budget(Protocol):
    """Counts tries."""

    async def hit(self, name: str, key: str, per_minute: int) -> float:
        """Count a try. 0.0: it is allowed; else the seconds to wait."""


class MemoryBudget:
    """Counts the tries of this process, in a window that moves."""

    def __init__(self) -> None:
        self._tries: dict[tuple[str, str], deque[float]] = {}

    async def hit(self, name: str, key: str, per_minute: int) -> float:
        """Count a try, unless too many of the last minute were allowed."""
        now = time.monotonic()
        if len(self._tries) >= _MOST_KEYS:
            self._tries = {one: tries for one, tries in self._tries.items() if tries[-1] > now - _WINDOW_SECONDS}
        tries = self._tries.setdefault((name, key), deque())
        while tries and tries[0] <= now - _WINDOW_SECONDS:
            tries.popleft()
        if len(tries) >= per_minute:
            return tries[0] + _WINDOW_SECONDS - now
        tries.append(now)
        return 0.0


async def sign_in_budget(site: "Site", name: str, email: str, address: str | None) -> int:
    """Count a try of an e-mail and of an address; 0 where it is allowed, else the whole seconds to wait.

    The e-mail is counted by its digest: what counts need not know whom.
    """
    person = hashlib.sha256(email.strip().lower().encode()).hexdigest()
    most = site.tries_per_minute
    waits = [await site.budget.hit(f"{name}:address", address or "", most * _PEOPLE_BEHIND_AN_ADDRESS)]
    if not waits[0]:
        waits.append(await site.budget.hit(f"{name}:email", person, most))
    return ceil(max(waits))
