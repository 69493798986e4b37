"""The sources' documents on earnings, told as stories over HTTP: every figure that they name, worked out by hand.

What chats earn is in test_http_sources.py; here are a creator's year with payouts, and a buyer's models.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from http_face import is_problem

PERIODS = (7, 30, 90, 365)


def _ago(days: int) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


async def _use(client, user, model, credits, kind, days):
    body = {"account_id": user, "model_id": model, "amount": credits, "usage_type": kind, "occurred_at": _ago(days)}
    return (await client.must("/v1/charges", body))["earnings"][0]["nano_usd"]


def _sums(points):
    return tuple(sum(Decimal(str(point[name])) for point in points) for name in ("earnings", "usage", "tokens"))


async def test_a_creators_year(client):
    """Usage-based earnings: dynamic formula, analytics by period and model, transactions and their states."""
    nia, fan = await client.account("nia"), await client.account("fan", credits_left=10_000)
    other = await client.account("other", credits_left=10_000)
    pictures = await client.model(nia, name="Pictures", category="Anime", earnings_policy="dynamic")
    talk = await client.model(nia, name="Talk", category="Realistic", earnings_policy="dynamic")
    idle = await client.model(nia, name="Idle")
    # (per use 0.001 + tokens x 0.0001) x 1 below a hundred uses x the type's multiplier.
    assert await _use(client, fan, pictures, 1_000, "image_generation", 200) == 101_000_000
    assert await _use(client, fan, talk, 500, "chat", 60) == 40_800_000
    assert await _use(client, other, talk, 500, "chat", 60) == 40_800_000
    assert await _use(client, other, pictures, 100, "other", 20) == 6_600_000
    body = {
        "modelId": pictures, "tokensConsumed": 50, "usageType": "image_generation",
        "metadata": {"imageCount": 2, "prompt": "p" * 100, "size": "512x512"},
    }  # fmt: skip
    tracked = await client.post("/api/track-model-usage", body, user=fan)
    assert tracked.exact == {"success": True, "tracked": True, "earnings": Decimal("0.006")}
    own = await client.post("/api/track-model-usage", body, user=nia)
    assert own.exact == {"success": True, "tracked": False, "earnings": 0}

    hers = await client.key_of(nia)
    expected = {  # period: earnings, uses, tokens, active models
        7: ("0.006", 1, 50, 1),
        30: ("0.0126", 2, 150, 1),
        90: ("0.0942", 4, 1_150, 2),
        365: ("0.1952", 5, 2_150, 2),
    }
    for days, (earned, uses, tokens, active) in expected.items():
        got = (await hers.get(f"/api/creator-analytics?period={days}")).exact
        assert got["success"] is True
        assert got["summary"] == {
            "totalEarnings": Decimal(earned), "activeModels": active, "totalUsage": uses, "totalTokens": tokens,
            "averageEarnings": Decimal(earned) / active,
        }  # fmt: skip
        for unit in ("daily", "weekly", "monthly"):
            assert _sums(got["trends"][unit]) == (Decimal(earned), uses, tokens), unit
        assert len(got["trends"]["daily"]) == days
    lines = {line["modelId"]: line for line in got["models"]}
    assert (lines[pictures]["earnings"], lines[pictures]["usage"], lines[pictures]["tokens"]) == (
        Decimal("0.1136"), 3, 1_150,
    )  # fmt: skip
    assert (lines[talk]["modelName"], lines[talk]["earnings"], lines[talk]["usage"]) == ("Talk", Decimal("0.0816"), 2)
    assert [line["modelId"] for line in got["topModels"]][:2] == [pictures, talk]
    assert idle not in {line["modelId"] for line in got["topModels"]}
    activity = got["recentActivity"]
    assert [(line["modelId"], line["usageType"], line["tokens"]) for line in activity][:2] == [
        (pictures, "image_generation", 50), (pictures, "other", 100),
    ]  # fmt: skip
    assert activity[0]["earnings"] == Decimal("0.006")
    users = {line["user"] for line in activity}
    assert len(users) == 2  # two people, and nobody can tell which
    assert not users & {fan, other}

    one = (await hers.get(f"/api/creator-analytics?period=90&modelId={talk}")).exact
    assert (one["summary"]["totalEarnings"], one["summary"]["totalUsage"], one["summary"]["activeModels"]) == (
        Decimal("0.0816"), 2, 1,
    )  # fmt: skip
    assert (await client.get("/api/creator-analytics?period=30", user=nia)).exact["summary"]["totalUsage"] == 2
    is_problem(await hers.get("/api/creator-analytics?period=14"), 422, "validation_failed")

    # What is older than a fortnight can be paid out; each payout shows with its state.
    sums = (await hers.get(f"/v1/earnings?account_id={nia}")).json
    assert (sums["accrued_nano_usd"], sums["maturing_nano_usd"], sums["payable_nano_usd"]) == (
        195_200_000, 6_000_000, 189_200_000,
    )  # fmt: skip
    too_much = await hers.post("/v1/payouts", {"account_id": nia, "amount_nano_usd": 189_200_001})
    is_problem(too_much, 402, "insufficient_earnings")
    made = [
        await hers.must("/v1/payouts", {"account_id": nia, "amount_nano_usd": nanos})
        for nanos in (100_000_000, 50_000_000, 30_000_000, 1_000_000)
    ]
    assert {one["state"] for one in made} == {"pending"}
    paid, failed, cancelled, waits = (one["id"] for one in made)
    await client.must(f"/v1/payouts/{paid}/complete", {})
    await client.must(f"/v1/payouts/{failed}/fail", {"reason": "account closed"})
    await hers.must(f"/v1/payouts/{cancelled}/cancel", {})
    is_problem(await hers.post(f"/v1/payouts/{waits}/complete", {}), 403)
    sums = (await hers.get(f"/v1/earnings?account_id={nia}")).json
    assert [sums[f"{name}_nano_usd"] for name in ("accrued", "maturing", "payable", "in_payout", "paid")] == [
        195_200_000, 6_000_000, 88_200_000, 1_000_000, 100_000_000,
    ]  # fmt: skip
    told = (await hers.get("/api/creator-analytics?period=30")).exact["transactions"]
    assert {(line["id"], line["amount"], line["status"]) for line in told} == {
        (paid, Decimal("0.1"), "completed"),
        (failed, Decimal("0.05"), "failed"),
        (cancelled, Decimal("0.03"), "cancelled"),
        (waits, Decimal("0.001"), "pending"),
    }
    listed = (await client.get(f"/v1/payouts?account_id={nia}")).json["data"]
    assert {one["id"] for one in listed} == {paid, failed, cancelled, waits}


async def test_a_buyers_models(client):
    """Model pricing and analytics: the admin's models, bought with tokens, and what they brought in."""
    buyer = await client.account("buyer", credits_left=10_000)
    fans = [await client.account("fan", credits_left=1_000) for _ in range(2)]
    prices = {"Sakura": ("Anime", 300), "Ronin": ("Anime", 200), "Emma": ("Realistic", 500), "Elf": ("Fantasy", 900)}
    ids = {}
    for name, (category, price) in prices.items():
        ids[name] = await client.model(name=name, category=category, price_credits=price, features=["chat"])
    changed = await client.call("PATCH", f"/v1/models/{ids['Emma']}", {"price_credits": 400, "premium": False})
    assert (changed.status, changed.json["price_credits"], changed.json["premium"]) == (200, 400, False)
    hers = await client.key_of(buyer)
    offered = {one["id"]: one for one in (await hers.get("/api/models")).json["models"]}
    assert (offered[ids["Emma"]]["price"], offered[ids["Emma"]]["premium"]) == (400, False)
    before = (await hers.get("/api/model-analytics")).exact
    assert before["overview"]["purchasedModels"] == before["overview"]["tokensSpent"] == 0
    assert before["overview"]["averageEarnings"] == 0
    assert before["overview"]["mostProfitable"] is None
    assert before["purchased"] == before["recentActivity"] == []

    left = 10_000
    for name in ("Sakura", "Ronin", "Emma"):
        got = (await hers.post("/api/purchase-model", {"modelId": ids[name]})).json
        left -= got["model"]["price"]
        assert (got["success"], got["newBalance"]) == (True, left)
    assert left == 9_100
    for name, parts in {"Sakura": (10, 30), "Emma": (100, 60)}.items():
        for fan, part in zip(fans, parts, strict=True):
            await client.must("/v1/charges", {"account_id": fan, "model_id": ids[name], "amount": part})
    await client.must("/v1/charges", {"account_id": buyer, "model_id": ids["Emma"], "amount": 7})
    old = {"account_id": fans[0], "model_id": ids["Ronin"], "amount": 50, "occurred_at": _ago(40)}
    await client.must("/v1/charges", old)

    got = (await hers.get("/api/model-analytics")).exact
    over = got["overview"]
    assert got["success"] is True
    assert (over["purchasedModels"], over["tokensSpent"]) == (3, 900)
    assert (over["totalEarnings"], over["totalEarningsTokens"]) == (Decimal("0.025"), 250)
    assert over["totalUsage"] == 5
    assert abs(over["averageEarnings"] - Decimal("0.025") / 3) < Decimal("1e-8")
    assert over["mostProfitable"]["modelId"] == ids["Emma"]
    assert over["totalModels"] == before["overview"]["totalModels"]
    assert {(one["category"], one["earnings"]) for one in got["categories"]} >= {
        ("Realistic", Decimal("0.016")), ("Anime", Decimal("0.009")),
    }  # fmt: skip
    lines = {one["modelId"]: one for one in got["purchased"]}
    bought = ("Sakura", "Ronin", "Emma")
    assert {name: (lines[ids[name]]["usage"], lines[ids[name]]["earnings"]) for name in bought} == {
        "Sakura": (2, Decimal("0.004")), "Ronin": (1, Decimal("0.005")), "Emma": (2, Decimal("0.016")),
    }  # fmt: skip
    assert all(lines[ids[name]]["lastUsageAt"] for name in ("Sakura", "Ronin", "Emma"))
    activity = got["recentActivity"]
    assert ids["Ronin"] not in str(activity)  # forty days ago
    assert {ids["Sakura"], ids["Emma"]} <= {line["modelId"] for line in activity}
    on_offer = {one["id"] for one in got["available"]}
    assert ids["Elf"] in on_offer
    assert not on_offer & {ids["Sakura"], ids["Ronin"], ids["Emma"]}
    off = await client.call("PATCH", f"/v1/models/{ids['Elf']}", {"active": False})
    assert off.status == 200
    assert ids["Elf"] not in str((await hers.get("/api/model-analytics")).json["available"])
