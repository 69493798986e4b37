"""Many callers, one question: concurrent lookups become one call, without a timer."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Gather(Generic[K, V]):
    """Answers `get(key)` by `load(keys)`, which is called with all keys that wait whenever a lane is free.

    load returns what it found by key; a key that it leaves out answers None. What it raises, its callers get.
    """

    def __init__(
        self, load: Callable[[Sequence[K]], Awaitable[Mapping[K, V]]], *, lanes: int = 2, limit: int = 256
    ) -> None:
        self._load = load
        self._free = lanes
        self._limit = limit
        self._waiting: dict[K, asyncio.Future[V | None]] = {}
        self._woken = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def get(self, key: K) -> V | None:
        """Return what `load` finds for this key."""
        future = self._waiting.get(key)
        if future is None:
            loop = asyncio.get_running_loop()
            future = self._waiting[key] = loop.create_future()
            if self._free and not self._woken:
                # Once the callers that are ready now have all asked.
                self._woken = True
                loop.call_soon(self._dispatch)
        # One caller that goes away must not take the answer from the others.
        return await asyncio.shield(future)

    def _dispatch(self) -> None:
        self._woken = False
        while self._free and self._waiting:
            keys = list(self._waiting)[: self._limit]
            asked = {key: self._waiting.pop(key) for key in keys}
            self._free -= 1
            task = asyncio.get_running_loop().create_task(self._lane(asked))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _lane(self, asked: "dict[K, asyncio.Future[V | None]]") -> None:
        try:
            found = await self._load(list(asked))
        except BaseException as error:
            for future in asked.values():
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # a caller that went away leaves nobody to hear it
            if not isinstance(error, Exception):
                raise
        else:
            for key, future in asked.items():
                if not future.done():
                    future.set_result(found.get(key))
        finally:
            self._free += 1
            self._dispatch()
