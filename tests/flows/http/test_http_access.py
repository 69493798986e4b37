"""Who may do what: keys, scopes, roles, and what a stranger learns."""

import pytest
import pytest_asyncio

from http_face import is_problem


@pytest_asyncio.fixture(scope="module")
async def people(client):
    """Two users, an organization, a member of it, an admin of it; a client for each."""
    ann, bea = await client.account("ann", credits_left=100), await client.account("bea", credits_left=100)
    mate, boss = await client.account("mate"), await client.account("boss")
    org = await client.account("org", "organization", plan="enterprise")
    await client.must(f"/v1/accounts/{org}/members", {"user_id": mate, "role": "member"})
    await client.must(f"/v1/accounts/{org}/members", {"user_id": boss, "role": "admin"})
    names = {"ann": ann, "bea": bea, "mate": mate, "boss": boss}
    return names | {"org": org}, {name: await client.key_of(account) for name, account in names.items()}


def credentials(key):
    """Headers that are no credentials."""
    return {
        "none": None,
        "empty": "Bearer",
        "rubbish": "Bearer rubbish",
        "one that could be": "Bearer th_live_" + "0" * 32 + "_" + "x" * 43,
        "basic": "Basic YTpi",
        "SQL": "Bearer ' OR 1=1 --",
        "cut": f"Bearer {key[:-1]}",
        "grown": f"Bearer {key}x",
        "twice": f"Bearer {key} {key}",
        "without scheme": key,
        "not ASCII": "Bearer \xe9\xff".encode("latin-1"),
        "long": "Bearer " + "k" * 5_000,
    }


async def test_every_refusal_of_credentials_says_the_same(client, people):
    names, _ = people
    texts = set()
    for name, value in credentials(client.key).items():
        headers = {} if value is None else {"Authorization": value}
        for method, path in (
            ("GET", f"/v1/accounts/{names['ann']}/wallets"), ("POST", "/v1/charges"), ("GET", "/v1/nothing-here"),
            ("POST", "/api/deduct-token"), ("DELETE", "/api/nothing-here"),
        ):  # fmt: skip
            reply = await client.by(None).call(method, path, {} if method == "POST" else None, headers=headers)
            is_problem(reply, 401, "unauthorized")
            assert reply.headers["www-authenticate"] == "Bearer", name
            texts.add((reply.json["type"], reply.json["title"], reply.json["detail"]))
    assert len(texts) == 1


async def test_credentials_come_before_the_body(client):
    is_problem(await client.by(None).call("POST", "/v1/charges", raw=b"{" * 10), 401)
    is_problem(await client.by(None).call("POST", "/v1/charges", raw=b" " * (2 << 20)), 401)


async def test_open_pages_need_no_key(client):
    for path in ("/", "/livez", "/readyz", "/docs", "/docs/errors", "/openapi.json", "/metrics"):
        assert (await client.by(None).get(path)).status == 200


async def test_a_key_is_shown_once_and_ends_when_revoked(client, people):
    names, _ = people
    made = await client.must(f"/v1/accounts/{names['ann']}/api-keys", {"name": "one"})
    own = client.by(made["key"])
    assert made["key"].startswith("th_test_")
    assert (await own.get(f"/v1/accounts/{names['ann']}")).status == 200
    listed = await own.get(f"/v1/accounts/{names['ann']}/api-keys")
    assert made["key"].encode() not in listed.body
    assert any(row["id"] == made["id"] and row["hint"] == made["key"][-4:] for row in listed.json["data"])
    path = f"/v1/accounts/{names['ann']}/api-keys/{made['id']}"
    is_problem(await people[1]["bea"].call("DELETE", path), 404)
    gone = await client.call("DELETE", path)
    assert (gone.status, gone.body) == (204, b"")
    is_problem(await own.get(f"/v1/accounts/{names['ann']}"), 401)
    is_problem(await client.call("DELETE", path), 404)


