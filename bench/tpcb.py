"""The yardstick: pgbench's TPC-B on the same PostgreSQL server, 16 clients, prepared statements."""

import asyncio
import os
import re
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tokenhouse.infra.database.embedded import EmbeddedServer

DATABASE = "tpcb"
CLIENTS = 16
_SCALE = 10
_TPS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Yardstick:
    """pgbench made ready in a database of its own."""

    program: Path
    environment: dict[str, str]

    async def measure(self, seconds: int) -> float:
        """Return transactions a second."""
        said = await self._run(
            "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(seconds), DATABASE
        )  # fmt: skip
        found = _TPS.search(said)
        if found is None:
            raise RuntimeError(f"pgbench said no rate:\n{said}")
        return float(found[1])

    async def _run(self, *arguments: str) -> str:
        process = await asyncio.create_subprocess_exec(
            self.program, *arguments, env=self.environment,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        said, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"pgbench failed:\n{said.decode('utf-8', 'replace')[-2000:]}")
        return said.decode()


async def prepare(server: EmbeddedServer) -> Yardstick:
    """Make pgbench's tables. PostgreSQL's own variables tell pgbench where: no password in its arguments."""
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f"create database {DATABASE}")
    place = conninfo_to_dict(server.conninfo(DATABASE))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {
        "PGHOST": str(place["host"]),
        "PGPORT": str(place["port"]),
        "PGUSER": str(place["user"]),
        "PGPASSWORD": str(place["password"]),
    }
    yardstick = Yardstick(server.binary("pgbench"), environment)
    await yardstick._run("-i", "-q", "-s", str(_SCALE), DATABASE)  # noqa: SLF001 - its own maker
    return yardstick
