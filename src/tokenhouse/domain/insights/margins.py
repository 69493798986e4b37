"""What is left of what uses brought in, and into which kept sums a time falls: pure."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, NamedTuple, Self

from tokenhouse.infra.kernel.money import BPS, round_half_even

_ATTOS_PER_NANO = 10**9


@dataclass(frozen=True, slots=True)
class Figures:
    """What uses came to. Credits; nano-dollars. costed: uses whose cost at the provider is known.

    revenue: what the credits were worth; margin: what is left of it after cost and earnings.
    """

    uses: int
    credits: int
    earnings: int
    revenue: int
    cost: int
    costed: int

    @classmethod
    def of(cls, uses: int, credit_sum: int, earned: int, revenue_attos: int, cost: int, costed: int) -> Self:
        """Make figures of sums; revenue, in 10^-18 dollars, is rounded here, once."""
        return cls(uses, credit_sum, earned, round_half_even(revenue_attos, _ATTOS_PER_NANO), cost, costed)

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


def _month_after(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
