"""What a use earns, who gets it, and what models have earned."""

from tokenhouse.domain.earnings.policies import formula_of
from tokenhouse.domain.earnings.service import accrued, model_earnings

__all__ = [
    "accrued",
    "formula_of",
    "model_earnings",
]
