"""The one gate before every route: who calls, may the body be read, what is answered, what is counted.

Plain ASGI, for it runs at each request. The order: credentials (401), the rate limit (429), then the body (413, 415,
400), then headers that name things (Idempotency-Key, X-User-ID), then the route with its validation.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from time import perf_counter
from typing import Any

import structlog

from tokenhouse.domain.access.signing import SAFE_METHODS, authority_of_session, from_our_pages
from tokenhouse.domain.access.types import Authority
from tokenhouse.entrypoints.api.call import SCOPE, Call
from tokenhouse.entrypoints.api.headers import DATA, complete
from tokenhouse.entrypoints.api.nul import refuse_nul, refuse_nul_in
from tokenhouse.entrypoints.api.problems import Rendered, render
from tokenhouse.entrypoints.api.refused import page_of
from tokenhouse.entrypoints.api.runtime import Runtime
from tokenhouse.entrypoints.api.safety import from_database, our_fault
from tokenhouse.infra.kernel import strict_json
from tokenhouse.infra.kernel.accept import wants_page
from tokenhouse.infra.kernel.errors import (
    BadRequest,
    CrossSite,
    IdempotencyKeyInvalid,
    TokenhouseError,
    TooLarge,
    Unauthorized,
    UnsupportedMediaType,
)
from tokenhouse.infra.kernel.ids import new_id
from tokenhouse.infra.telemetry.paths import shown

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
FastRoute = Callable[[Call], Awaitable[Rendered]]

BODY_BYTES = 1 << 20
BODY_SECONDS = 30.0
SLOW_SECONDS = 1.0
_GUARDED = ("/v1/", "/api/")
_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_ONCE = (
    b"authorization", b"idempotency-key", b"x-user-id", b"content-type", b"x-request-id", b"cookie", b"origin",
    b"sec-fetch-site", b"host",
)  # fmt: skip
_VISIBLE = bytes(range(0x21, 0x7F))
_MOST_KEY = 255
_MOST_REQUEST_ID = 128
_JSON = b"application/json"

_log = structlog.stdlib.get_logger("tokenhouse.http")


class _Gone(Exception):
    """The caller hung up: nobody is there to be answered."""


class BodyTooSlow(BadRequest):
    """The body did not come in time."""

    status, code, title = 408, "body_too_slow", "Body too slow"


class Gate:
    """Lets requests through to `app`, or answers them itself.

    fast: routes that are served here, without the framework: (method, path) → what gives the answer.
    """

    def __init__(self, runtime: Runtime, app: App, fast: Mapping[tuple[str, str], FastRoute]) -> None:
        self._runtime = runtime
        self._app = app
        self._fast = fast
        self._counters: dict[tuple[str, str, int], Any] = {}
        self._clocks: dict[str, Any] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = perf_counter()
        found = scope["headers"]
        headers = dict(found)
        request_id = _request_id(headers.get(b"x-request-id"))
        path = scope["path"]
        call = Call(self._runtime, scope["method"], path, request_id)
        call.address = self._runtime.proxies.see(scope, headers)
        call.tls = scope["scheme"] == "https"
        tls_only = self._runtime.live and call.tls
        guarded = path.startswith(_GUARDED) or path in ("/v1", "/api")
        try:
            if guarded:
                if len(headers) != len(found):
                    _refuse_twice(found)
                await self._admit(call, headers, receive)
                refuse_nul_in(path)
                fast = self._fast.get((call.method, path))
                if fast is not None:
                    call.query = scope["query_string"]
                    rendered = await fast(call)
                    await _send(send, rendered, call, tls_only=tls_only)
                    self._count(call, path, rendered.status, began)
                    return
            else:
                call.page = wants_page(headers.get(b"accept", b"").decode("latin-1"))
                await self._runtime.limits.stranger(call)
                if _has_body(headers):
                    receive = _again(await self._body(headers, receive), receive)
            await self._pass(scope, receive, send, call, began, tls_only=tls_only)
        except _Gone:
            return
        except Exception as error:  # noqa: BLE001 - the last resort
            refusal = self._refusal(error, call)
            rendered = page_of(refusal, request_id) if call.page else render(refusal, path, request_id)
            await _send(send, rendered, call, tls_only=tls_only)
            self._count(
                call, path if (call.method, path) in self._fast else "(refused)", rendered.status, began, refusal.code
            )

    async def _admit(self, call: Call, headers: Mapping[bytes, bytes], receive: Receive) -> None:
        """Fill in who calls and what was sent, or refuse."""
        call.authority = await self._authority(call, headers)
        if call.method in _WITH_BODY or _has_body(headers):
            raw = await self._body(headers, receive)
            if raw and call.method in _WITH_BODY:
                kind = headers.get(b"content-type", b"")
                if kind != _JSON and kind.split(b";", 1)[0].strip().lower() != _JSON:
                    raise UnsupportedMediaType("Send the body as JSON, with Content-Type: application/json.")
                call.body = strict_json.loads(raw)
                if b"\\u0000" in raw:
                    refuse_nul(call.body, ())
        key = headers.get(b"idempotency-key")
        if key is not None:
            if not 1 <= len(key) <= _MOST_KEY or key.translate(None, _VISIBLE):
                raise IdempotencyKeyInvalid("The Idempotency-Key must be 1 to 255 visible ASCII characters.")
            call.key = key.decode("ascii")
        user = headers.get(b"x-user-id")
        if user is not None:
            name = user.decode("latin-1")
            if call.platform:
                call.user = name
            else:
                call.known_user(name)
        if self._runtime.limits.names_users and call.platform:
            await self._runtime.limits.named_user(call)

    async def _authority(self, call: Call, headers: Mapping[bytes, bytes]) -> Authority:
        """Say on whose behalf a request acts, by its key or its session, and count it against their limit."""
        keys, limits = self._runtime.keys, self._runtime.limits
        credentials = headers.get(b"authorization")
        try:
            if credentials is None:
                authority = await self._signed_in(call, headers)
            else:
                authority = keys.admin(credentials) or await keys.authority(credentials)
        except Unauthorized:
            await limits.stranger(call)
            raise
        per_minute = limits.of(authority)
        if per_minute:
            await limits.caller(call, authority, per_minute)
        if limits.counts_accounts:
            await limits.account(call, authority)
        return authority

    async def _signed_in(self, call: Call, headers: Mapping[bytes, bytes]) -> Authority:
        """Say on whose behalf a request acts that shows no key: its session's. Unauthorized without; CrossSite."""
        token = _cookie(headers.get(b"cookie", b""), self._runtime.cookie)
        found = None if token is None else await self._runtime.sessions.find(token)
        if found is None:
            raise Unauthorized
        safe = call.method in SAFE_METHODS
        told = (headers.get(name) for name in (b"sec-fetch-site", b"origin", b"host"))
        words = (None if one is None else one.decode("latin-1") for one in told)
        if not safe and not from_our_pages(*words, tls=call.tls):
            raise CrossSite
        return authority_of_session(found, reading=safe)

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        loop = self._loop
        if loop is None:  # asking for it each time takes a system call
            loop = self._loop = asyncio.get_running_loop()
        return await _body(headers.get(b"content-length"), receive, loop)

    async def _pass(
        self, scope: Scope, receive: Receive, send: Send, call: Call, began: float, *, tls_only: bool
    ) -> None:
        """Hand the request to the framework, and see what it answers."""
        structlog.contextvars.bind_contextvars(request_id=call.request_id)
        scope[SCOPE] = call
        if call.method == "HEAD":
            # The server, which knows the method, leaves the body out.
            scope = {**scope, "method": "GET"}
        status = 0
        extra = [(b"x-request-id", call.request_id.encode()), *call.limits]

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = complete([*message.get("headers", ()), *extra], tls_only=tls_only)
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            if not status:
                raise
            # The framework has answered, and raises once more to tell us.
            self._refusal(error, call)
        route = getattr(scope.get("route"), "path", "(none)")
        self._count(call, route, status, began, scope.get("tokenhouse.code"))

    def _refusal(self, error: Exception, call: Call) -> TokenhouseError:
        """Say what the caller is told of an error; what we did not expect goes to the log with its traceback."""
        if isinstance(error, TokenhouseError):
            return error
        known = from_database(error)
        _log.error(
            "request failed",
            request_id=call.request_id,
            method=call.method,
            path=shown(call.path),
            exc_info=error,
            answered=known.code if known else "internal_error",
        )
        return known or our_fault(call.request_id)

    def _count(self, call: Call, route: str, status: int, began: float, code: str | None = None) -> None:
        seconds = perf_counter() - began
        metrics = self._runtime.metrics
        name = (call.method, route, status)
        counter = self._counters.get(name)
        if counter is None:
            method = call.method if call.method in _METHODS else "OTHER"
            counter = self._counters[name] = metrics.requests.labels(method, route, str(status))
        counter.inc()
        clock = self._clocks.get(route)
        if clock is None:
            clock = self._clocks[route] = metrics.request_seconds.labels(route)
        clock.observe(seconds)
        if code is not None:
            metrics.refusals.labels(code).inc()
        if status >= 500 or seconds > SLOW_SECONDS:
            _log.warning(
                "request",
                request_id=call.request_id,
                method=call.method,
                path=shown(call.path),
                status=status,
                ms=round(seconds * 1000, 1),
                code=code,
                address=call.address,
            )
        elif self._runtime.log_requests:
            _log.info(
                "request",
                request_id=call.request_id,
                method=call.method,
                path=shown(call.path),
                status=status,
                ms=round(seconds * 1000, 1),
                code=code,
                address=call.address,
            )


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


