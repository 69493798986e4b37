"""Whatever is sent, the answer is a problem with the right status, and no wallet changes."""

import asyncio
import json
import random
import re

import pytest
import pytest_asyncio

from http_face import is_problem, key


@pytest_asyncio.fixture(scope="module")
async def user(client):
    """An account whose credits nobody may get at."""
    name = await client.account("target", credits_left=100)
    yield name
    assert (await client.wallet(name))["available"] == 100


def bodies(user):
    """Where bodies go: path → a right body."""
    return {
        "/v1/charges": {"account_id": user, "amount": 1},
        "/v1/holds": {"account_id": user, "amount": 1},
        "/v1/charges/batch": {"charges": []},
        f"/v1/accounts/{user}/grants": {"credit_type": "general", "amount": 1, "source": "gift"},
        "/v1/accounts": {"kind": "user", "name": "n"},
        "/v1/check": {"account_id": user, "amount": 1},
        "/v1/models": {"name": "n", "category": "c", "credit_cost": 1},
        "/api/deduct-token": {"userId": user},
        "/api/track-model-usage": {"modelId": "m", "tokensConsumed": 1, "usageType": "chat"},
        "/api/v1/tokens/check-balance": {"action": "deduct", "organizationId": user, "feature": "general"},
    }


MALFORMED = {
    "half an object": b'{"account_id": "x", ',
    "a word": b"nonsense",
    "two documents": b"{} {}",
    "NaN": b'{"amount": NaN}',
    "Infinity": b'{"amount": -Infinity}',
    "1e999": b'{"amount": 1e999}',
    "a lone surrogate": b'{"account_id": "\\ud800"}',
    "duplicate keys": b'{"amount": 1, "amount": 1}',
    "duplicate keys inside": b'{"metadata": {"a": {"b": 1, "b": 2}}}',
    "65 deep": b'{"metadata": ' + b"[" * 65 + b"]" * 65 + b"}",
    "100,000 deep": b"[" * 100_000,
    "no UTF-8": b'{"account_id": "\xff\xfe"}',
    "a comment": b'{"amount": 1 /* one */}',
    "a raw NUL": b'{"a": "\x00"}',
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_not_json(client, user, name):
    for path in bodies(user):
        reply = await client.post(path, raw=MALFORMED[name])
        is_problem(reply, 400, "malformed_json")
        _compat(path, reply)


def _compat(path, reply):
    if path.startswith("/api/"):
        assert reply.json["success"] is False
        assert isinstance(reply.json["message"], str)


async def test_sizes_and_media_types(client, user):
    for path, body in bodies(user).items():
        raw = json.dumps(body).encode()
        is_problem(await client.post(path, raw=raw + b" " * (1 << 20)), 413, "body_too_large")
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx"):
            is_problem(await client.post(path, raw=raw, headers={"Content-Type": kind}), 415)
    fine = {"Content-Type": "Application/JSON; charset=utf-8"}
    assert (await client.post("/v1/check", {"account_id": user, "amount": 1}, headers=fine)).status == 200


async def test_a_body_in_chunks_is_bounded_too(client):
    async def chunks():
        for _ in range(40):
            yield b" " * 65_536

    reply = await client.http.post(
        "/v1/charges",
        content=chunks(),
        headers={"Authorization": f"Bearer {client.key}", "Content-Type": "application/json"},
    )
    assert reply.status_code == 413


BAD_INTEGERS = [
    b'"5"', b"5.0", b"true", b"0", b"-1", b"1000000000000001", b"9223372036854775808", b"1" + b"0" * 30, b"1e3", b"0.5",
    b"[1]", b"{}", b"-0.0", b"9" * 5_000,
]  # fmt: skip


@pytest.mark.parametrize("value", BAD_INTEGERS, ids=lambda value: value.decode()[:20])
async def test_no_integer_is_guessed(client, user, value):
    slots = {
        "/v1/charges": b'{"account_id": "%s", "amount": %s}',
        "/v1/holds": b'{"account_id": "%s", "amount": %s}',
        "/v1/check": b'{"account_id": "%s", "amount": %s}',
        "/api/deduct-token": b'{"userId": "%s", "amount": %s}',
        f"/v1/accounts/{user}/grants": b'{"source": "gift", "credit_type": "general", "note": "%s", "amount": %s}',
    }
    for path, form in slots.items():
        reply = await client.post(path, raw=form % (user.encode(), value))
        is_problem(reply, 422, "validation_failed")
        assert len(value) > 1000 or [one["field"] for one in reply.json["errors"]] == ["amount"]
    if value != b"0":
        raw = b'{"modelId": "m", "tokensConsumed": %s, "usageType": "chat"}' % value
        is_problem(await client.post("/api/track-model-usage", raw=raw, user=user), 422)


def _bad_charges(user):
    one = {"account_id": user, "amount": 1}
    return [
        {**one, "amout": 1},
        {**one, "metadata": {"x": "a\0b"}},
        {**one, "metadata": {"a\0": 1}},
        {**one, "user_id": "a\0"},
        {**one, "metadata": {"x": "y" * 8_300}},
        {**one, "metadata": {f"k{n}": n for n in range(900)}},
        {**one, "metadata": [1]},
        {**one, "occurred_at": "2026-01-01T00:00:00"},
        {**one, "occurred_at": 1_700_000_000},
        {**one, "occurred_at": "0001-01-01T00:00:00+14:00"},
        {**one, "usage_type": "video"},
        {**one, "quantity": -1},
        {**one, "quantity": {"call": True}},
        {**one, "quantity": "2"},
        {**one, "cost_nano_usd": 1.5},
        {"amount": 1},
        {"account_id": 5, "amount": 1},
        {"account_id": "", "amount": 1},
        {"account_id": "a\n", "amount": 1},
        {"account_id": "x" * 129, "amount": 1},
    ]


@pytest.mark.parametrize("number", range(20))
async def test_bad_charges(client, user, number):
    body = _bad_charges(user)[number]
    for path in ("/v1/charges", "/v1/holds"):
        is_problem(await client.post(path, body), 422, "validation_failed")
    item = {**body, "idempotency_key": key()}
    reply = await client.post("/v1/charges/batch", {"charges": [item]}, idem=False)
    # NUL anywhere is seen before the items are looked at one by one.
    assert (reply.status, (reply.json.get("data") or [{"status": 422}])[0]["status"]) in [(200, 422), (422, 422)]


async def test_what_is_large_but_allowed(client, user):
    deep = json.loads("[" * 20 + "]" * 20)
    body = {"account_id": user, "amount": 1, "metadata": {"x": "y" * 7_000, "deep": deep, "1": 10**40, "é": "\u202e🙂"}}
    done = await client.must("/v1/charges", body)
    assert done["metadata"] == body["metadata"]
    assert (await client.get(f"/v1/charges/{done['id']}")).json["metadata"] == body["metadata"]
    await client.fund(user, 100)
    name = "aZ0._:@-" * 16
    assert (await client.post("/v1/accounts", {"id": name, "kind": "user", "name": "n"})).status == 201
    assert (await client.get(f"/v1/accounts/{name}/wallets")).status == 200


async def test_bad_accounts_grants_and_keys(client, user):
    for more in (
        {"kind": "robot"},
        {"name": []},
        {"name": ""},
        {"balance": 5},
        {"name": "a\0b"},
        {"email": "nobody"},
        {"time_zone": "Mars/Olympus"},
        {"plan": "no-such"},
        {"id": "a b"},
        {"id": "a/b"},
        {"id": "naïve"},
    ):
        is_problem(await client.post("/v1/accounts", {"kind": "user", "name": "n", **more}), 422)
    is_problem(await client.post("/v1/accounts", {"id": user, "kind": "user", "name": "n"}), 409, "already_exists")
    grant = {"credit_type": "general", "amount": 1, "source": "gift"}
    for more in (
        {"expires_at": "2099-01-01T00:00:00"},
        {"expires_at": "tomorrow"},
        {"expires_at": "2099-01-32T00:00:00Z"},
        {"expires_at": 4_070_908_800},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"source": "theft"},
        {"note": "\0"},
        {"account": user},
        {"priority": "1"},
        {"credit_type": "gold"},
    ):
        is_problem(await client.post(f"/v1/accounts/{user}/grants", {**grant, **more}), 422)
    for more in (
        {"scopes": []},
        {"scopes": ["all"]},
        {"scopes": "admin"},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"name": ""},
        {"key": "x"},
    ):
        is_problem(await client.post(f"/v1/accounts/{user}/api-keys", more), 422)


