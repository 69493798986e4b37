"""Figures of use and earnings: sums kept ready beside the records, which they equal at every moment."""

from tokenhouse.domain.insights.goals import best_models, goal_views
from tokenhouse.domain.insights.service import forget, mark, read, rebuild, roll
from tokenhouse.domain.insights.verification import verify

__all__ = ["best_models", "forget", "goal_views", "mark", "read", "rebuild", "roll", "verify"]
