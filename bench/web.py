"""Measurements over HTTP: the load generator against `tokenhouse serve`."""

import asyncio
import json
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench import cpu
from bench.load import MARK, Spec
from bench.sample import Sample
from bench.service import Service
from tokenhouse.infra.database.embedded import EmbeddedServer

_NOT_SERVED = {"404", "405", "501"}
_WARM_UP_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Web:
    """A running service and the PostgreSQL beneath it."""

    service: Service
    server: EmbeddedServer

    async def measure(
        self, templates: Sequence[str], connections: int, seconds: float, *, pace: float = 0.0, items: int = 1
    ) -> Sample:
        """Send these requests from so many connections. `items`: how many operations each carries."""
        group, postmaster = self.service.group, self.server.pid
        python, postgres = cpu.of_group(group), cpu.of_server(postmaster)
        found = await self._generate(templates, connections, seconds, pace)
        python, postgres = cpu.of_group(group) - python, cpu.of_server(postmaster) - postgres
        answered = sum(found["statuses"].values())
        good = sum(count for status, count in found["statuses"].items() if status.startswith("2"))
        count = good * items
        # The warm-up took processor time too.
        share = seconds / (seconds + _WARM_UP_SECONDS) / max(1, count) * 1e6
        bad = {status: count for status, count in found["statuses"].items() if not status.startswith("2")}
        if found["lost"]:
            bad["lost"] = found["lost"]
        return Sample(
            count, found["seconds"], found["latencies"], python * share, postgres * share,
            failed=answered - good + found["lost"], note=f"answered: {bad}" if bad else "",
        )  # fmt: skip

    async def served(self, template: str) -> bool:
        """Tell whether there is such a path at all."""
        request = template.replace(MARK, uuid.uuid4().hex)
        reader, writer = await asyncio.open_connection(self.service.host, self.service.port)
        try:
            writer.write(request.encode())
            status = (await asyncio.wait_for(reader.readline(), 10)).split()[1].decode()
        finally:
            writer.close()
        return status not in _NOT_SERVED

    async def _generate(
        self, templates: Sequence[str], connections: int, seconds: float, pace: float
    ) -> dict[str, Any]:
        spec = Spec(
            self.service.host, self.service.port, list(templates), connections, seconds,
            prefix=uuid.uuid4().hex, warm_up_seconds=_WARM_UP_SECONDS, pace=pace,
        )  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.load",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, complaints = await process.communicate(spec.text().encode())
        if process.returncode:
            raise RuntimeError(f"the load generator failed:\n{complaints.decode('utf-8', 'replace')[-2000:]}")
        found: dict[str, Any] = json.loads(said)
        return found
