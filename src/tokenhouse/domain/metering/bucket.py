"""What waits to be charged: a queue for each bucket, and which of its orders may share a batch."""

import asyncio
from collections import deque
from collections.abc import Callable
from time import perf_counter

from tokenhouse.domain.metering.types import AnyOrder, Done, Loaded
from tokenhouse.infra.database import Lane

_LOOKED_PAST = 4  # batches' worth of orders that must wait are looked past for some that need not


class Job:
    """An order that waits for its outcome."""

    __slots__ = ("future", "order", "settled", "tries", "unearned")

    def __init__(self, order: AnyOrder, future: "asyncio.Future[Done]") -> None:
        self.order = order
        self.future = future
        self.settled = 0
        self.unearned = False
        self.tries = 0


class Bucket:
    """A queue, and the lanes that empty it."""

    __slots__ = (
        "began", "busy", "counting", "free", "held_back", "lanes", "number", "queue", "under_way", "woken",
    )  # fmt: skip

    def __init__(self, number: int, lanes: list[Lane[Loaded]]) -> None:
        self.number = number
        self.free = lanes
        self.lanes = len(lanes)
        self.under_way = 0
        self.queue: deque[Job] = deque()
        self.busy: set[int] = set()
        self.counting: list[Job] | None = None
        self.woken = False
        self.held_back = False
        self.began = perf_counter()

    def fair_share(self) -> int:
        """Say how many orders make a batch when all lanes are to work: one decides while the others' are written."""
        return (len(self.queue) + self.under_way + self.lanes - 1) // self.lanes

    def take(self, limit: int, counts: Callable[[AnyOrder], bool]) -> list[Job]:
        """Take what waits, in order, leaving the orders of accounts that are in a lane already.

        Uses of models whose tiers count are in one lane at a time as well: the models are locked before anything is
        decided, so that a second lane would only wait for the first one's commit.
        """
        queue = self.queue
        batch: list[Job] = []
        kept: list[Job] = []
        waiting = set(self.busy)
        counting = False
        while queue and len(batch) < limit and len(kept) < limit * _LOOKED_PAST:
            job = queue.popleft()
            account, counted = job.order.command.party.id, counts(job.order)
            if account in waiting or (counted and self.counting is not None):
                waiting.add(account)
                kept.append(job)
            else:
                counting = counting or counted
                batch.append(job)
        queue.extendleft(reversed(kept))
        if counting:
            self.counting = batch
        self.busy.update([job.order.command.party.id for job in batch])
        self.under_way += len(batch)
        return batch

    def leave(self, batch: list[Job]) -> None:
        """Let the accounts of a batch be taken again."""
        self.busy.difference_update([job.order.command.party.id for job in batch])
        self.under_way -= len(batch)
        if self.counting is batch:
            self.counting = None
