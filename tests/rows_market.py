"""Rows of the market's tables for the matrix of isolation: a review by each tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING

from economy import party
from tokenhouse.domain import metering
from tokenhouse.infra.database import PLATFORM

if TYPE_CHECKING:
    import psycopg

    from economy import Economy
    from tokenhouse.domain.access.types import Account


async def fill(economy: Economy, people: dict[str, Account], admin: psycopg.Connection) -> None:
    """Let a and b review each other's models, which they used; the second is for its author and the platform alone."""
    del admin
    for payer, model, moderated in (("a", "of-b", False), ("b", "of-a", True)):
        async with economy.db.transaction(PLATFORM) as tx:
            await metering.review_model(tx, party(people[payer]), model, 4, f"secret of {payer}", moderated=moderated)
