"""What a use earned and why it did not, and what models have earned."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

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
