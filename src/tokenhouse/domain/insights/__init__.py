"""Figures of use and earnings: sums kept ready beside the records, which they equal at every moment."""

from tokenhouse.domain.insights.margins import Figures, grouped
from tokenhouse.domain.insights.portfolio import OwnedModel, Portfolio, portfolio
from tokenhouse.domain.insights.service import forget, mark, read, rebuild, roll
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
from tokenhouse.domain.insights.verification import verify

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
    "forget",
    "grouped",
    "mark",
    "overview",
    "portfolio",
    "read",
    "rebuild",
    "roll",
    "spending_by",
    "today",
    "verify",
]
