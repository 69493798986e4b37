"""The group commit: concurrent orders of a process become one transaction, without a timer.

A caller appends to its bucket's queue. Whenever one of the bucket's lanes is free it takes what waits, up to a bound,
and carries it out: one lock, one load, one decision for each in the order of arrival, one post, one commit. So a lone
caller waits for nobody, and the more callers there are, the more share a commit.

An account is in one lane at a time, so that its orders keep their order; so are uses of models whose tiers count. Every
order has an idempotency key, so a batch whose commit is in doubt (the server went away) is simply tried again. A batch
that the database refuses is tried again one by one: a poisoned order fails alone.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from time import perf_counter

from tokenhouse.domain import catalog as catalogs
from tokenhouse.domain import wallets
from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.domain.ledger.types import Party
from tokenhouse.domain.metering import pricing, rules, service
from tokenhouse.domain.metering.bucket import Bucket, Job
from tokenhouse.domain.metering.types import (
    AnyOrder,
    Character,
    Done,
    Loaded,
    MeteringPosting,
    Replay,
    Terms,
    Unsettled,
)
from tokenhouse.infra.database import PLATFORM, Actor, Database, Decision, Lane, sqlstate
from tokenhouse.infra.database.arrays import ints
from tokenhouse.infra.kernel.errors import Conflict, TokenhouseError, Unavailable
from tokenhouse.infra.kernel.ids import new_id

LANES = 3
"""Connections that a bucket's charges have in each serving process, besides the pool's."""

_AGAIN_AT_ONCE = frozenset({"40001", "40P01", "23505", "TH409"})  # another process was quicker
_OUT_OF_RANGE = "22003"
_SMALL_BATCH = 32  # below it, sharing one commit beats working side by side
_HELD_BACK_SECONDS = 0.05  # some batches' time
_TRIES = 4
_PAUSE_SECONDS = 0.1


class GroupCommit:
    """Carries out orders of any number of callers. Start it on the event loop that they run on.

    observe(size, seconds, waiting): called after each batch, for the metrics.
    """

    def __init__(
        self,
        database: Database,
        *,
        buckets: int = 1,
        lanes: int = LANES,
        batch_limit: int = 256,
        queue_limit: int = 8192,
        upgrade_url: str = "/plans",
        patience_seconds: int = 4,
        observe: Callable[[int, float, int], None] | None = None,
    ) -> None:
        self._database = database
        self._buckets = [
            Bucket(number, [Lane(database, service.LOAD, service.POST) for _ in range(lanes)])
            for number in range(buckets)
        ]
        self._batch_limit = batch_limit
        self._queue_limit = queue_limit
        self._upgrade_url = upgrade_url
        self._patience_seconds = patience_seconds
        self._observe = observe
        self._rates: service.Rates | None = None
        self.terms = service.TermsKept()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many orders wait in the queues."""
        return sum(len(bucket.queue) for bucket in self._buckets)

    async def rates(self) -> service.Rates:
        """Return the catalog in force with its formulas, as last seen."""
        if self._rates is None:
            await self.reload()
        assert self._rates is not None  # noqa: S101 - reload sets it
        return self._rates

    async def reload(self) -> None:
        """Read the catalog again; a batch that meets a newer version does so by itself."""
        async with self._database.read(PLATFORM) as tx:
            self._rates = service.Rates(await catalogs.load(tx))

    async def renew(self) -> bool:
        """Read the catalog again where another is in force than was last seen; says whether."""
        seen = (await self.rates()).catalog.version
        async with self._database.read(PLATFORM) as tx:
            if await tx.one(service.CATALOG_VERSION) == seen:
                return False
        await self.reload()
        return True

    async def submit(self, order: AnyOrder) -> Done:
        """Carry out one order. Raises its refusal, or Unavailable where the queue is full or the database away."""
        return await self._enqueue(order)

    async def submit_all(self, orders: Iterable[AnyOrder]) -> list[Done | TokenhouseError]:
        """Carry out orders, in order for each account; an outcome each, whatever it is that refused one."""
        outcomes = await asyncio.gather(*[self._enqueue(order) for order in orders], return_exceptions=True)
        return [one if isinstance(one, Done | TokenhouseError) else _failure(one) for one in outcomes]

    async def close(self) -> None:
        """Take no more orders and let those under way end."""
        self._closed = True
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        for bucket in self._buckets:
            for lane in bucket.free:
                await lane.close()

    def _enqueue(self, order: AnyOrder) -> "asyncio.Future[Done]":
        bucket = self._buckets[order.command.party.bucket]
        loop = self._loop
        if loop is None:  # asking for it each time takes a system call
            loop = self._loop = asyncio.get_running_loop()
        future: asyncio.Future[Done] = loop.create_future()
        if self._closed or len(bucket.queue) >= self._queue_limit:
            text = "is closing" if self._closed else "has too many charges waiting"
            future.set_exception(Unavailable(f"The service {text}. Retry with the same key."))
            return future
        bucket.queue.append(Job(order, future))
        self._wake(bucket)
        return future

    def _wake(self, bucket: "Bucket") -> None:
        """Let free lanes take work once the callers that are ready now have all queued theirs."""
        if bucket.free and not bucket.woken:
            bucket.woken = True
            asyncio.get_running_loop().call_soon(self._dispatch, bucket)

    def _dispatch(self, bucket: "Bucket") -> None:
        bucket.woken = False
        while bucket.free:
            if bucket.under_way >= _SMALL_BATCH // 2 > len(bucket.queue) and self._hold_back(bucket):
                return
            batch = bucket.take(min(self._batch_limit, max(_SMALL_BATCH, bucket.fair_share())), self.terms.counts)
            if not batch:
                return
            bucket.began = perf_counter()
            lane = bucket.free.pop()
            task = asyncio.get_running_loop().create_task(self._lane(bucket, lane, batch))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _hold_back(self, bucket: "Bucket") -> bool:
        """Let few orders wait for the batch under way and its callers' next ones; not for one that is stuck."""
        if not bucket.queue or perf_counter() - bucket.began > _HELD_BACK_SECONDS:
            return False
        if not bucket.held_back:
            bucket.held_back = True
            asyncio.get_running_loop().call_later(_HELD_BACK_SECONDS, self._let_go, bucket)
        return True

    def _let_go(self, bucket: "Bucket") -> None:
        bucket.held_back = False
        self._wake(bucket)

    async def _lane(self, bucket: "Bucket", lane: Lane[Loaded], batch: "list[Job]") -> None:
        try:
            await self._carry_out(bucket, lane, batch)
        except BaseException as error:
            for job in batch:
                if not job.future.done():
                    job.future.set_exception(error)
            if not isinstance(error, Exception):
                raise
        finally:
            bucket.leave(batch)
            bucket.free.append(lane)
            self._wake(bucket)  # after the callers just answered, whose next orders join the batch

    async def _carry_out(self, bucket: "Bucket", lane: Lane[Loaded], batch: "list[Job]") -> None:
        """Decide a batch until every order has its outcome: again after a settlement, a race, a lost connection."""
        deadline = perf_counter() + self._patience_seconds
        todo = [batch]
        while todo:
            jobs = todo.pop(0)
            try:
                left = await self._attempt(bucket, lane, jobs)
            except Unavailable as error:
                # In doubt or not even begun: the keys make it safe to try again.
                if perf_counter() >= deadline or self._closed:
                    _fail(jobs, error)
                else:
                    await asyncio.sleep(_PAUSE_SECONDS)
                    todo.insert(0, jobs)
            except Exception as error:  # noqa: BLE001 - whatever it is must reach a caller, and only the right one
                todo[:0] = self._after_refusal(jobs, error)
            else:
                if left:
                    todo.insert(0, await self._settle(left))

    def _after_refusal(self, jobs: "list[Job]", error: Exception) -> "list[list[Job]]":
        """Say how to go on after the database refused a batch: all again, one by one, or not at all."""
        for job in jobs:
            job.tries += 1
        again = sqlstate(error) in _AGAIN_AT_ONCE
        if again and jobs[0].tries < _TRIES:
            return [jobs]
        if len(jobs) > 1:
            return [[job] for job in jobs]
        if sqlstate(error) == _OUT_OF_RANGE and not jobs[0].unearned:
            # Its earnings would pass 64 bits: it is charged all the same, and nothing is credited.
            jobs[0].unearned = True
            return [jobs]
        if again or (sqlstate(error) or "").startswith(("22", "23")):
            refusal = Conflict("The books refused this charge. Look at its figures, or retry with the same key.")
            refusal.__cause__ = error
            error = refusal
        _fail(jobs, error)
        return []

    async def _attempt(self, bucket: "Bucket", lane: Lane[Loaded], jobs: "list[Job]") -> "list[Job]":
        """Carry out a batch in one transaction; return the orders that need their account settled first."""
        began = perf_counter()
        rates = await self.rates()
        named: list[tuple[AnyOrder, int]] = []
        live: list[Job] = []
        refused: list[tuple[Job, TokenhouseError]] = []
        for job in jobs:
            try:
                named.append((job.order, pricing.asset_of(rates.catalog, job.order)))
            except TokenhouseError as refusal:
                refused.append((job, refusal))
            else:
                live.append(job)
        if refused and await self.renew():
            return await self._attempt(bucket, lane, jobs)
        for job, reason in refused:
            _fail([job], reason)
        if not live:
            return []
        actor = Actor(tuple({job.order.command.party.id for job in live}), teller=True)
        load = service.load_params(bucket.number, named, self.terms)
        async with lane.decision(actor, **load) as decision:
            outcomes = await self._decide(bucket.number, rates, live, decision)
        if outcomes is None:
            missing = self.terms.missing(bucket.number, decision.loaded)
            if missing:
                await self._learn(bucket.number, missing)
            return await self._attempt(bucket, lane, live)
        left = await self._answer(live, outcomes)
        if self._observe is not None:
            self._observe(len(live), perf_counter() - began, len(bucket.queue))
        return left

    async def _learn(self, bucket: int, models: list[int]) -> None:
        """Read terms of models. In a transaction of its own: it may open accounts, which must outlast the batch."""
        async with self._database.transaction(Actor((0,), teller=True)) as tx:
            rows = await tx.one(service.TERMS_OF, bucket=bucket, models=ints(models))
        self.terms.keep(bucket, rows or ())

    async def _decide(
        self, bucket: int, rates: service.Rates, jobs: "Sequence[Job]", decision: Decision[Loaded]
    ) -> list[rules.Outcome] | None:
        """Decide and post a loaded batch; None where it must be loaded again, by what was learnt."""
        loaded = decision.loaded
        if (loaded.catalog_version or 0) != rates.catalog.version:
            self._rates = None
            return None
        if self.terms.missing(bucket, loaded):
            return None
        models, characters = self.terms.found(bucket, loaded)
        if not self._counted(rates, models, characters, loaded):
            return None
        scene = service.scene_of(
            loaded,
            rates,
            models,
            characters,
            self._upgrade_url,
            frozenset([job.order.command.party.id for job in jobs if job.settled]),
            frozenset([(job.order.command.party.id, job.order.command.key) for job in jobs if job.unearned]),
        )
        posting = MeteringPosting(bucket)
        outcomes = [rules.decide(scene, job.order, new_id(), posting) for job in jobs]
        if posting.entries:
            await decision.post(**service.post_params(posting, scene.at))
        return outcomes

    def _counted(
        self, rates: service.Rates, models: dict[str, Terms], characters: dict[str, Character], loaded: Loaded
    ) -> bool:
        """Whether the uses of all models whose tiers count were loaded, under lock; learn of those that were not."""
        counted = set(loaded.counting or ())
        counting = self.terms.counting
        all_there = True
        named = [("model", name, terms) for name, terms in models.items()]
        named += [("character", name, character.terms) for name, character in characters.items()]
        for sort, name, terms in named:
            if not rates.counts_uses(terms):
                counting.pop((sort, name), None)
            else:
                counting[sort, name] = terms.model_id
                all_there = all_there and terms.model_id in counted
        return all_there

    async def _answer(self, jobs: "Sequence[Job]", outcomes: Sequence[rules.Outcome]) -> "list[Job]":
        """Give each caller its own outcome, after the commit."""
        again = [outcome.id for outcome in outcomes if isinstance(outcome, Replay)]
        found = {}
        if again:
            async with self._database.read(PLATFORM) as tx:
                found = await service.receipts(tx, again)
        left = []
        for job, outcome in zip(jobs, outcomes, strict=True):
            if job.future.done():
                continue
            if isinstance(outcome, Unsettled):
                left.append(job)
            elif isinstance(outcome, TokenhouseError):
                job.future.set_exception(outcome)
            elif isinstance(outcome, Replay):
                job.future.set_result(Done(outcome.id, outcome.kind, "", found[outcome.id], None, replayed=True))
            else:
                job.future.set_result(outcome)
        return left

    async def _settle(self, jobs: "list[Job]") -> "list[Job]":
        """Let time do its part to the accounts of these orders, each in a transaction of its own; return the orders."""
        rates = await self.rates()
        parties = {job.order.command.party.id: job.order.command.party for job in jobs}
        for party in parties.values():
            await settle_account(self._database, rates.catalog, party)
        for job in jobs:
            job.settled += 1
        _fail([job for job in jobs if job.settled > _TRIES], Unavailable("The wallet is not settled. Retry."))
        return [job for job in jobs if job.settled <= _TRIES]


async def settle_account(database: Database, catalog: Catalog, party: Party) -> None:
    """Settle an account in a transaction of its own; another process that does the same at once is no harm."""
    for _ in range(_TRIES):
        try:
            async with database.transaction(Actor((party.id,), teller=True)) as tx:
                await wallets.settle(tx, catalog, party)
        except Exception as error:
            if sqlstate(error) not in _AGAIN_AT_ONCE:
                raise
        else:
            return


def _failure(error: BaseException) -> TokenhouseError:
    """Make an order's unexpected error an outcome of its own."""
    failure = TokenhouseError("This charge could not be carried out. Look at its figures, or retry with the same key.")
    failure.__cause__ = error
    return failure


def _fail(jobs: Iterable[Job], error: BaseException) -> None:
    for job in jobs:
        with suppress(asyncio.InvalidStateError):
            job.future.set_exception(error)
