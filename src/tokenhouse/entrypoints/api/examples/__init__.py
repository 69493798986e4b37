"""One answer of each kind, for the reference."""

from typing import Any

from tokenhouse.entrypoints.api.examples import earnings, heart, insights, market, payouts, spending
from tokenhouse.entrypoints.api.examples.heart import page_of

__all__ = ["EXAMPLES", "page_of"]

EXAMPLES: dict[str, dict[str, Any]] = {
    **heart.EXAMPLES,
    **market.EXAMPLES,
    **insights.EXAMPLES,
    **spending.EXAMPLES,
    **payouts.EXAMPLES,
    **earnings.EXAMPLES,
}
"""By the name of the answer, without its Out."""
