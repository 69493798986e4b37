"""`tokenhouse serve` as its users run it: a process group of its own, on a data folder of its own."""

import http.client
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

from tokenhouse.infra.database.tuning import free_port

_STOP_SECONDS = 40


class Service:
    """Starts, kills and ends the service; its PostgreSQL is in a session of its own and outlives a kill."""

    def __init__(
        self,
        data_dir: Path,
        *,
        workers: int = 1,
        jobs: bool = False,
        admin_key: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.data_dir = data_dir
        self.workers = workers
        self.host = "127.0.0.1"
        self.port = free_port()
        self.admin_key = admin_key or secrets.token_hex(24)
        self.log = data_dir / f"service-{self.port}.log"
        self._arguments = [] if jobs else ["--no-jobs"]
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What the service, and commands beside it, run with: none of our own settings."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith(("TOKENHOUSE_", "OTEL_"))}
        return ours | {
            "TOKENHOUSE_DATA_DIR": str(self.data_dir),
            "TOKENHOUSE_ADMIN_KEY": self.admin_key,
            **self._environment,
        }

    def start(self, wait_seconds: float = 60.0) -> Self:
        """Start it and wait until it can serve. RuntimeError with the end of its log where it does not."""
        arguments = ["--host", self.host, "--port", str(self.port), "--workers", str(self.workers), *self._arguments]
        with self.log.open("ab") as log:
            self._process = self._run(["serve", *arguments], log)
        deadline = time.monotonic() + wait_seconds
        while not self.ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"the service does not start:\n{self.log.read_text('utf-8', 'replace')[-3000:]}")
            time.sleep(0.05)
        return self

    def ready(self) -> bool:
        """Tell whether /readyz answers 200."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @property
    def group(self) -> int:
        """The id of its process group."""
        if self._process is None:
            raise RuntimeError("the service was not started")
        return self._process.pid

    def kill(self) -> None:
        """End the whole process group at once, as a crash would."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(_STOP_SECONDS)

    def stop(self) -> int | None:
        """End it in order; return its exit status."""
        if self._process is None:
            return None
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        return self._process.returncode

    def command(self, *arguments: str, timeout_seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a `tokenhouse` command beside it."""
        return subprocess.run(
            [sys.executable, "-m", "tokenhouse.entrypoints.cli", *arguments],
            cwd=self.data_dir, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout_seconds, check=False,
        )  # fmt: skip

    def _run(self, arguments: list[str], output: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "tokenhouse.entrypoints.cli", *arguments],
            cwd=self.data_dir,  # no tokenhouse.toml but the folder's own
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
