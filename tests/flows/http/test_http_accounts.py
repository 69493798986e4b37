"""Accounts, plans, wallets, grants; models and what buying one does."""

from datetime import UTC, datetime, timedelta

from http_face import is_problem, key


async def test_an_account(client):
    made = await client.post("/v1/accounts", {"kind": "user", "name": "Ada", "email": "ada@example.com"})
    assert made.status == 201
    account = made.json
    assert (account["plan"], account["time_zone"], account["kind"]) == ("free", "UTC", "user")
    path = f"/v1/accounts/{account['id']}"
    assert (await client.get(path)).json == account
    changed = await client.call("PATCH", path, {"name": "Ada L.", "time_zone": "Europe/Berlin"})
    assert changed.json == {**account, "name": "Ada L.", "time_zone": "Europe/Berlin"}
    assert (await client.call("PATCH", path, {"email": None})).json["email"] is None
    assert (await client.call("PATCH", path, {})).json["name"] == "Ada L."
    is_problem(await client.call("PATCH", "/v1/accounts/nobody-at-all", {"name": "x"}), 404)
    organization = (await client.post("/v1/accounts", {"kind": "organization", "name": "Acme"})).json
    assert organization["plan"] == "starter"


async def test_all_accounts_page_by_page(client):
    made = [await client.account("listed", "organization") for _ in range(5)]
    seen, more = [], ""
    while len(seen) < 5:
        page = (await client.get(f"/v1/accounts?kind=organization&limit=2{more}")).json
        seen += [row["id"] for row in page["data"]]
        more = f"&cursor={page['next_cursor']}"
    assert seen[:5] == made[::-1]


async def test_a_plan_and_what_it_allows(client):
    user = await client.account()
    path = f"/v1/accounts/{user}"
    assert (await client.get(f"{path}/entitlements")).json == {"plan": "free", "limits": {"agents": 3}}
    await client.must("/v1/charges", {"account_id": user, "amount": 1_000})
    await client.must(f"{path}/grants", {"credit_type": "general", "amount": 77, "source": "top_up"})
    changed = await client.call("PUT", f"{path}/plan", {"plan": "pro"})
    assert (changed.status, changed.json["plan"]) == (200, "pro")
    assert await client.balance(user) == 10_000_000 - 1_000 + 77
    assert (await client.get(f"{path}/entitlements")).json["limits"] == {"agents": -1}
    for plan in ("free", "pro", "free", "free"):
        assert (await client.call("PUT", f"{path}/plan", {"plan": plan})).status == 200
    assert await client.balance(user) == 250_000 - 1_000 + 77
    is_problem(await client.call("PUT", f"{path}/plan", {"plan": "none"}), 422, "unknown_reference")
    wallet = await client.wallet(user)
    assert (wallet["used"], wallet["held"], wallet["available"]) == (1_000, 0, wallet["balance"])


async def test_wallets_name_every_credit_type(client):
    org = await client.account("org", "organization", plan="pro-org")
    rows = (await client.get(f"/v1/accounts/{org}/wallets")).json
    assert [(row["credit_type"], row["balance"], row["allocated"]) for row in rows] == [
        ("general", 0, 0),
        ("lead_generation", 50, 50),
        ("goal_generation", 20, 20),
        ("strategy_analysis", 100, 100),
        ("forecast", 30, 30),
    ]


async def test_grants(client):
    user = await client.account(credits_left=0)
    body = {"credit_type": "general", "amount": 10, "source": "gift", "note": "welcome", "priority": 5}
    end = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    given = await client.post(f"/v1/accounts/{user}/grants", {**body, "expires_at": end}, idem="g")
    assert (given.status, given.json["balance"], given.json["amount"]) == (201, 10, 10)
    again = await client.post(f"/v1/accounts/{user}/grants", {**body, "expires_at": end}, idem="g")
    assert again.replayed
    assert again.json == given.json
    await client.must(f"/v1/accounts/{user}/grants", {"credit_type": "forecast", "amount": 1, "source": "bonus"})
    await client.must("/v1/charges", {"account_id": user, "amount": 4})
    rows = (await client.get(f"/v1/accounts/{user}/grants?limit=2")).json
    assert [(row["source"], row["remaining"]) for row in rows["data"]] == [("bonus", 1), ("gift", 6)]
    rest = (await client.get(f"/v1/accounts/{user}/grants?cursor={rows['next_cursor']}")).json
    assert [row["source"] for row in rest["data"]] == ["allowance"]
    is_problem(await client.post("/v1/accounts/nobody-at-all/grants", body), 404)


