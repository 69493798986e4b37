"""Prometheus metrics, right for any number of worker processes.

One process keeps its figures in memory. Several write theirs to files of a shared folder, and whichever of
them is asked adds up what all have written, also what workers wrote that have ended since.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = f"tokenhouse-metrics-{os.getuid()}-"
_LATENCY = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
_BATCH = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1000)


def shared_folder() -> Path:
    """Make the folder that the workers of one service share.

    It is named by their parent, so that no run adds to another's figures.
    """
    base = Path(tempfile.gettempdir())
    for old in base.glob(f"{_PREFIX}*"):
        if not _alive(old.name.removeprefix(_PREFIX)):
            shutil.rmtree(old, ignore_errors=True)
    folder = base / f"{_PREFIX}{os.getppid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else; remove it.")
    return folder


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError):
        return True
    return True


class Metrics:
    """All that is counted. Make one a process, before any other Prometheus metric.

    workers: how many processes serve together.
    """

    def __init__(self, workers: int = 1) -> None:
        folder = os.environ.get(_FOLDER_VARIABLE)  # noqa: TID251 - the library's own switch, set by who starts us
        if folder is None and workers > 1:
            folder = str(shared_folder())
            os.environ[_FOLDER_VARIABLE] = folder  # noqa: TID251 - the library takes it from there alone
        # Imported late: it looks at the variable as it is imported.
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics  # noqa: PLC0415
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

        self._folder = folder
        self._outcomes: dict[str, Counter] = {}
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        own = self.registry if folder is None else None
        self.requests = Counter(
            "tokenhouse_http_requests", "Requests answered", ["method", "route", "status"], registry=own
        )
        self.request_seconds = Histogram(
            "tokenhouse_http_request_seconds",
            "From the first byte to the answer",
            ["route"],
            buckets=_LATENCY,
            registry=own,
        )
        self.charges = Counter(
            "tokenhouse_charges",
            "Orders by outcome: charge, hold, capture, void, report, replayed, refused",
            ["outcome"],
            registry=own,
        )
        self.refusals = Counter("tokenhouse_refusals", "Requests refused, by the code told", ["code"], registry=own)
        self.uncounted = Counter(
            "tokenhouse_requests_uncounted",
            "Requests let through because their limit could not be asked",
            registry=own,
        )
        self.batch_size = Histogram(
            "tokenhouse_commit_batch_size", "Orders that shared a commit", buckets=_BATCH, registry=own
        )
        self.batch_seconds = Histogram(
            "tokenhouse_commit_seconds",
            "From the lock to the commit of a batch",
            buckets=_LATENCY,
            registry=own,
        )
        self.queue = Gauge(
            "tokenhouse_commit_queue",
            "Orders that wait for a commit",
            multiprocess_mode="livesum",
            registry=own,
        )
        if folder is not None:
            MultiProcessCollector(self.registry, path=folder)  # type: ignore[no-untyped-call]

    def outcome(self, name: str) -> None:
        """Count an order: charge, hold, capture, void, report, replayed or refused."""
        counter = self._outcomes.get(name)
        if counter is None:
            counter = self._outcomes[name] = self.charges.labels(name)
        counter.inc()

    def observe_batch(self, size: int, seconds: float, waiting: int) -> None:
        """Count a group commit."""
        self.batch_size.observe(size)
        self.batch_seconds.observe(seconds)
        self.queue.set(waiting)

    def watch_queue(self, waiting: Callable[[], int]) -> None:
        """Ask for the queue's depth whenever somebody looks, where one process is all there is."""
        if self._folder is None:
            self.queue.set_function(waiting)

    def text(self) -> bytes:
        """Write everything in Prometheus' text format."""
        from prometheus_client import generate_latest  # noqa: PLC0415 - see __init__

        if self._folder is not None:
            # A worker that was killed could not take its gauges away.
            for file in Path(self._folder).glob("gauge_live*_*.db"):
                if not _alive(file.stem.rpartition("_")[2]):
                    file.unlink(missing_ok=True)
        return generate_latest(self.registry)

    def close(self) -> None:
        """Take this process's gauges out of the sum."""
        if self._folder is not None:
            from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - see __init__

            mark_process_dead(os.getpid(), self._folder)  # type: ignore[no-untyped-call]


CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"
"""What `text` is."""
