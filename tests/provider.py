"""A provider of payments on a real port: it pays by a payout's id, once, and answers as it is told to."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import dataclass, field
from typing import Any, Self

SECRET = "whsec_" + base64.b64encode(b"w" * 32).decode()


@dataclass
class Provider:
    """What it saw, and how it behaves.

    posts: each POST's object. paid: by id, what became of it. mood: of POSTs, one after another: ok, pay, refuse,
    lose (pays, and closes the connection), drop (closes it and does nothing), slow, error, redirect, nonsense, huge.
    looks: of GETs, as `mood`, or None to say what it knows.
    """

    posts: list[dict[str, Any]] = field(default_factory=list)
    gets: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paid: dict[str, str] = field(default_factory=dict)
    mood: list[str] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    url: str = ""
    seconds: float = 2.0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/pay"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, path, _ = head.split(" ", 2)
            headers = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:] if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.headers.append(headers)
            assert headers["webhook-signature"] == self.signature(headers, body)
            status, told = await (self._post(json.loads(body)) if method == "POST" else self._get(path))
            if status:
                content = told if isinstance(told, bytes) else json.dumps(told).encode()
                extra = "Location: http://127.0.0.1:9/elsewhere\r\n" if status == 302 else ""
                heading = f"HTTP/1.1 {status} X\r\nContent-Length: {len(content)}\r\n{extra}Connection: close\r\n\r\n"
                writer.write(heading.encode() + content)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @staticmethod
    def signature(headers: dict[str, str], body: bytes) -> str:
        """As Standard Webhooks says, by its words and not by ours."""
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        digest = hmac.new(base64.b64decode(SECRET.removeprefix("whsec_")), signed, hashlib.sha256).digest()
        return "v1," + base64.b64encode(digest).decode()

    async def _post(self, told: dict[str, Any]) -> tuple[int, Any]:
        self.posts.append(told)
        mood = self.mood.pop(0) if self.mood else "pay"
        if mood in ("pay", "lose", "slow", "ok", "error after", "redirect after"):
            assert told["id"] not in self.paid, "sent twice"
            self.paid[told["id"]] = "processing" if mood == "ok" else "completed"
        return await self._answer(mood, told["id"])

    async def _get(self, path: str) -> tuple[int, Any]:
        name = path.rpartition("/")[2]
        self.gets.append(name)
        if self.looks:
            return await self._answer(self.looks.pop(0), name)
        if name not in self.paid:
            return 404, {"state": "not_sent"}
        return 200, {"state": self.paid[name], "reference": f"ref {name[:8]}"}

    async def _answer(self, mood: str, name: str) -> tuple[int, Any]:
        if mood == "slow":
            await asyncio.sleep(self.seconds)
        return {
            "pay": (200, {"state": "completed", "reference": f"ref {name[:8]}"}),
            "slow": (200, {"state": "completed"}),
            "ok": (202, {"state": "processing", "reference": "on its way"}),
            "refuse": (200, {"state": "failed", "reason": "account closed"}),
            "lose": (0, None),
            "drop": (0, None),
            "error": (500, {"state": "failed"}),
            "error after": (502, b"bad gateway"),
            "redirect": (302, {"state": "completed"}),
            "redirect after": (302, {"state": "completed"}),
            "nonsense": (200, b"<html>"),
            "strange": (200, {"state": "perhaps"}),
            "list": (200, [1]),
            "huge": (200, b"x" * 100_000),
            "bare 404": (404, b"not found"),
        }[mood]
