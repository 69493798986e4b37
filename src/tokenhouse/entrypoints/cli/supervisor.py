"""The parent of the serving and jobs processes.

It binds the listening socket once, keeps its children alive, brings the embedded PostgreSQL back when that
dies, and at SIGTERM or SIGINT ends everything in order. Children stay in its process group; PostgreSQL does
not.
"""

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from tokenhouse.infra.database.embedded import EmbeddedServer
from tokenhouse.infra.database.process import StartError

log = structlog.get_logger("tokenhouse.supervisor")

_TICK_SECONDS = 0.1
_WATCH_SECONDS = 0.5
_STEADY_SECONDS = 5.0  # a child that lived so long did start
_MOST_BACK_OFF_SECONDS = 5.0
_HOPELESS = 5  # failures in a row of a child that never started
_KILL_AFTER_SECONDS = 5.0  # beyond the grace
_BIND_SECONDS = 3.0


@dataclass(slots=True)
class Child:
    """A process to be kept alive. `descriptors` are inherited."""

    name: str
    arguments: Sequence[str]
    descriptors: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = None
    began: float = 0.0
    failures: int = 0
    steady: bool = False
    not_before: float = field(default=0.0)


class Stop:
    """Whether SIGTERM or SIGINT came. The second says the same as the first."""

    def __init__(self) -> None:
        self._event = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._heard)

    def _heard(self, _number: int, _frame: object) -> None:
        self._event.set()

    @property
    def asked(self) -> bool:
        """Whether we are to end."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for it at most so long."""
        return self._event.wait(seconds)


class Supervisor:
    """Runs children until it is told to stop; `run` returns the exit status."""

    def __init__(
        self,
        children: Sequence[Child],
        stop: Stop,
        *,
        grace_seconds: float,
        environment: Mapping[str, str],
        listening: socket.socket | None = None,
        database: EmbeddedServer | None = None,
    ) -> None:
        self._children = list(children)
        self._stop = stop
        self._grace_seconds = grace_seconds
        self._environment = dict(environment)
        self._listening = listening
        self._keeper = _Keeper(database) if database is not None else None
        # Whoever holds the reading end as stdin sees the end of file when we are gone, however we went.
        self._alive_reading, self._alive_writing = os.pipe()

    def run(self, meanwhile: Callable[[], None] | None = None) -> int:
        """Keep the children alive until told to stop, then end them. `meanwhile` is called at every tick."""
        if self._keeper is not None:
            self._keeper.start()
        status = 0
        try:
            while not self._stop.asked and status == 0:
                status = self._look_after()
                if meanwhile is not None:
                    meanwhile()
                self._stop.wait(_TICK_SECONDS)
        finally:
            self._end()
            if self._keeper is not None:
                self._keeper.finish()
        return status

    def one_shot(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a process that ends by itself, such as the loading of the demo; it ends with us."""
        child = Child(name=arguments[-1], arguments=arguments)
        self._spawn(child)
        self._children.append(child)
        child.not_before = float("inf")  # never again
        assert child.process is not None  # noqa: S101 - just spawned
        return child.process

    def _look_after(self) -> int:
        """Start what is to run and does not. Returns 1 where that has no hope."""
        now = time.monotonic()
        for child in self._children:
            if child.process is not None:
                if child.process.poll() is None:
                    if now - child.began > _STEADY_SECONDS:
                        child.steady, child.failures = True, 0
                    continue
                if child.not_before == float("inf"):
                    continue
                self._note_death(child, child.process.returncode, now)
                if not child.steady and child.failures >= _HOPELESS:
                    log.error("a process does not start; giving up", process=child.name)
                    return 1
            if now >= child.not_before:
                self._spawn(child)
        return 0

    def _note_death(self, child: Child, code: int, now: float) -> None:
        child.failures += 1
        wait = min(_MOST_BACK_OFF_SECONDS, 0.1 * 2**child.failures)
        child.not_before = now + wait
        child.process = None
        log.warning("a process ended and is started again", process=child.name, status=code, after_seconds=wait)

    def _spawn(self, child: Child) -> None:
        child.began = time.monotonic()
        child.process = subprocess.Popen(
            [sys.executable, "-m", *child.arguments],
            stdin=self._alive_reading,
            pass_fds=child.descriptors,
            env=self._environment,
        )
        log.debug("started", process=child.name, pid=child.process.pid)

    def _end(self) -> None:
        """Stop accepting, let the children finish, kill those that do not."""
        if self._listening is not None:
            self._listening.close()
        running = [child for child in self._children if child.process is not None and child.process.poll() is None]
        for child in running:
            _signal(child, signal.SIGTERM)
        deadline = time.monotonic() + self._grace_seconds + _KILL_AFTER_SECONDS
        for child in running:
            assert child.process is not None  # noqa: S101 - filtered above
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("a process does not end; killed", process=child.name, pid=child.process.pid)
                _signal(child, signal.SIGKILL)
                child.process.wait()
        os.close(self._alive_writing)
        os.close(self._alive_reading)


def _signal(child: Child, number: signal.Signals) -> None:
    assert child.process is not None  # noqa: S101 - the caller's
    try:
        child.process.send_signal(number)
    except ProcessLookupError:
        return


class _Keeper(threading.Thread):
    """Brings the embedded PostgreSQL back when it died; in a thread, for a recovery takes its time."""

    def __init__(self, server: EmbeddedServer) -> None:
        super().__init__(name="database", daemon=True)
        self._server = server
        self._done = threading.Event()

    def run(self) -> None:
        """Look twice a second."""
        while not self._done.wait(_WATCH_SECONDS):
            try:
                if self._server.alive():
                    continue
                log.warning("PostgreSQL died and is started again")
                began = time.monotonic()
                self._server.ensure()
                log.warning("PostgreSQL is back", after_seconds=round(time.monotonic() - began, 2))
            except StartError as error:
                log.error("PostgreSQL does not start; trying again", reason=str(error))  # noqa: TRY400 - in words
            except OSError as error:
                log.error("PostgreSQL cannot be looked after; trying again", reason=str(error))  # noqa: TRY400

    def finish(self) -> None:
        """Look no more; a start under way is waited for."""
        self._done.set()
        self.join()


def bind(host: str, port: int) -> socket.socket:
    """Bind the listening socket; its children listen. StartError: the address is taken or not ours.

    A server that is just ending may hold the address for a moment: it is tried for a few seconds.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartError(f"There is no address {host}: {error.strerror}. Choose another --host.") from error
    family, _, _, _, address = found[0]
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    end = time.monotonic() + _BIND_SECONDS
    while True:
        try:
            listening.bind(address)
        except OSError as error:
            if time.monotonic() > end or error.errno != errno.EADDRINUSE:
                listening.close()
                raise StartError(
                    f"Port {port} of {host} cannot be used: {error.strerror}. Choose another with --port."
                ) from error
            time.sleep(0.1)
        else:
            listening.set_inheritable(True)
            return listening
