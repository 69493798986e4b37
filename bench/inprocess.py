"""Charges, checks and reads in this process, without HTTP: closed loops of any number of callers."""

import asyncio
import random
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench import cpu
from bench.economy import Economy
from bench.sample import Sample
from tokenhouse.domain import wallets
from tokenhouse.domain.ledger.types import Command, Party
from tokenhouse.domain.metering import Checks, GroupCommit, receipts_of
from tokenhouse.domain.metering.types import Order
from tokenhouse.infra.database import Actor, Database
from tokenhouse.infra.kernel import collector
from tokenhouse.infra.kernel.ids import uuid7

HOT_MODEL = 1
TIERED_MODEL = 5
_WARM_UP_SECONDS = 0.4
_MOST_AMOUNT = 20


@dataclass(slots=True)
class Till:
    """A database with what serves from it in this process, as `main` would put it together."""

    economy: Economy
    database: Database
    commit: GroupCommit
    checks: Checks
    looks: wallets.Looks
    parties: list[Party]
    postmaster: int
    dice: random.Random = field(default_factory=lambda: random.Random(1))
    batches: list[int] = field(default_factory=list)
    """Sizes of the group commits so far."""

    def order(self, hot_share: float, hot_model: int) -> Order:
        """A charge for the use of a model: three of four name an amount, the fourth an operation with a price."""
        dice = self.dice
        model = hot_model if dice.random() < hot_share else dice.randint(2, self.economy.models)
        key = uuid7().hex
        command = Command(self.parties[int(dice.random() * len(self.parties))], key, key)
        units = int(dice.random() * _MOST_AMOUNT) + 1
        if dice.random() < 0.25:
            return Order(command, "charge", operation="chat", quantity=units, model_id=f"m{model}")
        return Order(command, "charge", amount=units, model_id=f"m{model}", usage_type="image_generation")

    async def charges(
        self, callers: int, seconds: float, *, hot_share: float = 0.5, hot_model: int = HOT_MODEL
    ) -> Sample:
        """Charge as fast as so many callers can, each waiting for its receipt."""

        async def charge() -> None:
            await self.commit.submit(self.order(hot_share, hot_model))

        begun = len(self.batches)
        sample = await self.loop(callers, seconds, charge)
        sizes = self.batches[begun:]
        return Sample(
            sample.count, sample.seconds, sample.latencies, sample.python_us, sample.postgres_us,
            note=f"{statistics.mean(sizes):.0f} a commit" if sizes else "",
        )  # fmt: skip

    async def check(self, callers: int, seconds: float) -> Sample:
        """Ask whether charges could be paid."""

        async def ask() -> None:
            await self.checks.check(self.order(0.5, HOT_MODEL))

        return await self.loop(callers, seconds, ask)

    async def stats(self, callers: int, seconds: float) -> Sample:
        """Read accounts' wallets."""
        terms = (await self.commit.rates()).catalog

        async def read() -> None:
            wallets.views_of(terms, await self.looks.look(self.dice.choice(self.parties)))

        return await self.loop(callers, seconds, read)

    async def loop(self, callers: int, seconds: float, act: Callable[[], Awaitable[None]]) -> Sample:
        """Run `act` in so many loops at once."""
        latencies: list[float] = []
        clock = time.perf_counter
        python, postgres = time.process_time(), cpu.of_server(self.postmaster)
        began = clock()
        deadline = began + seconds

        async def caller() -> None:
            now = clock()
            while now < deadline:
                await act()
                then, now = now, clock()
                latencies.append(now - then)

        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(caller())
        took = clock() - began
        python, postgres = time.process_time() - python, cpu.of_server(self.postmaster) - postgres
        latencies.sort()
        count = len(latencies)
        return Sample(count, took, latencies, python / count * 1e6, postgres / count * 1e6)


@asynccontextmanager
async def opened(economy: Economy, postmaster: int) -> AsyncIterator[Till]:
    """Connect, warm up, and close at the end."""
    booted = economy.booted
    sizes: list[int] = []
    async with Database(booted.app_conninfo, booted.signer, min_size=4) as database:
        commit = GroupCommit(
            database,
            buckets=booted.buckets,
            queue_limit=10_000,
            observe=lambda size, _seconds, _left: sizes.append(size),
        )
        parties = [Party(number, number % booted.buckets, f"u{number}") for number in economy.payers]
        till = Till(
            economy,
            database,
            commit,
            Checks(database, commit),
            wallets.Looks(database),
            parties,
            postmaster,
            batches=sizes,
        )
        collector.calm()
        try:
            await till.charges(64, _WARM_UP_SECONDS)
            yield till
        finally:
            await commit.close()


async def isolation(bound: Till, free: Till, seconds: float) -> dict[str, tuple[Sample, Sample]]:
    """Read and charge one by one, with isolation and on a database that has none; the two take turns.

    So what disturbs one disturbs the other.
    """
    terms = (await bound.commit.rates()).catalog
    clock = time.perf_counter

    async def read(till: Till) -> None:
        party = till.dice.choice(till.parties)
        async with till.database.read(Actor((party.id,))) as tx:
            await wallets.wallets_of(tx, terms, party)
            await receipts_of(tx, party, most=20)

    async def charge(till: Till) -> None:
        await till.commit.submit(till.order(0.5, HOT_MODEL))

    found = {}
    for name, act in (("reads", read), ("charges", charge)):
        taken: tuple[list[float], list[float]] = ([], [])
        deadline = clock() + seconds
        while clock() < deadline:
            for till, times in zip((bound, free), taken, strict=True):
                began = clock()
                await act(till)
                times.append(clock() - began)
        # The first ones prepare their statements.
        one, other = (sorted(times[min(5, len(times) // 2) :]) for times in taken)
        found[name] = Sample(len(one), sum(one), one), Sample(len(other), sum(other), other)
    return found
