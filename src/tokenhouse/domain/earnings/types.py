"""What a use earned and why it did not."""

from typing import Literal, get_args

EarningReason = Literal["self_use", "no_model", "no_owner", "not_monetized", "unpaid_source", "overflow"]
"""Why a use earned nothing, as a receipt says it."""

EARNING_REASONS: tuple[EarningReason, ...] = get_args(EarningReason)
"""In order of precedence: the first that holds is told."""
