"""What figures are asked for, and what they are."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, NamedTuple
from uuid import UUID

Cube = Literal["earner", "earner_model", "payer", "payer_mix", "platform", "platform_work", "platform_model"]
"""What is summed, and by what (docs/analytics.md has them):

earner: others' uses of an account's models; earner_model: by model. payer: an account's charges, by credit type;
payer_mix: by credit type, model, operation, usage type and the user's label. platform: everybody's charges, by credit
type; platform_work: by operation and usage type as well; platform_model: by model as well.
"""

Grain = Literal["raw", "quarter", "hour", "day", "month"]
"""How long a stretch of time a cell sums, UTC; raw: less than a quarter of an hour, which only the records tell."""


class Piece(NamedTuple):
    """A stretch of time whose figures are read in one grain, and the point of the answer that it adds to."""

    grain: Grain
    since: datetime
    until: datetime
    point: int


@dataclass(frozen=True, slots=True)
class Found:
    """A row of a cube, of one point: what it is by (0 or '' where the cube is not by that), and its figures."""

    point: int
    owner_id: int
    model_id: int
    asset_id: int
    operation: str
    usage_type: str
    user_label: str
    uses: int
    credits: Decimal
    counted: int
    counted_credits: Decimal
    nanos: Decimal
    cost_nanos: Decimal
    allowance: Decimal
    top_up: Decimal


class Row(NamedTuple):
    """The same in integers, as the verbs give it.

    uses, credits: charges and captures less what was given back; in the cubes of earners, others' uses of their models.
    counted, counted_credits: others' uses of owned models. nanos: nano-dollars that they earned, cost_nanos: what
    the upstream cost. allowance, top_up: of the credits, those from grants of that source.
    """

    point: int
    owner_id: int
    model_id: int
    asset_id: int
    operation: str
    usage_type: str
    user_label: str
    uses: int
    credits: int
    counted: int
    counted_credits: int
    nanos: int
    cost_nanos: int
    allowance: int
    top_up: int


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the records are in the cells. waiting: transactions since then, of whatever sort."""

    upto: int
    current: bool
    rolled_at: datetime
    waiting: int


class Sums(NamedTuple):
    """Others' uses of an earner's models: how many, the credits spent on them, and the nano-dollars earned."""

    uses: int
    credits: int
    nanos: int

    def plus(self, other: "Sums") -> "Sums":
        """Add figure by figure."""
        return Sums(self.uses + other.uses, self.credits + other.credits, self.nanos + other.nanos)


NOTHING = Sums(0, 0, 0)


class Point(NamedTuple):
    """A day, or the first of a longer stretch, and its figures."""

    day: date
    sums: Sums


class Range(NamedTuple):
    """A time asked for, and the days that it is cut into where the viewer's clocks are: n + 1 bounds for n days.

    before: where the period begins that it is compared with, which ends where this one begins.
    """

    before: datetime
    since: datetime
    until: datetime
    bounds: tuple[datetime, ...]
    days: tuple[date, ...]


@dataclass(frozen=True, slots=True)
class ModelNamed:
    """A model as figures name it."""

    id: int
    external_id: str
    name: str
    category: str


class ModelSums(NamedTuple):
    """A model's figures, and those of the period before."""

    model: ModelNamed
    sums: Sums
    previous: Sums


@dataclass(frozen=True, slots=True)
class Users:
    """How many used an earner's models, how many of them for the first time, and how many in the period before."""

    users: int
    new_users: int
    previous_users: int


@dataclass(frozen=True, slots=True)
class Creator:
    """An earner's figures of a period. models: those used in it, the highest earnings first."""

    total: Sums
    previous: Sums
    days: list[Point]
    models: list[ModelSums]


@dataclass(frozen=True, slots=True)
class ClockFound:
    """The figures of an hour of the week; weekday 1 is Monday."""

    weekday: int
    hour: int
    uses: int
    credits: Decimal
    nanos: Decimal


@dataclass(frozen=True, slots=True)
class Kept:
    """Of a cohort (1, 2 … by the order of the stretches), how many came again, so many stretches later."""

    cohort: int
    later: int
    users: int


@dataclass(frozen=True, slots=True)
class Recent:
    """A use that is left after reversals. user_id: a pseudonym, the same each time for this earner."""

    id: UUID
    model_id: str
    model_name: str
    usage_type: str
    user_id: str
    credits: int
    nanos: int
    occurred_at: datetime
