"""Connections and transactions on behalf of an actor.

A transaction begins with its signed token in the same round trip and ends with COMMIT or ROLLBACK. A lost
or absent server becomes :class:`Unavailable` (503, retry in a second): whether a COMMIT under way took
place is then unknown, and the caller's idempotency key makes the retry safe.
"""

from __future__ import annotations

import asyncio
import json
import select
import time
from collections.abc import Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self, TypeVar

import psycopg
from psycopg.adapt import Dumper
from psycopg.pq import TransactionStatus
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from tokenhouse.infra.database.queries import Query
from tokenhouse.infra.database.token import PLATFORM, Signer
from tokenhouse.infra.kernel.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tokenhouse.infra.database.token import Actor


R = TypeVar("R")
Connection = psycopg.AsyncConnection[tuple[Any, ...]]
Ask = tuple[Query[Any], Mapping[str, object]]
"""A query and its parameters, for `Tx.together`."""

ISOLATIONS = ("read committed", "repeatable read", "serializable")
_ENTER = b"select set_config('tokenhouse.token', %s, true)"
_LOST = ("08", "57P")  # connection exceptions; the server shutting down, crashed or starting
_REVIVE_SECONDS = 0.2
_PREPARE_AFTER_USES = 2
_PREPARED_STATEMENTS = 1000  # above the number of our queries: none is ever evicted and planned again


class _Integer(Dumper):
    """Send integers untyped, so that the server infers their type just as it does in the PREPARE test.

    The driver's own dumper names int2, int4 or int8 by value: other overloads, and a plan for each.
    """

    oid = 0

    def dump(self, obj: int) -> bytes:
        return b"%d" % obj


class _Document(Dumper):
    """Send a dict as JSON text; the server infers json or jsonb."""

    oid = 0

    def dump(self, obj: dict[str, Any]) -> bytes:
        return json.dumps(obj, ensure_ascii=False, separators=(",", ":")).encode()


def sqlstate(error: BaseException) -> str | None:
    """Return the five letter SQLSTATE of a database error (``TH402`` ...), or None for anything else."""
    return error.sqlstate if isinstance(error, psycopg.Error) else None


def is_lost(error: BaseException) -> bool:
    """Tell whether ``error`` says that the server is away, rather than that it refused a statement."""
    if isinstance(error, PoolTimeout | PoolClosed):
        return True
    if not isinstance(error, psycopg.OperationalError):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(_LOST)


def unavailable(error: BaseException) -> Unavailable:
    """Return what a caller is told when the database is away or too busy."""
    if isinstance(error, PoolTimeout):
        detail = "Every database connection is busy or the database is starting. Retry with the same key."
    else:
        detail = "The database is not reachable at the moment. Retry with the same idempotency key."
    return Unavailable(detail, retry_after=1)


class Tx:
    """An open transaction. ``connection`` is its psycopg connection, for what needs one (jobs, COPY)."""

    __slots__ = ("connection",)

    def __init__(self, connection: Connection) -> None:
        """Wrap a connection inside a transaction; ``Database.transaction`` does it."""
        self.connection = connection

    async def one(self, query: Query[R], /, **params: object) -> R:
        """Return the only row. Raises LookupError unless there is exactly one."""
        rows = await self.all(query, **params)
        if len(rows) != 1:
            raise LookupError(f"{query.package}: query {query.name} returned {len(rows)} rows, not one")
        return rows[0]

    async def first(self, query: Query[R], /, **params: object) -> R | None:
        """Return the first row, or None without rows."""
        rows = await self.all(query, **params)
        return rows[0] if rows else None

    async def all(self, query: Query[R], /, **params: object) -> list[R]:
        """Return all rows."""
        cursor = psycopg.AsyncRawCursor(self.connection, row_factory=query.make)
        await cursor.execute(query.text, query.values(params))
        return await cursor.fetchall()

    async def together(self, *asked: Ask) -> list[list[Any]]:
        """Run statements in order in one round trip, for none needs another's answer; return the rows of each.

        Each sees what those before it did and what others have committed meanwhile, as if it were run alone.
        """
        cursors = []
        async with self.connection.pipeline():
            for query, params in asked:
                cursor = psycopg.AsyncRawCursor(self.connection, row_factory=query.make)
                await cursor.execute(query.text, query.values(params))
                cursors.append(cursor)
        return [await cursor.fetchall() for cursor in cursors]

    async def run(self, query: Query[Any], /, **params: object) -> int:
        """Run the statement and return how many rows it wrote or selected."""
        cursor = psycopg.AsyncRawCursor(self.connection)
        await cursor.execute(query.text, query.values(params))
        return cursor.rowcount


