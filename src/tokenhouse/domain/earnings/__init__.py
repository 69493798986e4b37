"""What a use earns and who gets it."""

from tokenhouse.domain.earnings.policies import Formula, formula_of
from tokenhouse.domain.earnings.rules import earning_credits, earning_reason, split

__all__ = ["Formula", "earning_credits", "earning_reason", "formula_of", "split"]
