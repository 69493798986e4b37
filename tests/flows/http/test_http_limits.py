"""Rate limits over HTTP: who is counted on what, and what the answers say."""

import asyncio
import re
from contextlib import asynccontextmanager

import httpx2
import pytest

from http_face import ADMIN_KEY, Client, is_problem, serving
from tokenhouse.infra.kernel.errors import Unavailable

POLICY = re.compile(r'"(\w+)";q=(\d+);w=60')
STATE = re.compile(r'"(\w+)";r=(\d+);t=(\d+)')


@asynccontextmanager
async def limited(client, database, **settings):
    """A client of another service on the same database, under limits."""
    async with serving(database, **settings) as base, httpx2.AsyncClient(base_url=base, timeout=30) as http:
        yield Client(http, client.description)


def told(reply):
    """What an answer says of its limits: name → (limit, left); the longest wait."""
    policies = dict(POLICY.findall(reply.headers["ratelimit-policy"]))
    states = {name: (int(left), int(seconds)) for name, left, seconds in STATE.findall(reply.headers["ratelimit"])}
    assert policies.keys() == states.keys()
    assert all(0 < seconds <= 61 for _, seconds in states.values())
    return {name: (int(policies[name]), left) for name, (left, _) in states.items()}


def unlimited(reply):
    return "ratelimit" not in reply.headers and "ratelimit-policy" not in reply.headers


async def test_a_key_is_told_its_limit_and_refused_beyond_it(client, shared_database):
    user = await client.account(credits_left=100)
    key = (await client.key_of(user)).key
    charge = {"account_id": user, "amount": 1}
    async with limited(client, shared_database, rate_limit_per_minute=6) as other:
        own = other.by(key)
        calls = [
            lambda: own.post("/v1/charges", charge),  # by the fast route
            lambda: own.get(f"/v1/accounts/{user}"),
            lambda: own.get("/v1/accounts/somebody-else"),  # a refusal counts and tells, too
            lambda: own.post("/v1/charges", raw=b"{"),
            lambda: own.post("/api/deduct-token", {"userId": user}),
            lambda: own.get("/v1/nothing-here"),
        ]
        replies = [await call() for call in calls]
        assert [reply.status for reply in replies] == [201, 200, 404, 400, 200, 404]
        assert [told(reply) for reply in replies] == [{"key": (6, left)} for left in (5, 4, 3, 2, 1, 0)]
        for call in calls:
            reply = await call()
            is_problem(reply, 429, "rate_limited")
            assert told(reply) == {"key": (6, 0)}
            assert 1 <= int(reply.headers["retry-after"]) <= 61
            assert int(reply.headers["retry-after"]) == int(STATE.search(reply.headers["ratelimit"])[3])
        reply = await own.post("/api/deduct-token", {"userId": user})
        assert reply.json["success"] is False
        # Before the body is read, and after the key.
        is_problem(await own.post("/v1/charges", raw=b" " * (2 << 20)), 429)
        is_problem(await own.by(key[:-1]).get("/v1/models"), 401)
        # Another key of the same account has a count of its own; the platform none at all.
        second = other.by((await client.key_of(user)).key)
        assert told(await second.get(f"/v1/accounts/{user}")) == {"key": (6, 5)}
        for _ in range(8):
            reply = await other.get(f"/v1/accounts/{user}")
            assert (reply.status, unlimited(reply)) == (200, True)
    assert await client.balance(user) == 98


async def test_no_limit_no_word(client):
    user = await client.account()
    own = await client.key_of(user)
    assert unlimited(await own.get(f"/v1/accounts/{user}"))
    assert unlimited(await client.by(None).get("/v1/models"))
    assert unlimited(await client.by(None).get("/docs"))


