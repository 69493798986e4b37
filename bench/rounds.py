"""What is measured, and in which order: everything once a round, so that all of it meets the same disturbances."""

import secrets
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from bench import economy, inprocess, tpcb
from bench.calls import BATCH, Calls
from bench.economy import Economy
from bench.inprocess import TIERED_MODEL, Till
from bench.plan import Plan
from bench.sample import Sample
from bench.service import Service
from bench.web import Web
from tokenhouse.domain.metering import verify
from tokenhouse.infra.database.embedded import EmbeddedServer

YARDSTICK = "pgbench TPC-B"
Say = Callable[[str], None]
Take = Callable[[], Awaitable[Sample]]


@dataclass(slots=True)
class Found:
    """All samples by the name of what was measured, a round each; and what else is worth saying."""

    samples: dict[str, list[Sample]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    def add(self, name: str, sample: Sample) -> None:
        """Keep what a round found."""
        self.samples.setdefault(name, []).append(sample)


@dataclass(frozen=True, slots=True)
class Bench:
    """The one PostgreSQL server with all databases on it, and the services over HTTP."""

    plan: Plan
    server: EmbeddedServer
    yardstick: tpcb.Yardstick
    small: Economy
    large: Till
    web: tuple[Web, Web] | None
    others: dict[str, list[str]]
    say: Say

    async def run(self) -> Found:
        """Measure all rounds."""
        found = Found()
        with psycopg.connect(self.server.conninfo("postgres"), autocommit=True) as admin:
            admin.execute("checkpoint")  # what the filling left to be written
        for number in range(1, self.plan.rounds + 1):
            # A fresh copy: its size stays what the plan says.
            small = economy.copy(self.server, self.small, "small")
            async with inprocess.opened(small, self._postmaster) as till:
                tasks = [
                    (name, take)
                    for name, take in self._measurements(till).items()
                    if name == YARDSTICK or self.plan.wants(name)
                ]
                turn = (number - 1) * 5 % len(tasks)
                for name, take in tasks[turn:] + tasks[:turn]:
                    self.say(f"round {number} of {self.plan.rounds}: {name}")
                    found.add(name, await take())
                if self.plan.wants("isolation"):
                    self.say(f"round {number} of {self.plan.rounds}: isolation")
                    open_to_all = economy.without_isolation(self.server, self.small, "open")
                    async with inprocess.opened(open_to_all, self._postmaster) as free:
                        taken = await inprocess.isolation(till, free, self.plan.seconds / 2)
                    for name, (with_it, without) in taken.items():
                        found.add(f"one by one: {name}", with_it)
                        found.add(f"one by one: {name}, no isolation", without)
                if number == self.plan.rounds:
                    self.say("proving the books")
                    found.remarks.append(await _proof(till))
        return found

    def version(self) -> str:
        """Which PostgreSQL this is."""
        with psycopg.connect(self.server.conninfo("postgres")) as admin:
            return str(admin.info.parameter_status("server_version"))

    @property
    def _postmaster(self) -> int:
        return self.server.pid or 0

    def _measurements(self, till: Till) -> dict[str, Take]:
        seconds = self.plan.seconds

        async def yardstick() -> Sample:
            took = self.plan.yardstick_seconds
            return Sample(round(await self.yardstick.measure(took) * took), took)

        found: dict[str, Take] = {YARDSTICK: yardstick}
        for callers in self.plan.callers:
            found[f"charges, {callers} callers"] = lambda n=callers: till.charges(n, seconds)  # type: ignore[misc]
            found[f"large: charges, {callers} callers"] = lambda n=callers: self.large.charges(n, seconds)  # type: ignore[misc]
        found["charges, 256 callers, no hot model"] = lambda: till.charges(256, seconds, hot_share=0.0)
        found["charges, 256 callers, hot model with tiers"] = lambda: till.charges(256, seconds, hot_model=TIERED_MODEL)
        for prefix, one in (("", till), ("large: ", self.large)):
            found[f"{prefix}checks, 64 callers"] = lambda one=one: one.check(64, seconds / 2)  # type: ignore[misc]
            found[f"{prefix}stats, 64 callers"] = lambda one=one: one.stats(64, seconds / 2)  # type: ignore[misc]
        if self.web is not None:
            found |= self._over_http(*self.web)
        return found

    def _over_http(self, one: Web, two: Web) -> dict[str, Take]:
        plan = self.plan
        calls = Calls(self.small, one.service.host, one.service.admin_key)
        charges, batches = calls.charges(), calls.batches()
        pressed = {"check": calls.checks(), "stats": calls.stats(), "deduct-token": calls.deducts()}
        found: dict[str, Take] = {
            "HTTP: charges, 1 worker": lambda: one.measure(charges, plan.connections, plan.seconds),
            "HTTP: charges, 2 workers": lambda: two.measure(charges, plan.connections, plan.seconds),
            "HTTP: batches of 100, 1 worker": lambda: one.measure(
                batches, plan.batch_connections, plan.seconds, items=BATCH
            ),
            "HTTP: batches of 100, 2 workers": lambda: two.measure(
                batches, plan.batch_connections, plan.seconds, items=BATCH
            ),
        }
        for name, templates in pressed.items():
            found[f"HTTP: {name}, 64 callers"] = lambda t=templates: two.measure(t, plan.connections, plan.seconds / 2)  # type: ignore[misc]
        for name, templates in {"charge": charges, **pressed}.items():
            found[f"HTTP: {name}, paced"] = lambda t=templates: two.measure(  # type: ignore[misc]
                t, plan.connections, plan.paced_seconds, pace=plan.pace
            )
        for name, templates in self.others.items():
            found[f"endpoint: {name}"] = lambda t=templates: two.measure(t, plan.connections, plan.endpoint_seconds)  # type: ignore[misc]
        return found


@asynccontextmanager
async def made_ready(plan: Plan, say: Say) -> AsyncIterator[Bench]:
    """Start the server, fill its databases, start the services; end and remove it all afterwards."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="th-bench-", ignore_cleanup_errors=True)))
        server = EmbeddedServer(folder)
        say("starting PostgreSQL")
        server.start()
        stack.callback(server.release)
        say("pgbench's tables")
        yardstick = await tpcb.prepare(server)
        say(f"{plan.wallets:,} wallets")
        small = await economy.make(server, "small0", wallets=plan.wallets, models=plan.models)
        say(f"{plan.large_wallets:,} wallets and {plan.large_uses:,} uses")
        large = await economy.make(
            server, "large", wallets=plan.large_wallets, models=plan.models, uses=plan.large_uses
        )
        web, others = None, {}
        if plan.http:
            say("starting the service with one worker and with two")
            served = economy.copy(server, small, "tokenhouse")  # the name that the service looks for
            key = secrets.token_hex(24)
            web = (_serve(stack, server, folder, 1, key), _serve(stack, server, folder, 2, key))
            calls = Calls(served, web[0].service.host, key)
            others = {name: asked for name, asked in calls.others().items() if await web[1].served(asked[0])}
            say("warming up")
            for one in web:
                for templates in (calls.charges(), calls.batches(), calls.checks(), calls.stats()):
                    await one.measure(templates, plan.connections, plan.seconds)
        till = await stack.enter_async_context(inprocess.opened(large, server.pid or 0))
        yield Bench(plan, server, yardstick, small, till, web, others, say)


def _serve(stack: AsyncExitStack, server: EmbeddedServer, folder: Path, workers: int, admin_key: str) -> Web:
    environment = {"TOKENHOUSE_LOG_LEVEL": "error"}
    service = Service(folder, workers=workers, admin_key=admin_key, environment=environment)
    stack.callback(service.stop)
    return Web(service.start(), server)


async def _proof(till: Till) -> str:
    """Say whether the books that were written meanwhile fit."""
    proof = await verify(till.database)
    if proof.holds:
        return "the books of the last round fit (every invariant of tokenhouse verify)"
    wrong = ", ".join(f"{finding.name}: {finding.count}" for finding in proof.findings if finding.count)
    return f"THE BOOKS OF THE LAST ROUND DO NOT FIT: {wrong or 'the sums of an asset'}"
