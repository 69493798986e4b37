"""One of the processes that do everything an app does, at once: `python -m soak.mixed`, a specification on stdin.

The processes share accounts and models, so that they meet. Each request has a key and is sent again under it until it
has an answer. What may be refused is refused with the status that the manual says; all else is a finding.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import uvloop

from soak.client import Client, InDoubt, Reply
from soak.stage import dice_of

_ANSWER_SECONDS = 60.0
_KEPT = 500


@dataclass(frozen=True, slots=True)
class Spec:
    """What a process does, and for how long."""

    host: str
    port: int
    key: str
    seed: int
    process: int
    seconds: float
    accounts: list[str]
    models: list[str]
    for_sale: list[str]
    callers: int = 12

    def text(self) -> str:
        """The specification as the process reads it."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that was carried out, to be repeated."""

    path: str
    body: dict[str, Any]
    key: str
    user: str | None
    answer: dict[str, Any]


@dataclass(slots=True)
class Found:
    """What a process did. charges: key → [id, amount] of every charge acknowledged."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    charges: dict[str, list[Any]] = field(default_factory=dict)


class Caller:
    """One caller, doing one thing after the other."""

    def __init__(self, spec: Spec, number: int, found: Found, shared: "Shared") -> None:
        self._spec = spec
        self._found = found
        self._shared = shared
        self._name = f"{spec.seed}:{spec.process}:{number}"
        self._count = 0
        self._dice = dice_of(spec.seed, "mixed", spec.process, number)
        self._client = Client(spec.host, spec.port, spec.key)
        self._deeds: dict[Callable[[], Awaitable[None]], int] = {
            self._charge: 40, self._batch: 4, self._hold: 14, self._capture: 12, self._void: 4, self._reverse: 6,
            self._grant: 8, self._change_plan: 3, self._purchase: 3, self._read: 8, self._repeat: 8,
        }  # fmt: skip

    async def run(self) -> None:
        """Go on until the time is over."""
        deadline = time.monotonic() + self._spec.seconds
        deeds, weights = list(self._deeds), list(self._deeds.values())
        while time.monotonic() < deadline:
            (deed,) = self._dice.choices(deeds, weights)
            await deed()
        await self._client.close()

    async def _do(
        self, name: str, path: str, body: dict[str, Any], good: int, *refusals: int, user: str | None = None
    ) -> Sent | None:
        """Send until there is an answer; return what was carried out, if it was."""
        self._count += 1
        key = f"{self._name}:{self._count}"
        deadline = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < deadline:
            with suppress(InDoubt):
                reply = await self._client.call("POST", path, body, key=key, user=user)
                if reply.status == 503:
                    self._found.counts["503"] += 1
                else:
                    return self._answered(name, Sent(path, body, key, user, reply.json), reply, good, refusals)
            await asyncio.sleep(self._dice.uniform(0.02, 0.2))
        self._found.findings.append(f"{name}: no answer within {_ANSWER_SECONDS:.0f} s: {path} {body}")
        return None

    def _answered(self, name: str, sent: Sent, reply: Reply, good: int, refusals: tuple[int, ...]) -> Sent | None:
        self._found.counts[f"{name} {reply.status}"] += 1
        if reply.status == good:
            self._shared.sent.append(sent)
            for figure in ("balance", "available"):
                if sent.answer.get(figure, 0) < 0:
                    self._found.findings.append(f"{name}: {figure} below zero: {reply}")
            return sent
        if reply.status not in refusals or not reply.json or "code" not in reply.json:
            self._found.findings.append(f"{name}: {sent} was answered with {reply}")
        return None

    def _use(self) -> dict[str, Any]:
        """Something used, as charges and holds name it."""
        dice = self._dice
        body: dict[str, Any] = {"account_id": dice.choice(self._spec.accounts)}
        kind = dice.random()
        if kind < 0.2:
            return body | {"operation": "chat", "quantity": dice.randint(1, 200)}
        if kind < 0.3:
            return body | {"operation": "document_upload", "quantity": {"chunk": dice.randint(1, 4)}}
        body["amount"] = dice.choice((1, 7, 100, 3000, 3000, 60_000))
        if kind < 0.9:
            body["model_id"] = dice.choice(self._spec.models)
        return body

    async def _charge(self) -> None:
        sent = await self._do("charge", "/v1/charges", self._use(), 201, 402)
        if sent is not None:
            self._keep(sent.key, sent.answer)

    def _keep(self, key: str, receipt: dict[str, Any]) -> None:
        self._found.charges[key] = [receipt["id"], receipt["amount"]]
        self._shared.charges.append(receipt["id"])

    async def _batch(self) -> None:
        self._count += 1
        keys = [f"{self._name}:{self._count}.{number}" for number in range(self._dice.randint(2, 40))]
        items = [self._use() | {"idempotency_key": key} for key in keys]
        while items:
            reply = None
            with suppress(InDoubt):
                reply = await self._client.call("POST", "/v1/charges/batch", {"charges": items})
            if reply is None or reply.status == 503:
                await asyncio.sleep(self._dice.uniform(0.02, 0.2))
                continue
            if reply.status != 200:
                self._found.findings.append(f"batch: {items[:2]} was answered with {reply}")
                return
            left = []
            for item, outcome in zip(items, reply.json["data"], strict=True):
                self._found.counts[f"batch item {outcome['status']}"] += 1
                if outcome["status"] == 201:
                    self._keep(item["idempotency_key"], outcome["receipt"])
                elif outcome["status"] == 503:
                    left.append(item)
                elif outcome["status"] != 402:
                    self._found.findings.append(f"batch: {item} was answered with {outcome}")
            items = left

    async def _hold(self) -> None:
        sent = await self._do("hold", "/v1/holds", self._use() | {"ttl_seconds": self._dice.randint(1, 30)}, 201, 402)
        if sent is not None:
            self._shared.holds.append((sent.answer["id"], sent.answer["amount"]))

    async def _capture(self) -> None:
        if held := self._shared.some_hold(self._dice):
            id, amount = held
            taken = amount + 1 if self._dice.random() < 0.1 else self._dice.randint(0, amount)
            await self._do("capture", f"/v1/holds/{id}/capture", {"amount": taken}, 200, 409)

    async def _void(self) -> None:
        if held := self._shared.some_hold(self._dice):
            await self._do("void", f"/v1/holds/{held[0]}/void", {}, 200, 409)

    async def _reverse(self) -> None:
        if self._shared.charges:
            id = self._dice.choice(self._shared.charges)
            body: dict[str, Any] = {"reason": "soak"}
            if self._dice.random() < 0.6:
                body["amount"] = self._dice.randint(1, 50)
            await self._do("reverse", f"/v1/charges/{id}/reverse", body, 201, 409)

    async def _grant(self) -> None:
        dice = self._dice
        body: dict[str, Any] = {
            "credit_type": "general",
            "amount": dice.randint(1, 50_000),
            "source": dice.choice(("top_up", "gift", "refund", "bonus", "promotion", "adjustment")),
            "priority": dice.randint(0, 200),
        }
        if dice.random() < 0.4:
            body["expires_at"] = (datetime.now(UTC) + timedelta(seconds=dice.randint(8, 40))).isoformat()
        # 422: it took so long to be answered that the expiry had passed.
        await self._do("grant", f"/v1/accounts/{dice.choice(self._spec.accounts)}/grants", body, 201, 422)

    async def _change_plan(self) -> None:
        path = f"/v1/accounts/{self._dice.choice(self._spec.accounts)}/plan"
        with suppress(InDoubt):
            reply = await self._client.call("PUT", path, {"plan": self._dice.choice(("free", "pro"))})
            self._found.counts[f"plan {reply.status}"] += 1
            if reply.status not in {200, 503}:
                self._found.findings.append(f"plan: {path} was answered with {reply}")

    async def _purchase(self) -> None:
        path = f"/v1/models/{self._dice.choice(self._spec.for_sale)}/purchase"
        await self._do("purchase", path, {}, 201, 402, 409, user=self._dice.choice(self._spec.accounts))

    async def _read(self) -> None:
        account = self._dice.choice(self._spec.accounts)
        body = self._use()
        method, path, sent = self._dice.choice(
            (
                ("GET", f"/v1/accounts/{account}/wallets", None),
                ("GET", f"/v1/charges?account_id={account}&limit=10", None),
                ("GET", f"/v1/accounts/{account}", None),
                ("GET", "/v1/models?limit=5", None),
                ("POST", "/v1/check", body),
            )
        )
        with suppress(InDoubt):
            reply = await self._client.call(method, path, sent)
            self._found.counts[f"read {reply.status}"] += 1
            if reply.status not in {200, 503}:
                self._found.findings.append(f"read: {path} was answered with {reply}")

    async def _repeat(self) -> None:
        """Send something that was carried out once more: the first answer again, to the letter."""
        if not self._shared.sent:
            return
        sent = self._dice.choice(self._shared.sent)
        with suppress(InDoubt):
            reply = await self._client.call("POST", sent.path, sent.body, key=sent.key, user=sent.user)
            self._found.counts[f"repeat {reply.status}"] += 1
            if reply.status == 503:
                return
            if not reply.replayed or not _same(reply.json, sent.answer):
                self._found.findings.append(f"repeat: {sent} was answered with {reply}")


def _same(one: Any, other: Any) -> bool:  # noqa: ANN401 - any JSON
    """Compare answers, the order of names apart."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


class Shared:
    """What the callers of a process know of each other's deeds."""

    def __init__(self) -> None:
        self.sent: deque[Sent] = deque(maxlen=_KEPT)
        self.charges: deque[str] = deque(maxlen=_KEPT)
        self.holds: deque[tuple[str, int]] = deque(maxlen=_KEPT)

    def some_hold(self, dice: random.Random) -> tuple[str, int] | None:
        """Pick a hold: mostly one for good, sometimes one that another caller picks too."""
        if not self.holds:
            return None
        place = dice.randrange(len(self.holds))
        held = self.holds[place]
        if dice.random() < 0.8:
            del self.holds[place]
        return held


async def _run(spec: Spec) -> Found:
    found, shared = Found(), Shared()
    async with asyncio.TaskGroup() as group:
        for number in range(spec.callers):
            group.create_task(Caller(spec, number, found, shared).run())
    return found


def main() -> None:
    """Read the specification, act, print what was found."""
    spec = Spec(**json.loads(sys.stdin.read()))
    found = uvloop.run(_run(spec))
    print(json.dumps({"counts": found.counts, "findings": found.findings, "charges": found.charges}))


if __name__ == "__main__":
    main()
