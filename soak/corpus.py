"""Requests to start a fuzz from: every operation of the service's own reference, with its examples."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from soak.client import Client
from soak.stage import Stage

_PARAMETER = re.compile(r"\{(\w+)\}")
_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Seed:
    """A request that means something. body: None for none."""

    method: str
    path: str
    body: Any


async def collect(stage: Stage) -> list[Seed]:
    """Read the reference; fill in accounts, models, a charge and a hold that exist."""
    client = stage.client()
    payer = f"u{stage.economy.payers[0]}"
    known = {"account_id": payer, "userId": payer, "organizationId": payer, "model_id": "m1", "id": "m2"}
    charge = {"account_id": payer, "amount": 5, "model_id": "m1"}
    known["charge_id"] = (await _made(client, "/v1/charges", charge)).get("id", "0")
    known["hold_id"] = (await _made(client, "/v1/holds", charge)).get("id", "0")
    reference = (await client.call("GET", "/openapi.json")).json
    await client.close()
    seeds = [
        Seed("POST", "/v1/charges", charge),
        Seed("POST", "/v1/charges", {"account_id": payer, "operation": "document_upload", "quantity": {"chunk": 3}}),
        Seed("POST", "/v1/charges/batch", {"charges": [charge | {"idempotency_key": "fuzz"}]}),
        Seed("POST", "/api/deduct-token", {"userId": payer, "amount": 1}),
        Seed("GET", "/livez", None),
        Seed("GET", "/readyz", None),
        Seed("GET", "/", None),
        Seed("GET", "/docs", None),
    ]
    return seeds + list(of_reference(reference, known))


async def _made(client: Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    reply = await client.call("POST", path, body, key=f"fuzz-corpus-{path}")
    found: dict[str, Any] = reply.json if reply.status == 201 else {}
    return found


def of_reference(reference: dict[str, Any], known: dict[str, str]) -> Iterator[Seed]:
    """Make seeds of every operation of a reference. known: parameters' names and values that exist."""
    for path, operations in reference["paths"].items():
        filled = _PARAMETER.sub(lambda name: known.get(name[1], "x"), path)
        for method, operation in operations.items():
            if method not in _METHODS:
                continue
            query = "&".join(
                f"{one['name']}={known.get(one['name'], '1')}"
                for one in operation.get("parameters", ())
                if one.get("in") == "query"
            )
            for body in _examples(reference, operation):
                yield Seed(method.upper(), filled, _renamed(body, known))
                if query:
                    yield Seed(method.upper(), f"{filled}?{query}", _renamed(body, known))


def _examples(reference: dict[str, Any], operation: dict[str, Any]) -> list[Any]:
    """The examples of a body's schema; `{}` for a body without, None for no body."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return [None]
    schema = content.get("schema", {})
    if "$ref" in schema:
        schema = reference["components"]["schemas"].get(schema["$ref"].rpartition("/")[2], {})
    return schema.get("examples") or [{}]


def _renamed(body: Any, known: dict[str, str]) -> Any:  # noqa: ANN401 - any JSON
    """Put ids that exist where the examples name others."""
    text = json.dumps(body)
    for example, name in (("u-42", "account_id"), ("m-1", "model_id")):
        text = text.replace(example, known[name])
    return json.loads(text)
