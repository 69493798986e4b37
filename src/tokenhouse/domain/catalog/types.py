"""What is for sale and what it costs: frozen values, cheap to use and safe to share between requests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tokenhouse.infra.kernel.errors import ValidationFailed

UNITS = ("call", "chunk", "image", "message", "input_token", "cached_input_token", "output_token")
"""What a price may count."""

GRANT_SOURCES = ("allowance", "top_up", "gift", "refund", "bonus", "promotion", "adjustment")
"""Where credits come from; `earn_on` names those whose use earns."""

USAGE_TYPES = ("image_generation", "chat", "other")
"""What a use may be, for the multipliers of an earnings policy."""

MAX_CREDITS = 10**15
"""The most credits that one command may move, and the most units that one may count."""

UNLIMITED = -1
"""A plan's limit that is none."""

PaidInterval = Literal["month", "year", "30d"]
AccountKind = Literal["user", "organization"]


class CatalogInvalid(ValidationFailed):
    """A catalog file that cannot be applied; `errors` has a line for each thing to mend."""

    code, title = "catalog_invalid", "Catalog invalid"


@dataclass(frozen=True, slots=True)
class Bulk:
    """A discount on the whole quantity from `from_quantity` units on."""

    from_quantity: int
    discount_bps: int


@dataclass(frozen=True, slots=True)
class PriceTier:
    """Other rates for the whole quantity from `from_quantity` units on (volume pricing)."""

    from_quantity: int
    rates: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Price:
    """What an operation or a model costs.

    `rates` are (unit, nano-credits per unit), one per unit; none at all: there is no price, and a use is
    refused. `tiers` and `bulk` ascend by quantity, which is the sum over all units.
    """

    rates: tuple[tuple[str, int], ...] = ()
    tiers: tuple[PriceTier, ...] = ()
    bulk: tuple[Bulk, ...] = ()
    whole: int = field(init=False, compare=False, repr=False)
    """Credits per unit where that is all there is to it, else -1: what most charges need."""

    def __post_init__(self) -> None:
        """Work out the short way."""
        plain = len(self.rates) == 1 and not self.tiers and not self.bulk
        whole, rest = divmod(self.rates[0][1], 10**9) if plain else (-1, 0)
        object.__setattr__(self, "whole", -1 if rest else whole)


UNPRICED = Price()


@dataclass(frozen=True, slots=True)
class Operation:
    """A priced AI action. `version` is the catalog's version that brought this price: the rate card's."""

    id: str
    credit_type: str
    price: Price
    version: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """A recurring allowance and what comes with it.

    `price_nanos` is in nano-dollars for one `interval`; None: not sold here. `allowances` are credits per
    allowance period. `offered_to` says on whose pages it stands.
    """

    id: str
    name: str
    price_nanos: int | None
    interval: PaidInterval
    allowances: Mapping[str, int]
    rollover: bool = False
    limits: Mapping[str, int] = field(default_factory=dict)
    offered_to: tuple[AccountKind, ...] = ("user", "organization")
    lemonsqueezy_variant: int | None = None
    version: int = field(default=0, compare=False)

    @property
    def allowance_interval(self) -> Literal["month", "30d"]:
        """How often the allowance renews: a year's plan releases twelve."""
        return "30d" if self.interval == "30d" else "month"

    @property
    def allowance_periods(self) -> int:
        """How many allowances one payment brings."""
        return 12 if self.interval == "year" else 1


@dataclass(frozen=True, slots=True)
class TopUp:
    """A pack of credits; `price_nanos` in nano-dollars, None: not sold here."""

    id: str
    credit_type: str
    credits: int
    price_nanos: int | None
    lemonsqueezy_variant: int | None = None
    version: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class EarningsPolicy:
    """What a use earns, as data: nano-dollars per use and per credit, multipliers in basis points.

    `tiers` are (uses before this one, multiplier), ascending. `kind` names the formula where its figures do
    not say it, `params` are figures of a formula of one's own.
    """

    id: str
    per_use_nanos: int
    per_credit_nanos: int
    tiers: tuple[tuple[int, int], ...] = ()
    type_multipliers: Mapping[str, int] = field(default_factory=dict)
    earn_on: frozenset[str] = frozenset(GRANT_SOURCES)
    kind: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    version: int = field(default=0, compare=False)


BonusKind = Literal["uses", "first_sale", "referral", "performance"]
BONUS_KINDS: tuple[BonusKind, ...] = ("uses", "first_sale", "referral", "performance")


@dataclass(frozen=True, slots=True)
class Bonus:
    """A rule that pays creators once for what was reached.

    `threshold`: uses by others (uses), 1 (first_sale), bought credits that the one who was referred spent (referral),
    how many of a month's models that earned most (performance). `scope`: by model, or by creator over all models.
    """

    id: str
    kind: BonusKind
    threshold: int
    amount_nanos: int
    scope: Literal["model", "creator"] = "model"
    active: bool = True
    version: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Document:
    """A catalog as its file says it, checked; dictionaries by id."""

    credit_types: tuple[str, ...]
    operations: Mapping[str, Operation]
    plans: Mapping[str, Plan]
    top_ups: Mapping[str, TopUp]
    policies: Mapping[str, EarningsPolicy]
    bonuses: Mapping[str, Bonus] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Catalog:
    """The catalog in force.

    `credit_types` gives the asset of each type that is on offer, in order of the assets; `codes` gives the
    type of each asset, those that were withdrawn included, for wallets may hold them still. `version` is 0
    and `digest` empty before the first one was applied.
    """

    version: int
    digest: str
    credit_types: Mapping[str, int]
    codes: Mapping[int, str]
    operations: Mapping[str, Operation]
    plans: Mapping[str, Plan]
    top_ups: Mapping[str, TopUp]
    policies: Mapping[str, EarningsPolicy]
    bonuses: Mapping[str, Bonus] = field(default_factory=dict)


Kind = Literal["credit_type", "operation", "plan", "top_up", "earnings_policy", "bonus"]
Sort = Literal["added", "changed", "removed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two catalogs; `text` says it in words."""

    kind: Kind
    id: str
    sort: Sort
    text: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying a file did. Nothing changed: `changes` is empty and `version` the one that was there."""

    version: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class CatalogWarning:
    """Something that an operator should know before it costs money."""

    code: Literal["earning_above_price", "earning_on_free_credits", "operation_unpriced"]
    text: str
