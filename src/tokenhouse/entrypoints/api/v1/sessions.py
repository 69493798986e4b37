"""Where a person is signed in, and how that ends."""

from datetime import datetime
from typing import Any

from fastapi import Response
from pydantic import Field

from tokenhouse.domain import access
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.access.rules import manages
from tokenhouse.domain.access.types import Identity, SessionView
from tokenhouse.entrypoints.api.call import Call, uuid_of
from tokenhouse.entrypoints.api.reference import READ, found, refusals
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, router
from tokenhouse.entrypoints.api.types import Answer
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import Forbidden, NotFound

routes = router("Access")

_MINE = refusals(400, 401, 403, 404, 503)


class SessionOut(Answer):
    """A browser where a person is signed in."""

    id: str
    created_at: datetime
    seen_at: datetime = Field(description="Used last; to the minute.")
    expires_at: datetime = Field(description="When it ends at the latest.")
    address: str | None = Field(description="Where it was opened from.")
    user_agent: str | None = Field(description="What the browser called itself.")
    current: bool = Field(description="Whether this very request came by it.")


class EndedOut(Answer):
    """How many sessions ended."""

    ended: int


async def _mine(call: Call) -> Identity:
    """Find the person whose sessions are meant: the caller, or whom the platform names by X-User-ID."""
    identity = await call.caller()
    if call.authority.session_id is None and not manages(call.authority, identity.external_id):
        raise Forbidden("A key with scopes cannot see to sessions. Sign in, or use a key without scopes.")
    return identity


def _session_json(call: Call, session: SessionView) -> dict[str, Any]:
    return {
        "id": str(session.id),
        "created_at": session.created_at,
        "seen_at": session.seen_at,
        "expires_at": session.expires_at,
        "address": session.address,
        "user_agent": session.user_agent,
        "current": session.id == call.authority.session_id,
    }


@routes.get(
    "/v1/sessions",
    operation_id="sessions_list",
    summary="List sessions",
    responses={**found(SessionOut, description="Those that live.", listed=True), **_MINE},
)
async def sessions_list(call: TheCall) -> Response:
    """List where you are signed in, the newest first. A platform key names whom by X-User-ID."""
    identity = await _mine(call)
    async with call.runtime.database.read(PLATFORM) as tx:
        sessions = await access.list_sessions(tx, identity.id, call.runtime.sessions.limits)
    return answer(page([_session_json(call, one) for one in sessions], None))


@routes.delete(
    "/v1/sessions/{session_id}",
    operation_id="sessions_end",
    summary="End a session",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It ended at once."}, **READ, **_MINE},
)
async def sessions_end(call: TheCall, session_id: str) -> Response:
    """Sign out of one browser, at once."""
    identity = await _mine(call)
    number = uuid_of(session_id, "session")
    async with call.runtime.database.transaction(PLATFORM) as tx:
        if not await access.end_session(tx, identity.id, number):
            raise NotFound("There is no such session, or it ended before. GET /v1/sessions lists those that live.")
        act = Act("session.end", "session", str(number), identity.id, before={"live": True})
        await access.record(tx, call.by(), act)
    return Response(status_code=204)


@routes.post(
    "/v1/sign-out-everywhere",
    operation_id="sessions_end_all",
    summary="Sign out everywhere",
    responses={**found(EndedOut, description="They ended at once."), **_MINE, **refusals(413, 415, 422)},
)
async def sessions_end_all(call: TheCall) -> Response:
    """End all your sessions, the present one too."""
    identity = await _mine(call)
    async with call.runtime.database.transaction(PLATFORM) as tx:
        ended = await access.end_sessions(tx, identity.id)
        act = Act("session.end", "account", str(identity.id), identity.id, before={"live": ended})
        await access.record(tx, call.by(), act)
    return answer({"ended": ended})