async def test_bad_queries(client, user):
    for query in (
        "from=2099-01-02T00:00:00Z&to=2099-01-01T00:00:00Z", "from=2099-01-01T00:00:00", "limit=0", "limit=101",
        "limit=x", "limit=-1", "cursor=%00%ff'--", "cursor=MS54", "operation=%00", "user_id=a%00",
    ):  # fmt: skip
        is_problem(await client.get(f"/v1/charges?account_id={user}&{query}"), 422)
    for path in ("/v1/charges", "/v1/earnings"):
        is_problem(await client.get(path), 422)
    for path in (f"/v1/accounts/{user}/grants?cursor=MS54", "/v1/accounts?cursor=MS4tMQ", "/v1/models?cursor=x"):
        is_problem(await client.get(path), 422)
    for path in ("/v1/models?category=%00", "/v1/models?category=none"):
        assert (await client.get(path)).json["data"] == []


async def test_idempotency_keys(client, user):
    hold = (await client.must("/v1/holds", {"account_id": user, "amount": 5}))["id"]
    targets = {
        "/v1/charges": {"account_id": user, "amount": 1},
        "/v1/holds": {"account_id": user, "amount": 1},
        f"/v1/accounts/{user}/grants": {"credit_type": "general", "amount": 1, "source": "gift"},
        f"/v1/holds/{hold}/capture": {"amount": 1},
        f"/v1/holds/{hold}/void": {},
    }
    for path, body in targets.items():
        is_problem(await client.post(path, body, idem=False), 400, "idempotency_key_invalid")
        for bad in (b"", b"k" * 256, b"a b", b"a\tb", "schlüssel".encode()):
            reply = await client.call("POST", path, body, headers={"Idempotency-Key": bad})
            is_problem(reply, 400, "idempotency_key_invalid")
    long = {"Idempotency-Key": "k" * 300}
    is_problem(await client.call("POST", "/api/deduct-token", {"userId": user}, headers=long), 400)
    assert (await client.post("/v1/charges", {"account_id": user, "amount": 1}, idem="!~" + "k" * 253)).status == 201
    await client.must(f"/v1/holds/{hold}/void", {})
    await client.fund(user, 100)