async def _body(length: bytes | None, receive: Receive, loop: asyncio.AbstractEventLoop) -> bytes:
    """Read a body of at most 1 MiB, whether its length was told or not, within 30 seconds."""
    if length is not None and (len(length) > 9 or int(length) > BODY_BYTES):
        raise _too_large()
    # asyncio.timeout does the same for five times the price, at every request.
    task = asyncio.current_task(loop)
    assert task is not None  # noqa: S101 - requests run in tasks
    alarm = loop.call_later(BODY_SECONDS, task.cancel, _SLOW)
    try:
        return await _read(receive)
    except asyncio.CancelledError as stop:
        if stop.args != (_SLOW,):
            raise
        task.uncancel()
        raise BodyTooSlow("The body did not come within 30 seconds. Send it again.") from None
    finally:
        alarm.cancel()


_SLOW = "the body is too slow"


async def _read(receive: Receive) -> bytes:
    message = await receive()
    if message["type"] != "http.request":
        raise _Gone
    body: bytes = message.get("body", b"")
    if not message.get("more_body", False) and len(body) <= BODY_BYTES:
        return body
    parts = [body]
    size = len(body)
    while message.get("more_body", False) and size <= BODY_BYTES:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if size > BODY_BYTES:
        raise _too_large()
    return b"".join(parts)


