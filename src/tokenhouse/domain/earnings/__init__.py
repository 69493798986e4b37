"""What a use earns, who gets it, what models have earned; what is paid beside it, and what creators want to earn."""

from tokenhouse.domain.earnings.awards import BestModels, adjusted, bonuses_of, lock_owed, pay_bonuses, post_award
from tokenhouse.domain.earnings.goals import add_goal, change_goal, drop_goal, find_goal, goals_of
from tokenhouse.domain.earnings.policies import formula_of
from tokenhouse.domain.earnings.service import accrued, model_earnings

__all__ = [
    "BestModels",
    "accrued",
    "add_goal",
    "adjusted",
    "bonuses_of",
    "change_goal",
    "drop_goal",
    "find_goal",
    "formula_of",
    "goals_of",
    "lock_owed",
    "model_earnings",
    "pay_bonuses",
    "post_award",
]
