"""Figures and what they say: rollups, trends, cost and margin."""

from tokenhouse.domain.insights.spending import (
    BYS,
    AtRisk,
    By,
    Overview,
    Purchases,
    Sort,
    at_risk,
    cost_uses,
    overview,
    spending_by,
    today,
)

__all__ = [
    "BYS",
    "AtRisk",
    "By",
    "Overview",
    "Purchases",
    "Sort",
    "at_risk",
    "cost_uses",
    "overview",
    "spending_by",
    "today",
]
