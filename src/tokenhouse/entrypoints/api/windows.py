"""Where the library of rate limits counts: our database, a process's memory, or Redis."""

import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from limits.aio.storage import MemoryStorage, MovingWindowSupport, Storage
from limits.errors import ConfigurationError
from limits.storage import storage_from_string

from tokenhouse.domain import access
from tokenhouse.domain.access.rules import digest_of
from tokenhouse.domain.access.types import Hits, HitsAsked
from tokenhouse.infra.database import Database
from tokenhouse.infra.database.gather import Gather

_MOST_SEEN = 10_000
_MOST_AT_ONCE = 512


class Windows(Protocol):
    """A storage that can count in moving windows."""

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Take `amount` hits, all or none."""
        ...

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Tell since when, in seconds of the epoch, and how many hits the window holds."""
        ...


class _Seen(NamedTuple):
    """What this process knows of a window. full_until: until then nothing can leave it, by the monotonic clock."""

    began: float
    used: int
    full_until: float


class _Hit:
    """One call's hits: each is its own, also on the same key."""

    __slots__ = ("amount", "asked_key", "limit", "seconds")

    def __init__(self, asked_key: str, limit: int, seconds: int, amount: int) -> None:
        self.asked_key = asked_key
        self.limit = limit
        self.seconds = seconds
        self.amount = amount


class DatabaseStorage(Storage, MovingWindowSupport):
    """Counts in a table that all processes share; hits that come at the same time share a statement.

    A window that is full is asked for again when something can have left it, so that refusals cost the database
    nothing. The table knows keys by their digests only.
    """

    STORAGE_SCHEME: list[str] | None = None

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database
        # One lane: callers on the same keys would only wait for each other.
        self._taken: Gather[_Hit, bool] = Gather(self._take, lanes=1, limit=_MOST_AT_ONCE)
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    @property
    def base_exceptions(self) -> type[Exception] | tuple[type[Exception], ...]:
        """What the library may wrap: nothing, for it is not asked to."""
        return ()

    async def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Take `amount` hits, all or none; False where the window of `expiry` seconds would hold over `limit`."""
        seen = self._seen.get(key)
        if seen is not None and time.monotonic() < seen.full_until:
            return False
        return bool(await self._taken.get(_Hit(key, limit, expiry, amount)))

    async def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        """Tell when the window began, in seconds of the epoch, and how many hits it holds, as last seen from here."""
        if key not in self._seen:
            await self._taken.get(_Hit(key, limit, expiry, 0))
        seen = self._seen[key]
        return seen.began, seen.used

    async def _take(self, hits: Sequence[_Hit]) -> Mapping[_Hit, bool]:
        together: dict[str, list[_Hit]] = {}
        for hit in hits:
            together.setdefault(hit.asked_key, []).append(hit)
        names = {digest_of(key).hex()[:32]: key for key in together}
        asked = [
            HitsAsked(name, together[key][0].limit, together[key][0].seconds, sum(hit.amount for hit in together[key]))
            for name, key in names.items()
        ]
        taken = await access.take_hits(self._database, asked)
        granted: dict[_Hit, bool] = {}
        for name, key in names.items():
            left = taken[name].granted
            self._see(key, together[key][0], taken[name])
            for hit in together[key]:
                granted[hit] = hit.amount <= left
                left -= hit.amount if granted[hit] else 0
        return granted

    def _see(self, key: str, hit: _Hit, taken: Hits) -> None:
        full_until = time.monotonic() + taken.frees_seconds if taken.used >= hit.limit else 0.0
        self._seen[key] = _Seen(time.time() + taken.frees_seconds - hit.seconds, taken.used, full_until)
        self._seen.move_to_end(key)
        while len(self._seen) > _MOST_SEEN:
            self._seen.popitem(last=False)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Refuse: windows that do not move are not kept."""
        raise NotImplementedError

    async def get(self, key: str) -> int:
        """Refuse, as `incr` does."""
        raise NotImplementedError

    async def get_expiry(self, key: str) -> float:
        """Refuse, as `incr` does."""
        raise NotImplementedError

    async def check(self) -> bool:
        """Say that it can be asked."""
        return True

    async def reset(self) -> int | None:
        """Forget nothing: windows end by themselves."""
        return None

    async def clear(self, key: str) -> None:
        """Forget what this process knows of a window."""
        self._seen.pop(key, None)


def storage_of(where: str, database: Database) -> Storage:
    """Make the storage that the settings name: `database`, `memory` or a Redis URL.

    ConfigurationError: Redis is named, and the package that speaks to it is not installed.
    """
    if where == "database":
        return DatabaseStorage(database)
    if where == "memory":
        return MemoryStorage()
    try:
        storage = storage_from_string(f"async+{where}", implementation="redispy")
    except ConfigurationError:
        raise ConfigurationError(
            "rate_limit_storage names Redis, and the Python package `redis` is not installed: "
            "install it, or set TOKENHOUSE_RATE_LIMIT_STORAGE=database."
        ) from None
    assert isinstance(storage, Storage)  # noqa: S101 - the scheme names an asynchronous one
    return storage
