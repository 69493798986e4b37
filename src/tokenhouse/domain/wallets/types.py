"""Wallets and what their balances are made of."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from tokenhouse.domain.ledger.types import Posting


class Lot:
    """A grant with something left, as a decision sees it. `expires`: epoch seconds, None for never."""

    __slots__ = ("expires", "id", "priority", "remaining", "source")

    def __init__(self, id: int, remaining: int, source: str, priority: int, expires: float | None) -> None:
        self.id = id
        self.remaining = remaining
        self.source = source
        self.priority = priority
        self.expires = expires


class Wallet:
    """A locked wallet, as a decision sees and changes it. `due`: time has something to do to it first."""

    __slots__ = ("account", "asset_id", "balance", "due", "held", "lots", "owner_id")

    def __init__(self, owner_id: int, asset_id: int, account: int, balance: int, held: int, due: bool) -> None:  # noqa: FBT001 - made of a row
        self.owner_id = owner_id
        self.asset_id = asset_id
        self.account = account
        self.balance = balance
        self.held = held
        self.due = due
        self.lots: list[Lot] = []

    @property
    def available(self) -> int:
        """What can be spent: the balance less what is held."""
        return self.balance - self.held


@dataclass(frozen=True, slots=True)
class LotColumns:
    """Lots of locked wallets by column; None for each where there are none."""

    accounts: list[int] | None
    assets: list[int] | None
    ids: list[int] | None
    lefts: list[int] | None
    sources: list[str] | None
    priorities: list[int] | None
    expiries: list[float | None] | None


class LotRow(NamedTuple):
    """A row of wallets.lot to be written; times are ISO text."""

    account_id: int
    asset_id: int
    id: int
    source: str
    amount: int
    remaining: int
    priority: int
    expires_at: str | None
    period_started_at: str | None
    entry_id: str
    note: str | None


class WalletPosting(Posting):
    """A posting that changes grants too. moves: (owner, asset, lot) → [change of what is left, of what lapsed]."""

    __slots__ = ("lots", "moves")

    def __init__(self, bucket: int) -> None:
        super().__init__(bucket)
        self.moves: dict[tuple[int, int, int], list[int]] = {}
        self.lots: list[LotRow] = []

    def move(self, owner_id: int, asset_id: int, lot_id: int, remaining: int, lapsed: int = 0) -> None:
        """Change what is left of a grant."""
        change = self.moves.get((owner_id, asset_id, lot_id))
        if change is None:
            self.moves[owner_id, asset_id, lot_id] = [remaining, lapsed]
        else:
            change[0] += remaining
            change[1] += lapsed


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The plan of an account and the period it is in."""

    account_id: int
    plan_id: str
    anchor: datetime
    period_started_at: datetime
    renews_at: datetime
    time_zone: str


@dataclass(frozen=True, slots=True)
class AllowanceLot:
    """One of this period's allowances, and how many of its credits were spent."""

    id: int
    asset_id: int
    used: int


@dataclass(frozen=True, slots=True)
class WalletView:
    """A wallet as its owner sees it: credits. allocated = balance + used; used since the period began."""

    credit_type: str
    balance: int
    held: int
    available: int
    allocated: int
    used: int
    refreshes_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class EnrolmentNow:
    """The plan of an account, and whether its period is over."""

    account_id: int
    plan_id: str
    renews_at: datetime
    due: bool


@dataclass(frozen=True, slots=True)
class WalletRow:
    """A wallet as its row says it."""

    account_id: int
    asset_id: int
    balance: int
    held: int
    used: int
    last_used_at: datetime | None
    due: bool


@dataclass(frozen=True, slots=True)
class Looked:
    """What was read of an account: its plan and its wallets."""

    enrolment: EnrolmentNow | None
    rows: tuple[WalletRow, ...]

    @property
    def due(self) -> bool:
        """Whether time has something to do to it first."""
        return any(row.due for row in self.rows) or (self.enrolment is not None and self.enrolment.due)


@dataclass(frozen=True, slots=True)
class DueAccount:
    """An account that time has something to do to."""

    account_id: int
    bucket: int
    external_id: str


@dataclass(frozen=True, slots=True)
class GrantView:
    """A grant as its owner sees it."""

    id: int
    credit_type: str
    source: str
    amount: int
    remaining: int
    priority: int
    expires_at: datetime | None
    note: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewGrant:
    """What is to be granted. expires_at: aware, in the future; priority: lower burns first."""

    credit_type: str
    amount: int
    source: str
    priority: int = 100
    expires_at: datetime | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Lapse:
    """Credits of a grant that are taken back unspent."""

    wallet: Wallet
    lot: Lot
    amount: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """An allowance to be granted."""

    asset_id: int
    amount: int
    period_started_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What time, or a change of plan, does to an account's wallets.

    period: the new period's bounds where one begins. due: when time next changes each wallet, by asset. ended: lots
    that were replaced and are held still; they are over from now on.
    """

    period: tuple[datetime, datetime] | None
    allowances: tuple[Allowance, ...]
    lapses: tuple[Lapse, ...]
    due: dict[int, datetime | None]
    ended: tuple[tuple[Wallet, Lot], ...] = ()

    @property
    def moves_credits(self) -> bool:
        """Whether there is anything to post."""
        return bool(self.allowances or self.lapses)
