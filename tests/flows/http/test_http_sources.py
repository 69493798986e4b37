"""The sources' scenarios with their figures, by their own paths and field names."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest

from http_face import is_problem, key

RATE = Decimal("0.0001")


async def _character(client, owner, **more):
    model = await client.model(owner, **more)
    await client.must(
        "/v1/characters", {"id": f"c-{model}", "name": "Emma", "image_url": "/emma.png", "model_id": model}
    )
    return model, f"c-{model}"


async def _deduct(client, user, character=None, amount=None, idem=None):
    body = {"userId": user}
    body |= {"characterId": character} if character else {}
    body |= {"amount": amount} if amount is not None else {}
    return await client.post("/api/deduct-token", body, idem=idem)


async def _earned(client, owner):
    return (await client.get(f"/api/model-earnings?userId={owner}")).exact


async def test_ten_messages_to_somebody_elses_character(client):
    alice, bob = await client.account("alice"), await client.account("bob", credits_left=100)
    model, emma = await _character(client, alice, name="Premium X", category="Realistic")
    replies = [await _deduct(client, bob, emma) for _ in range(10)]
    assert [reply.json["newBalance"] for reply in replies] == list(range(99, 89, -1))
    assert all(reply.status == 200 and reply.json["success"] is True for reply in replies)
    assert replies[-1].json["message"] == "1 token deducted. 90 remaining."
    got = await _earned(client, alice)
    assert (got["success"], got["totalTokens"], got["totalEarnings"], got["modelsCount"]) == (
        True,
        10,
        Decimal("0.001"),
        1,
    )
    row = got["models"][0]
    assert {name: row[name] for name in row if not name.endswith("At")} == {
        "modelId": model,
        "modelName": "Premium X",
        "modelCategory": "Realistic",
        "characterName": "Emma",
        "characterImage": "/emma.png",
        "totalUsageCount": 10,
        "totalTokensConsumed": 10,
        "totalEarnings": Decimal("0.001"),
    }
    assert all(isinstance(row[name], str) for name in ("lastUsageAt", "createdAt", "updatedAt"))
    receipts = (await client.get(f"/v1/charges?account_id={bob}&model_id={model}")).json["data"]
    assert {(row["usage_type"], row["operation"], row["character_id"]) for row in receipts} == {("chat", "chat", emma)}


async def test_ones_own_character_costs_and_earns_nothing(client):
    own, other = await client.account("own", credits_left=50), await client.account(credits_left=10)
    _, character = await _character(client, own)
    replies = [await _deduct(client, own, character) for _ in range(5)]
    assert replies[-1].json["newBalance"] == 45
    assert await _earned(client, own) == {
        "success": True, "totalTokens": 0, "totalEarnings": 0, "modelsCount": 0, "models": [],
    }  # fmt: skip
    await _deduct(client, other, character, 4)
    got = await _earned(client, own)
    assert (got["totalTokens"], got["totalEarnings"], got["models"][0]["totalUsageCount"]) == (4, 4 * RATE, 1)


async def test_three_models_the_best_first(client):
    owner, fans = await client.account("owner"), [await client.account(credits_left=600) for _ in range(3)]
    for name, parts in {"X": (33, 33, 34), "Y": (1, 199, 50), "Z": (25, 24, 1)}.items():
        _, character = await _character(client, owner, name=name)
        for fan, part in zip(fans, parts, strict=True):
            await _deduct(client, fan, character, part)
    got = await _earned(client, owner)
    assert (got["totalTokens"], got["totalEarnings"], got["modelsCount"]) == (400, Decimal("0.04"), 3)
    rows = [(row["modelName"], row["totalTokensConsumed"], row["totalEarnings"]) for row in got["models"]]
    assert rows == [("Y", 250, 250 * RATE), ("X", 100, 100 * RATE), ("Z", 50, 50 * RATE)]


async def test_what_must_not_fail_a_chat(client):
    owner, payer = await client.account("owner"), await client.account(credits_left=100)
    _, off = await _character(client, owner, monetized=False)
    _, nobodys = await _character(client, None)
    model, gone = await _character(client, owner, credit_cost=3)
    await client.call("PATCH", f"/v1/models/{model}", {"active": False})
    for character, amount, left in (("no-such", None, 99), (off, 7, 92), (nobodys, 2, 90), (gone, None, 87)):
        reply = await _deduct(client, payer, character, amount)
        assert (reply.status, reply.json["newBalance"]) == (200, left)
    assert (await _earned(client, owner))["totalEarnings"] == 0
    short = await _deduct(client, payer, off, 88)
    is_problem(short, 402, "insufficient_tokens")
    assert (short.json["success"], short.json["required"], short.json["available"]) == (False, 88, 87)
    is_problem(await _deduct(client, "nobody-at-all"), 404, "not_found")


async def test_a_dollar_figure_is_exact_and_never_scientific(client):
    owner, payer = await client.account("owner"), await client.account(credits_left=200_000_000)
    _, character = await _character(client, owner)
    due = Decimal(0)
    for amount in (1, 10, 100, 1_000, 123_456_789):
        await _deduct(client, payer, character, amount)
        due += amount * RATE
        reply = await client.get(f"/api/model-earnings?userId={owner}")
        assert reply.exact["totalEarnings"] == due
        assert b"e-" not in reply.body.lower().split(b'"models"')[0]


async def test_deducting_twice_under_one_key(client):
    payer, shared = await client.account(credits_left=10), key()
    first, again = [await _deduct(client, payer, amount=3, idem=shared) for _ in range(2)]
    assert again.json == first.json
    assert (first.replayed, again.replayed) == (False, True)
    assert (await client.call("POST", "/api/deduct-token", {"userId": payer, "amount": 3})).json["newBalance"] == 4
    assert (await client.call("POST", "/api/deduct-token", {"userId": payer, "amount": 3})).json["newBalance"] == 1


async def _track(client, model, tokens, kind, who, **more):
    body = {"modelId": model, "tokensConsumed": tokens, "usageType": kind, **more}
    return await client.post("/api/track-model-usage", body, user=who)


@pytest.mark.parametrize(("kind", "share"), [("image_generation", "1"), ("chat", "0.8"), ("other", "0.6")])
async def test_a_reported_use_earns_by_its_formula(client, kind, share):
    owner, fan = await client.account("owner"), await client.account("fan", credits_left=5)
    model = await client.model(owner, earnings_policy="dynamic")
    metadata = {"prompt": "p" * 9_000, "imageCount": 2}
    got = (await _track(client, model, 777, kind, fan, metadata=metadata)).exact
    nanos = (Decimal(1_000_000) + 777 * 100_000) * Decimal(share)
    expected = nanos.quantize(Decimal(1), ROUND_HALF_EVEN) / 10**9
    assert got == {"success": True, "tracked": True, "earnings": expected}
    assert await client.balance(fan) == 5
    assert (await client.get(f"/v1/charges?account_id={fan}&model_id={model}")).json["data"] == []
    row = (await client.get(f"/v1/earnings?account_id={owner}")).json["data"][0]
    assert (row["credits"], row["nano_usd"], row["usage_type"]) == (777, int(expected * 10**9), kind)
    assert fan not in str(row)


async def test_what_a_reported_use_does_not_earn(client):
    owner, fan = await client.account("owner"), await client.account("fan")
    model = await client.model(owner, earnings_policy="dynamic")
    for name, who, tracked in (
        (model, owner, False),
        (await client.model(None), fan, False),
        ("no-such-model", fan, False),
        (await client.model(owner, monetized=False), fan, True),
    ):
        reply = await _track(client, name, 50, "chat", who)
        assert reply.json == {"success": True, "tracked": tracked, "earnings": 0}


async def test_a_users_own_charge_is_credited_once(client):
    owner, fan = await client.account("owner"), await client.account("fan", credits_left=50)
    model = await client.model(owner)
    own = await client.key_of(fan)
    charge = (await own.must("/v1/charges", {"account_id": fan, "amount": 20}))["id"]
    body = {"modelId": model, "tokensConsumed": 30, "usageType": "chat", "chargeId": charge}
    is_problem(await own.post("/api/track-model-usage", {**body, "chargeId": "x"}), 403)
    stranger = await client.key_of(owner)
    is_problem(await stranger.post("/api/track-model-usage", body), 403)
    first = await own.post("/api/track-model-usage", body)
    assert first.exact == {"success": True, "tracked": True, "earnings": 20 * RATE}
    again = await own.post("/api/track-model-usage", body)
    assert again.exact == first.exact
    assert (await _earned(client, owner))["totalEarnings"] == 20 * RATE


COSTS = {
    "generate_lead": ("lead_generation", 5),
    "generate_goal": ("goal_generation", 3),
    "analyze_strategy": ("strategy_analysis", 2),
    "forecast": ("forecast", 4),
}


async def test_an_organizations_tokens(client):
    member = await client.account("member")
    org = await client.account("org", "organization", plan="enterprise")
    poor = await client.account("poor", "organization")

    async def ask(action, feature, account=org):
        body = {"action": action, "organizationId": account, "feature": feature, "userId": member, "metadata": {"q": 3}}
        return await client.post("/api/v1/tokens/check-balance", body)

    limits = {"lead_generation": 500, "goal_generation": 200, "strategy_analysis": 1000, "forecast": 200}
    stats = (await client.get(f"/api/v1/tokens/stats?organizationId={org}")).json
    assert (stats["success"], stats["plan"]) == (True, "enterprise")
    assert {row["tokenType"]: row["balance"] for row in stats["tokens"]} == {"general": 0, **limits}
    assert all(row["lastUsedAt"] is None for row in stats["tokens"])
    for feature, (kind, cost) in COSTS.items():
        got = (await ask("check", feature)).json
        assert got == {"success": True, "hasEnough": True, "required": cost, "balance": limits[kind]}
        got = (await ask("deduct", feature)).json
        assert got == {"success": True, "tokensDeducted": cost, "remainingBalance": limits[kind] - cost}
        assert (await ask("check", feature, poor)).json["hasEnough"] is False
        refused = await ask("deduct", feature, poor)
        is_problem(refused, 402, "insufficient_tokens")
        assert refused.json["message"] == "Insufficient tokens. Upgrade your plan."
        assert refused.json["required"] == cost
    await client.fund(org, 10)
    assert (await ask("deduct", "something-new")).json == {"success": True, "tokensDeducted": 1, "remainingBalance": 9}
    stats = (await client.get(f"/api/v1/tokens/stats?organizationId={org}")).json
    row = next(row for row in stats["tokens"] if row["tokenType"] == "goal_generation")
    assert (row["balance"], row["totalAllocated"], row["totalUsed"]) == (197, 200, 3)
    assert row["lastUsedAt"] is not None


async def test_models_on_offer_and_owned(client):
    buyer, creator = await client.account("buyer", credits_left=100), await client.account("creator")
    model = await client.model(
        price_credits=30, creator_id=creator, features=["fast"], credit_cost=2, ownership="shared"
    )
    hidden = await client.model(active=False)
    mine = {"user": buyer}
    before = (await client.get("/api/models", **mine)).json
    offered = {one["id"]: one for one in before["models"]}
    assert offered[model] == {
        "id": model, "name": model, "category": "Realistic", "price": 30, "description": None, "features": ["fast"],
        "tokenCost": 2, "premium": True, "active": True, "owned": False, "image": None, "rating": None,
    }  # fmt: skip
    assert hidden not in offered
    assert before["purchasedModels"] == []
    shared = key()
    bought = await client.post("/api/purchase-model", {"modelId": model}, idem=shared, **mine)
    assert (bought.status, bought.json["newBalance"], bought.json["model"]["owned"]) == (200, 70, True)
    again = await client.post("/api/purchase-model", {"modelId": model}, idem=shared, **mine)
    assert (again.json["newBalance"], again.replayed) == (70, True)
    is_problem(await client.post("/api/purchase-model", {"modelId": model}, **mine), 409, "already_owned")
    is_problem(await client.post("/api/purchase-model", {"modelId": "none"}, **mine), 404)
    is_problem(await client.post("/api/purchase-model", {"modelId": model}), 400, "bad_request")
    after = (await client.get("/api/models", **mine)).json
    assert [one["id"] for one in after["purchasedModels"]] == [model]
    own = await client.key_of(buyer)
    assert (await own.get("/api/models")).json["purchasedModels"] == after["purchasedModels"]
    assert (await client.get("/api/models")).json["purchasedModels"] == []
