"""Transactions that may meet another: tried again when the database says that somebody was quicker."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tokenhouse.infra.database import Actor, Database, Tx, sqlstate

T = TypeVar("T")

_AGAIN = frozenset({"40001", "40P01", "23505", "TH409"})
_TRIES = 5


async def patiently(database: Database, actor: Actor, verb: Callable[[Tx], Awaitable[T]]) -> T:
    """Run a verb in a transaction of its own; a few times, where it lost a race."""
    for last in (*[False] * (_TRIES - 1), True):
        try:
            async with database.transaction(actor) as tx:
                return await verb(tx)
        except Exception as error:
            if last or sqlstate(error) not in _AGAIN:
                raise
    raise AssertionError  # pragma: no cover - the loop returns or raises
