"""A small real SMTP server for tests: EHLO, AUTH, MAIL, RCPT, DATA, and the failures that one asks it for."""

from __future__ import annotations

import asyncio
import base64
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from email.message import EmailMessage


@dataclass
class Received:
    """What one sender handed over: the envelope and the message."""

    sender: str
    recipients: list[str]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.raw, policy=default)


@dataclass
class SmtpServer:
    """refuse: a command (`RCPT`, `DATA`, `BODY` for what follows it …) → the reply, or `close` to hang up instead.

    login: user and password that are demanded before MAIL. slow: set to make DATA wait until it is.
    """

    refuse: dict[str, str] = field(default_factory=dict)
    login: tuple[str, str] | None = None
    held: asyncio.Event | None = None
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await _Session(self, reader, writer).run()
        except (ConnectionError, asyncio.IncompleteReadError, EOFError):
            pass
        finally:
            writer.close()


class _Session:
    def __init__(self, server: SmtpServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.known = False
        self.sender, self.recipients = "", []

    async def say(self, line: str) -> None:
        self.writer.write(f"{line}\r\n".encode())
        await self.writer.drain()

    async def line(self) -> str:
        raw = await self.reader.readline()
        if not raw:
            raise EOFError
        return raw.decode().rstrip("\r\n")

    async def refused(self, command: str) -> bool:
        reply = self.server.refuse.get(command)
        if reply == "close":
            raise EOFError
        if reply is not None:
            await self.say(reply)
        return reply is not None

    async def run(self) -> None:
        if await self.refused("CONNECT"):
            return
        await self.say("220 tests.example ESMTP")
        while True:
            line = await self.line()
            command = line[:4].upper()
            if await self.refused(command):
                continue
            if command == "EHLO":
                await self.say("250-tests.example")
                await self.say("250 AUTH PLAIN LOGIN" if self.server.login else "250 8BITMIME")
            elif command == "AUTH":
                await self.authenticate(line)
            elif command == "QUIT":
                await self.say("221 bye")
                return
            elif command in ("NOOP", "RSET", "HELO"):
                await self.say("250 fine")
            else:
                await self.envelope(command, line)

    async def authenticate(self, line: str) -> None:
        _, kind, *given = line.split(" ")
        if kind == "PLAIN":
            _, user, password = base64.b64decode(given[0]).decode().split("\0")
        else:
            user = base64.b64decode(given[0]).decode()
            await self.say("334 UGFzc3dvcmQ6")
            password = base64.b64decode(await self.line()).decode()
        self.known = (user, password) == self.server.login
        await self.say("235 welcome" if self.known else "535 wrong user or password")

    async def envelope(self, command: str, line: str) -> None:
        if command == "MAIL":
            if self.server.login and not self.known:
                await self.say("530 authenticate first")
                return
            self.sender, self.recipients = line[10:].partition(">")[0].lstrip("<"), []
            await self.say("250 go on")
        elif command == "RCPT":
            self.recipients.append(line[8:].partition(">")[0].lstrip("<"))
            await self.say("250 go on")
        elif command == "DATA":
            await self.say("354 end with a dot")
            await self.body()
        else:
            await self.say("500 what?")

    async def body(self) -> None:
        raw = (await self.reader.readuntil(b"\r\n.\r\n"))[:-3].replace(b"\r\n..", b"\r\n.")
        if self.server.held is not None:
            await self.server.held.wait()
        if "BODY" in self.server.refuse and await self.refused("BODY"):
            return
        self.server.received.append(Received(self.sender, self.recipients, raw))
        await self.refused("TAKEN") or await self.say("250 taken")


@asynccontextmanager
async def smtp_server(**how: object) -> AsyncIterator[SmtpServer]:
    """Serve on a free port of loopback."""
    server = SmtpServer(**how)  # type: ignore[arg-type]
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0, limit=1 << 22)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
