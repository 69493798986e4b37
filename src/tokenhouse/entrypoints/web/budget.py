"""How often somebody may try: to sign in, to sign up, to have a mail sent."""

import hashlib
from math import ceil
from typing import TYPE_CHECKING, Protocol

from tokenhouse.domain.access.signing import as_matched
from tokenhouse.infra.kernel.addresses import neighbourhood

if TYPE_CHECKING:
    from tokenhouse.entrypoints.web.site import Site

_PEOPLE_BEHIND_AN_ADDRESS = 5
"""An office shares one address: it gets so many times the tries of one e-mail."""


class Budget(Protocol):
    """Counts tries."""

    async def hit(self, name: str, key: str, per_minute: int) -> float:
        """Count a try. 0.0: it is allowed; else the seconds to wait."""


async def sign_in_budget(site: "Site", name: str, email: str, address: str | None) -> int:
    """Count a try of an e-mail and of an address; 0 where it is allowed, else the whole seconds to wait.

    The e-mail is counted as it is matched, so that another spelling is no other try, and by its digest: what counts
    need not know whom.
    """
    person = hashlib.sha256(as_matched(email).encode()).hexdigest()
    most = site.tries_per_minute
    waits = [await site.budget.hit(f"{name}:address", neighbourhood(address or ""), most * _PEOPLE_BEHIND_AN_ADDRESS)]
    if not waits[0]:
        waits.append(await site.budget.hit(f"{name}:email", person, most))
    return ceil(max(waits))
