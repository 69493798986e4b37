"""The HTTP face on a real port, in this process: a client that holds every answer against the published description."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import secrets
import socket
import uuid
from contextlib import asynccontextmanager, contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx2
import jsonschema_rs
import uvicorn

from tokenhouse.entrypoints.cli.wire import Wire
from tokenhouse.main import create_app
from tokenhouse.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tokenhouse.infra.database.boot import Booted

ADMIN_KEY = f"tests-{secrets.token_hex(24)}"
SEAL_KEYS = f"tests:{base64.b64encode(b's' * 32).decode()}"
PROBLEM = ("type", "title", "status", "detail", "code")


class _Server(uvicorn.Server):
    """It leaves the signals to pytest."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(booted: Booted, *, fast: bool = True, **settings: object) -> AsyncIterator[str]:
    """Serve a database; the address. fast: whether the gate serves charges itself.

    All tests come from one address, whose tries to sign in are counted together: there are enough unless it is said.
    """
    usual = {"admin_key": ADMIN_KEY, "login_tries_per_minute": 1000, "seal_keys": SEAL_KEYS}
    app = create_app(load_settings(**usual | settings), booted)
    if not fast:
        app._fast = {}
    # With the protocol named, asyncio switches Nagle's algorithm off; it would cost 40 ms a request.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            app,
            lifespan="on",
            log_config=None,
            access_log=False,
            http=Wire,
            loop="none",
            proxy_headers=False,
            server_header=False,
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:
            if task.done():
                task.result()
                raise RuntimeError("the server did not start")
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


class Reply:
    """An answer. `exact` has its decimals as they were written."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.status = answer.status_code
        self.headers = answer.headers
        self.body = answer.content
        self.kind = answer.headers.get("content-type", "").partition(";")[0]
        self.json: Any = json.loads(self.body) if "json" in self.kind and self.body else None

    @property
    def exact(self) -> Any:
        return json.loads(self.body, parse_float=Decimal)

    @property
    def replayed(self) -> bool:
        return self.headers.get("idempotency-replayed") == "true"

    def __repr__(self) -> str:
        return f"{self.status} {self.body[:400]!r}"


class Client:
    """Calls by one key. Every answer must be one that /openapi.json describes."""

    def __init__(self, http: httpx2.AsyncClient, description: Description, key: str | None = ADMIN_KEY) -> None:
        self.http = http
        self.description = description
        self.key = key

    def by(self, key: str | None) -> Client:
        """The same service, called with another key."""
        return Client(self.http, self.description, key)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        idem: str | None = None,
        user: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        sent: dict[str, Any] = dict(headers or {})
        if self.key is not None:
            sent.setdefault("Authorization", f"Bearer {self.key}")
        if idem is not None:
            sent["Idempotency-Key"] = idem
        if user is not None:
            sent["X-User-ID"] = user
        content = raw if raw is not None else None if body is None else json.dumps(body).encode()
        if content is not None:
            sent.setdefault("Content-Type", "application/json")
        reply = Reply(await self.http.request(method, path, content=content, headers=sent))
        self.description.holds(method, path.split("?", maxsplit=1)[0], reply)
        return reply

    async def get(self, path: str, **more: Any) -> Reply:
        return await self.call("GET", path, **more)

    async def post(self, path: str, body: Any = None, **more: Any) -> Reply:
        """With a fresh Idempotency-Key, unless another, or False for none, is given."""
        idem = more.pop("idem", None)
        return await self.call("POST", path, body, idem=None if idem is False else idem or key(), **more)

    async def must(self, path: str, body: Any = None, **more: Any) -> Any:
        """Post what has to go well; what was answered."""
        reply = await self.post(path, body, **more)
        assert reply.status in (200, 201), reply
        return reply.json

    # ---- what tests set up ----

    async def account(self, prefix: str = "u", kind: str = "user", credits_left: int | None = None, **more: Any) -> str:
        """Make an account with exactly so many general credits."""
        name = f"{prefix}-{uuid.uuid4().hex[:12]}"
        await self.must("/v1/accounts", {"id": name, "kind": kind, "name": prefix, **more})
        if credits_left is not None:
            await self.fund(name, credits_left)
        return name

    async def fund(self, account: str, wanted: int, credit_type: str = "general") -> None:
        have = (await self.wallet(account, credit_type))["available"]
        if have < wanted:
            body = {"credit_type": credit_type, "amount": wanted - have, "source": "top_up"}
            await self.must(f"/v1/accounts/{account}/grants", body)
        elif have > wanted:
            body = {"account_id": account, "amount": have - wanted, "credit_type": credit_type}
            await self.must("/v1/charges", body)

    async def model(self, owner: str | None = None, **more: Any) -> str:
        name = f"m-{uuid.uuid4().hex[:12]}"
        body = {
            "id": name,
            "name": name,
            "category": "Realistic",
            "credit_cost": 1,
            "price_credits": 0,
            "premium": True,
            "active": True,
            "monetized": True,
            "ownership": "exclusive",
            **more,
        }
        await self.must("/v1/models", body)
        if owner is not None:
            await self.must(f"/v1/models/{name}/purchase", {}, user=owner)
        return name

    async def key_of(self, account: str, **body: Any) -> Client:
        """A client with a key of the account's own."""
        return self.by((await self.must(f"/v1/accounts/{account}/api-keys", body))["key"])

    async def wallet(self, account: str, credit_type: str = "general") -> dict[str, Any]:
        rows = (await self.get(f"/v1/accounts/{account}/wallets")).json
        return next(row for row in rows if row["credit_type"] == credit_type)

    async def balance(self, account: str, credit_type: str = "general") -> int:
        return (await self.wallet(account, credit_type))["balance"]


class Description:
    """/openapi.json as a judge of answers."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.answered: set[tuple[str, str, str]] = set()
        self._paths = [
            (re.compile(re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(path)) + "$"), path) for path in document["paths"]
        ]
        self._paths.sort(key=lambda one: one[1].count("{"))
        self._judges: dict[str, jsonschema_rs.Validator] = {}

    def holds(self, method: str, path: str, reply: Reply) -> None:
        template = next((name for form, name in self._paths if form.match(path)), None)
        operation = self.document["paths"].get(template, {}).get(method.lower())
        if operation is None or reply.status in (405, 408):
            return
        self.answered.add((operation["operationId"], method, str(reply.status)))
        described = operation["responses"].get(str(reply.status))
        assert described is not None, f"{method} {path} may not answer {reply}"
        content = described.get("content", {})
        assert reply.kind in content or not (content or reply.body), f"{method} {path} answers {reply.kind}"
        if reply.json is not None:
            schema = content[reply.kind]["schema"]
            self._judge(schema).validate(reply.json)

    def _judge(self, schema: dict[str, Any]) -> jsonschema_rs.Validator:
        name = json.dumps(schema)
        if name not in self._judges:
            whole = {**schema, "components": self.document["components"]}
            self._judges[name] = jsonschema_rs.validator_for(whole)
        return self._judges[name]


def key() -> str:
    return uuid.uuid4().hex


def is_problem(reply: Reply, status: int | tuple[int, ...], code: str | None = None) -> None:
    """Assert a refusal as it must look."""
    wanted = (status,) if isinstance(status, int) else status
    assert reply.status in wanted, reply
    assert reply.kind == "application/problem+json", reply
    assert all(name in reply.json for name in PROBLEM), reply
    assert reply.json["status"] == reply.status
    assert code is None or reply.json["code"] == code, reply
    assert reply.headers["x-request-id"]