class Database:
    """A pool of connections of one role, which signs a token for each transaction.

    ``conninfo`` is th_app's or th_worker's. At most ``max_size`` transactions run at once; others wait up to
    ``wait_seconds`` and then get :class:`Unavailable`.
    """

    def __init__(
        self,
        conninfo: str,
        signer: Signer,
        *,
        min_size: int = 1,
        max_size: int = 10,
        wait_seconds: float = 5.0,
        name: str = "tokenhouse",
    ) -> None:
        """Connect to nothing yet; ``open()`` does."""
        self.signer = signer
        self.skew_seconds = 0.0
        self._conninfo = conninfo
        self._connect_kwargs: dict[str, Any] = {
            "autocommit": True,
            "prepare_threshold": _PREPARE_AFTER_USES,
            "options": "-c TimeZone=UTC",
            "application_name": name,
        }
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            conninfo,
            kwargs=self._connect_kwargs,
            min_size=min_size,
            max_size=max_size,
            open=False,
            configure=self._configure,
            reconnect_failed=self._reconnect_failed,
            # The pool's own back-off doubles from a second on: _revive() asks more often.
            reconnect_timeout=_REVIVE_SECONDS,
            timeout=wait_seconds,
            name=name,
        )
        self._reviving: asyncio.Task[None] | None = None
        self._cleaning: set[asyncio.Task[None]] = set()

    async def open(self) -> Self:
        """Connect. Raises Unavailable when the server cannot be reached within the waiting time."""
        try:
            await self._pool.open(wait=True, timeout=self._pool.timeout)
        except psycopg.OperationalError as error:
            await self.close()
            raise unavailable(error) from error
        return self

    async def close(self) -> None:
        """Close every connection; one at work is closed when it comes back."""
        if self._reviving is not None:
            self._reviving.cancel()
        await self._pool.close()

    async def __aenter__(self) -> Self:
        """Open, for ``async with``."""
        return await self.open()

    async def __aexit__(self, *_: object) -> None:
        """Close, for ``async with``."""
        await self.close()

    def token(self, actor: Actor, ttl_seconds: int = 60) -> str:
        """Return a signed token by the database's clock, for those who use ``connection()``."""
        return self.signer.sign(actor, ttl_seconds, self.skew_seconds)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a raw autocommit connection; a transaction left open is rolled back."""
        connection = await self._take()
        try:
            yield connection
        except psycopg.OperationalError as error:
            if is_lost(error):
                raise unavailable(error) from error
            raise
        finally:
            await self._give_back(connection)

    async def connect(self) -> Connection:
        """Open a connection outside the pool, for those who keep one. Raises Unavailable when the server is away."""
        try:
            connection = await psycopg.AsyncConnection.connect(self._conninfo, **self._connect_kwargs)
        except psycopg.OperationalError as error:
            raise unavailable(error) from error
        await self._configure(connection)
        return connection

    @asynccontextmanager
    async def transaction(
        self, actor: Actor, *, isolation: str = "read committed", ttl_seconds: int = 60
    ) -> AsyncIterator[Tx]:
        """Run the block in one transaction that sees ``actor``'s rows; commit unless it raises.

        After ``ttl_seconds`` the token no longer admits to any row: give long jobs more. Raises Unavailable
        when the server is away, psycopg.Error (see :func:`sqlstate`) for what the database refuses.
        """
        if isolation not in ISOLATIONS:
            raise ValueError(f"isolation is one of {ISOLATIONS}")
        begin = b"begin" if isolation == "read committed" else f"begin isolation level {isolation}".encode()
        async with self._transaction(begin, actor, ttl_seconds) as tx:
            yield tx

    @asynccontextmanager
    async def read(self, actor: Actor, *, ttl_seconds: int = 60) -> AsyncIterator[Tx]:
        """Like ``transaction``, read only: one consistent snapshot for all its queries."""
        begin = b"begin isolation level repeatable read read only"
        async with self._transaction(begin, actor, ttl_seconds) as tx:
            yield tx

    async def once(self, actor: Actor, query: Query[R], /, **params: object) -> list[R]:
        """Run one statement in a transaction of its own, all in one round trip, and return its rows.

        Raises as ``transaction`` does. Where the server went away, it is unknown whether the statement took place.
        """
        token = self.token(actor)
        connection = await self._take()
        try:
            cursor = psycopg.AsyncRawCursor(connection, row_factory=query.make)
            async with connection.pipeline():
                await connection.execute(b"begin")
                await connection.execute(_ENTER, [token])
                await cursor.execute(query.text, query.values(params))
                await connection.execute(b"commit")
            return await cursor.fetchall()
        except psycopg.OperationalError as error:
            if is_lost(error):
                raise unavailable(error) from error
            raise
        finally:
            await self._give_back(connection)

    @asynccontextmanager
    async def _transaction(self, begin: bytes, actor: Actor, ttl_seconds: int) -> AsyncIterator[Tx]:
        connection = await self._begin(begin, self.token(actor, ttl_seconds))
        try:
            yield Tx(connection)
            await connection.execute(b"commit")
        except psycopg.OperationalError as error:
            if is_lost(error):
                raise unavailable(error) from error
            raise
        finally:
            await self._give_back(connection)

    async def _begin(self, begin: bytes, token: str) -> Connection:
        """Begin on a living connection. A second try is safe here: nothing has been done yet."""
        for last in (False, True):
            connection = await self._take()
            try:
                async with connection.pipeline():
                    await connection.execute(begin)
                    # A bound parameter, never text: other sessions of the role see each other's statements.
                    await connection.execute(_ENTER, [token])
            except BaseException as error:
                await self._give_back(connection)
                if not is_lost(error):
                    raise
                if last:
                    raise unavailable(error) from error
            else:
                return connection
        raise AssertionError  # pragma: no cover - the loop returns or raises

    async def _take(self) -> Connection:
        """Return a connection that lives as far as can be seen; the pool replaces those that do not."""
        while True:
            try:
                connection = await self._pool.getconn()
            except (psycopg.OperationalError, PoolClosed) as error:
                raise unavailable(error) from error
            try:
                await _check(connection)
            except psycopg.OperationalError:
                await connection.close()
                await self._pool.putconn(connection)
            except BaseException:
                await self._pool.putconn(connection)
                raise
            else:
                return connection

    async def _give_back(self, connection: Connection) -> None:
        """Return the connection, first ending what it left open: in a task, which no cancellation stops."""
        if connection.info.transaction_status == TransactionStatus.IDLE:
            await self._pool.putconn(connection)
            return
        task = asyncio.create_task(self._clean(connection))
        self._cleaning.add(task)
        task.add_done_callback(self._cleaning.discard)
        await asyncio.shield(task)

    async def _clean(self, connection: Connection) -> None:
        try:
            # Never prepared: the driver forgets all prepared statements after a prepared ROLLBACK.
            await connection.execute(b"rollback", prepare=False)
        except psycopg.Error:
            await connection.close()  # the pool replaces it
        finally:
            await self._pool.putconn(connection)

    async def _reconnect_failed(self, _pool: object) -> None:
        if self._reviving is None or self._reviving.done():
            self._reviving = asyncio.create_task(self._revive())

    async def _revive(self) -> None:
        """Keep asking for a connection until the server is back: each request makes the pool try anew."""
        while not self._pool.closed:
            await asyncio.sleep(_REVIVE_SECONDS)
            try:
                connection = await self._pool.getconn(timeout=_REVIVE_SECONDS)
            except PoolClosed:
                return
            except psycopg.OperationalError:
                continue
            await self._pool.putconn(connection)
            return

    async def _configure(self, connection: Connection) -> None:
        connection.prepared_max = _PREPARED_STATEMENTS
        adapters = connection.adapters
        adapters.register_dumper(int, _Integer)
        adapters.register_dumper(dict, _Document)
        set_json_loads(json.loads, connection)
        before = time.time()
        cursor = await connection.execute("select extract(epoch from clock_timestamp())::float8")
        row = await cursor.fetchone()
        if row is not None:
            self.skew_seconds = row[0] - (before + time.time()) / 2


async def _check(connection: Connection) -> None:
    """Refuse a connection that the server has closed; it costs a round trip only where something came in."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    if not poll.poll(0):
        return
    while poll.poll(0):
        connection.pgconn.consume_input()  # raises OperationalError at the end of the stream
    await AsyncConnectionPool.check_connection(connection)


__all__ = ["PLATFORM", "Connection", "Database", "Tx", "is_lost", "sqlstate", "unavailable"]
