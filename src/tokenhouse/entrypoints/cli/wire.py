"""HTTP/1.1 on the wire: uvicorn's protocol, with bounds on what comes before, between and after the bodies.

The gate bounds bodies. It sees a request only once its head is there: a head that never ends would be kept in memory
as it comes, and one that comes slowly would hold a connection for good.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

HEAD_BYTES = 64 * 1024
"""Of a head, of the fields behind a chunked body, and of what says how long chunks are."""

HEAD_SECONDS = 30.0
"""From the first byte of a head, or from the connection's beginning, to the end of that head."""

# A chunk of one byte takes six on the wire: beyond what a body could cost, bytes are no body's.
_CHUNKING = 8
_BODY = (
    b'{"type":"/docs/errors#head_too_large","title":"Head too large","status":431,'
    b'"detail":"The address and the headers together are larger than 64 KiB. Send less.","code":"head_too_large"}'
)
_TOO_LARGE = b"\r\n".join(
    (
        b"HTTP/1.1 431 Request Header Fields Too Large",
        b"content-type: application/problem+json",
        b"content-length: %d" % len(_BODY),
        b"cache-control: no-store",
        b"x-content-type-options: nosniff",
        b"connection: close",
        b"",
        _BODY,
    )
)


class Wire(HttpToolsProtocol):
    """One connection."""

    _received = 0  # bytes since the last request ended
    _body = 0  # how many of them were its body
    _within = False  # whether a request's head is there and its end is not
    _begun = False  # whether a head began that has not ended
    _ended = False  # whether a request ended in what came last
    _alarm: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._rest()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came, unless it is too much."""
        self._ended = False
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._ended:
            self._received = self._body = 0
        else:
            self._received += len(data)
        if self._received - self._body * _CHUNKING > HEAD_BYTES:
            self._refuse()
        elif self._begun or (self._answered() if self._within else not self._ended):
            self._wait()  # also for the rest of a body whose request was answered before it was read
        else:
            self._rest()

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that a head is there."""
        self._begun, self._within = False, True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Count what the gate bounds."""
        self._body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that a request is there."""
        self._within, self._ended = False, True
        super().on_message_complete()

    def _refuse(self) -> None:
        # Where an answer is under way, another would stand in the middle of it.
        if self._answered():
            self.transport.write(_TOO_LARGE)
        self.transport.close()

    def _wait(self) -> None:
        if self._alarm is None:
            self._alarm = self.loop.call_later(HEAD_SECONDS, self._late)

    def _rest(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _late(self) -> None:
        self._alarm = None
        if self._answered():
            self.transport.close()
        else:
            self._wait()  # an answer is under way; its caller may be early with the next request

    def _answered(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # before the first request there is none
        return cycle is None or cycle.response_complete
