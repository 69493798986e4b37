"""What a use earned and why it did not, and what models have earned."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, NamedTuple, get_args
from uuid import UUID

from tokenhouse.domain.catalog.types import EarningsPolicy

EarningReason = Literal["self_use", "no_model", "no_owner", "not_monetized", "unpaid_source", "overflow"]
"""Why a use earned nothing, as a receipt says it."""

EARNING_REASONS: tuple[EarningReason, ...] = get_args(EarningReason)
"""In order of precedence: the first that holds is told."""


@dataclass(frozen=True, slots=True)
class ModelEarnings:
    """What one model earned for one earner, by others' uses of it. Ids are the app's own, nanos nano-dollars.

    character_*: of the model's first character. credits: what those uses took; last_used_at: when it was used.
    """

    model_id: str
    model_name: str
    model_category: str
    character_name: str | None
    character_image: str | None
    uses: int
    credits: int
    nanos: int
    last_used_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class OwedColumns:
    """An earner's locked accounts by column, a bucket each; None for each where there are none."""

    buckets: list[int] | None
    accounts: list[int] | None
    balances: list[int] | None


class Owed(NamedTuple):
    """What an earner is owed in one bucket: the ledger account there, and its balance in nano-dollars."""

    account: int
    balance: int


class Award(NamedTuple):
    """What is paid to an earner, or (below zero) taken back, for no use. model_id: the model's number, if about one.

    rule, rule_version, subject: what a bonus is paid for; None for an adjustment.
    """

    kind: Literal["adjustment", "bonus"]
    nanos: int
    reason: str
    model_id: int | None = None
    rule: str | None = None
    rule_version: int | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class BonusDue:
    """What reached a rule: what it is, whom the bonus is for, and the model that it is about, if one."""

    subject: str
    account_id: int
    model_id: int | None


@dataclass(frozen=True, slots=True)
class BonusView:
    """A bonus that was paid; model_id is the app's own."""

    id: UUID
    rule: str
    rule_version: int
    subject: str
    model_id: str | None
    nanos: int
    created_at: datetime


class NewGoal(NamedTuple):
    """A goal as it is to be: nano-dollars to be earned, by the app's model_id or all; since None: as it is, or now."""

    nanos: int
    name: str | None = None
    model_id: str | None = None
    since: datetime | None = None
    due_on: date | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal: so many nano-dollars from `since` on, up to the end of the day `due_on` (None: no end).

    model_id: the app's own; None, as model_number: all models.
    """

    id: UUID
    account_id: int
    name: str | None
    nanos: int
    model_id: str | None
    model_number: int | None
    since: datetime
    due_on: date | None
    created_at: datetime
    updated_at: datetime


GoalState = Literal["open", "reached", "missed"]


class Progress(NamedTuple):
    """How far a goal is: whole percent, rounded down; the day on which it is reached if things go on as they do.

    no_forecast: why there is no such day: reached, missed, not_enough_history, no_earnings or too_far.
    """

    earned: int
    percent: int
    state: GoalState
    forecast: date | None
    no_forecast: str | None


@dataclass(frozen=True, slots=True)
class Formula:
    """A catalog's policy, ready to be used: its figures and the formula that reads them."""

    policy: EarningsPolicy
    kind: str
    counts_uses: bool
    params: Any
    _accrue: Callable[[Any, int, int, str], int]

    def accrue(self, credits: int, prior_uses: int, usage_type: str) -> int:
        """Nano-dollars that a use earns, counted after `prior_uses` others; may exceed 64 bits."""
        return self._accrue(self.params, credits, prior_uses, usage_type)