async def test_ones_own_account(people):
    names, by = people
    ann, own = names["ann"], by["ann"]
    for path in ("", "/wallets", "/entitlements", "/grants", "/api-keys"):
        assert (await own.get(f"/v1/accounts/{ann}{path}")).status == 200
    assert (await own.get(f"/v1/charges?account_id={ann}")).status == 200
    assert (await own.get(f"/v1/earnings?account_id={ann}")).status == 200
    assert (await own.get(f"/api/model-earnings?userId={ann}")).status == 200
    assert (await own.post("/v1/charges", {"account_id": ann, "amount": 1})).status == 201
    assert (await own.post("/v1/charges", {"account_id": ann, "amount": 1}, user=ann)).status == 201
    for method, path, body in (
        ("POST", f"/v1/accounts/{ann}/grants", {"credit_type": "general", "amount": 5, "source": "gift"}),
        ("PUT", f"/v1/accounts/{ann}/plan", {"plan": "pro"}),
        ("PATCH", f"/v1/accounts/{ann}", {"name": "x"}),
        ("POST", "/v1/accounts", {"kind": "user", "name": "x"}),
        ("GET", "/v1/accounts", None),
        ("POST", "/v1/models", {"name": "x", "category": "c"}),
        ("POST", "/v1/characters", {"name": "x", "model_id": "m"}),
        ("POST", f"/v1/accounts/{ann}/api-keys", {"scopes": ["admin"]}),
        ("POST", f"/v1/accounts/{ann}/api-keys", {"scopes": ["usage:write"]}),
    ):
        is_problem(await own.call(method, path, body, idem="own"), 403, "forbidden")


async def test_anothers_account_is_not_there(client, people):
    names, by = people
    ann, bea, org = by["ann"], names["bea"], names["org"]
    charge = (await client.must("/v1/charges", {"account_id": bea, "amount": 1}))["id"]
    hold = (await client.must("/v1/holds", {"account_id": bea, "amount": 1}))["id"]
    before = [(await client.get(f"/v1/accounts/{name}/wallets")).json for name in (bea, org)]
    for account in (bea, org, "nobody-at-all"):
        for extra in (None, bea):
            for method, path, body in (
                ("GET", f"/v1/accounts/{account}", None),
                ("GET", f"/v1/accounts/{account}/wallets", None),
                ("GET", f"/v1/accounts/{account}/members", None),
                ("PUT", f"/v1/accounts/{account}/plan", {"plan": "free"}),
                ("POST", f"/v1/accounts/{account}/grants", {"credit_type": "general", "amount": 5, "source": "gift"}),
                ("POST", f"/v1/accounts/{account}/members", {"user_id": names["ann"], "role": "admin"}),
                ("POST", f"/v1/accounts/{account}/api-keys", {"name": "steal"}),
                ("POST", "/v1/charges", {"account_id": account, "amount": 1}),
                ("POST", "/v1/charges", {"account_id": account, "user_id": names["ann"], "amount": 1}),
                ("POST", "/v1/holds", {"account_id": account, "amount": 1}),
                ("POST", "/v1/check", {"account_id": account, "amount": 1}),
                ("GET", f"/v1/charges?account_id={account}", None),
                ("GET", f"/v1/earnings?account_id={account}", None),
                ("GET", f"/v1/charges/{charge}", None),
                ("GET", f"/v1/holds/{hold}", None),
                ("POST", f"/v1/holds/{hold}/capture", {"amount": 1}),
                ("POST", f"/v1/holds/{hold}/void", {}),
                ("POST", f"/v1/charges/{charge}/reverse", {"reason": "mine"}),
            ):
                is_problem(await ann.call(method, path, body, idem="x", user=extra), 404, "not_found")
            for method, path, body in (
                ("POST", "/api/deduct-token", {"userId": account, "amount": 1}),
                ("GET", f"/api/model-earnings?userId={account}", None),
                ("GET", f"/api/v1/tokens/stats?organizationId={account}", None),
                (
                    "POST",
                    "/api/v1/tokens/check-balance",
                    {"action": "deduct", "organizationId": account, "feature": "x"},
                ),
            ):
                reply = await ann.call(method, path, body, idem="x", user=extra)
                is_problem(reply, 403, "forbidden")
                assert reply.json["success"] is False
    item = {"account_id": bea, "amount": 1, "idempotency_key": "x"}
    batch = await ann.post("/v1/charges/batch", {"charges": [item]}, idem=False)
    assert [one["status"] for one in batch.json["data"]] == [404]
    assert [(await client.get(f"/v1/accounts/{name}/wallets")).json for name in (bea, org)] == before


async def test_whom_a_key_acts_for_is_not_the_callers_to_say(client, people):
    names, by = people
    model = await client.model(price_credits=1)
    is_problem(await by["ann"].post(f"/v1/models/{model}/purchase", {}, user=names["bea"]), 404)
    is_problem(await by["ann"].post("/api/purchase-model", {"modelId": model}, user=names["bea"]), 403)
    body = {"modelId": model, "tokensConsumed": 9, "usageType": "chat"}
    is_problem(await by["ann"].post("/api/track-model-usage", body, user=names["bea"]), 403)
    is_problem(await by["ann"].post("/api/track-model-usage", body), 403, "forbidden")
    is_problem(await client.post("/api/track-model-usage", body), 400, "bad_request")
    is_problem(await client.post(f"/v1/models/{model}/purchase", {}, user="nobody-at-all"), 404)
    is_problem(await client.post(f"/v1/models/{model}/purchase", {}, user="a b"), 404)


