"""Rows of payouts for two tenants: the matrix of attacks wants some in every table."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from tokenhouse.domain import payouts
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.sealing import Sealer, parse_keys
from withdrawing import act, request

if TYPE_CHECKING:
    from economy import Economy
    from tokenhouse.domain.access.types import Account

SEALER = Sealer(parse_keys(f"tests:{base64.b64encode(b's' * 32).decode()}"))


async def fill(economy: Economy, people: dict[str, Account], admin: Any) -> None:
    """A payout that failed, one that is open, a method and a schedule each. They have earned something."""
    del admin
    for name, account in people.items():
        failed = await request(economy, account, 1)
        await act(economy, account, failed["id"], "fail", reason=f"secret of {name}")
        await request(economy, account, 1)
        async with economy.db.transaction(PLATFORM) as tx:
            await payouts.set_method(tx, SEALER, account.id, "manual", {"iban": f"secret of {name}"})
            await payouts.set_schedule(tx, account.id, "UTC", payouts.NewSchedule("week", 1))
