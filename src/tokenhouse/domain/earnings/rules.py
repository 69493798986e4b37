"""Who gets what of a use's earnings, and when nobody does. Pure; nano-dollars throughout."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta

from tokenhouse.domain.earnings.types import EarningReason, Goal, Progress
from tokenhouse.infra.kernel.money import BPS, MAX_NANOS, ceil_div
from tokenhouse.infra.kernel.periods import zone


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


RATE_DAYS = 30
"""Of how many days the rate is that goals are forecast by."""
HISTORY_DAYS = 7
"""There is no forecast before something was earned that long ago."""
_FORECAST_DAYS = 3650


def progress(goal: Goal, earned: int, recent: int, older: int, at: datetime, time_zone: str) -> Progress:
    """Say how far a goal is at a moment, by the days of the account's zone.

    earned: since the goal began and, where it has an end, before that. recent: in the last RATE_DAYS; older: in those
    but the last HISTORY_DAYS. The forecast is today and so many days more as what is missing takes at the plain rate
    recent / RATE_DAYS, rounded up to whole days.
    """
    today = at.astimezone(zone(time_zone)).date()
    percent = max(0, earned * 100 // goal.nanos)
    if earned >= goal.nanos:
        return Progress(earned, percent, "reached", None, "reached")
    if goal.due_on is not None and today > goal.due_on:
        return Progress(earned, percent, "missed", None, "missed")
    if older <= 0:
        return Progress(earned, percent, "open", None, "not_enough_history")
    if recent <= 0:
        return Progress(earned, percent, "open", None, "no_earnings")
    days = ceil_div((goal.nanos - earned) * RATE_DAYS, recent)
    if days > _FORECAST_DAYS:
        return Progress(earned, percent, "open", None, "too_far")
    return Progress(earned, percent, "open", today + timedelta(days=days), None)


def end_of(day: date, time_zone: str) -> datetime:
    """Give the first moment after a day of a zone, in UTC."""
    return datetime.combine(day + timedelta(days=1), time.min, zone(time_zone)).astimezone(UTC)


def month_text(begin: datetime) -> str:
    """Name a month by its first moment: 2030-01."""
    return f"{begin:%Y-%m}"


def closed_months(since: datetime, now: datetime) -> list[tuple[datetime, datetime]]:
    """List the months (UTC) that are over, from the one of `since` on: first moment, first moment after."""
    begin = since.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    months = []
    while (end := _next_month(begin)) <= now:
        months.append((begin, end))
        begin = end
    return months


def _next_month(begin: datetime) -> datetime:
    return begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
