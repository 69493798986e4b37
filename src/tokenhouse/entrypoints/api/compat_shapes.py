"""What the sources' clients send and are sent: their field names, our strictness."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, ConfigDict, WithJsonSchema

from tokenhouse.entrypoints.api.types import (
    METADATA,
    Answer,
    AnyCredits,
    Body,
    Credits,
    Id,
    Metadata,
    UsageType,
    Word,
)

_PROMPT_CHARACTERS = 100


def _short_prompt(value: object) -> object:
    """Keep a hundred characters of a prompt, as the sources do."""
    if isinstance(value, dict) and isinstance(prompt := value.get("prompt"), str):
        return {**value, "prompt": prompt[:_PROMPT_CHARACTERS]}
    return value


class DeductBody(Body):
    """A message to be paid for."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"userId": "u-42", "characterId": "emma"}]})

    userId: Id  # noqa: N815 - the sources' name, as all below
    amount: Credits | None = None
    """Tokens; left out: the model's own cost, else the price of a chat message, else 1."""
    characterId: Id | None = None  # noqa: N815


class DeductOut(Answer):
    """What is left after it."""

    success: bool
    message: str
    newBalance: int  # noqa: N815


class ModelEarningsRow(Answer):
    """What one model earned by others' uses."""

    modelId: str  # noqa: N815
    modelName: str  # noqa: N815
    modelCategory: str  # noqa: N815
    characterName: str | None  # noqa: N815
    characterImage: str | None  # noqa: N815
    totalUsageCount: int  # noqa: N815
    totalTokensConsumed: int  # noqa: N815
    totalEarnings: float  # noqa: N815
    """Dollars, exact to the nano-dollar."""
    lastUsageAt: datetime | None  # noqa: N815
    createdAt: datetime  # noqa: N815
    updatedAt: datetime  # noqa: N815


class ModelEarningsOut(Answer):
    """What a user's models earned, the highest earnings first."""

    success: bool
    totalTokens: int  # noqa: N815
    totalEarnings: float  # noqa: N815
    modelsCount: int  # noqa: N815
    models: list[ModelEarningsRow]


class TrackBody(Body):
    """A use that was paid for elsewhere."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"modelId": "m-1", "tokensConsumed": 1000, "usageType": "image_generation"}]}
    )

    modelId: Id  # noqa: N815
    tokensConsumed: AnyCredits  # noqa: N815
    usageType: UsageType  # noqa: N815
    metadata: Annotated[Metadata, BeforeValidator(_short_prompt), WithJsonSchema(METADATA)] | None = None
    """Of `prompt` a hundred characters are kept."""
    chargeId: Word | None = None  # noqa: N815
    """A charge of one's own that named no model."""


class TrackOut(Answer):
    """What the use earned."""

    success: bool
    tracked: bool
    """False where it was the owner's own, or nobody owns the model."""
    earnings: float
    """Dollars, exact to the nano-dollar."""


class BalanceBody(Body):
    """What an organization wants to use, and whether to pay for it now."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"action": "deduct", "organizationId": "org-1", "feature": "generate_goal", "userId": "u-42"}]
        }
    )

    action: Literal["check", "deduct"]
    organizationId: Id  # noqa: N815
    feature: Word
    """An operation of the catalog; one that it does not know costs what `general` does."""
    userId: Id | None = None  # noqa: N815
    metadata: Metadata | None = None


class BalanceOut(Answer):
    """With check: hasEnough, required, balance; with deduct: tokensDeducted, remainingBalance."""

    success: bool
    hasEnough: bool | None = None  # noqa: N815
    required: int | None = None
    balance: int | None = None
    tokensDeducted: int | None = None  # noqa: N815
    remainingBalance: int | None = None  # noqa: N815


class TokenStats(Answer):
    """Tokens of one type."""

    tokenType: str  # noqa: N815
    balance: int
    totalAllocated: int  # noqa: N815
    totalUsed: int  # noqa: N815
    refreshDate: datetime | None  # noqa: N815
    lastUsedAt: datetime | None  # noqa: N815


class StatsOut(Answer):
    """An organization's tokens, every type."""

    success: bool
    plan: str | None
    tokens: list[TokenStats]


class CompatModel(Answer):
    """A model on offer."""

    id: str
    name: str
    category: str
    price: int
    description: str | None
    features: list[str]
    tokenCost: int | None  # noqa: N815
    premium: bool
    active: bool
    owned: bool
    image: str | None
    """Its own picture, else that of its first character."""
    rating: float | None
    """The average of its reviews' stars; null without reviews."""


class ModelsOut(Answer):
    """The models on offer, and those that the caller owns."""

    success: bool
    models: list[CompatModel]
    purchasedModels: list[CompatModel]  # noqa: N815


class CompatPurchaseBody(Body):
    """The model to buy."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"modelId": "m-1"}]})

    modelId: Id  # noqa: N815


class CompatPurchaseOut(Answer):
    """What is left after it."""

    success: bool
    newBalance: int  # noqa: N815
    model: CompatModel
