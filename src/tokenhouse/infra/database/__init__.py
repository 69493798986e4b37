"""PostgreSQL: transactions on behalf of an actor, named queries, array literals.

These are the names that domain packages use. Making a database ready and running the embedded server are
``boot`` and ``embedded``, which only the entrypoints import.
"""

from tokenhouse.infra.database import arrays
from tokenhouse.infra.database.lane import Decision, Lane
from tokenhouse.infra.database.pool import Ask, Connection, Database, Tx, sqlstate
from tokenhouse.infra.database.queries import Queries, Query, load_queries
from tokenhouse.infra.database.resealing import Resealed, SealedColumn, SealedRow, reseal
from tokenhouse.infra.database.token import PLATFORM, Actor

__all__ = [
    "PLATFORM",
    "Actor",
    "Ask",
    "Connection",
    "Database",
    "Decision",
    "Lane",
    "Queries",
    "Query",
    "Resealed",
    "SealedColumn",
    "SealedRow",
    "Tx",
    "arrays",
    "load_queries",
    "reseal",
    "sqlstate",
]
