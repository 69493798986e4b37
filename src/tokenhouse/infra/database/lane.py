"""A connection of its own for the hot path: load, decide, post in two round trips, with as little work as can be.

It speaks to libpq itself and stays in pipeline mode: its statements are prepared when it connects, several travel
together, and the event loop watches the socket all the time. That saves client work for each batch, which counts where
batches are small. The pool's connections and the driver's cursors serve everything else.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import psycopg
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus

from tokenhouse.infra.database.pool import is_lost, unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from psycopg.pq.abc import PGconn, PGresult

    from tokenhouse.infra.database.pool import Connection, Database
    from tokenhouse.infra.database.queries import Query
    from tokenhouse.infra.database.token import Actor

R = TypeVar("R")

_Call = tuple[bytes, "list[bytes | None]"]
"""The name of a prepared statement, and its parameters as the server reads them."""

_BEGIN: _Call = (b"begin", [])
_COMMIT: _Call = (b"commit", [])
_ROLLBACK: _Call = (b"rollback", [])
_ENTER = b"select set_config('tokenhouse.token', $1, true)"
_LOOK_SECONDS = 0.25
_GOOD = frozenset({ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK})


class Decision(Generic[R]):
    """What was loaded under lock; `post` writes what was decided on it and commits."""

    __slots__ = ("_lane", "ended", "loaded")

    def __init__(self, lane: Lane[R], loaded: R) -> None:
        self._lane = lane
        self.loaded = loaded
        self.ended = False

    async def post(self, **params: object) -> None:
        """Run the statement that writes, and commit, in one round trip."""
        await self._lane.post(params)
        self.ended = True


class Lane(Generic[R]):
    """Takes decisions one after the other, each in a transaction: `load` under lock, then `post`.

    It connects when it is first used, and again when the connection was lost.
    """

    def __init__(self, database: Database, load: Query[R], post: Query[Any]) -> None:
        self._database = database
        self._load = load
        self._post = post
        self._connection: Connection | None = None
        self._socket = -1
        self._transformer: Any = None  # the driver's own, which has no type
        self._results: list[PGresult] = []
        self._waiting: asyncio.Future[None] | None = None
        self._looking: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def decision(self, actor: Actor, /, **params: object) -> AsyncIterator[Decision[R]]:
        """Load in a new transaction; left without a post, it is rolled back.

        Raises Unavailable when the server is away, psycopg.Error for what the database refuses.
        """
        try:
            if self._socket < 0:
                await self.close()
                await self._connect()
            token = self._database.token(actor).encode()
            call = (b"load", _values(self._load, params))
            results = await self._exchange(_BEGIN, (b"enter", [token]), call)
            decision = Decision(self, self._row(results[-1]))
            yield decision
            if not decision.ended:
                await self._exchange(_ROLLBACK)
        except psycopg.Error as error:
            if is_lost(error) or self._connection is None or self._connection.closed:
                await self.close()
                raise unavailable(error) from error
            await self._recover()
            raise
        except BaseException:
            await self._recover()
            raise

    async def post(self, params: dict[str, object]) -> None:
        """Write and commit."""
        await self._exchange((b"post", _values(self._post, params)), _COMMIT)

    async def close(self) -> None:
        """Let go of the connection; the next decision opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._unwatch()
            self._tell(psycopg.OperationalError("the connection was closed"))
            await connection.close()

    async def _connect(self) -> None:
        connection = await self._database.connect()
        pgconn = connection.pgconn
        self._connection, self._transformer = connection, Transformer(connection)
        pgconn.nonblocking = 1
        pgconn.enter_pipeline_mode()
        self._socket = pgconn.socket
        asyncio.get_running_loop().add_reader(self._socket, self._readable, pgconn)
        for name, text in (
            (b"begin", b"begin"),
            (b"enter", _ENTER),
            (b"load", self._load.text),
            (b"post", self._post.text),
            (b"commit", b"commit"),
            (b"rollback", b"rollback"),
        ):
            pgconn.send_prepare(name, text)
        await self._sync(pgconn)

    async def _exchange(self, *calls: _Call) -> list[PGresult]:
        """Send calls together and return their results. Raises the first error of the database."""
        if self._connection is None or self._socket < 0:
            raise psycopg.OperationalError("the connection is lost")
        pgconn = self._connection.pgconn
        for name, values in calls:
            pgconn.send_query_prepared(name, values)
        return await self._sync(pgconn)

    async def _sync(self, pgconn: PGconn) -> list[PGresult]:
        pgconn.pipeline_sync()
        self._results = []
        loop = asyncio.get_running_loop()
        waiting = self._waiting = loop.create_future()
        self._flush(pgconn)
        self._looking = loop.call_later(_LOOK_SECONDS, self._look, pgconn)
        try:
            await waiting
        finally:
            self._looking.cancel()
        self._waiting = None
        results = self._results
        for result in results:
            if result.status not in _GOOD:
                raise error_from_result(result, encoding="utf-8")
        return results

    def _flush(self, pgconn: PGconn) -> None:
        """Send what the socket takes now, the rest as it takes more."""
        try:
            more = pgconn.flush()
        except psycopg.OperationalError as error:
            self._fail(error)
            return
        loop = asyncio.get_running_loop()
        if more:
            loop.add_writer(self._socket, self._flush, pgconn)
        else:
            loop.remove_writer(self._socket)

    def _readable(self, pgconn: PGconn) -> None:
        """Take in what came; at the sync point the exchange is over."""
        try:
            pgconn.consume_input()
            idle = 0
            while not pgconn.is_busy() and idle < 2:
                result = pgconn.get_result()
                if result is None:
                    idle += 1  # one ends each statement; two in a row: there is nothing more
                    continue
                idle = 0
                if result.status == ExecStatus.PIPELINE_SYNC:
                    if self._waiting is not None and not self._waiting.done():
                        self._waiting.set_result(None)
                    return
                self._results.append(result)
            if pgconn.status == ConnStatus.BAD:
                # libpq has closed the socket itself: no event will come any more.
                self._fail(psycopg.OperationalError("the server closed the connection"))
        except psycopg.OperationalError as error:
            self._fail(error)

    def _look(self, pgconn: PGconn) -> None:
        """Look without an event: of a socket in error (the server died before it read our request) libuv tells none."""
        self._readable(pgconn)
        if self._waiting is not None and not self._waiting.done():
            self._looking = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look, pgconn)

    def _fail(self, error: BaseException) -> None:
        """The connection is lost: stop watching it, or its end would wake the loop for ever, and tell who waits."""
        self._unwatch()
        self._tell(error)

    def _unwatch(self) -> None:
        # By the number kept from the start: a lost connection no longer tells it.
        if self._socket >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
            self._socket = -1

    def _tell(self, error: BaseException) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_exception(error)

    async def _recover(self) -> None:
        """Leave the connection ready for the next decision, or closed where nothing is known of it."""
        if self._waiting is not None:
            await self.close()
            return
        try:
            await self._exchange(_ROLLBACK)
        except psycopg.Error:
            await self.close()

    def _row(self, result: PGresult) -> R:
        self._transformer.set_pgresult(result)
        rows: list[R] = self._transformer.load_rows(0, result.ntuples, self._load.row)
        if len(rows) != 1:
            raise LookupError(f"{self._load.package}: query {self._load.name} returned {len(rows)} rows, not one")
        return rows[0]


def _values(query: Query[Any], params: dict[str, object]) -> list[bytes | None]:
    return [_text(value) for value in query.values(params)]


def _text(value: object) -> bytes | None:
    """Write a parameter as the server reads it: array literals and other text, numbers, times."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bool):
        return b"t" if value else b"f"
    if isinstance(value, int):
        return b"%d" % value
    if isinstance(value, datetime):
        return value.isoformat().encode()
    if value is None:
        return None
    raise TypeError(f"a lane's parameter is text, a number, a time or None, not {type(value).__name__}")
