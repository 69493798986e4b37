"""What the ledger's rows are, and a posting: the rows that one decision writes."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

OWN_ACT = "00"
"""The fingerprint of what the service does by itself: nobody asked for it."""


class Party(NamedTuple):
    """An account as the ledger knows it: its number, its bucket and the app's own id for it."""

    id: int
    bucket: int
    external_id: str


class Command(NamedTuple):
    """The name of a command that moves value: whose value, its idempotency key, and what was asked.

    fingerprint: 32 hex digits over path and parsed body.
    """

    party: Party
    key: str
    fingerprint: str


class Entry(NamedTuple):
    """A command recorded under its idempotency key. `answer`: the first answer, where it is kept whole."""

    account_id: int
    key: str
    id: str
    kind: str
    fingerprint: str
    answer: dict[str, object] | None


class EntryRow(NamedTuple):
    """A row of ledger.entry to be written; `answer` is JSON text."""

    account_id: int
    key: str
    id: str
    kind: str
    fingerprint: str
    answer: str | None


class LegRow(NamedTuple):
    """A row of ledger.transfer to be written: `amount` of one asset from `debit` to `credit`."""

    entry_id: str
    leg: int
    kind: str
    asset_id: int
    debit: int
    credit: int
    amount: int
    owner_id: int
    lot_id: int | None


class HoldRow(NamedTuple):
    """A row of ledger.hold to be written; `details` is JSON text."""

    id: str
    account_id: int
    asset_id: int
    amount: int
    expires_at: str
    details: str


class HoldEnd(NamedTuple):
    """How a live hold ends: captured, voided or expired."""

    id: str
    state: str
    captured: int | None


class Posting:
    """The rows that one decision, or a batch of them, writes to the ledger of one bucket.

    wallets: (owner, asset) → [change of balance, of held, of spent]; earners: owner → nano-dollars.
    """

    __slots__ = ("bucket", "earners", "ended", "entries", "holds", "legs", "wallets")

    def __init__(self, bucket: int) -> None:
        self.bucket = bucket
        self.entries: list[EntryRow] = []
        self.legs: list[LegRow] = []
        self.wallets: dict[tuple[int, int], list[int]] = {}
        self.earners: dict[int, int] = {}
        self.holds: list[HoldRow] = []
        self.ended: list[HoldEnd] = []

    def wallet(self, owner_id: int, asset_id: int, balance: int, held: int = 0, spent: int = 0) -> None:
        """Change a wallet; by nothing at all is no change, and needs no wallet to be there."""
        if not (balance or held or spent):
            return
        change = self.wallets.get((owner_id, asset_id))
        if change is None:
            self.wallets[owner_id, asset_id] = [balance, held, spent]
        else:
            change[0] += balance
            change[1] += held
            change[2] += spent


@dataclass(frozen=True, slots=True)
class WalletColumns:
    """Locked wallets by column; None for each where there are none."""

    owners: list[int] | None
    assets: list[int] | None
    accounts: list[int] | None
    balances: list[int] | None
    helds: list[int] | None
    dues: list[bool] | None


@dataclass(frozen=True, slots=True)
class Hold:
    """Credits set aside. state: live, captured, voided or expired; captured: credits taken, once captured.

    account_external_id: the app's id of the account, None where it was erased.
    """

    id: UUID
    account_id: int
    account_external_id: str | None
    asset_id: int
    amount: int
    state: str
    captured: int | None
    expires_at: datetime
    created_at: datetime
    ended_at: datetime | None
    details: dict[str, object]


@dataclass(frozen=True, slots=True)
class DueHold:
    """A live hold whose time is over."""

    id: UUID
    account_id: int
    asset_id: int
    amount: int


@dataclass(frozen=True, slots=True)
class Asset:
    """What is counted: 0 is dollars in nano-dollars, the others are credit types."""

    id: int
    code: str


@dataclass(frozen=True, slots=True)
class EntryFound:
    """A recorded command as its table holds it."""

    account_id: int
    key: str
    id: UUID
    kind: str
    fingerprint: str
    answer: dict[str, object] | None


@dataclass(frozen=True, slots=True)
class Block:
    """A block of the chain, as its table holds it.

    It covers what was recorded before `until` and not before the end of the block before, less what came late; and
    what came late to that one (late_*). seen, cluster: the snapshot in which it was closed, and whose.
    """

    number: int
    made_at: datetime
    until: datetime
    seen: str
    cluster: str
    late_audits: list[int]
    late_entries: list[UUID]
    first_audit: int | None
    last_audit: int | None
    audits: int
    entries: int
    transfers: int
    contents: bytes
    previous: bytes
    digest: bytes


@dataclass(frozen=True, slots=True)
class Moment:
    """When a block is closed. seen: the snapshot; cluster: whose; horizon: up to when the block may reach."""

    seen: str
    cluster: str
    at: datetime
    horizon: datetime


@dataclass(frozen=True, slots=True)
class Late:
    """What was committed after the block of its time was closed: acts by number, entries by id."""

    audits: list[int]
    entries: list[UUID]


@dataclass(frozen=True, slots=True)
class Sealed:
    """The rows of one sort in one place: how many, and the digest of them all. first, last: of acts, their numbers."""

    place: int
    count: int
    digest: bytes
    first: int | None
    last: int | None


@dataclass(frozen=True, slots=True)
class Head:
    """The last block, to be kept where nobody who can write the database can write. digest: in hex."""

    number: int
    digest: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Fault:
    """A block that does not fit, and what of it: missing, digest, link, rows, contents, head."""

    number: int
    what: str
    detail: str


@dataclass(frozen=True, slots=True)
class ChainProof:
    """What deriving the chain again came to. waiting: records that are in no block yet."""

    blocks: int
    head: Head | None
    fault: Fault | None
    waiting: int

    @property
    def holds(self) -> bool:
        """Whether every block fits."""
        return self.fault is None


@dataclass(frozen=True, slots=True)
class Difference:
    """Something of the books that does not hold: what the tables say, and what the records say."""

    subject: str
    recorded: str
    derived: str
