"""Models on sale, the characters that speak for them, who owns them, and what their users say of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, TypedDict, get_args
from uuid import UUID

OwnershipKind = Literal["exclusive", "shared"]

OWNERSHIPS: tuple[OwnershipKind, ...] = get_args(OwnershipKind)

Approval = Literal["approved", "pending", "rejected"]

ReviewState = Literal["published", "hidden", "pending"]

Sort = Literal["newest", "name", "price", "price_desc", "rating"]

SORTS: tuple[Sort, ...] = get_args(Sort)


@dataclass(frozen=True, slots=True)
class Model:
    """A model. Ids are the app's own but for `id`; prices are in credits, the share in basis points.

    pricing: what a use costs, as units and decimal strings; None: the operation's price holds.
    creator: the number of the creator's account; creator_id is its app's id where the reader may know it.
    character_*: of its first character. approval: of one that its creator submitted. stars, reviews: the sum and the
    number of its published reviews. archived_at: when it was taken off the market for good.
    """

    id: int
    external_id: str
    name: str
    category: str
    description: str | None
    features: list[str]
    pricing: dict[str, str] | None
    pricing_version: int
    upstream_model: str | None
    provider: str | None
    price_credits: int
    premium: bool
    active: bool
    monetized: bool
    creator: int | None
    creator_id: str | None
    creator_share_bps: int
    ownership: OwnershipKind
    earnings_policy: str | None
    character_id: str | None
    character_name: str | None
    character_image: str | None
    image_url: str | None
    approval: Approval
    stars: int
    reviews: int
    archived_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class NewModel:
    """A model to be made. external_id: None to have one made; creator_id: the app's id of an account.

    pricing: units and decimal strings; credit_cost: N is short for {"call": "N"}; both is refused.
    """

    name: str
    category: str
    price_credits: int
    premium: bool
    active: bool
    monetized: bool
    ownership: OwnershipKind
    external_id: str | None = None
    description: str | None = None
    features: tuple[str, ...] = ()
    pricing: Mapping[str, str] | None = None
    credit_cost: int | None = None
    upstream_model: str | None = None
    provider: str | None = None
    creator_id: str | None = None
    creator_share_bps: int = 0
    earnings_policy: str | None = None
    image_url: str | None = None
    approval: Approval = "approved"


class ModelChanges(TypedDict, total=False):
    """What to change of a model: only what is given. None takes away what may be missing."""

    name: str
    category: str
    description: str | None
    features: list[str]
    pricing: Mapping[str, str] | None
    credit_cost: int | None
    upstream_model: str | None
    provider: str | None
    price_credits: int
    premium: bool
    active: bool
    monetized: bool
    creator_id: str | None
    creator_share_bps: int
    ownership: OwnershipKind
    earnings_policy: str | None
    image_url: str | None
    approval: Approval


@dataclass(frozen=True, slots=True)
class ModelValues:
    """A model as it is written whole; `creator` is the number of an account."""

    name: str
    category: str
    description: str | None
    features: tuple[str, ...]
    pricing: dict[str, str] | None
    upstream_model: str | None
    provider: str | None
    price_credits: int
    premium: bool
    active: bool
    monetized: bool
    creator: int | None
    ownership: OwnershipKind
    creator_share_bps: int
    earnings_policy: str | None
    image_url: str | None
    approval: Approval


@dataclass(frozen=True, slots=True)
class PricingVersion:
    """What a use of a model cost from then on; None: the operation's price."""

    version: int
    pricing: dict[str, str] | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Character:
    """A character and the model behind it; `model_id` is the app's id."""

    external_id: str
    name: str
    image_url: str | None
    model_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewCharacter:
    """A character to be made. external_id: None to have one made."""

    name: str
    model_id: str
    external_id: str | None = None
    image_url: str | None = None


class CharacterChanges(TypedDict, total=False):
    """What to change of a character: only what is given. model_id: the app's id of another model."""

    name: str
    image_url: str | None
    model_id: str


@dataclass(frozen=True, slots=True)
class CharacterPlace:
    """A character on a page of a list, and where the page ends with it."""

    id: int
    external_id: str
    name: str
    image_url: str | None
    model_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which models a list is of; None: any. owner, creator: numbers of accounts; prices in credits, both included."""

    q: str | None = None
    category: str | None = None
    premium: bool | None = None
    active: bool | None = None
    owner: int | None = None
    creator: int | None = None
    price_from: int | None = None
    price_to: int | None = None


class Place(NamedTuple):
    """Where a page of models ended, in the order of its list."""

    rank: int
    word: str
    id: int


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """A model on a page, and where the page ends with it."""

    external_id: str
    rank: int
    word: str
    id: int


@dataclass(frozen=True, slots=True)
class Category:
    """A category, and how many models on offer it has."""

    category: str
    models: int


@dataclass(frozen=True, slots=True)
class Ownership:
    """An account's ownership of a model, locked: the one that lives, else the last one that ended.

    entry_id: of its purchase; None where it came by a transfer.
    """

    id: int
    live: bool
    refunded: bool
    price_credits: int
    entry_id: UUID | None


@dataclass(frozen=True, slots=True)
class LotPaid:
    """What a purchase took from a grant, in burn order."""

    lot_id: int
    asset_id: int
    amount: int
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Review:
    """What somebody says of a model. author: a pseudonym, the same for all readers, another for each model.

    account_id: the app's id of the author, for the author and the platform; None for others.
    """

    id: UUID
    model_id: str
    author: str
    account_id: str | None
    stars: int
    text: str | None
    state: ReviewState
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Owned:
    """A model that an account bought: what it paid, in credits, and when."""

    id: int
    model_id: str
    name: str
    category: str
    price_credits: int
    bought_at: datetime


@dataclass(frozen=True, slots=True)
class Sale:
    """A model locked for sale. owners: how many there are; owned: whether the buyer is one of them."""

    active: bool
    price_credits: int
    ownership: OwnershipKind
    owners: int
    owned: bool
