"""Models on the wire: what is sent to make or change one, and how one is shown."""

import json
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import BaseModel, ConfigDict, Field

from tokenhouse.domain.catalog.types import UNITS
from tokenhouse.domain.market.rules import credit_cost
from tokenhouse.domain.market.types import Model, ModelChanges, Place, Sort
from tokenhouse.entrypoints.api.cursor import cursor_of, json_after, number_after
from tokenhouse.entrypoints.api.types import MAX_CREDITS, Answer, AnyCredits, Body, Id, Name, Word

_MOST = 1 << 62

Features = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=50)]
Description = Annotated[str, Field(max_length=10_000)]
Pricing = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=40)]],
    Field(
        min_length=1,
        max_length=len(UNITS),
        json_schema_extra={"examples": [{"input_token": "0.0015", "output_token": "0.006"}]},
    ),
]
Share = Annotated[int, Field(ge=0, le=10_000)]
Url = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"^(https?://|/)\S+$")]


class ModelBody(Body):
    """A model to be put on the market."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "m-1", "name": "Emma", "category": "Realistic", "credit_cost": 1, "price_credits": 5000,
                    "premium": True, "active": True, "monetized": True, "ownership": "exclusive",
                }
            ]
        }
    )  # fmt: skip

    id: Id | None = None
    name: Name
    category: Word
    description: Description | None = None
    features: Features = Field(default_factory=list)
    credit_cost: AnyCredits | None = None
    """Credits for a use: short for a pricing by call."""
    pricing: Pricing | None = None
    """Credits per unit as decimal strings; neither this nor credit_cost: the operation's price holds."""
    upstream_model: Word | None = None
    provider: Word | None = None
    price_credits: AnyCredits = 0
    """What it costs to buy it, in general credits."""
    premium: bool = False
    active: bool = True
    monetized: bool = True
    """Whether uses of it earn."""
    creator_id: Id | None = None
    ownership: Literal["exclusive", "shared"] = "exclusive"
    creator_share_bps: Share = 0
    """The creator's part of what a use earns, in basis points; the owners share the rest."""
    earnings_policy: Word | None = None
    """A policy of the catalog; `flat` unless given."""
    image_url: Url | None = None


class ModelPatch(Body):
    """What to change of a model; what is left out stays, null takes away what may be missing."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"active": False}]})

    name: Name = ""
    category: Word = ""
    description: Description | None = None
    features: Features = Field(default_factory=list)
    credit_cost: AnyCredits | None = None
    pricing: Pricing | None = None
    upstream_model: Word | None = None
    provider: Word | None = None
    price_credits: AnyCredits = 0
    premium: bool = False
    active: bool = True
    monetized: bool = True
    creator_id: Id | None = None
    ownership: Literal["exclusive", "shared"] = "exclusive"
    creator_share_bps: Share = 0
    earnings_policy: Word | None = None
    image_url: Url | None = None


class ModelOut(Answer):
    """A model on the market."""

    id: str
    name: str
    category: str
    description: str | None
    features: list[str]
    credit_cost: int | None
    """Credits for a use, where the price is by call."""
    pricing: dict[str, str] | None
    pricing_version: int
    upstream_model: str | None
    provider: str | None
    price_credits: int
    premium: bool
    active: bool
    monetized: bool
    creator_id: str | None
    """For the platform, and for the creator."""
    ownership: str
    creator_share_bps: int
    earnings_policy: str | None
    character_id: str | None
    """Its first character."""
    character_name: str | None
    character_image: str | None
    image_url: str | None
    rating: float | None
    """The average of its reviews' stars, to two decimals; null without reviews."""
    reviews: int
    """How many published reviews it has."""
    approval: str
    """`approved`; `pending` or `rejected` where its creator submitted it."""
    created_at: datetime
    updated_at: datetime


class PurchaseOut(Answer):
    """What was bought, for how much."""

    model_id: str
    account_id: str
    price_credits: int
    credit_type: str
    balance: int
    ownership: str
    bought_at: datetime


def model_json(model: Model) -> dict[str, Any]:
    """Give a model ready to be written as JSON."""
    return {
        "id": model.external_id,
        "name": model.name,
        "category": model.category,
        "description": model.description,
        "features": model.features,
        "credit_cost": credit_cost(model.pricing),
        "pricing": model.pricing,
        "pricing_version": model.pricing_version,
        "upstream_model": model.upstream_model,
        "provider": model.provider,
        "price_credits": model.price_credits,
        "premium": model.premium,
        "active": model.active,
        "monetized": model.monetized,
        "creator_id": model.creator_id,
        "ownership": model.ownership,
        "creator_share_bps": model.creator_share_bps,
        "earnings_policy": model.earnings_policy,
        "character_id": model.character_id,
        "character_name": model.character_name,
        "character_image": model.character_image,
        "image_url": model.image_url,
        "rating": rating(model),
        "reviews": model.reviews,
        "approval": model.approval,
        "created_at": model.created_at,
        "updated_at": model.updated_at,
    }


def rating(model: Model) -> float | None:
    """Give the average of a model's stars, to two decimals; None without reviews."""
    return round(model.stars / model.reviews, 2) if model.reviews else None


CHANGEABLE = frozenset(get_type_hints(ModelChanges))
"""What may be changed of a model, by name."""


def given_in(body: ModelBody | ModelPatch) -> dict[str, Any]:
    """Give the fields of a model that a body names, those of them that may be changed."""
    return body.model_dump(include=body.model_fields_set & CHANGEABLE)


class ModelQuery(BaseModel):
    """Which models a list is of, in which order."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    q: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Words that begin words of the name, category, description or features; all of them."""
    category: Annotated[str, Field(max_length=128)] | None = None
    premium: bool | None = None
    active: bool | None = None
    owned: bool = False
    """Only what the caller (or X-User-ID) owns."""
    creator_id: Annotated[str, Field(max_length=128)] | None = None
    """Only what this account made: for the platform, and for the creator."""
    price_from: Annotated[int, Field(ge=0, le=MAX_CREDITS)] | None = None
    price_to: Annotated[int, Field(ge=0, le=MAX_CREDITS)] | None = None
    sort: Sort = "newest"
    """`price` begins with the lowest, `rating` with the best."""
    limit: Annotated[int, Field(ge=1, le=100)] = 50
    cursor: Annotated[str, Field(max_length=2000)] | None = None


class ModelCategoryOut(Answer):
    """A category, and how many models it has."""

    category: str
    models: int


def cursor_of_place(place: Place | None, sort: Sort) -> str | None:
    """Name where a page of models ended; None: there are no more."""
    if place is None:
        return None
    return cursor_of(place.id if sort == "newest" else json.dumps([sort, *place]))


def place_after(cursor: str | None, sort: Sort) -> Place | None:
    """Read the cursor of a list of models in this order."""
    if sort == "newest":
        number = number_after(cursor)
        return None if number is None else Place(0, "", number)
    return json_after(cursor, partial(_place, sort))


def _place(sort: Sort, found: object) -> Place | None:
    match found:
        case [str(of), int(rank), str(word), int(number)] if of == sort and "\0" not in word:
            known = type(rank) is type(number) is int and max(abs(rank), abs(number)) < _MOST
            return Place(rank, word, number) if known else None
    return None
