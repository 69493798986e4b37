"""Who brought whom: said once for an account."""

from tokenhouse.domain.access.types import Account
from tokenhouse.infra.database import Tx, load_queries
from tokenhouse.infra.kernel.errors import Conflict, ValidationFailed

_Q = load_queries(__file__)
_SET_REFERRER = _Q.rows("set_referrer", bool)
_REFERRER_OF = _Q.rows("referrer_of", int)


async def set_referrer(tx: Tx, account: Account, referrer: Account) -> None:
    """Say who brought an account; again the same is fine. Needs the platform's token.

    ValidationFailed: itself, or one that it brought. Conflict (referrer_set): another was said before.
    """
    if referrer.id == account.id:
        raise ValidationFailed.of("referred_by", "is the account itself; nobody brings themselves")
    if await tx.first(_REFERRER_OF, account_id=referrer.id) == account.id:
        raise ValidationFailed.of("referred_by", "was brought by this account; two do not bring each other")
    if not await tx.one(_SET_REFERRER, account_id=account.id, referrer_id=referrer.id):
        raise Conflict("Who brought this account was said before, and is not changed.", code="referrer_set")
