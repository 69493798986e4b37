"""Work that one process at a time does, whichever of several gets to it first."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tokenhouse.infra.database.pool import Database


@asynccontextmanager
async def exclusive(database: Database, name: str) -> AsyncIterator[bool]:
    """Hold the lock of that name for the block, if nobody does; yields whether it is held.

    It belongs to a connection: when the process or the server dies, it is free. So the block may rarely run
    twice at once, and must do no harm then.
    """
    async with database.connection() as connection:
        cursor = await connection.execute(
            "select pg_try_advisory_lock(hashtextextended(%s, 0))", [f"tokenhouse.{name}"]
        )
        row = await cursor.fetchone()
        held = row is not None and bool(row[0])
        try:
            yield held
        finally:
            if held:
                try:
                    await connection.execute(
                        "select pg_advisory_unlock(hashtextextended(%s, 0))", [f"tokenhouse.{name}"]
                    )
                except psycopg.Error:
                    await connection.close()  # the lock ends with it
