"""What requests are served with: made once a process by `main`, handed to every route."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tokenhouse.domain.access import Identities
from tokenhouse.domain.metering import Checks, GroupCommit
from tokenhouse.entrypoints.api.keys import Keys
from tokenhouse.infra.database import Database
from tokenhouse.infra.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Runtime:
    """The process's database, queues, caches and figures.

    hold_ttl_seconds: of a hold that names none. maturity_days: until earnings are payable. live: whether keys made here
    are real ones (`th_live_`). ready: raises Unavailable where the service cannot serve. log_requests: whether every
    request is logged, not only those that fail or are slow.
    """

    database: Database
    commit: GroupCommit
    checks: Checks
    identities: Identities
    keys: Keys
    metrics: Metrics
    upgrade_url: str
    hold_ttl_seconds: int
    maturity_days: int
    live: bool
    ready: Callable[[], Awaitable[None]]
    metrics_public: bool
    log_requests: bool
