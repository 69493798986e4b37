"""Burn order, allowances and their periods: pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import inf

from tokenhouse.domain.catalog.types import Plan
from tokenhouse.domain.wallets.types import Allowance, Enrolment, Lapse, Lot, Settlement, Wallet
from tokenhouse.infra.kernel.periods import period_at, period_number

ALLOWANCE_PRIORITY = 0
"""Before the priority 100 of a grant that says none, where both expire at the same time."""

_PINNED_RETRY = timedelta(minutes=1)
_MOST_MISSED_PERIODS = 1200


def burn_order(lot: Lot) -> tuple[float, int, int]:
    """Sort key: soonest expiry, then lower priority number, then oldest."""
    return (inf if lot.expires is None else lot.expires, lot.priority, lot.id)


def burn(lots: Sequence[Lot], amount: int) -> list[tuple[Lot, int]]:
    """Say how many credits to take from which lots, in burn order. `lots` must cover `amount`."""
    if len(lots) > 1:
        lots = sorted(lots, key=burn_order)
    parts: list[tuple[Lot, int]] = []
    left = amount
    for lot in lots:
        if not left:
            break
        part = min(left, lot.remaining)
        if part:
            parts.append((lot, part))
            left -= part
    if left:
        raise AssertionError(f"the grants lack {left} of the {amount} credits that the balance has")
    return parts


def give_back(parts: Sequence[tuple[int, int]], amount: int) -> list[tuple[int, int]]:
    """Return `amount` to the lots that were burned: (lot, credits taken and not yet given back), in burn order.

    What was burned last comes back first, so that what stays burned is what burns first.
    """
    back: list[tuple[int, int]] = []
    left = amount
    for lot_id, taken in reversed(parts):
        part = min(left, taken)
        if part:
            back.append((lot_id, part))
            left -= part
    if left:
        raise AssertionError(f"{left} of {amount} credits cannot be traced to a grant")
    return back


def allowance_left(allowance: int, used: int) -> int:
    """Say what is left of an allowance on a change of plan: never less than nothing, never a refill."""
    return max(0, allowance - used)


def first_period(plan: Plan, anchor: datetime, time_zone: str) -> tuple[datetime, datetime]:
    """Return the bounds of the period that begins at the anchor."""
    period = period_number(anchor, plan.allowance_interval, time_zone, 0)
    return period.start, period.end


def lapse(wallets: Sequence[Wallet], at: datetime) -> Settlement:
    """Say what time did to an account on no plan: expired grants lapse."""
    return _settlement(wallets, (), None, at)


def settle(
    wallets: Sequence[Wallet], enrolment: Enrolment, plan: Plan, assets: Mapping[str, int], at: datetime
) -> Settlement:
    """Say what time did to an account: expired grants lapse and, where a period ended, the allowance is replaced.

    Nothing ran for several periods: one allowance, the current one's; all of them where the plan rolls over.
    """
    if at < enrolment.renews_at:
        return _settlement(wallets, (), enrolment.renews_at, at)
    interval, zone = plan.allowance_interval, enrolment.time_zone
    now = period_at(enrolment.anchor, interval, zone, at)
    starts = [now.start]
    expires = now.end
    if plan.rollover:
        first = period_at(enrolment.anchor, interval, zone, enrolment.renews_at).index
        first = max(first, now.index - _MOST_MISSED_PERIODS)
        starts = [period_number(enrolment.anchor, interval, zone, n).start for n in range(first, now.index + 1)]
    allowances = tuple(
        Allowance(assets[code], amount, start, None if plan.rollover else expires)
        for code, amount in plan.allowances.items()
        if amount and code in assets
        for start in starts
    )
    return _settlement(wallets, allowances, now.end, at, period=(now.start, now.end))


def change_plan(
    wallets: Sequence[Wallet],
    enrolment: Enrolment,
    plan: Plan,
    assets: Mapping[str, int],
    used: Mapping[int, int],
    replaced: frozenset[int],
    at: datetime,
) -> Settlement:
    """Say what moving to `plan` does at once: this period's allowances are replaced by what is left of the new ones.

    used: credits of this period's allowances spent, by asset; replaced: their lots. The anchor stays and bought
    grants stay; the period goes on from its start to the new plan's end of it.
    """
    end = period_at(enrolment.anchor, plan.allowance_interval, enrolment.time_zone, at).end
    start = enrolment.period_started_at
    allowances = tuple(
        Allowance(assets[code], left, start, None if plan.rollover else end)
        for code, amount in plan.allowances.items()
        if code in assets and (left := allowance_left(amount, used.get(assets[code], 0)))
    )
    return _settlement(wallets, allowances, end, at, period=(start, end), replaced=replaced)


def _settlement(
    wallets: Sequence[Wallet],
    allowances: tuple[Allowance, ...],
    renews_at: datetime | None,
    at: datetime,
    *,
    period: tuple[datetime, datetime] | None = None,
    replaced: frozenset[int] = frozenset(),
) -> Settlement:
    """Take what expired or is replaced, but never what a hold still needs."""
    now = at.timestamp()
    lapses: list[Lapse] = []
    ended: list[tuple[Wallet, Lot]] = []
    due: dict[int, datetime | None] = {}
    for wallet in wallets:
        new = [allowance for allowance in allowances if allowance.asset_id == wallet.asset_id]
        free = wallet.available + sum(allowance.amount for allowance in new)
        ends = [end for end in (renews_at, *(a.expires_at for a in new)) if end is not None]
        for lot in sorted(wallet.lots, key=burn_order):
            over = lot.expires is not None and lot.expires <= now
            if not over and lot.id not in replaced:
                if lot.expires is not None:
                    ends.append(datetime.fromtimestamp(lot.expires, UTC))
                continue
            part = min(lot.remaining, free)
            if part:
                lapses.append(Lapse(wallet, lot, part))
                free -= part
            if part < lot.remaining:
                # Live holds count on it; it lapses when they have ended.
                ends.append(at + _PINNED_RETRY)
                if not over:
                    ended.append((wallet, lot))
        due[wallet.asset_id] = min(ends, default=None)
    return Settlement(period, allowances, tuple(lapses), due, tuple(ended))