async def test_models(client):
    creator = await client.account("creator")
    name = f"m-{key()}"
    body = {"id": name, "name": "M", "category": "Anime", "pricing": {"input_token": "0.5"}, "creator_id": creator}
    made = await client.post("/v1/models", body)
    assert (made.status, made.json["pricing"], made.json["credit_cost"]) == (201, {"input_token": "0.5"}, None)
    assert (made.json["creator_id"], made.json["pricing_version"]) == (creator, 1)
    path = f"/v1/models/{name}"
    assert (await client.get(path)).json == made.json
    changed = await client.call("PATCH", path, {"credit_cost": 4, "active": False, "description": "x"})
    assert (changed.json["credit_cost"], changed.json["pricing_version"], changed.json["active"]) == (4, 2, False)
    own = await client.key_of(creator)
    is_problem(await own.get(path), 404)
    listed = (await client.get("/v1/models?category=Anime&active=false")).json["data"]
    assert name in [one["id"] for one in listed]
    assert name not in [one["id"] for one in (await own.get("/v1/models?active=false")).json["data"]]
    cleared = await client.call("PATCH", path, {"description": None, "pricing": None, "active": True})
    assert (cleared.json["description"], cleared.json["pricing"]) == (None, None)
    assert (await own.get(path)).json["creator_id"] == creator
    is_problem(await client.post("/v1/models", body), 409, "already_exists")
    is_problem(await client.post("/v1/models", {"name": "x", "category": "c", "pricing": {"call": "-1"}}), 422)
    is_problem(await client.post("/v1/models", {"name": "x", "category": "c", "earnings_policy": "no"}), 422)
    is_problem(await client.call("PATCH", path, {"name": None}), 422)
    gone = await client.call("DELETE", path)
    assert gone.status == 204
    is_problem(await client.get(path), 404)
    is_problem(await client.call("DELETE", path), 404)


async def test_characters(client):
    model = await client.model()
    made = await client.must("/v1/characters", {"name": "Emma", "model_id": model})
    assert (await client.get(f"/v1/characters/{made['id']}")).json == made
    is_problem(await client.post("/v1/characters", {"id": made["id"], "name": "E", "model_id": model}), 409)
    is_problem(await client.post("/v1/characters", {"name": "E", "model_id": "no-such"}), 404)
    is_problem(await client.post("/v1/characters", {"name": "E", "model_id": model, "image_url": "javascript:x"}), 422)
    assert (await client.get(f"/v1/models/{model}")).json["character_name"] == "Emma"


async def test_buying(client):
    buyer, late = await client.account(credits_left=50), await client.account(credits_left=50)
    model = await client.model(price_credits=30)
    path = f"/v1/models/{model}/purchase"
    bought = await client.post(path, {}, idem="p", user=buyer)
    assert (bought.status, bought.json["balance"], bought.json["price_credits"]) == (201, 20, 30)
    again = await client.post(path, {}, idem="p", user=buyer)
    assert again.replayed
    assert again.json == bought.json
    is_problem(await client.post(path, {}, user=buyer), 409, "already_owned")
    is_problem(await client.post(path, {}, user=late), 409, "already_owned")
    is_problem(await client.post(path, {}, user=buyer, idem=False), 400, "idempotency_key_invalid")
    dear = await client.model(price_credits=51)
    is_problem(await client.post(f"/v1/models/{dear}/purchase", user=late), 402, "insufficient_tokens")
    is_problem(await client.post(f"/v1/models/{await client.model(active=False)}/purchase", user=late), 409)
    own = await client.key_of(late)
    shared = await client.model(price_credits=50, ownership="shared")
    assert (await own.post(f"/v1/models/{shared}/purchase")).json["balance"] == 0


async def test_earnings(client):
    owner, user = await client.account("owner"), await client.account(credits_left=100)
    model = await client.model(owner)
    charges = [
        (await client.must("/v1/charges", {"account_id": user, "amount": n, "model_id": model}))["id"]
        for n in (1, 2, 3)
    ]
    got = (await client.get(f"/v1/earnings?account_id={owner}&limit=2")).json
    assert (got["accrued_nano_usd"], got["accrued_usd"]) == (600_000, "0.0006")
    assert got["maturing_nano_usd"] + got["payable_nano_usd"] == 600_000
    assert [row["charge_id"] for row in got["data"]] == charges[:0:-1]
    rest = (await client.get(f"/v1/earnings?account_id={owner}&cursor={got['next_cursor']}")).json
    assert [row["charge_id"] for row in rest["data"]] == charges[:1]
    own = await client.must("/v1/charges", {"account_id": owner, "amount": 1, "model_id": model})
    assert (own["earnings"], own["earnings_reason"]) == ([], "self_use")
