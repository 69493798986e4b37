"""Sealing anew, under the first key, what an older key sealed: column by column, row by row."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tokenhouse.infra.database.pool import Database, Tx
from tokenhouse.infra.database.token import PLATFORM
from tokenhouse.infra.kernel.sealing import Place, Sealer

_ROWS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class SealedRow:
    """A sealed value and the id of its row, as text."""

    id: str
    sealed: bytes


@dataclass(frozen=True, slots=True)
class SealedColumn:
    """A column of sealed values, as its package offers it.

    rows: a page of them in the order of their ids, after an id (None: from the first on). store: puts a new value in
    the place of an old one; False where the old one is no longer there, and nothing is to be done. Both run with the
    platform's token.
    """

    table: str
    column: str
    rows: Callable[[Tx, str | None, int], Awaitable[list[SealedRow]]]
    store: Callable[[Tx, str, bytes, bytes], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many values a column has, and how many of them were sealed anew."""

    seen: int
    resealed: int


async def reseal(database: Database, sealer: Sealer, column: SealedColumn) -> Resealed:
    """Seal a column's values anew where another key than the first sealed them. May be repeated, and interrupted.

    Raises Unsealable where a value does not open; the pages before it stay done.
    """
    seen = resealed = 0
    after: str | None = None
    while True:
        async with database.transaction(PLATFORM) as tx:
            rows = await column.rows(tx, after, _ROWS_AT_ONCE)
            for row in rows:
                if not sealer.is_current(row.sealed):
                    place = Place(column.table, column.column, row.id)
                    fresh = sealer.seal(sealer.open(row.sealed, place), place)
                    resealed += await column.store(tx, row.id, row.sealed, fresh)
        seen += len(rows)
        if len(rows) < _ROWS_AT_ONCE:
            return Resealed(seen, resealed)
        after = rows[-1].id
