"""A running Tokenhouse of a test's own: real processes on a free port, on a data folder copied from one made once."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

COMMAND = [sys.executable, "-m", "tokenhouse.entrypoints.cli"]
READY_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(**more: str) -> dict[str, str]:
    """Our environment without any setting of Tokenhouse but these."""
    return {k: v for k, v in os.environ.items() if not k.startswith("TOKENHOUSE_")} | more


def make_data(folder: Path) -> None:
    """Make a data folder with a migrated database and stop its server."""
    done = subprocess.run(
        [*COMMAND, "migrate"],
        env=environment(TOKENHOUSE_DATA_DIR=str(folder)),
        cwd=folder.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


class Service:
    """`tokenhouse serve` (or another command that stays) on a copy of a data folder."""

    def __init__(self, made: Path, folder: Path) -> None:
        self.data = folder / "data"
        shutil.copytree(made, self.data)
        self.folder = folder
        self.port = free_port()
        self.admin_key = f"tests-{secrets.token_hex(24)}"
        self.log = folder / "serve.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.more: dict[str, str] = {}

    @property
    def environment(self) -> dict[str, str]:
        own = {"TOKENHOUSE_DATA_DIR": str(self.data), "TOKENHOUSE_ADMIN_KEY": self.admin_key}
        return environment(**own | self.more)

    def start(self, *arguments: str, wait: bool = True) -> Service:
        """Start it, in a process group of its own."""
        command = [*COMMAND, *(arguments or ("serve",))]
        if "worker" not in arguments:
            command += ["--port", str(self.port)]
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if wait:
            until(self.is_ready, READY_SECONDS, self.said)
        return self

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the same data to its end."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def call(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict]:
        """Make a request with the admin key; the status and the parsed answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            raw = None if body is None else json.dumps(body).encode()
            sent = {"Authorization": f"Bearer {self.admin_key}", "Content-Type": "application/json"}
            connection.request(method, path, raw, sent | {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else {}
        finally:
            connection.close()

    def is_ready(self) -> bool:
        assert self.process is None or self.process.poll() is None, self.said()
        with suppress(OSError, http.client.HTTPException):
            return self.call("GET", "/readyz")[0] == 200
        return False

    def answers(self) -> bool:
        """Whether anybody listens on the port."""
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        assert self.process is not None
        (os.killpg if group else os.kill)(self.process.pid, number)

    def children(self) -> dict[int, str]:
        """Process ids and arguments of the supervisor's children."""
        assert self.process is not None
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return {int(pid): arguments_of(int(pid)) for pid in listed.split()}

    def postgres(self) -> int | None:
        """Process id of the data folder's PostgreSQL, if it runs."""
        try:
            pid = int((self.data / "postgres18/postmaster.pid").read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return None
        return pid if "postgres" in arguments_of(pid) else None

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-4000:] if self.log.exists() else ""

    def end(self) -> None:
        """Leave nothing running, whatever the test did."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.signal(signal.SIGKILL, group=True)
                self.process.wait(10)
        pid = self.postgres()
        if pid is not None:
            os.kill(pid, signal.SIGINT)
            until(lambda: self.postgres() is None, 20)
        shutil.rmtree(self.data, ignore_errors=True)


def arguments_of(pid: int) -> str:
    """The command line of a process; empty when it is gone or a zombie."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except OSError:
        return ""


def until(holds, seconds: float, said=lambda: "") -> float:
    """Wait until it holds and return how long that took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"not within {seconds} s\n{said()}"
        time.sleep(0.05)
    return time.monotonic() - began