async def test_a_header_that_stands_twice(client, user):
    twice = [("Authorization", f"Bearer {client.key}"), ("Content-Type", "application/json"), ("Idempotency-Key", "a")]
    for more in (("Idempotency-Key", "b"), ("X-User-ID", user), ("Authorization", "Bearer x")):
        headers = [*twice, more, *([more] if more[0] == "X-User-ID" else [])]
        reply = await client.http.post("/v1/charges", json={"account_id": user, "amount": 1}, headers=headers)
        assert reply.status_code == (401 if more[0] == "Authorization" else 400)


async def test_unknown_paths_and_methods(client):
    for path in ("/v1/no-such-thing", "/v1/", "/v1", "/v1/accounts/", "/v1/accounts/a/b/c"):
        is_problem(await client.get(path), 404, "not_found")
    for path in ("/api/no-such-thing", "/api"):
        reply = await client.get(path)
        is_problem(reply, 404, "not_found")
        assert reply.json["success"] is False
    for method, path, allowed in (
        ("DELETE", "/v1/charges", "GET, POST"),
        ("GET", "/v1/check", "POST"),
        ("OPTIONS", "/v1/accounts/x/api-keys", "GET, POST"),
        ("POST", "/v1/models/x", "DELETE, GET, PATCH"),
        ("PUT", "/api/deduct-token", "POST"),
        ("OPTIONS", "/v1/charges/batch", "POST"),
        ("DELETE", "/livez", "GET"),
    ):
        reply = await client.call(method, path)
        is_problem(reply, 405, "method_not_allowed")
        assert reply.headers["allow"] == allowed


ODD = [
    None, [], {}, "", "x" * 20_000, -1, 0, 2**70, 1.5, True, "\0", "\u202e", {"a": {"b": []}}, ["x"] * 50, "2020-02-30",
    "'; drop table x; --", "../../etc", 10**15, -(2**63),
]  # fmt: skip
FIELDS = {
    "/v1/charges": "account_id user_id operation credit_type amount quantity model_id character_id usage_type metadata",
    "/v1/holds": "account_id amount ttl_seconds model_id operation",
    "/v1/check": "account_id operation amount quantity credit_type",
    "/v1/models": "id name category description features credit_cost pricing price_credits premium active monetized "
    "creator_id ownership creator_share_bps earnings_policy upstream_model provider image_url",
    "/v1/models/bulk": "ids action changes models",
    "/v1/models/m/refund": "account_id reason",
    "/v1/models/m/transfer": "from_account_id to_account_id reason",
    "/v1/characters": "id name image_url model_id",
    "/api/deduct-token": "userId amount characterId",
    "/api/track-model-usage": "modelId tokensConsumed usageType metadata chargeId",
    "/api/v1/tokens/check-balance": "action organizationId feature userId metadata",
    "/v1/accounts": "id kind name email plan time_zone",
}


