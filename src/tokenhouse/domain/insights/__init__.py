"""Figures of use and earnings: sums kept ready beside the records, which they equal at every moment."""

from tokenhouse.domain.insights.advice import Advice, advise
from tokenhouse.domain.insights.margins import Figures, grouped
from tokenhouse.domain.insights.market_view import (
    CategoryRow,
    Compared,
    CreatorSort,
    CreatorSums,
    Use,
    compare,
    creators,
    facts,
    market_view,
    models_found,
)
from tokenhouse.domain.insights.payers import AccountSpending, Spent, account_spending, local_today
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
    "AccountSpending",
    "Advice",
    "AtRisk",
    "By",
    "CategoryRow",
    "Compared",
    "CreatorSort",
    "CreatorSums",
    "Figures",
    "Overview",
    "OwnedModel",
    "Portfolio",
    "Purchases",
    "Sort",
    "Spent",
    "Use",
    "account_spending",
    "advise",
    "at_risk",
    "compare",
    "cost_uses",
    "creators",
    "facts",
    "forget",
    "grouped",
    "local_today",
    "mark",
    "market_view",
    "models_found",
    "overview",
    "portfolio",
    "read",
    "rebuild",
    "roll",
    "spending_by",
    "today",
    "verify",
]
