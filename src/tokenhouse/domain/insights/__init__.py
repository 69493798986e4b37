"""Figures, the history of accounts, exports and forecasts: what the records say, never what they are."""

from tokenhouse.domain.insights.history import Line, Page, Place, Wanted, every_line, history_of

__all__ = [
    "Line",
    "Page",
    "Place",
    "Wanted",
    "every_line",
    "history_of",
]
