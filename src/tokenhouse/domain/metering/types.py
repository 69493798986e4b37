"""Orders that come in, the scene that they are decided on, and what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from tokenhouse.domain.catalog.types import Catalog, Price
from tokenhouse.domain.earnings.types import Formula
from tokenhouse.domain.ledger.types import Command, Entry
from tokenhouse.domain.wallets.types import Wallet, WalletPosting

Quantity = int | Mapping[str, int]


class Order(NamedTuple):
    """One metered command. What is left out is None.

    sort: `charge` takes credits at once, `hold` sets them aside, `report` records a use and takes nothing.
    amount: credits; for a report, the credits that the use is said to have taken.
    metadata and quantity_json: JSON text; occurred_at: ISO text, aware.
    lenient: the sources' rule, by which an unknown or inactive model charges all the same and earns nothing.
    at_price: the amount may not lie below the price (a user's own key).
    fallback: credits where nothing else has a price.
    """

    command: Command
    sort: Literal["charge", "hold", "report"]
    operation: str | None = None
    credit_type: str | None = None
    amount: int | None = None
    quantity: Quantity | None = None
    model_id: str | None = None
    character_id: str | None = None
    usage_type: str | None = None
    user_label: str | None = None
    upstream_model: str | None = None
    provider: str | None = None
    cost_nanos: int | None = None
    occurred_at: str | None = None
    metadata: str | None = None
    ttl_seconds: int = 900
    lenient: bool = False
    at_price: bool = False
    fallback: int | None = None


class HoldOrder(NamedTuple):
    """The end of a hold: capture `amount` of it, or void it. What it is about is known before it is locked."""

    command: Command
    hold_id: str
    asset_id: int
    sort: Literal["capture", "void"]
    amount: int = 0
    model_id: str | None = None
    character_id: str | None = None


AnyOrder = Order | HoldOrder


class Terms(NamedTuple):
    """What a use of a model needs to know; it holds while the model has this version.

    owner_ids: in the order in which they bought. names: creator and owners → the app's ids; accounts: the same → their
    ledger accounts in the payer's bucket.
    """

    model_id: int
    external_id: str
    version: int
    active: bool
    monetized: bool
    policy: str | None
    pricing_version: int
    price: Price | None
    creator_id: int | None
    creator_share_bps: int
    owner_ids: tuple[int, ...]
    names: Mapping[int, str]
    accounts: Mapping[int, int]


class Character(NamedTuple):
    """A character and the terms of its model."""

    id: int
    external_id: str
    terms: Terms


class HeldNow(NamedTuple):
    """A locked hold. `over`: its time has passed. details: the order's, with the price it was made at."""

    id: str
    account_id: int
    asset_id: int
    amount: int
    state: str
    over: bool
    details: Mapping[str, object]


@dataclass(slots=True)
class Scene:
    """All that a batch is decided on: loaded under lock, changed by each decision for the next.

    models and characters: by the app's ids. uses: model → counted uses so far, of those whose tiers count. settled:
    accounts for which time has done its part already; unearned: keys whose earnings would pass 64 bits.
    """

    catalog: Catalog
    at: datetime
    wallets: dict[tuple[int, int], Wallet]
    entries: dict[tuple[int, str], "Entry | Done"]
    holds: dict[str, HeldNow]
    models: dict[str, Terms]
    characters: dict[str, Character]
    uses: dict[int, int]
    formulas: Mapping[str, Formula]
    upgrade_url: str
    at_text: str
    settled: frozenset[int]
    unearned: frozenset[tuple[int, str]]


class Priced(NamedTuple):
    """What an order is about, once its words were looked up. amount: credits."""

    amount: int
    asset_id: int
    operation: str | None
    rate_version: int | None
    terms: Terms | None
    character: Character | None
    usage_type: str


class UsageRow(NamedTuple):
    """A row of metering.usage to be written, in its columns' order. quantity and metadata: JSON text."""

    id: str
    account_id: int
    asset_id: int
    kind: str
    counted: bool
    usage_type: str
    amount: int
    credits: int
    balance_after: int
    nanos: int
    reason: str | None
    operation: str | None
    rate_version: int | None
    model_id: int | None
    character_id: int | None
    hold_id: str | None
    earners: tuple[int, ...] | None
    user_label: str | None
    upstream_model: str | None
    provider: str | None
    cost_nanos: int | None
    quantity: str | None
    metadata: str | None
    occurred_at: str | None


class MeteringPosting(WalletPosting):
    """A posting with usage. uses: model → [uses, credits, nanos, last use]; shares: (model, earner) → the same."""

    __slots__ = ("shares", "usage", "uses")

    def __init__(self, bucket: int) -> None:
        super().__init__(bucket)
        self.usage: list[UsageRow] = []
        self.uses: dict[int, list[Any]] = {}
        self.shares: dict[tuple[int, int], list[Any]] = {}


class Share(NamedTuple):
    """What one earner got of a use."""

    account_id: str
    model_id: str
    nanos: int


class Burned(NamedTuple):
    """Credits that a charge took from one grant."""

    grant_id: int
    amount: int


class Receipt(NamedTuple):
    """What one charge did. Credits, nano-dollars, aware times; ids are the app's own but for `id` and `hold_id`.

    balance: after it. rate_card_version: the price's version, None where the amount was named.
    earnings_reason: why nothing was earned.
    """

    id: str
    account_id: str
    user_id: str | None
    credit_type: str
    amount: int
    balance: int
    operation: str | None
    rate_card_version: int | None
    model_id: str | None
    character_id: str | None
    usage_type: str
    hold_id: str | None
    grants: tuple[Burned, ...]
    earnings: tuple[Share, ...]
    earnings_reason: str | None
    quantity: object
    upstream_model: str | None
    provider: str | None
    cost_nano_usd: int | None
    metadata: object
    occurred_at: datetime
    created_at: datetime


class Done(NamedTuple):
    """An order carried out: its id and kind, and a receipt or an answer. replayed: carried out before."""

    id: str
    kind: str
    fingerprint: str
    receipt: Receipt | None
    answer: dict[str, object] | None
    replayed: bool = False


class Replay(NamedTuple):
    """An order whose receipt must be read again, for it was carried out in an earlier batch."""

    id: str
    kind: str


class Unsettled(NamedTuple):
    """An order that cannot be decided before time has done what is due to its account."""

    account_id: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """What metering.load returns: wallets and lots by column (None for none), JSON arrays, the time, the catalog."""

    owners: list[int] | None
    assets: list[int] | None
    accounts: list[int] | None
    balances: list[int] | None
    helds: list[int] | None
    dues: list[bool] | None
    lot_accounts: list[int] | None
    lot_assets: list[int] | None
    lot_ids: list[int] | None
    lot_lefts: list[int] | None
    lot_sources: list[str] | None
    lot_priorities: list[int] | None
    lot_expiries: list[float | None] | None
    entries: list[list[Any]] | None
    holds: list[list[Any]] | None
    names: list[str] | None
    characters: list[int | None] | None
    models: list[int] | None
    versions: list[int] | None
    counting: list[int] | None
    uses: list[int] | None
    at: datetime
    catalog_version: int | None


@dataclass(frozen=True, slots=True)
class ModelColumns:
    """Models and characters found by the app's ids, by column; None for each where there are none.

    characters: None for a model's own id.
    """

    names: list[str] | None
    characters: list[int | None] | None
    models: list[int] | None
    versions: list[int] | None


@dataclass(frozen=True, slots=True)
class ReceiptRow:
    """A receipt as its tables hold it."""

    id: UUID
    bucket: int
    account_id: int
    account_external_id: str | None
    user_id: str | None
    credit_type: str
    kind: str
    amount: int
    balance: int
    operation: str | None
    rate_card_version: int | None
    model_id: str | None
    character_id: str | None
    usage_type: str
    hold_id: UUID | None
    grants: list[list[int]] | None
    earnings: list[list[Any]] | None
    earnings_reason: str | None
    quantity: object
    upstream_model: str | None
    provider: str | None
    cost_nanos: int | None
    metadata: object
    reversed: int
    occurred_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Spendable:
    """What a wallet has to spend; none at all has nothing. due: time has something to do to it first."""

    bucket: int
    owner_id: int
    asset_id: int
    available: int
    due: bool
    catalog_version: int


@dataclass(frozen=True, slots=True)
class Reversed:
    """Credits of a charge that were given back."""

    amount: int


@dataclass(frozen=True, slots=True)
class LotBurned:
    """Credits that a charge took from a grant and that were not given back."""

    lot_id: int
    taken: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Use:
    """A charge as its reversal needs it. earners: whose use it counted as."""

    asset_id: int
    kind: str
    amount: int
    credits: int
    nanos: int
    counted: bool
    model_id: int | None
    earners: list[int] | None
    user_label: str | None


@dataclass(frozen=True, slots=True)
class EarnerColumns:
    """Locked earners' accounts by column; None for each where there are none."""

    owners: list[int] | None
    accounts: list[int] | None
    balances: list[int] | None


@dataclass(frozen=True, slots=True)
class PaidBySource:
    """Credits that a charge took from grants of one source."""

    source: str
    paid: int
