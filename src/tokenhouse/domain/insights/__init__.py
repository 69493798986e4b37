"""Figures of use and earnings: sums kept ready beside the records, which they equal at every moment."""

from tokenhouse.domain.insights.creators import (
    begins,
    between,
    clock,
    creator,
    last_days,
    maturing,
    model_number,
    models_named,
    recent,
    retention,
    users,
)
from tokenhouse.domain.insights.service import forget, mark, read, rebuild, roll
from tokenhouse.domain.insights.verification import verify

__all__ = [
    "begins", "between", "clock", "creator", "forget", "last_days", "mark", "maturing", "model_number", "models_named",
    "read", "rebuild", "recent", "retention", "roll", "users", "verify",
]  # fmt: skip