async def test_a_key_may_have_a_limit_of_its_own(client, shared_database):
    user = await client.account()
    path = f"/v1/accounts/{user}/api-keys"
    made = await client.must(path, {"rate_limit_per_minute": 2})
    assert made["rate_limit_per_minute"] == 2
    assert [row["rate_limit_per_minute"] for row in (await client.get(path)).json["data"]] == [2]
    own = client.by(made["key"])
    assert [told(await own.get(f"/v1/accounts/{user}")) for _ in range(2)] == [{"key": (2, 1)}, {"key": (2, 0)}]
    is_problem(await own.get(f"/v1/accounts/{user}"), 429, "rate_limited")
    async with limited(client, shared_database, rate_limit_per_minute=50) as other:
        is_problem(await other.by(made["key"]).get(f"/v1/accounts/{user}"), 429)
        admin = (await client.must(path, {"scopes": ["admin"], "rate_limit_per_minute": 1}))["key"]
        assert told(await other.by(admin).get("/v1/accounts")) == {"key": (1, 0)}
        is_problem(await other.by(admin).get("/v1/accounts"), 429)
        assert unlimited(await other.by((await client.must(path, {"scopes": ["admin"]}))["key"]).get("/v1/accounts"))
        plain = other.by((await client.must(path, {}))["key"])
        assert told(await plain.get(f"/v1/accounts/{user}")) == {"key": (50, 49)}
        is_problem(await plain.post(path, {"rate_limit_per_minute": 9}), 403, "forbidden")
    for bad in (0, -1, "5", 1.5, True, 10**7):
        is_problem(await client.post(path, {"rate_limit_per_minute": bad}), 422)


async def test_more_keys_do_not_give_more_requests(client, shared_database, someone):
    """An account makes as many keys as it likes: what all of them do together is counted as well."""
    ada = await someone()
    user, path = ada.account, f"/v1/accounts/{ada.account}"
    async with limited(client, shared_database, rate_limit_account_per_minute=4, rate_limit_per_minute=3) as other:
        one, two = [other.by((await client.key_of(user)).key) for _ in range(2)]
        assert told(await one.get(path)) == {"key": (3, 2), "account": (4, 3)}
        assert told(await two.get(path)) == {"key": (3, 2), "account": (4, 2)}
        await ada.sign_in()
        session = {"Cookie": f"tokenhouse={ada.token}"}
        reply = await other.by(None).get(path, headers=session)
        assert told(reply) == {"session": (3, 2), "account": (4, 1)}
        assert told(await one.post("/v1/check", {"account_id": user, "amount": 1})) == {
            "key": (3, 1),
            "account": (4, 0),
        }
        third = other.by((await client.key_of(user)).key)
        for call in (one.get(path), third.get(path), other.by(None).get(path, headers=session)):
            reply = await call
            is_problem(reply, 429, "rate_limited")
            assert told(reply)["account"] == (4, 0)
        assert unlimited(await other.get(path))  # the platform
        admin = (await client.must(f"{path}/api-keys", {"scopes": ["admin"]}))["key"]
        assert unlimited(await other.by(admin).get(path))
        assert (
            told(await other.by((await client.key_of(await client.account())).key).get("/v1/models"))["account"][1] == 3
        )


async def test_without_credentials_an_address_is_counted(client, shared_database):
    async with limited(client, shared_database, rate_limit_address_per_minute=4) as other:

        def at(address):
            return {"X-Forwarded-For": address}

        nobody, rubbish = other.by(None), other.by("th_live_" + "0" * 32 + "_" + "x" * 43)
        replies = [
            await nobody.get("/", headers=at("203.0.113.1")),
            await nobody.get("/v1/models", headers=at("203.0.113.1")),
            await rubbish.get("/v1/models", headers=at("203.0.113.1")),
            await nobody.get("/docs", headers=at("203.0.113.1")),
        ]
        assert [reply.status for reply in replies] == [200, 401, 401, 200]
        assert [told(reply) for reply in replies] == [{"address": (4, left)} for left in (3, 2, 1, 0)]
        for path in ("/", "/v1/models", "/openapi.json", "/nothing-here"):
            is_problem(await nobody.get(path, headers=at("203.0.113.1")), 429, "rate_limited")
        page = await nobody.get("/docs", headers=at("203.0.113.1") | {"Accept": "text/html"})
        assert (page.status, page.kind) == (429, "text/html")
        for path in ("/livez", "/readyz", "/static/docs/docs.css"):
            reply = await nobody.get(path, headers=at("203.0.113.1"))
            assert (reply.status, unlimited(reply)) == (200, True)
        # A valid key is no stranger, wherever it comes from; another address is another.
        assert unlimited(await other.get("/v1/models", headers=at("203.0.113.1")))
        assert told(await nobody.get("/", headers=at("203.0.113.2"))) == {"address": (4, 3)}
        assert told(await nobody.get("/", headers=at("2001:db8::1"))) == {"address": (4, 3)}
        assert told(await nobody.get("/", headers=at("2001:db8::ffff:1"))) == {"address": (4, 2)}
    async with limited(client, shared_database, rate_limit_address_per_minute=2, trusted_proxies=()) as other:
        lies = [await other.by(None).get("/", headers={"X-Forwarded-For": f"203.0.113.{n}"}) for n in range(5)]
        assert [reply.status for reply in lies].count(429) >= 3


