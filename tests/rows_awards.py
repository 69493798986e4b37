"""Rows of adjustments, goals and reviews for two tenants: the matrix of attacks wants some in every table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from economy import TELLER, party, teller
from tokenhouse.domain import earnings, metering
from tokenhouse.domain.earnings.types import NewGoal
from tokenhouse.domain.ledger.types import Command
from tokenhouse.domain.metering import Thresholds

if TYPE_CHECKING:
    from economy import Economy
    from tokenhouse.domain.access.types import Account


async def fill(economy: Economy, people: dict[str, Account], admin: Any) -> None:
    """An adjustment and a goal each; a review of what each used."""
    del admin
    for name, account in people.items():
        async with economy.db.transaction(TELLER) as tx:
            command = Command(party(account), f"adjustment of {name}", "00" * 16)
            await metering.adjust(tx, command, 5, f"secret of {name}", None, 14)
        async with economy.db.transaction(teller(account)) as tx:
            await earnings.add_goal(tx, account.id, NewGoal(10, f"secret of {name}"))
    assert await metering.open_reviews(economy.db, Thresholds(uses=1, share_percent=0)) == len(people)
