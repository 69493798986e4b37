"""Sessions: opened at sign-in, found by their token at every request, ended by their person or by time."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress
from uuid import UUID

from tokenhouse.domain.access import signing
from tokenhouse.domain.access.acts import Act, By
from tokenhouse.domain.access.audit import record
from tokenhouse.domain.access.types import SessionFound, SessionLimits, SessionView, Visitor
from tokenhouse.infra.database import PLATFORM, Database, Tx, arrays, load_queries
from tokenhouse.infra.database.gather import Gather
from tokenhouse.infra.kernel.errors import TokenhouseError
from tokenhouse.infra.kernel.ids import uuid7

_Q = load_queries(__file__)
_OPEN_SESSION = _Q.rows("open_session", bool)
_FOUND_SESSIONS = _Q.rows("found_sessions", SessionFound)
_SESSIONS_OF = _Q.rows("sessions_of", SessionView)
_KEPT_SESSIONS = _Q.rows("kept_sessions", SessionView)
_TOUCH_SESSIONS = _Q.nothing("touch_sessions")
_END_SESSION = _Q.rows("end_session", bool)
_END_SESSIONS = _Q.rows("end_sessions", int)
_FORGET_SESSIONS = _Q.rows("forget_sessions", int)

_NOTE_SECONDS = 20


async def open_session(
    tx: Tx, account_id: int, visitor: Visitor, limits: SessionLimits, *, instead: str | None = None
) -> str | None:
    """Open a session and return its token, which is nowhere kept. None: the person was shut out.

    instead: the token that the browser had; its session ends, so that nobody who planted it gets in with the other.
    """
    token = signing.token_of(secrets.token_bytes(32))
    agent = visitor.user_agent
    session = uuid7()
    opened = await tx.one(
        _OPEN_SESSION,
        id=session,
        account_id=account_id,
        digest=signing.token_digest(token),
        seconds=limits.max_seconds,
        address=visitor.address,
        user_agent=None if agent is None else agent[: signing.USER_AGENT_MAX],
        instead=None if instead is None else signing.token_digest(instead),
    )
    if not opened:
        return None
    by = By("api", account_id, session_id=session, address=visitor.address)
    await record(tx, by, Act("session.open", "session", str(session), account_id, after={"open": True}))
    return token


async def list_sessions(tx: Tx, account_id: int, limits: SessionLimits) -> list[SessionView]:
    """Return the live sessions of a person, the newest first."""
    return await tx.all(_SESSIONS_OF, account_id=account_id, idle_seconds=limits.idle_seconds)


async def kept_sessions(tx: Tx, account_id: int) -> list[SessionView]:
    """Return all that is kept of where a person was signed in, the newest first: of sessions that ended, too."""
    return await tx.all(_KEPT_SESSIONS, account_id=account_id)


async def end_session(tx: Tx, account_id: int, session_id: UUID) -> bool:
    """End a session of this person at once. False: they have none of that id that is live."""
    return await tx.one(_END_SESSION, account_id=account_id, id=session_id)


async def end_sessions(tx: Tx, account_id: int, *, but: UUID | None = None) -> int:
    """End the sessions of a person, all but one, and return how many."""
    return await tx.one(_END_SESSIONS, account_id=account_id, but=but)


async def forget_sessions(tx: Tx) -> int:
    """Delete sessions that ended a month ago, and links and invitations that nobody can use; how many rows went."""
    return await tx.one(_FORGET_SESSIONS)


class Sessions:
    """Finds sessions by the tokens of cookies, in the database at every request. One for a whole process.

    Nothing is kept of what was found, so a session that is revoked ends at once; requests that come at the same time
    share a query.
    """

    def __init__(self, database: Database, limits: SessionLimits) -> None:
        self.limits = limits
        self._database = database
        self._found: Gather[bytes, SessionFound] = Gather(self._load)
        self._used: set[UUID] = set()
        self._noting: asyncio.Task[None] | None = None

    async def find(self, token: str | None) -> SessionFound | None:
        """Return the live session of a token: neither revoked nor too old, nor too long unused."""
        if token is None or not signing.looks_like_a_token(token):
            return None
        found = await self._found.get(signing.token_digest(token))
        if found is not None and found.stale:
            self._used.add(found.id)
            if self._noting is None or self._noting.done():
                self._noting = asyncio.create_task(self._note())
        return found

    async def close(self) -> None:
        """Note the last uses."""
        if self._noting is not None:
            self._noting.cancel()
        with suppress(TokenhouseError):
            await self._note_now()

    async def _load(self, digests: Sequence[bytes]) -> Mapping[bytes, SessionFound]:
        wanted = arrays.texts(f"\\x{digest.hex()}" for digest in set(digests))
        async with self._database.read(PLATFORM) as tx:
            rows = await tx.all(_FOUND_SESSIONS, digests=wanted, idle_seconds=self.limits.idle_seconds)
        return {row.digest: row for row in rows}

    async def _note(self) -> None:
        """Write down which sessions were used, those of some seconds in one go."""
        await asyncio.sleep(_NOTE_SECONDS)
        with suppress(TokenhouseError):
            await self._note_now()

    async def _note_now(self) -> None:
        used, self._used = self._used, set()
        if used:
            async with self._database.transaction(PLATFORM) as tx:
                await tx.run(_TOUCH_SESSIONS, ids=arrays.texts(str(one) for one in used))
