"""Who gets what of a use's earnings, and when nobody does. Pure; nano-dollars throughout."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

from tokenhouse.domain.earnings.types import EarningReason
from tokenhouse.infra.kernel.money import BPS, MAX_NANOS


def earning_reason(
    *,
    self_use: bool,
    has_model: bool,
    has_earner: bool,
    monetized: bool,
    earning_credits: int,
    total_nanos: int = 0,
) -> EarningReason | None:
    """Say why a use earns nothing, or None where it earns.

    `has_earner`: there is an owner, or a creator with a share. `earning_credits`: those of the charge that
    came from grants whose use earns; with none there was no paid charge. `total_nanos`: the formula's result,
    which must fit a bigint beside what was earned before.
    """
    if self_use:
        return "self_use"
    if not has_model:
        return "no_model"
    if not has_earner:
        return "no_owner"
    if not monetized:
        return "not_monetized"
    if earning_credits <= 0:
        return "unpaid_source"
    return "overflow" if total_nanos > MAX_NANOS else None


def earning_credits(burned: Iterable[tuple[str, int]], earn_on: AbstractSet[str]) -> int:
    """Sum the credits, of (source of the grant, credits), that came from sources whose use earns."""
    credit_sum = 0
    for source, burnt in burned:
        if source in earn_on:
            credit_sum += burnt
    return credit_sum


def split(
    total_nanos: int, creator_share_bps: int, creator: int | None, owners: Sequence[int]
) -> list[tuple[int, int]]:
    """Share out a use's earnings as (earner, nanos): a creator with a share first, then owners in order.

    The creator's share is taken out of the total and rounded down. The owners, given from the earliest, share
    the rest equally; what does not divide goes to the earliest, one nano-dollar each. Without an owner the
    rest is nobody's; without a creator, or with a share of 0, the owners share it all. A creator who is also
    an owner stands once, with both parts. Earners with 0 are named too: it was a use of theirs.
    """
    if total_nanos < 0 or not 0 <= creator_share_bps <= BPS:
        raise ValueError("a total is 0 or more, and a share is 0 to 10 000 basis points")
    shares: dict[int, int] = {}
    rest = total_nanos
    if creator is not None and creator_share_bps:
        shares[creator] = total_nanos * creator_share_bps // BPS
        rest -= shares[creator]
    if owners:
        each, spare = divmod(rest, len(owners))
        for place, owner in enumerate(owners):
            shares[owner] = shares.get(owner, 0) + each + (place < spare)
    return list(shares.items())
