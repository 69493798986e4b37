"""Spoilt requests, by the thousand, on raw sockets: none may crash the service, none may be answered with a 500.

No answer may hold a secret, a path or SQL, and no line of the log a secret.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from soak.client import Reply, read_reply
from soak.corpus import Seed, collect
from soak.mutate import Case, spoil
from soak.stage import Say, Stage, dice_of, opened

_CALLERS = 8
_ANSWER_SECONDS = 10.0
_SILENCE_SECONDS = 0.5  # what is not whole need not be answered
_MOST_FINDINGS = 20
_SERVER_ERRORS_ALLOWED = {501, 503, 505}
_CHECKOUT = os.fsencode(Path(__file__).resolve().parents[1])  # where the service's code and its virtualenv are
_LEAKS = (
    b"Traceback", b"psycopg", b"site-packages", b'.py"', b"SELECT ", b"select access.", b"th_owner", b"th_app",
    b"/tmp/", b"/usr/", _CHECKOUT, b'relation "', b"syntax error at", b"SQLSTATE", b".s.PGSQL",
)  # fmt: skip


async def run(seed: int, seconds: float, say: Say) -> tuple[list[str], str]:
    """Return what was found wrong, and a line on what was done."""
    async with opened(wallets=200, workers=2) as stage:
        seeds = await collect(stage)
        fuzz = Fuzz(stage, seed, seeds, time.monotonic() + seconds)
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(fuzz.watch(say))
            callers = [group.create_task(fuzz.caller(number)) for number in range(_CALLERS)]
            await asyncio.wait(callers)
            watching.cancel()
        said = stage.service.log.read_text("utf-8", "replace")
        for word in ("Traceback", "request failed"):
            if word in said:
                stage.find(f"{word!r} stands {said.count(word)} times in {stage.service.log}")
        for name, secret in fuzz.secrets.items():
            if secret in said.encode():
                stage.find(f"the {name} stands in {stage.service.log}")
        await stage.prove()
        told = ", ".join(f"{status} × {count:,}" for status, count in sorted(fuzz.answers.items()))
        return stage.findings, f"{sum(fuzz.answers.values()):,} spoilt requests from {len(seeds)}; answered {told}"


class Fuzz:
    """Callers that send spoilt requests, each from its own dice."""

    def __init__(self, stage: Stage, seed: int, seeds: list[Seed], deadline: float) -> None:
        self.answers: Counter[str] = Counter()
        self._stage = stage
        self._seed = seed
        self._seeds = seeds
        self._deadline = deadline
        self.secrets = {
            "admin key": stage.service.admin_key.encode(),
            "database's password": (stage.folder / "postgres.secret").read_bytes().strip(),
        }

    async def caller(self, number: int) -> None:
        """Send until the time is over, or until there is enough to look at."""
        connection = Connection(self._stage.service.host, self._stage.service.port)
        count = 0
        while time.monotonic() < self._deadline and len(self._stage.findings) < _MOST_FINDINGS:
            count += 1
            dice = dice_of(self._seed, "fuzz", number, count)
            case = spoil(dice.choice(self._seeds), dice, self._stage.service.admin_key)
            reply = await connection.send(case)
            self.answers[str(reply.status) if reply else "closed or silent"] += 1
            if wrong := wrong_with(case, reply, self.secrets):
                shown = case.raw.replace(self._stage.service.admin_key.encode(), b"KEY")
                self._stage.find(
                    f"{wrong}: {case.level} {shown[:1500]!r} ({len(shown)} bytes) was answered with {reply}"
                )
        await connection.close()

    async def watch(self, say: Say) -> None:
        """See that it serves others meanwhile."""
        while True:
            await asyncio.sleep(1)
            say(f"fuzz: {sum(self.answers.values()):,} requests, {len(self._stage.findings)} findings")
            began = time.monotonic()
            if not await asyncio.to_thread(self._stage.service.ready):
                self._stage.find(f"not ready for others, asked {time.monotonic() - began:.1f} s")


def wrong_with(case: Case, reply: Reply | None, secrets: Mapping[str, bytes]) -> str | None:
    """Say what is wrong with an answer, if anything. secrets: what no answer may hold, by name."""
    if reply is None:
        return "no answer" if case.strict else None
    if reply.status >= 500 and reply.status not in _SERVER_ERRORS_ALLOWED:
        return f"a {reply.status}"
    if reply.status >= 400 and any(leak in reply.body and leak not in case.raw for leak in _LEAKS):
        return "a leak"
    answer = str(reply.headers).encode() + reply.body
    if found := [name for name, secret in secrets.items() if secret in answer]:
        return f"the {found[0]}"
    api = b" /v1/" in case.raw or b" /api/" in case.raw
    if case.strict and api and reply.status >= 400 and not (reply.json or {}).get("code"):
        return "a refusal without a code"
    return None


class Connection:
    """A raw connection; kept as long as what was sent over it was proper HTTP."""

    def __init__(self, host: str, port: int) -> None:
        self._place = (host, port)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, case: Case) -> Reply | None:
        """Send a case; None where nothing whole came back."""
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._place)
        reader, writer = self._streams
        reply = None
        try:
            async with asyncio.timeout(_ANSWER_SECONDS if case.strict else _SILENCE_SECONDS):
                writer.write(case.raw)
                if not case.strict and writer.can_write_eof():
                    await writer.drain()
                    writer.write_eof()
                reply = await read_reply(reader)
        except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError):
            await self.close()
        if not case.strict or (reply is not None and reply.headers.get("connection") == "close"):
            await self.close()
        return reply

    async def close(self) -> None:
        """Close it, if it is open."""
        streams, self._streams = self._streams, None
        if streams is not None:
            streams[1].close()
            with suppress(OSError):
                await streams[1].wait_closed()
