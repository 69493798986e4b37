"""Kills the service and PostgreSQL under load, in turn, and compares the books with what the callers were told.

A caller that was left without an answer asks again under the same key until it has one, as its manual says. So after
every crash each acknowledged charge must be there exactly once, and nothing else.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import cycle, islice
from typing import Any, Literal

import psycopg

from soak.client import Client, InDoubt, Reply
from soak.journal import Asked, Journal
from soak.stage import DATABASE, Say, Stage, dice_of, opened

Target = Literal["service", "PostgreSQL", "both"]
IN_TURN: Sequence[Target] = ("service", "PostgreSQL", "service", "PostgreSQL", "both")

_BACK_SECONDS = 15.0  # what the service promises when PostgreSQL died
_ANSWER_SECONDS = 60.0
_BATCH_SHARE = 0.2
_REPLAYS = 5


@dataclass(slots=True)
class Outcome:
    """What a run found. away_seconds: how long nobody was served, a crash each."""

    seed: int
    findings: list[str]
    acknowledged: int
    doubts: int
    away_seconds: list[tuple[Target, float]] = field(default_factory=list)

    def __str__(self) -> str:
        away = ", ".join(f"{target} {seconds:.1f} s" for target, seconds in self.away_seconds)
        return (
            f"seed {self.seed}: {self.acknowledged:,} charges acknowledged, {self.doubts:,} times in doubt, "
            f"{len(self.away_seconds)} crashes; away: {away}"
        )


async def run(
    seed: int,
    targets: Sequence[Target],
    say: Say,
    *,
    callers: int = 12,
    workers: int = 1,
    jobs: bool = False,
    buckets: int = 1,
) -> Outcome:
    """Crash each of the targets in order; look at the books after each."""
    async with opened(wallets=200, workers=workers, jobs=jobs, buckets=buckets) as stage:
        storm = Storm(stage, seed, callers)
        outcome = Outcome(seed, stage.findings, 0, 0)
        async with asyncio.TaskGroup() as group:
            group.create_task(storm.run())
            try:
                for number, target in enumerate(targets, 1):
                    say(f"seed {seed}, crash {number} of {len(targets)}: {target}")
                    outcome.away_seconds.append((target, await _crash(stage, storm, dice_of(seed, number), target)))
                    await _look(stage, storm, dice_of(seed, number, "look"))
            finally:
                storm.over = True
                storm.running.set()
        await stage.prove_by_command()
        stage.findings += storm.journal.findings
        outcome.acknowledged, outcome.doubts = len(storm.journal.acknowledged), storm.journal.doubts
        return outcome


def in_turn(count: int) -> list[Target]:
    """So many targets: the service, PostgreSQL, and now and then both at once."""
    return list(islice(cycle(IN_TURN), count))


class Storm:
    """Callers that charge as fast as they are answered. They stop between two charges only."""

    def __init__(self, stage: Stage, seed: int, callers: int) -> None:
        self.stage = stage
        self.journal = Journal()
        self.running = asyncio.Event()
        self.over = False
        self._seed = seed
        self._callers = callers
        self._resting = 0
        self._accounts = [f"u{number}" for number in stage.economy.payers]

    async def run(self) -> None:
        """Let all callers charge until it is over."""
        self.running.set()
        async with asyncio.TaskGroup() as group:
            for number in range(self._callers):
                group.create_task(self._caller(number))

    async def rest(self) -> None:
        """Wait until every caller has its answer and has stopped."""
        self.running.clear()
        deadline = time.monotonic() + _ANSWER_SECONDS + 10
        while self._resting < self._callers:
            if time.monotonic() > deadline:
                self.journal.findings.append(f"{self._callers - self._resting} callers never got an answer")
                return
            await asyncio.sleep(0.01)

    async def until_acknowledged(self, more: int) -> None:
        """Wait for so many more receipts."""
        wanted = len(self.journal.acknowledged) + more
        deadline = time.monotonic() + _ANSWER_SECONDS
        while len(self.journal.acknowledged) < wanted:
            if time.monotonic() > deadline:
                self.journal.findings.append("the service came back and acknowledges nothing")
                return
            await asyncio.sleep(0.01)

    async def _caller(self, number: int) -> None:
        dice = dice_of(self._seed, "caller", number)
        client = self.stage.client()
        count = 0
        while True:
            self._resting += 1
            await self.running.wait()
            self._resting -= 1
            if self.over:
                break
            size = dice.randint(2, 20) if dice.random() < _BATCH_SHARE else 1
            asked = [Asked(f"{self._seed}:{number}:{count + one}", self._body(dice)) for one in range(size)]
            count += size
            await self._insist(client, dice, asked)
        await client.close()

    def _body(self, dice: random.Random) -> dict[str, Any]:
        body: dict[str, Any] = {"account_id": dice.choice(self._accounts), "amount": dice.randint(1, 30)}
        if dice.random() < 0.8:
            body["model_id"] = f"m{dice.randint(1, self.stage.economy.models)}"
        return body

    async def _insist(self, client: Client, dice: random.Random, asked: list[Asked]) -> None:
        """Ask until every charge has its receipt: under the same keys, so that it makes no difference."""
        deadline = time.monotonic() + _ANSWER_SECONDS
        while asked:
            if time.monotonic() > deadline:
                self.journal.findings.append(f"no answer within {_ANSWER_SECONDS:.0f} s: {asked[0]}")
                return
            with suppress(InDoubt):
                asked = self._left(asked, await send(client, asked))
            if asked:
                self.journal.doubts += 1
                await asyncio.sleep(dice.uniform(0.02, 0.2))

    def _left(self, asked: list[Asked], reply: Reply) -> list[Asked]:
        """Keep the receipts; return what must be asked again."""
        if reply.status == 503:
            if "retry-after" not in reply.headers:
                self.journal.findings.append(f"503 without Retry-After: {reply}")
            return asked
        if len(asked) == 1 and reply.status == 201:
            self.journal.acknowledge(asked[0], reply.json)
            return []
        if len(asked) == 1 or reply.status != 200:
            self.journal.findings.append(f"{asked[0]} was answered with {reply}")
            return []
        left = []
        for one, outcome in zip(asked, reply.json["data"], strict=True):
            if outcome["status"] == 201:
                self.journal.acknowledge(one, outcome["receipt"])
            elif outcome["status"] == 503:
                left.append(one)
            else:
                self.journal.findings.append(f"{one} in a batch was answered with {outcome}")
        return left


async def send(client: Client, asked: list[Asked]) -> Reply:
    """Ask for one charge, or for several in a batch."""
    if len(asked) == 1:
        return await client.call("POST", "/v1/charges", asked[0].body, key=asked[0].key)
    items = [one.body | {"idempotency_key": one.key} for one in asked]
    return await client.call("POST", "/v1/charges/batch", {"charges": items})


async def _crash(stage: Stage, storm: Storm, dice: random.Random, target: Target) -> float:
    """Kill under load, bring back what does not come back by itself; return how long nobody was served."""
    await asyncio.sleep(dice.uniform(0.3, 1.5))
    began = time.monotonic()
    if target != "PostgreSQL":
        await asyncio.to_thread(stage.service.kill)
    if target != "service":
        pid = stage.server.pid
        if pid is None:
            stage.find("PostgreSQL was not running before it was killed")
        else:
            os.kill(pid, signal.SIGKILL)
    if target != "PostgreSQL":
        # A supervisor of the machine's starts it again.
        await asyncio.sleep(dice.uniform(0.0, 0.3))
        await asyncio.to_thread(stage.service.start)
    else:
        await asyncio.sleep(0.1)
        while not await asyncio.to_thread(stage.service.ready):
            if time.monotonic() - began > 2 * _BACK_SECONDS:
                stage.find(f"PostgreSQL was killed and did not come back; {stage.service.log}")
                break
            await asyncio.sleep(0.05)
    away = time.monotonic() - began
    if away > _BACK_SECONDS:
        stage.find(f"{target} was killed and back after {away:.1f} s only")
    await storm.until_acknowledged(20)
    return away


async def _look(stage: Stage, storm: Storm, dice: random.Random) -> None:
    """Compare the books with the journal while nobody charges; ask some charges again."""
    await storm.rest()
    journal = storm.journal
    with psycopg.connect(stage.server.conninfo(DATABASE), autocommit=True) as admin:
        stage.findings += await asyncio.to_thread(journal.compare, admin)
    await stage.prove()
    client = stage.client()
    for known in dice.sample(list(journal.acknowledged.values()), _REPLAYS):
        other = known.asked.body | {"amount": known.amount + 1}
        try:
            again = await client.call("POST", "/v1/charges", known.asked.body, key=known.asked.key)
            changed = await client.call("POST", "/v1/charges", other, key=known.asked.key)
        except InDoubt as doubt:
            journal.findings.append(f"{known} was asked for again, and nobody answered: {doubt}")
            continue
        if again.status != 201 or not again.replayed:
            journal.findings.append(f"{known} was asked for again and answered with {again}")
        else:
            journal.acknowledge(known.asked, again.json)
        if changed.status != 422 or changed.json.get("code") != "idempotency_mismatch":
            journal.findings.append(f"{known} was asked for another amount and answered with {changed}")
    await client.close()
    storm.running.set()
