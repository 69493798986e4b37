"""What a run plays on: a data folder with a filled database, and the service on it."""

import asyncio
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import economy
from bench.economy import Economy
from bench.service import Service

from soak.client import Client
from tokenhouse.domain.metering import verify
from tokenhouse.infra.database import Database
from tokenhouse.infra.database.embedded import EmbeddedServer

DATABASE = "tokenhouse"
"""The name that the service looks for."""
Say = Callable[[str], None]


@dataclass(slots=True)
class Stage:
    """The service, its PostgreSQL, the economy on it, and what was found wrong so far."""

    folder: Path
    server: EmbeddedServer
    economy: Economy
    service: Service
    findings: list[str] = field(default_factory=list)

    def client(self) -> Client:
        """A caller with the platform's key."""
        return Client(self.service.host, self.service.port, self.service.admin_key)

    def find(self, text: str) -> None:
        """Note what is wrong."""
        self.findings.append(text)

    async def prove(self) -> None:
        """Verify the books now, beside the service."""
        booted = self.economy.booted
        async with Database(booted.worker_conninfo, booted.signer, max_size=2, wait_seconds=30) as database:
            proof = await verify(database)
        for finding in proof.findings:
            if finding.count:
                shown = "; ".join(
                    f"{one.subject}: {one.recorded}, not {one.derived}" for one in finding.differences[:3]
                )
                self.find(f"verify, {finding.name}: {finding.count} differences: {shown}")
        for sums in proof.sums:
            if not sums.balanced:
                self.find(f"verify: the sums of {sums.asset} do not balance: {sums}")

    async def prove_by_command(self) -> None:
        """Run `tokenhouse verify` as an operator would."""
        done = await asyncio.to_thread(self.service.command, "verify")
        if done.returncode:
            self.find(f"tokenhouse verify exits {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}")


@asynccontextmanager
async def opened(
    *, wallets: int, models: int = 40, workers: int = 1, jobs: bool = False, buckets: int = 1
) -> AsyncIterator[Stage]:
    """Fill a fresh data folder and start the service on it. The folder stays where something was found."""
    folder = Path(tempfile.mkdtemp(prefix="th-soak-"))
    server = EmbeddedServer(folder)
    stage = None
    try:
        await asyncio.to_thread(server.start)
        filled = await economy.make(server, DATABASE, wallets=wallets, models=models, uses=500, buckets=buckets)
        service = Service(folder, workers=workers, jobs=jobs, environment={"TOKENHOUSE_LOG_LEVEL": "warning"})
        stage = Stage(folder, server, filled, service)
        await asyncio.to_thread(service.start)
        yield stage
        if service.stop():
            stage.find(f"the service ended with an error; {service.log}")
    finally:
        if stage is not None:
            stage.service.stop()
        await asyncio.to_thread(server.release)
        if stage is None or not stage.findings:
            shutil.rmtree(folder, ignore_errors=True)


def dice_of(seed: int, *parts: object) -> random.Random:
    """Dice of their own for each part of a run, from its one seed."""
    return random.Random(":".join(map(str, (seed, *parts))))
