"""What is left of what uses brought in, and into which kept sums a time falls: pure."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Literal, NamedTuple, Self

from tokenhouse.infra.kernel.money import BPS, round_half_even

_ATTOS_PER_NANO = 10**9


@dataclass(frozen=True, slots=True)
class Figures:
    """What uses came to. Credits; nano-dollars. costed: uses whose cost at the provider is known.

    revenue: what the credits were worth, of which revenue_attos are the exact 10^-18 dollars; margin: what is left of
    it after cost and earnings.
    """

    uses: int
    credits: int
    earnings: int
    revenue_attos: int
    cost: int
    costed: int

    def __add__(self, other: Self) -> Self:
        return type(self)(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def revenue(self) -> int:
        """What the credits were worth in nano-dollars, rounded here, once."""
        return round_half_even(self.revenue_attos, _ATTOS_PER_NANO)

    @property
    def margin(self) -> int:
        """What is left, in nano-dollars; too much by the cost of the uses that have none."""
        return self.revenue - self.cost - self.earnings

    @property
    def uncosted(self) -> int:
        """How many uses have no cost that is known."""
        return self.uses - self.costed

    @property
    def uncosted_bps(self) -> int:
        """The same in basis points of all uses."""
        return round_half_even(self.uncosted * BPS, self.uses) if self.uses > 0 else 0


NOTHING = Figures(0, 0, 0, 0, 0, 0)


class Part(NamedTuple):
    """Kept sums of one grain, from a day up to another that is not included."""

    grain: Literal["day", "month"]
    first: date
    beyond: date


def parts_of(first: date, last: date, today: date) -> list[Part]:
    """Say which sums make up the days from `first` to `last`: whole months, and the days beside them.

    Nothing lies after today, so a time that reaches it may take the month whole.
    """
    beyond = last + timedelta(days=1)
    if last >= today:
        beyond = _month_after(beyond - timedelta(days=1))
    month = first if first.day == 1 else _month_after(first)
    final = beyond.replace(day=1)
    if month >= final:
        return [Part("day", first, beyond)]
    parts = [Part("day", first, month), Part("month", month, final), Part("day", final, beyond)]
    return [part for part in parts if part.first < part.beyond]


def grouped(days: Sequence[tuple[date, Figures]], grain: Literal["day", "week", "month"]) -> list[tuple[date, Figures]]:
    """Sum up days that follow each other by weeks (from Monday on) or months; the first may be cut short."""
    found: list[tuple[date, Figures]] = []
    for day, figures in days:
        if found and not _begins(day, grain):
            found[-1] = (found[-1][0], found[-1][1] + figures)
        else:
            found.append((day, figures))
    return found


def _begins(day: date, grain: str) -> bool:
    return grain == "day" or (day.weekday() == 0 if grain == "week" else day.day == 1)


def _month_after(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
