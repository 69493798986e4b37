"""What tests of the chain of blocks share: acts to record, blocks without a margin, and whether the chain holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tokenhouse.domain import access, ledger
from tokenhouse.domain.access.acts import Act, By
from tokenhouse.infra.database import PLATFORM

if TYPE_CHECKING:
    from economy import Economy
    from tokenhouse.domain.access.types import Account
    from tokenhouse.domain.ledger.types import ChainProof

BY = By("api", address="192.0.2.7", request_id="r-1")


async def close(economy: Economy) -> int:
    """Close a block over everything that is committed, up to now."""
    return await ledger.close_block(economy.db, margin_seconds=0)


async def proof(economy: Economy) -> ChainProof:
    return await ledger.verify_chain(economy.db)


async def holds(economy: Economy, blocks: int) -> None:
    """Assert that the chain holds with so many blocks, and that nothing waits to be covered."""
    found = await proof(economy)
    assert (found.fault, found.blocks, found.waiting) == (None, blocks, 0)


async def note(economy: Economy, account: Account, name: str = "account.update", **more: Any) -> int:
    """Record an act about an account, as the platform."""
    async with economy.db.transaction(PLATFORM) as tx:
        return await access.record(tx, BY, Act(name, "account", str(account.id), account.id, **more))
