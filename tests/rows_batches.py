"""Rows of batches for two tenants: the matrix of attacks wants some in every table."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from economy import Economy
    from tokenhouse.domain.access.types import Account


async def fill(economy: Economy, people: dict[str, Account], admin: Any) -> None:
    """A batch of the payouts that there are. Written by hand: a batch pays a whole cent, and nobody earned one."""
    del economy, people
    batch = uuid.uuid4()
    admin.execute(
        "insert into payouts.batch (id, key, fingerprint, format, currency, rate, execution_date, created_by, "
        "created_at, skipped, sealed) values (%s, 'batch', 'f', 'csv', 'USD', 1, now(), 'secret of b', "
        "now(), '[]', 'secret of b')",
        [batch],
    )
    admin.execute(
        "insert into payouts.batched (bucket, payout_id, account_id, batch_id, cents) "
        "select bucket, id, account_id, %s, 1 from payouts.payout",
        [batch],
    )
