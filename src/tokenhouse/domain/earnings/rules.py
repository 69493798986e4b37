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
    holds: tuple[tuple[EarningReason, bool], ...] = (
        ("self_use", self_use),
        ("no_model", not has_model),
        ("no_owner", not has_earner),
        ("not_monetized", not monetized),
        ("unpaid_source", earning_credits <= 0),
        ("overflow", total_nanos > MAX_NANOS),
    )
    return next((reason for reason, holding in holds if holding), None)


def earning_credits(burned: Iterable[tuple[str, int]], earn_on: AbstractSet[str]) -> int:
    """Sum the credits, of (source of the grant, credits), that came from sources whose use earns."""
    return sum(burnt for source, burnt in burned if source in earn_on)


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
