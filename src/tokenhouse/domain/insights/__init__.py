"""Figures and what they say: rollups, trends, cost and margin."""

from tokenhouse.domain.insights.margins import Figures, grouped
from tokenhouse.domain.insights.portfolio import OwnedModel, Portfolio, portfolio
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
    "Figures",
    "Overview",
    "OwnedModel",
    "Portfolio",
    "Purchases",
    "Sort",
    "at_risk",
    "cost_uses",
    "grouped",
    "overview",
    "portfolio",
    "spending_by",
    "today",
]
