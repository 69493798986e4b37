"""Proof of the books and, on the same snapshot, of every cell, derived again from the records below the mark."""

from collections.abc import Callable

from tokenhouse.domain import metering
from tokenhouse.domain.ledger.types import Difference
from tokenhouse.domain.metering import Proof
from tokenhouse.infra.database import Database, Query, load_queries

_Q = load_queries(__file__, "invariants.sql")
INVARIANTS: tuple[Query[Difference], ...] = tuple(_Q.rows(name, Difference) for name in sorted(_Q.names))


async def verify(database: Database, progress: Callable[[str], None] | None = None) -> Proof:
    """Prove the books and the figures; it may run beside the service. progress: told each invariant's name."""
    return await metering.verify(database, progress, also=INVARIANTS)