def _has_body(headers: Mapping[bytes, bytes]) -> bool:
    return b"content-length" in headers or b"transfer-encoding" in headers


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read to who reads next; what comes after it is whatever comes."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving


def _too_large() -> TooLarge:
    return TooLarge("The body is larger than 1 MiB. Send less at once.")


def _cookie(sent: bytes, name: bytes) -> str | None:
    """Give the one value of a cookie; None where there is none, or where it stands twice."""
    found = [value for key, _, value in (one.strip().partition(b"=") for one in sent.split(b";")) if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


def _request_id(given: bytes | None) -> str:
    if given is not None and 1 <= len(given) <= _MOST_REQUEST_ID and not given.translate(None, _VISIBLE):
        return given.decode("ascii")
    return new_id()


def _refuse_twice(found: list[tuple[bytes, bytes]]) -> None:
    """Refuse a header that means two things."""
    names = [name for name, _ in found]
    if names.count(b"authorization") > 1:
        raise Unauthorized
    for name in _ONCE:
        if names.count(name) > 1:
            text = f"The header {name.decode()} stands twice; send it once."
            raise IdempotencyKeyInvalid(text) if name == b"idempotency-key" else BadRequest(text)


async def _send(send: Send, rendered: Rendered, call: Call, *, tls_only: bool) -> None:
    status, headers, body = rendered
    given = [
        *headers,
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", call.request_id.encode()),
        *call.limits,
    ]
    if call.page or tls_only:
        given = complete(given, tls_only=tls_only)
    else:
        given += DATA
    await send({"type": "http.response.start", "status": status, "headers": given})
    await send({"type": "http.response.body", "body": body})
