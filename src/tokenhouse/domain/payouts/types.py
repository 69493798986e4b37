"""Payouts: what is on its way out, how an account is paid, and what a method of paying promises."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal, NamedTuple, Protocol, get_args
from uuid import UUID

State = Literal["pending", "processing", "completed", "failed", "cancelled", "unknown"]
Action = Literal["approve", "complete", "fail", "cancel"]
Every = Literal["week", "month", "threshold"]

STATES: tuple[State, ...] = get_args(State)
ACTIONS: tuple[Action, ...] = get_args(Action)
OPEN: frozenset[State] = frozenset({"pending", "processing", "unknown"})
"""States in which the money is out of the balance and may still come back."""

MOST_NANOS = 10**15
"""The most that one payout takes: a million dollars."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the settings say of payouts.

    approval: whether somebody else than who requested it must approve a payout. minimum: nano-dollars.
    """

    maturity_days: int = 14
    approval: bool = False
    minimum: int = 0


class Payable(NamedTuple):
    """What of an earner's balance in one bucket may be paid out, locked. account: the ledger account's id."""

    bucket: int
    account: int
    nanos: int


@dataclass(frozen=True, slots=True)
class Owed:
    """What is owed to an earner bucket by bucket, locked: columns, None where there is nothing."""

    buckets: list[int] | None
    accounts: list[int] | None
    balances: list[int] | None


@dataclass(frozen=True, slots=True)
class Payout:
    """Money on its way to an earner. account_external_id: None where the person was erased.

    amount: nano-dollars. requested_by, approved_by: `account 7`, `key UUID`, `platform` or `service`. sent_at: when its
    method was told to send it; accepted_at: when that said that it will pay. reference: the method's own name for it.
    """

    id: UUID
    bucket: int
    account_id: int
    account_external_id: str | None
    amount: int
    method: str
    state: State
    requested_by: str
    approved_by: str | None
    reference: str | None
    reason: str | None
    requested_at: datetime
    sent_at: datetime | None
    accepted_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Event:
    """A state that a payout came to, by whom and why."""

    state: State
    by: str
    reason: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Part:
    """What a payout took in one bucket. account: the earner's ledger account there."""

    bucket: int
    account: int
    nanos: int


@dataclass(frozen=True, slots=True)
class Sums:
    """Nano-dollars of an earner on their way out, and sent."""

    in_payout: int
    paid: int


@dataclass(frozen=True, slots=True)
class MethodSet:
    """How an account is paid; the details are sealed. hint: as much of them as may be shown."""

    account_id: int
    kind: str
    sealed: bytes
    hint: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """What is paid out by itself.

    day: 1 (Monday) to 7, or the day of the month, which ends before it at times; 0 for a threshold. minimum:
    nano-dollars below which nothing is paid. looked_on: the last day that was decided, on the account's own calendar.
    """

    account_id: int
    every: Every
    day: int
    minimum: int
    looked_on: date
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A schedule with its account, as a job finds it."""

    account_id: int
    bucket: int
    external_id: str
    time_zone: str
    every: Every
    day: int
    minimum: int
    looked_on: date


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open payout that a method has something to do with. told: whether it was told to send it."""

    id: UUID
    bucket: int
    account_id: int
    external_id: str | None
    told: bool


# ---- methods ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Setup:
    """What the settings say of methods; a method takes what it knows."""


@dataclass(frozen=True, slots=True)
class Payee:
    """Details that a method accepted, ready to be sealed, and as much of them as may be shown."""

    details: Mapping[str, str]
    hint: str


@dataclass(frozen=True, slots=True)
class Instruction:
    """What a method is to pay. id: the same at every look; the provider must know the payout by it."""

    id: UUID
    account: str
    amount: int
    details: Mapping[str, str]


Verdict = Literal["accepted", "paid", "refused", "not_sent"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a provider said.

    accepted: it will pay; paid: it has; refused: it will not, for this reason; not_sent: it never heard of it, so that
    it may be sent. reference: its own name for the payout.
    """

    verdict: Verdict
    reference: str | None = None
    reason: str | None = None


class AnswerLost(Exception):
    """The provider was told, and what it did is not known: it is looked up, never sent again."""


class Unreachable(Exception):
    """The provider was not told, for certain: no connection was made. It is tried again later."""


class Sender(Protocol):
    """A method that sends by itself, set up. Both calls end within a minute."""

    async def send(self, instruction: Instruction) -> Outcome:
        """Tell the provider to pay. Raises AnswerLost or Unreachable; never `not_sent`."""

    async def look_up(self, instruction: Instruction) -> Outcome:
        """Ask what became of it, by its id. Raises AnswerLost or Unreachable where nobody answers."""


class MethodModule(Protocol):
    """What a file in methods exports."""

    KIND: str
    WHOLE_CENTS: bool

    def payee(self, given: Mapping[str, str]) -> Payee: ...  # noqa: D102 - said in methods/__init__.py, as is the rest

    def sender(self, setup: Setup) -> Sender | None: ...  # noqa: D102
