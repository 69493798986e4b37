"""A process that the supervisor starts: `python -m tokenhouse.entrypoints.cli.child web FD`.

What it runs is named by a string: the commands import neither the application nor the jobs. Its stdin is a
pipe whose other end only the supervisor holds: when that closes, the supervisor is dead and the child ends.
"""

import asyncio
import importlib
import logging
import os
import signal
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tokenhouse.settings import Settings, load_settings

APPLICATION = "tokenhouse.main:app_factory"
JOBS = "tokenhouse.entrypoints.jobs"
_KEEP_ALIVE_SECONDS = 75  # above what proxies and clients keep, so that they close first
_SLACK_SECONDS = 5


def main() -> None:
    """Run what the arguments name until SIGTERM."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the group; the supervisor tells us
    settings = load_settings()
    _end_with_parent(settings.shutdown_seconds + _SLACK_SECONDS)
    from tokenhouse.infra.telemetry import logs

    logs.configure(settings.log_level, settings.log_format)
    match sys.argv[1:]:
        case ["web", descriptor]:
            _serve(settings, int(descriptor))
        case ["jobs"]:
            asyncio.run(importlib.import_module(JOBS).run(settings))
        case ["command", *arguments]:
            from tokenhouse.entrypoints.cli import app

            sys.argv[1:] = arguments
            app.run()


def _serve(settings: Settings, descriptor: int) -> None:
    """Serve HTTP on the listening socket that was inherited."""
    import uvicorn

    from tokenhouse.entrypoints.cli.wire import Wire

    if settings.log_level != "debug":
        logging.getLogger("uvicorn").setLevel(logging.WARNING)  # starts and ends are the supervisor's to tell
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)

    class Server(uvicorn.Server):
        """SIGTERM begins the end, however often it comes; the process then exits by itself with 0."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            signal.signal(signal.SIGTERM, lambda *_: setattr(self, "should_exit", True))
            yield

    config = uvicorn.Config(
        APPLICATION,
        factory=True,
        loop="uvloop",
        http=Wire,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the gate reads them, of trusted proxies only
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.shutdown_seconds,
    )
    Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def _end_with_parent(grace_seconds: float) -> None:
    """End when the supervisor does: in order within the grace, else at once."""
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        return

    def watch() -> None:
        os.read(0, 1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace_seconds)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


if __name__ == "__main__":
    main()