async def test_a_user_whom_the_platform_names_is_counted(client, shared_database):
    one, two = await client.account(credits_left=50), await client.account(credits_left=50)
    model = await client.model()
    async with limited(client, shared_database, rate_limit_named_user_per_minute=3) as other:
        assert told(await other.post("/v1/charges", {"account_id": one, "amount": 1})) == {"user": (3, 2)}
        assert told(await other.post("/api/deduct-token", {"userId": one})) == {"user": (3, 1)}
        assert told(await other.get("/api/models", user=one)) == {"user": (3, 0)}
        for call in (
            other.post("/v1/charges", {"account_id": one, "amount": 1}),
            other.post("/v1/charges", {"account_id": two, "user_id": one, "amount": 1}),
            other.post(f"/v1/models/{model}/purchase", {}, user=one),
        ):
            is_problem(await call, 429, "rate_limited")
        assert told(await other.post("/v1/charges", {"account_id": two, "amount": 1})) == {"user": (3, 2)}
        assert unlimited(await other.get("/v1/accounts"))
        own = (await client.key_of(one)).key
        assert unlimited(await other.by(own).get(f"/v1/accounts/{one}"))
        # A platform key with a limit of its own is told both.
        body = {"scopes": ["admin"], "rate_limit_per_minute": 9}
        admin = (await client.must(f"/v1/accounts/{two}/api-keys", body))["key"]
        reply = await other.by(admin).post("/v1/check", {"account_id": two, "amount": 1})
        assert told(reply) == {"key": (9, 8), "user": (3, 1)}
    assert await client.balance(one) == 48


async def test_two_services_count_together(client, shared_database):
    user = await client.account()
    key = (await client.key_of(user)).key
    async with (
        limited(client, shared_database, rate_limit_per_minute=30) as here,
        limited(client, shared_database, rate_limit_per_minute=30) as there,
    ):
        calls = [service.by(key).get(f"/v1/accounts/{user}") for service in (here, there) for _ in range(30)]
        statuses = [reply.status for reply in await asyncio.gather(*calls)]
    assert (statuses.count(200), statuses.count(429)) == (30, 30)


@pytest.mark.parametrize("storage", ["memory", "database"])
async def test_the_budget_of_a_form(client, shared_database, storage):
    """What sign-in asks: 0.0 or the seconds to wait."""
    from tokenhouse.main import create_app
    from tokenhouse.settings import load_settings

    app = create_app(load_settings(admin_key=ADMIN_KEY, rate_limit_storage=storage), shared_database)
    await app._runtime.database.open()
    waits = [await app._runtime.limits.hit("login", f"ann@example.org {storage}", 2) for _ in range(3)]
    await app._runtime.database.close()
    assert waits[:2] == [0.0, 0.0]
    assert 58 < waits[2] <= 61


async def test_tries_that_nobody_counts_are_refused(shared_database):
    """A request is let through then; a try at a password is not, or guessing would be free in bad times."""
    from tokenhouse.main import create_app
    from tokenhouse.settings import load_settings

    app = create_app(load_settings(admin_key=ADMIN_KEY), shared_database)  # its database was never opened
    with pytest.raises(Unavailable):
        await app._runtime.limits.hit("login", "ann@example.org", 2)
    assert await app._runtime.limits.take("key", "k", 2) is None
