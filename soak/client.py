"""A small HTTP client on a keep-alive connection, which says apart what was answered and what is in doubt."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any


class InDoubt(Exception):
    """No whole answer came: the request may have been carried out, or not."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever the service said
        """The body, parsed; None where it is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def replayed(self) -> bool:
        """Whether this is the answer of an earlier request."""
        return self.headers.get("idempotency-replayed") == "true"

    def __str__(self) -> str:
        return f"{self.status} {self.body[:300]!r}"


@dataclass(slots=True)
class Client:
    """One connection of one caller; made again whenever it broke."""

    host: str
    port: int
    key: str
    timeout_seconds: float = 15.0
    _streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = field(default=None, init=False)

    async def call(
        self, method: str, path: str, body: object = None, *, key: str | None = None, user: str | None = None
    ) -> Reply:
        """Send one request, under an idempotency key perhaps. InDoubt where no whole answer came."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}", f"Authorization: Bearer {self.key}"]
        if key is not None:
            lines.append(f"Idempotency-Key: {key}")
        if user is not None:
            lines.append(f"X-User-ID: {user}")
        raw = b""
        if body is not None:
            raw = json.dumps(body).encode()
            lines += ["Content-Type: application/json", f"Content-Length: {len(raw)}"]
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await self._exchange("\r\n".join([*lines, "", ""]).encode() + raw)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            await self.close()
            raise InDoubt(f"{type(error).__name__} {error}") from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connection, if there is one."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with suppress(OSError):
                await streams[1].wait_closed()

    async def _exchange(self, request: bytes) -> Reply:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self.host, self.port)
        reader, writer = self._streams
        writer.write(request)
        await writer.drain()
        reply = await read_reply(reader)
        if reply.headers.get("connection") == "close":
            await self.close()
        return reply


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    """Read one answer; a 100 before it counts for nothing. EOFError or ValueError where it is not whole."""
    reply = await _read_one(reader)
    while reply.status < 200:
        reply = await _read_one(reader)
    return reply


async def _read_one(reader: asyncio.StreamReader) -> Reply:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in filter(None, rest):
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"no header: {line!r}")
        headers[name.lower()] = value.strip()
    version, status = first.split(" ", 2)[:2]
    if not version.startswith("HTTP/1."):
        raise ValueError(f"no status line: {first!r}")
    if headers.get("transfer-encoding") == "chunked":
        body = await _chunks(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Reply(int(status), headers, body)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0], 16)
        part = await reader.readexactly(size + 2)
        if not size:
            return b"".join(parts)
        parts.append(part[:-2])
