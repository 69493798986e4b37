"""Rows of batches for two tenants: the matrix of attacks wants some in every table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rows_payouts import SEALER
from tokenhouse.domain import payouts
from tokenhouse.domain.access.acts import By
from tokenhouse.domain.payouts.types import Bank, Terms
from tokenhouse.infra.database import PLATFORM, Actor
from withdrawing import request

if TYPE_CHECKING:
    from economy import Economy
    from tokenhouse.domain.access.types import Account

CENT = 10_000_000


async def fill(economy: Economy, people: dict[str, Account], admin: Any) -> None:
    """A batch of a payout by bank of each. They have payers of their own."""
    del admin
    for name, account in people.items():
        payer = await economy.account(f"payer-of-{name}", credits=200)
        await economy.charge(payer, model_id=f"of-{name}", amount=200)
        async with economy.db.transaction(PLATFORM) as tx:
            details = {"name": f"secret of {name}", "iban": "DE02120300000000202051"}
            await payouts.set_method(tx, SEALER, account.id, "bank", details)
        await request(economy, account, CENT, method="bank")
    async with economy.db.transaction(Actor((0,), teller=True)) as tx:
        await payouts.make_batch(tx, Terms(0), Bank(), SEALER, "batch", "f", payouts.NewBatch("csv"), By("cli"))
