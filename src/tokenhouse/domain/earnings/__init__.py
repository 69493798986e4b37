"""What a use earns, who gets it, and what models have earned."""

from tokenhouse.domain.earnings.policies import Formula, formula_of
from tokenhouse.domain.earnings.service import accrued, model_earnings

__all__ = [
    "Formula",
    "accrued",
    "formula_of",
    "model_earnings",
]