async def test_odd_values_never_break_anything(client):
    poor = await client.account(credits_left=1000)
    tries = [
        (path, {**bodies(poor).get(path, {}), field: value})
        for path, names in FIELDS.items()
        for field in names.split()
        for value in ODD
    ]
    gate = asyncio.Semaphore(16)

    async def one(path, body):
        async with gate:
            reply = await client.post(path, body, user=poor)
        assert reply.status < 500, (path, str(body)[:200], reply)
        if reply.status >= 400:
            is_problem(reply, reply.status)
        assert not any(word in reply.body for word in (b"Traceback", b"psycopg", b"SELECT", b"DETAIL:", b"/usr/"))

    await asyncio.gather(*(one(path, body) for path, body in tries))


async def test_odd_items_of_a_batch(client):
    items = [{"account_id": value, "amount": 1, "idempotency_key": key()} for value in ODD if value != "\0"] + ODD[:7]
    reply = await client.post("/v1/charges/batch", {"charges": items}, idem=False)
    # An account of the test above may have such a name.
    assert {one["status"] for one in reply.json["data"]} <= {201, 404, 422}


async def test_flipped_bytes_never_break_anything(client):
    poor = await client.account(credits_left=1000)
    rnd = random.Random(7)
    for _ in range(150):
        path, body = rnd.choice(list(bodies(poor).items()))
        text = bytearray(json.dumps(body).encode())
        for _ in range(rnd.randint(1, 6)):
            text[rnd.randrange(len(text))] = rnd.randrange(256)
        reply = await client.post(path, raw=bytes(text), user=poor)
        assert reply.status < 500, (bytes(text), reply)


async def test_odd_paths(client):
    user = await client.account()
    for path in (
        "/v1/accounts/%00/wallets",
        "/v1/accounts/%ff/wallets",
        "/v1/accounts/a%2Fb/wallets",
        "/v1/models/%00",
        "/v1/models/%00/reviews",
        "/v1/characters/%00",
        "/api/model-earnings?userId=%00",
        "/api/v1/tokens/stats?organizationId=%ff",
    ):
        is_problem(await client.get(path), 404)
    for path in ("/v1/models/%00", "/v1/models/nothing"):
        is_problem(await client.call("PATCH", path, {"active": False}), 404)
        is_problem(await client.call("DELETE", path), 404)
        is_problem(await client.call("PUT", f"{path}/review", {"stars": 1}, user=user), 404)
        is_problem(await client.call("DELETE", f"{path}/review", user=user), 404)
        is_problem(await client.post(f"{path}/refund", {"account_id": user}), 404)
        is_problem(await client.post(f"{path}/approve"), 404)
        handed = {"from_account_id": user, "to_account_id": await client.account()}
        is_problem(await client.post(f"{path}/transfer", handed), 404)
    for path in ("/v1/characters/%00", "/v1/characters/nothing"):
        is_problem(await client.call("PATCH", path, {"name": "x"}), 404)
        is_problem(await client.call("DELETE", path), 404)
    for review in ("%00", "x", "01980f7d-4a1c-7b02-9c6e-1d2e3f4a5b6c"):
        is_problem(await client.post(f"/v1/reviews/{review}/moderate", {"state": "hidden"}), 404)
    for query in ("q=%00", "category=%00", "creator_id=%00"):
        assert (await client.get(f"/v1/models?{query}")).json["data"] == []
    assert (await client.get("/v1/characters?model_id=%00")).json["data"] == []
    for query in (
        "sort=best",
        "owned=7",
        "price_from=-1",
        "price_to=x",
        "q=",
        "active=maybe",
        "limit=0",
        "cursor=x",
        "sort=name&cursor=MS4x",
        "sort=price&cursor=MS5bInByaWNlIiwxZTIsIiIsMV0",
        "limit=101",
    ):
        is_problem(await client.get(f"/v1/models?{query}"), 422, "validation_failed")
    for path in ("/api/model-earnings", "/api/v1/tokens/stats", "/api/model-earnings?userId="):
        is_problem(await client.get(path), 400, "bad_request")


async def test_nul_in_any_path(client):
    """Whatever the route: no id holds it."""
    tried = 0
    for path, operations in client.description.document["paths"].items():
        if path.startswith(("/v1", "/api")) and "{" in path:
            for method in operations:
                body = {} if method in ("post", "put", "patch") else None
                there = re.sub(r"{[^}]+}", "x%00", path)
                is_problem(await client.call(method.upper(), there, body, idem=key()), 404)
                tried += 1
    assert tried >= 30
