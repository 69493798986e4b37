"""Many callers, one question: concurrent lookups become one call, without a timer."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
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
        self._waiting: dict[K, list[asyncio.Future[V | None]]] = {}
        self._woken = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def get(self, key: K) -> V | None:
        """Return what `load` finds for this key."""
        return await self._ask(key)

    async def get_all(self, keys: Iterable[K]) -> dict[K, V | None]:
        """Return what `load` finds for each of these keys, which are asked for together."""
        asked = {key: self._ask(key) for key in keys}
        return {key: await future for key, future in asked.items()}

    def _ask(self, key: K) -> "asyncio.Future[V | None]":
        loop = self._loop
        if loop is None:  # asking for it each time takes a system call
            loop = self._loop = asyncio.get_running_loop()
        # A future of its own for each caller: one that goes away takes the answer from nobody else.
        future: asyncio.Future[V | None] = loop.create_future()
        self._waiting.setdefault(key, []).append(future)
        if self._free and not self._woken:
            # Once the callers that are ready now have all asked.
            self._woken = True
            loop.call_soon(self._dispatch)
        return future

    def _dispatch(self) -> None:
        self._woken = False
        while self._free and self._waiting:
            keys = list(self._waiting)[: self._limit]
            asked = {key: self._waiting.pop(key) for key in keys}
            self._free -= 1
            task = asyncio.get_running_loop().create_task(self._lane(asked))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _lane(self, asked: "dict[K, list[asyncio.Future[V | None]]]") -> None:
        waiting = [(key, future) for key, futures in asked.items() for future in futures]
        try:
            found = await self._load(list(asked))
        except BaseException as error:
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
                    future.exception()  # a caller that went away leaves nobody to hear it
            if not isinstance(error, Exception):
                raise
        else:
            for key, future in waiting:
                if not future.done():
                    future.set_result(found.get(key))
        finally:
            self._free += 1
            self._dispatch()