@pytest.mark.parametrize(
    ("scope", "may"),
    [
        ("wallets:read", {"read", "check"}),
        ("charges:write", {"charge", "hold", "deduct", "check"}),
        ("market:write", {"buy"}),
        ("usage:write", {"track"}),
        ("admin", {"read", "check", "charge", "hold", "deduct", "buy", "track", "grant", "key"}),
    ],
)
async def test_scopes(client, scope, may):
    user = await client.account("scoped", credits_left=100)
    model = await client.model(price_credits=1)
    own = await client.key_of(user, scopes=[scope])
    tries = {
        "read": ("GET", f"/v1/accounts/{user}/wallets", None),
        "check": ("POST", "/v1/check", {"account_id": user, "amount": 1}),
        "charge": ("POST", "/v1/charges", {"account_id": user, "amount": 1}),
        "hold": ("POST", "/v1/holds", {"account_id": user, "amount": 1}),
        "deduct": ("POST", "/api/deduct-token", {"userId": user, "amount": 1}),
        "buy": ("POST", f"/v1/models/{model}/purchase", {}),
        "track": ("POST", "/api/track-model-usage", {"modelId": model, "tokensConsumed": 1, "usageType": "chat"}),
        "grant": ("POST", f"/v1/accounts/{user}/grants", {"credit_type": "general", "amount": 1, "source": "gift"}),
        "key": ("POST", f"/v1/accounts/{user}/api-keys", {"name": "another"}),
    }
    for name, (method, path, body) in tries.items():
        reply = await own.call(method, path, body, idem=name)
        assert reply.status in ((200, 201) if name in may else (403,)), (name, reply)


async def test_an_organization_by_role(client, people):
    names, by = people
    org = names["org"]
    check = {"action": "check", "organizationId": org, "feature": "generate_goal"}
    for who in ("mate", "boss"):
        assert (await by[who].get(f"/v1/accounts/{org}/wallets")).status == 200
        assert (await by[who].get(f"/api/v1/tokens/stats?organizationId={org}")).status == 200
        assert (await by[who].post("/api/v1/tokens/check-balance", check)).json["hasEnough"] is True
        done = await by[who].post("/v1/charges", {"account_id": org, "user_id": names[who], "operation": "forecast"})
        assert (done.status, done.json["amount"]) == (201, 4)
        is_problem(await by[who].call("PUT", f"/v1/accounts/{org}/plan", {"plan": "starter"}), 403)
    for path in ("api-keys", "members"):
        is_problem(await by["mate"].get(f"/v1/accounts/{org}/{path}"), 403)
        assert (await by["boss"].get(f"/v1/accounts/{org}/{path}")).status == 200
    is_problem(await by["mate"].post(f"/v1/accounts/{org}/api-keys", {"name": "x"}), 403)
    key = await by["boss"].must(f"/v1/accounts/{org}/api-keys", {"name": "of the organization"})
    assert (await client.by(key["key"]).get(f"/v1/accounts/{org}")).json["plan"] == "enterprise"
    is_problem(await by["mate"].get(f"/v1/accounts/{names['boss']}"), 404)

    members = f"/v1/accounts/{org}/members"
    listed = (await by["boss"].get(members)).json["data"]
    assert [(row["user_id"], row["role"]) for row in listed] == [(names["mate"], "member"), (names["boss"], "admin")]
    is_problem(await by["boss"].post(members, {"user_id": names["ann"], "role": "member"}), 404)
    is_problem(await by["boss"].post(members, {"user_id": names["mate"], "role": "owner"}), 403)
    assert (await by["boss"].post(members, {"user_id": names["mate"], "role": "member"})).status == 201
    is_problem(await client.post(members, {"user_id": "nobody-at-all", "role": "member"}), 404)
    is_problem(await client.post(members, {"user_id": org, "role": "member"}), 422)
    is_problem(
        await client.post(f"/v1/accounts/{names['ann']}/members", {"user_id": names["mate"], "role": "member"}), 422
    )


async def test_a_user_cannot_pay_below_the_price(client):
    user = await client.account(credits_left=100)
    model = await client.model(credit_cost=10)
    own = await client.key_of(user)
    for body in ({"model_id": model, "amount": 9}, {"operation": "avatar_generation", "amount": 1}):
        is_problem(await own.post("/v1/charges", {"account_id": user, **body}), 403, "forbidden")
    assert (await own.post("/v1/charges", {"account_id": user, "model_id": model, "amount": 10})).status == 201
    assert (await client.post("/v1/charges", {"account_id": user, "model_id": model, "amount": 9})).status == 201
