"""The verbs of those who sign in by a provider of OpenID Connect; both need the platform's token."""

from tokenhouse.domain.access.types import External
from tokenhouse.infra.database import Tx, load_queries
from tokenhouse.infra.kernel.errors import Conflict

_Q = load_queries(__file__)
_EXTERNAL = _Q.rows("external", int)
_TIE_EXTERNAL = _Q.rows("tie_external", int)
_EXTERNALS_OF = _Q.rows("externals_of", External)


async def find_external(tx: Tx, issuer: str, subject: str) -> int | None:
    """Return the number of the account that a person of a provider is tied to, if they are."""
    return await tx.first(_EXTERNAL, issuer=issuer, subject=subject)


async def tie_external(tx: Tx, issuer: str, subject: str, account_id: int) -> None:
    """Tie a person of a provider to an account, for good. Conflict: they were tied to another one this moment."""
    if await tx.one(_TIE_EXTERNAL, issuer=issuer, subject=subject, account_id=account_id) != account_id:
        raise Conflict("Somebody signed in as that person this very moment. Sign in again.")


async def externals_of(tx: Tx, account_id: int) -> list[External]:
    """Return the people of providers who are tied to an account."""
    return await tx.all(_EXTERNALS_OF, account_id=account_id)
