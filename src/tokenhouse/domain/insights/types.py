"""What figures are asked for, and what they are."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple

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
