"""What requests are served with: made once a process by `main`, handed to every route."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tokenhouse.domain.access import Identities, Sessions
from tokenhouse.domain.metering import Checks, GroupCommit
from tokenhouse.domain.metering.types import AnyOrder, Done
from tokenhouse.domain.payouts.types import Bank, Terms
from tokenhouse.domain.wallets import Looks
from tokenhouse.entrypoints.api.keys import Keys
from tokenhouse.entrypoints.api.limits import Limits
from tokenhouse.entrypoints.api.proxies import Proxies
from tokenhouse.infra.database import Database
from tokenhouse.infra.kernel.errors import TokenhouseError
from tokenhouse.infra.kernel.sealing import Sealer
from tokenhouse.infra.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Runtime:
    """The process's database, queues, caches and figures.

    cookie: the name of the cookie that sessions travel in. public_url: where people reach the service, without a slash
    at the end: links in mails begin with it; None where nobody said. hold_ttl_seconds: of a hold that names none.
    payouts: what holds for them; bank: what bank files pay in. sealer: gives what seals and opens secrets.
    creator_models: whether creators may submit models. moderated_reviews: whether reviews wait for a moderator. live:
    whether keys made here are real ones (`th_live_`), and browsers told to come by TLS only. ready: raises Unavailable
    where the service cannot serve. log_requests: whether every request is logged, not only those that fail or are slow.
    """

    database: Database
    commit: GroupCommit
    checks: Checks
    looks: Looks
    identities: Identities
    keys: Keys
    sessions: Sessions
    cookie: bytes
    limits: Limits
    proxies: Proxies
    metrics: Metrics
    upgrade_url: str
    public_url: str | None
    hold_ttl_seconds: int
    payouts: Terms
    bank: Bank
    sealer: Callable[[], Sealer]
    creator_models: bool
    moderated_reviews: bool
    live: bool
    ready: Callable[[], Awaitable[None]]
    metrics_public: bool
    log_requests: bool

    @property
    def maturity_days(self) -> int:
        """How many days pass until earnings are payable."""
        return self.payouts.maturity_days

    async def submit(self, order: AnyOrder) -> Done:
        """Carry out an order, and count what became of it. Raises its refusal."""
        try:
            done = await self.commit.submit(order)
        except TokenhouseError:
            self.metrics.outcome("refused")
            raise
        self.metrics.outcome("replayed" if done.replayed else done.kind)
        return done

    async def submit_all(self, orders: Sequence[AnyOrder]) -> list[Done | TokenhouseError]:
        """Carry out orders, and count what became of each."""
        outcomes = await self.commit.submit_all(orders)
        for one in outcomes:
            if isinstance(one, TokenhouseError):
                self.metrics.outcome("refused")
            else:
                self.metrics.outcome("replayed" if one.replayed else one.kind)
        return outcomes
