"""Models on sale, the characters that speak for them, and who owns them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypedDict, get_args

OwnershipKind = Literal["exclusive", "shared"]

OWNERSHIPS: tuple[OwnershipKind, ...] = get_args(OwnershipKind)


@dataclass(frozen=True, slots=True)
class Model:
    """A model. Ids are the app's own but for `id`; prices are in credits, the share in basis points.

    pricing: what a use costs, as units and decimal strings; None: the operation's price holds.
    creator: the number of the creator's account; creator_id is its app's id where the reader may know it.
    character_*: of its first character. archived_at: when it was taken off the market for good.
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
