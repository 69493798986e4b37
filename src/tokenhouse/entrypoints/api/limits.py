"""How often a caller may come: who is counted, on which limit, and what the answer says of it."""

import asyncio
import time
from collections.abc import Callable
from math import ceil
from typing import NamedTuple

import structlog
from limits import RateLimitItemPerMinute
from limits.aio.storage import Storage
from limits.aio.strategies import MovingWindowRateLimiter

from tokenhouse.domain.access.rules import acts_for_anyone
from tokenhouse.domain.access.types import Authority
from tokenhouse.entrypoints.api.call import Call
from tokenhouse.infra.kernel.addresses import neighbourhood
from tokenhouse.infra.kernel.errors import RateLimited, Unavailable
from tokenhouse.infra.kernel.ids import is_external_id

_WINDOW_SECONDS = 60
_COUNT_SECONDS = 0.5
_TRY_SECONDS = 5.0
_REST_SECONDS = 1.0
_NAMING = ("user_id", "userId", "account_id", "organizationId")
_UNCOUNTED = frozenset({"/livez", "/readyz", "/metrics"})
_FILES = "/static/"

_log = structlog.stdlib.get_logger("tokenhouse.limits")


class Verdict(NamedTuple):
    """Whether a hit is allowed, how many are left, and in how many seconds one more is."""

    allowed: bool
    remaining: int
    frees_seconds: float


class Limits:
    """The limits in force, each 0 for none. A request that nobody can count is let through: charges go before limits.

    per_minute: of an account's key or session. account_per_minute: of all of an account's keys and sessions together,
    for it may make as many as it likes. address_per_minute: of an address, without credentials. named_user_per_minute:
    of a user whom platform keys name. uncounted: is told of each hit that was not counted.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        uncounted: Callable[[], None],
        per_minute: int = 0,
        account_per_minute: int = 0,
        address_per_minute: int = 0,
        named_user_per_minute: int = 0,
    ) -> None:
        self._uncounted = uncounted
        self._window = MovingWindowRateLimiter(storage)
        self._per_minute = per_minute
        self.counts_accounts = account_per_minute > 0
        self._account_per_minute = account_per_minute
        self._address_per_minute = address_per_minute
        self.names_users = named_user_per_minute > 0
        self._named_user_per_minute = named_user_per_minute
        self._items: dict[int, RateLimitItemPerMinute] = {}
        self._rests_until = 0.0
        self._away = False

    async def hit(self, name: str, key: str, per_minute: int) -> float:
        """Count a try, on a limit of one's own naming; 0.0 where it is allowed, else the seconds to wait.

        Unavailable where it cannot be counted: guessing does not become free while the database is slow or away.
        """
        try:
            verdict = await self._take(name, key, per_minute, _TRY_SECONDS)
        except Exception as error:
            raise Unavailable("Tries cannot be counted now. Come again in a moment.") from error
        return 0.0 if verdict.allowed else max(verdict.frees_seconds, 0.001)

    async def take(self, name: str, key: str, per_minute: int) -> Verdict | None:
        """Count a hit; None where it cannot be counted now."""
        if time.monotonic() < self._rests_until:
            self._uncounted()
            return None
        try:
            verdict = await self._take(name, key, per_minute, _COUNT_SECONDS)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must stop nobody
            self._rests_until = time.monotonic() + _REST_SECONDS
            self._uncounted()
            if not self._away:
                self._away = True
                _log.warning("requests cannot be counted; all are let through", reason=type(error).__name__)
            return None
        if self._away:
            self._away = False
            _log.info("requests are counted again")
        return verdict

    async def _take(self, name: str, key: str, per_minute: int, patience_seconds: float) -> Verdict:
        item = self._items.get(per_minute)
        if item is None:
            item = self._items[per_minute] = RateLimitItemPerMinute(per_minute)
        async with asyncio.timeout(patience_seconds):
            allowed = await self._window.hit(item, name, key)
            window = await self._window.get_window_stats(item, name, key)
        return Verdict(allowed, max(0, window.remaining), max(0.0, window.reset_time - time.time()))

    def of(self, authority: Authority) -> int:
        """Say how many requests a minute this authority may make; 0: any number."""
        own = authority.rate_limit_per_minute
        if own is not None:
            return own
        if not self._per_minute or acts_for_anyone(authority):
            return 0
        return self._per_minute

    async def caller(self, call: Call, authority: Authority, per_minute: int) -> None:
        """Count a request by key or session. RateLimited: one too many."""
        if authority.key_id is not None:
            await self._count(call, "key", str(authority.key_id), per_minute)
        elif authority.account is not None:
            await self._count(call, "session", str(authority.account.id), per_minute)

    async def account(self, call: Call, authority: Authority) -> None:
        """Count a request by the account whose key or session it is. RateLimited: one too many."""
        if authority.account is not None and not acts_for_anyone(authority):
            await self._count(call, "account", str(authority.account.id), self._account_per_minute)

    async def stranger(self, call: Call) -> None:
        """Count a request without credentials, by its address. RateLimited: one too many."""
        if self._address_per_minute and call.path not in _UNCOUNTED and not call.path.startswith(_FILES):
            await self._count(call, "address", neighbourhood(call.address), self._address_per_minute)

    async def named_user(self, call: Call) -> None:
        """Count a request that the platform makes for a user: X-User-ID, else a field of the body."""
        user = call.user or _named(call.body)
        if user is not None and is_external_id(user):
            await self._count(call, "user", user, self._named_user_per_minute)

    async def _count(self, call: Call, name: str, key: str, per_minute: int) -> None:
        verdict = await self.take(name, key, per_minute)
        if verdict is None:
            return
        seconds = ceil(verdict.frees_seconds)
        policy = b'"%s";q=%d;w=%d' % (name.encode(), per_minute, _WINDOW_SECONDS)
        state = b'"%s";r=%d;t=%d' % (name.encode(), verdict.remaining, seconds)
        if call.limits:
            policy, state = (
                b", ".join((before[1], now)) for before, now in zip(call.limits, (policy, state), strict=True)
            )
        call.limits = ((b"ratelimit-policy", policy), (b"ratelimit", state))
        if not verdict.allowed:
            seconds = max(1, seconds)
            raise RateLimited(
                f"At most {per_minute:,} requests a minute. Come again in {seconds} s, as Retry-After says.",
                retry_after=seconds,
            )


def _named(body: object) -> str | None:
    if isinstance(body, dict):
        for field in _NAMING:
            value = body.get(field)
            if isinstance(value, str):
                return value
    return None
