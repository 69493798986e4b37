"""The day a wallet runs out: a year ahead, by the rules that burn grants and renew allowances. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Literal

from tokenhouse.domain.catalog.types import Catalog, Plan
from tokenhouse.domain.insights.rules import midnight
from tokenhouse.domain.wallets import rules
from tokenhouse.domain.wallets.types import Enrolment, Lot, Settlement, Wallet
from tokenhouse.infra.kernel.periods import zone

WINDOW_DAYS = 28
"""Days that the rate is made of: each weekday four times."""

AHEAD_DAYS = 365

_BY_WEEKDAY_DAYS = 14
_LEAST_DAYS = 3

Why = Literal["runs_out", "lasts", "not_used", "not_enough_history"]


@dataclass(frozen=True, slots=True)
class Burn:
    """What uses took from a wallet on the `days` days before today, by day; days without any are left out."""

    today: date
    days: int
    by_day: Mapping[date, int]

    @property
    def total(self) -> int:
        """Credits of all those days."""
        first = self.today - timedelta(days=self.days)
        return sum(amount for day, amount in self.by_day.items() if first <= day < self.today)

    def rates(self) -> tuple[Fraction, ...]:
        """Give the credits a day to be expected, of Monday to Sunday.

        The mean of that weekday, where two weeks or more are known; else the mean of all days.
        """
        first = self.today - timedelta(days=self.days)
        if self.days < _BY_WEEKDAY_DAYS:
            return (Fraction(self.total, max(self.days, 1)),) * 7
        sums, counts = [0] * 7, [0] * 7
        for n in range(self.days):
            day = first + timedelta(days=n)
            sums[day.weekday()] += self.by_day.get(day, 0)
            counts[day.weekday()] += 1
        return tuple(Fraction(max(one, 0), count) for one, count in zip(sums, counts, strict=True))


@dataclass(frozen=True, slots=True)
class RunOut:
    """When a wallet runs out. available: credits now; burned: in the last `days` days.

    on: the first day on which its credits do not suffice; None as `why` says: it lasts a year or longer, it is not
    used, or was not used for long enough to tell.
    """

    credit_type: str
    available: int
    burned: int
    days: int
    on: date | None
    why: Why


def run_out(
    wallets: Sequence[Wallet],
    enrolment: Enrolment | None,
    plan: Plan | None,
    catalog: Catalog,
    burns: Mapping[int, Burn],
    at: datetime,
    time_zone: str,
) -> list[RunOut]:
    """Say of each wallet on offer or in use when it runs out. The wallets are changed.

    Every day takes what its weekday took on the average, evenly over the day; grants expire and allowances are renewed
    at their times. What is held counts as spent.
    """
    scene = _Scene(wallets, enrolment, plan, catalog, at)
    available = {asset: wallet.balance for asset, wallet in scene.wallets.items()}
    scene.settle(at)
    ends = _simulate(scene, {asset: burn.rates() for asset, burn in burns.items() if _known(burn)}, at, time_zone)
    told = []
    for asset, code in sorted(catalog.codes.items()):
        burn = burns[asset]
        why: Why = "not_used" if not burn.total else "not_enough_history" if not _known(burn) else "lasts"
        on = ends.get(asset)
        told.append(RunOut(code, available.get(asset, 0), burn.total, burn.days, on, why if on is None else "runs_out"))
    return told


def _known(burn: Burn) -> bool:
    return burn.total > 0 and burn.days >= _LEAST_DAYS


class _Scene:
    """The wallets of one account, as time goes by."""

    def __init__(
        self,
        wallets: Sequence[Wallet],
        enrolment: Enrolment | None,
        plan: Plan | None,
        catalog: Catalog,
        at: datetime,
    ) -> None:
        self.wallets = {wallet.asset_id: wallet for wallet in wallets}
        self.plan = plan
        self.enrolment = enrolment if plan is not None else None
        self.assets = catalog.credit_types
        self.due: datetime | None = at
        self._new = 1 << 62  # younger than every grant there is
        for wallet in wallets:
            self.take(wallet.asset_id, min(wallet.held, wallet.balance))
            wallet.held = 0
        for code in plan.allowances if plan else ():
            asset = self.assets.get(code)
            if asset is not None and asset not in self.wallets:
                self.wallets[asset] = Wallet(0, asset, 0, 0, 0, due=False)

    def take(self, asset: int, amount: int) -> bool:
        """Burn so many credits, or all that there are; whether they sufficed."""
        wallet = self.wallets.get(asset)
        have = wallet.balance if wallet else 0
        if wallet is not None and (part := min(have, amount)):
            for lot, burned in rules.burn(wallet.lots, part):
                lot.remaining -= burned
            wallet.lots = [lot for lot in wallet.lots if lot.remaining]
            wallet.balance -= part
        return have >= amount

    def settle(self, at: datetime) -> None:
        """Do what time has made due."""
        if self.due is None or self.due > at:
            return
        wallets = list(self.wallets.values())
        if self.enrolment is not None and self.plan is not None:
            settled = rules.settle(wallets, self.enrolment, self.plan, self.assets, at)
        else:
            settled = rules.lapse(wallets, at)
        self._apply(settled)

    def _apply(self, settled: Settlement) -> None:
        for lapse in settled.lapses:
            lapse.lot.remaining -= lapse.amount
            lapse.wallet.balance -= lapse.amount
        for new in settled.allowances:
            wallet = self.wallets[new.asset_id]
            expires = None if new.expires_at is None else new.expires_at.timestamp()
            wallet.lots.append(Lot(self._new, new.amount, "allowance", rules.ALLOWANCE_PRIORITY, expires))
            wallet.balance += new.amount
            self._new += 1
        for wallet in self.wallets.values():
            wallet.lots = [lot for lot in wallet.lots if lot.remaining]
        if settled.period is not None and self.enrolment is not None:
            start, end = settled.period
            self.enrolment = replace(self.enrolment, period_started_at=start, renews_at=end)
        times = [one for one in settled.due.values() if one is not None]
        if self.enrolment is not None:
            times.append(self.enrolment.renews_at)
        self.due = min(times, default=None)


def _simulate(
    scene: _Scene, rates: Mapping[int, tuple[Fraction, ...]], at: datetime, time_zone: str
) -> dict[int, date]:
    """Let days go by; returns the day on which each wallet ran out that does."""
    ends: dict[int, date] = {}
    owed = dict.fromkeys(rates, Fraction(0))
    for day, length, spans in _spans(scene, at, time_zone):
        for start, end in spans:
            scene.settle(start)
            for asset, by_weekday in rates.items():
                if asset in ends:
                    continue
                owed[asset] += by_weekday[day.weekday()] * _ratio(end - start, length)
                whole = owed[asset].__floor__()
                owed[asset] -= whole
                if not scene.take(asset, whole):
                    ends[asset] = day
        if len(ends) == len(rates):
            break
    return ends


def _spans(
    scene: _Scene, at: datetime, time_zone: str
) -> Iterator[tuple[date, timedelta, Iterator[tuple[datetime, datetime]]]]:
    """Give the days from now on, how long each is, and its parts between which something is due."""
    here = zone(time_zone)
    day = at.astimezone(here).date()
    for n in range(AHEAD_DAYS + 1):
        start, end = midnight(day, here), midnight(day + timedelta(days=1), here)
        yield day, end - start, _parts(scene, max(start, at) if n == 0 else start, end)
        day += timedelta(days=1)


def _parts(scene: _Scene, start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    while start < end:
        # What is due at the start itself is done by then.
        scene.settle(start)
        until = end if scene.due is None or not start < scene.due < end else scene.due
        yield start, until
        start = until


def _ratio(part: timedelta, whole: timedelta) -> Fraction:
    microsecond = timedelta(microseconds=1)
    return Fraction(part // microsecond, whole // microsecond)
