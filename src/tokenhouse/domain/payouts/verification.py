"""What must hold of payouts, for those who prove the books."""

from tokenhouse.domain.ledger.types import Difference
from tokenhouse.infra.database import Query, load_queries

_Q = load_queries(__file__, "invariants.sql")

INVARIANTS: tuple[Query[Difference], ...] = tuple(_Q.rows(name, Difference) for name in sorted(_Q.names))
"""Each a query that returns what does not hold."""
