"""A lean HTTP load generator, in a process of its own: `python -m bench.load` with a specification on stdin.

It sends ready-made requests and reads no more of an answer than its status line and its length, for it takes its
processor time from the service that it measures.
"""

import asyncio
import itertools
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import uvloop

MARK = "\0"
"""Stands in a template where a unique key of 32 characters goes."""
KEY_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Spec:
    """What to send. Without `pace` each caller sends as soon as it was answered; with it, so many a second in all."""

    host: str
    port: int
    templates: list[str]
    connections: int
    seconds: float
    prefix: str
    """Of the keys: unique to this run."""
    warm_up_seconds: float
    pace: float = 0.0

    def text(self) -> str:
        """The specification as the generator reads it."""
        return json.dumps(asdict(self))


class Generator:
    """All callers, and what they found."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.latencies: list[float] = []
        self.statuses: Counter[str] = Counter()
        self.lost = 0
        templates = [template.encode().split(b"\0") for template in spec.templates]
        random.Random(spec.prefix).shuffle(templates)
        self._templates = itertools.cycle(templates)
        self._keys = self._numbers()
        self.counts_from = 0.0
        self.deadline = 0.0

    def _numbers(self) -> Iterator[bytes]:
        prefix = self.spec.prefix[: KEY_LENGTH - 12].encode()
        for number in itertools.count():
            yield prefix + b"%0*x" % (KEY_LENGTH - len(prefix), number)

    def request(self) -> bytes:
        """The next request, under keys that were never used."""
        first, *rest = next(self._templates)
        if not rest:
            return first
        parts = [first]
        for part in rest:
            parts += (next(self._keys), part)
        return b"".join(parts)

    async def run(self) -> dict[str, Any]:
        """Send for the time that was asked for."""
        loop = asyncio.get_running_loop()
        callers = []
        for number in range(self.spec.connections):
            # One by one, so that several serving processes get their share of them.
            _, caller = await loop.create_connection(lambda n=number: Caller(self, n), self.spec.host, self.spec.port)  # type: ignore[misc]
            callers.append(caller)
        now = time.perf_counter()
        self.counts_from = now + self.spec.warm_up_seconds
        self.deadline = self.counts_from + self.spec.seconds
        for caller in callers:
            caller.begin(now)
        await asyncio.wait([caller.ended for caller in callers], timeout=self.spec.seconds + 30)
        self.latencies.sort()
        return {
            "count": len(self.latencies),
            "seconds": self.spec.seconds,
            "latencies": [round(one, 6) for one in _thinned(self.latencies)],
            "statuses": self.statuses,
            "lost": self.lost,
            "cpu_seconds": time.process_time(),
        }


class Caller(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self, generator: Generator, number: int) -> None:
        self._generator = generator
        self._number = number
        self._transport: asyncio.WriteTransport
        self._buffer = b""
        self._sent = 0.0
        self._due = 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport  # type: ignore[assignment]

    def begin(self, now: float) -> None:
        """Send the first request; those with a pace spread theirs."""
        pace = self._generator.spec.pace
        if pace:
            self._due = now + self._number / pace
            self._wait(now)
        else:
            self._send()

    def _wait(self, now: float) -> None:
        asyncio.get_running_loop().call_later(max(0.0, self._due - now), self._send)

    def _send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._generator.request())

    def data_received(self, data: bytes) -> None:
        """Look whether the answer is whole."""
        self._buffer = buffer = self._buffer + data if self._buffer else data
        head = buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = buffer.lower().find(b"content-length:", 0, head)
        length = int(buffer[at + 15 : buffer.index(b"\r", at)]) if at > 0 else 0
        if len(buffer) >= head + 4 + length:
            self._buffer = b""
            self._answered(buffer[9:12].decode("ascii", "replace"))

    def _answered(self, status: str) -> None:
        generator = self._generator
        now = time.perf_counter()
        if now > generator.deadline:
            self._transport.close()
            return
        if now >= generator.counts_from:
            generator.statuses[status] += 1
            generator.latencies.append(now - self._sent)
        pace = generator.spec.pace
        if pace:
            self._due = max(now, self._due + generator.spec.connections / pace)
            self._wait(now)
        else:
            self._send()

    def connection_lost(self, _error: Exception | None) -> None:
        """Count what was closed too early."""
        if time.perf_counter() < self._generator.deadline:
            self._generator.lost += 1
        if not self.ended.done():
            self.ended.set_result(None)


def _thinned(latencies: list[float], most: int = 5000) -> list[float]:
    """Keep so many, evenly: the quantiles stay."""
    if len(latencies) <= most:
        return latencies
    return [latencies[index * (len(latencies) - 1) // (most - 1)] for index in range(most)]


def main() -> None:
    """Read the specification, send, print what was found."""
    spec = Spec(**json.loads(sys.stdin.read()))
    print(json.dumps(uvloop.run(Generator(spec).run())))


if __name__ == "__main__":
    main()
