"""The platform's figures and a user's models over HTTP, held against what the tests did."""

import uuid
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from http_face import is_problem
from tokenhouse.domain import insights

PACK = 5_000  # nano-dollars a credit: five dollars for a million
PRO = 3_000  # thirty dollars for ten million
FLAT = 100_000


def today():
    return datetime.now(UTC).date()


async def roll(own):
    await insights.roll(own)
    await insights.cost_uses(own)


def row_of(reply, name):
    return next((row for row in reply.json["data"] if row["id"] == name), None)


def figures(row):
    return {name: row[name] for name in ("uses", "credits", "earnings_nano_usd", "revenue_nano_usd", "cost_nano_usd")}


async def test_the_platform_sees_what_each_brought_and_cost(client, own):
    """By account, model, operation and plan, before the sums are made and after, with a reversal in between."""
    ann = await client.account("fig", plan="pro")
    org = await client.account("fig", "organization", plan="enterprise")
    owner = await client.account("fig")
    model = await client.model(owner, credit_cost=7)
    await client.fund(org, 1_000)
    must = client.must
    await must("/v1/charges", {"account_id": ann, "amount": 400, "cost_nano_usd": 250_000})
    back = await must("/v1/charges", {"account_id": ann, "model_id": model, "usage_type": "chat"})
    kept = await must("/v1/charges", {"account_id": org, "model_id": model, "operation": "chat"})
    await must("/v1/charges", {
        "account_id": org, "amount": 20, "operation": "chat", "upstream_model": "gpt-4o-mini", "provider": "openai",
        "quantity": {"input_token": 1000, "cached_input_token": 500, "output_token": 100},
    })  # fmt: skip
    await must("/v1/charges", {"account_id": org, "operation": "generate_goal"})
    path = f"/v1/analytics/platform?limit=100&from={today() - timedelta(days=1)}&to={today()}"
    # 1000 x 0.15 + 500 x 0.075 + 100 x 0.60 dollars a million, half-even to whole nano-dollars.
    mini = round(Fraction(1000 * 150 + 500 * 75 + 100 * 600))
    for rolled in (False, True):
        if rolled:
            await must(f"/v1/charges/{back['id']}/reverse", {"reason": "test"})
            await roll(own)
        by_account = await client.get(f"{path}&by=account")
        used = 400 if rolled else 407
        assert figures(row_of(by_account, ann)) == {
            "uses": 1 if rolled else 2, "credits": used, "earnings_nano_usd": 0 if rolled else 7 * FLAT,
            "revenue_nano_usd": used * PRO, "cost_nano_usd": 250_000,
        }  # fmt: skip
        row = row_of(by_account, org)
        # Of 27 credits that were bought; of the three of goal_generation nothing is known: enterprise has no price.
        assert figures(row) == {
            "uses": 3, "credits": 30, "earnings_nano_usd": 7 * FLAT, "revenue_nano_usd": 27 * PACK,
            "cost_nano_usd": mini if rolled else 0,
        }  # fmt: skip
        assert row["margin_nano_usd"] == 27 * PACK - 7 * FLAT - row["cost_nano_usd"]
        assert (row["uncosted_uses"], row["uncosted_share_bps"]) == ((2, 6667) if rolled else (3, 10_000))
        assert row_of(await client.get(f"{path}&by=organization"), org) == row
        assert row_of(await client.get(f"{path}&by=user"), org) is None
        by_model = row_of(await client.get(f"{path}&by=model"), model)
        assert (by_model["uses"], by_model["credits"]) == ((1, 7) if rolled else (2, 14))
        assert by_model["earnings_usd"] == ("0.0007" if rolled else "0.0014")
    assert kept["earnings"][0]["nano_usd"] == 7 * FLAT
    by_upstream = row_of(await client.get(f"{path}&by=upstream"), "openai/gpt-4o-mini")
    assert by_upstream["cost_nano_usd"] >= mini


async def test_totals_are_the_sums_of_everything(client, own, superuser):
    """Whatever other tests did meanwhile on this database: totals, trend and rows equal the raw records."""
    await roll(own)
    ann = await client.account("tot", credits_left=100)
    await client.must("/v1/charges", {"account_id": ann, "amount": 30, "operation": "chat"})
    start = today() - timedelta(days=29)
    seen = (await client.get(f"/v1/analytics/platform?from={start}&to={today()}&limit=100&by=operation&sort=uses")).json
    uses, amount, earned = superuser.execute(
        "select count(*) filter (where u.kind <> 'report' and r.whole is not true), "
        "  sum(u.amount - coalesce(r.amount, 0))::bigint, sum(u.nanos - coalesce(r.nanos, 0))::bigint "
        "from metering.usage u left join lateral (select sum(x.amount) as amount, sum(x.nanos) as nanos, "
        "  bool_or(x.whole) as whole from metering.reversal x where x.usage_id = u.id) r on true "
        "where (u.occurred_at at time zone 'UTC')::date between %s and %s",
        [start, today()],
    ).fetchone()
    totals = seen["totals"]
    assert (totals["uses"], totals["credits"], totals["earnings_nano_usd"]) == (uses, amount, earned)
    assert (totals["from"], totals["to"]) == (str(start), str(today()))
    assert [row["date"] for row in seen["trend"]] == [str(start + timedelta(days=n)) for n in range(30)]
    for name in ("uses", "credits", "earnings_nano_usd", "cost_nano_usd", "uncosted_uses"):
        assert sum(row[name] for row in seen["trend"]) == totals[name] == sum(row[name] for row in seen["data"])
    assert [row["uses"] for row in seen["data"]] == sorted((row["uses"] for row in seen["data"]), reverse=True)
    before = seen["before"]
    assert (before["from"], before["to"]) == (str(start - timedelta(days=30)), str(start - timedelta(days=1)))
    for trend in ("week", "month"):
        other = (await client.get(f"/v1/analytics/platform?from={start}&to={today()}&trend={trend}")).json
        assert sum(row["credits"] for row in other["trend"]) == totals["credits"]
        assert len(other["trend"]) in ((5, 6) if trend == "week" else (1, 2, 3))


@pytest.mark.parametrize(
    "query",
    ["from=2030-02-31", "from=yesterday", "from=2030-01-02&to=2030-01-01", "by=colour", "sort=x", "limit=101",
     "limit=0", "from=2000-01-01", "from=20300101", "from=1900000000", "to=0001-01-01", "trend=year"],
)  # fmt: skip
async def test_what_is_no_question_is_refused(client, query):
    is_problem(await client.get(f"/v1/analytics/platform?{query}"), 422, "validation_failed")


async def test_accounts_near_their_limit_page_by_page(client):
    org = {}
    for used in (50, 45, 39):
        name = await client.account("risk", "organization", plan="pro-org")
        await client.must("/v1/charges", {"account_id": name, "amount": used, "credit_type": "lead_generation"})
        org[name] = used
    rows, cursor = [], ""
    while True:
        seen = (await client.get(f"/v1/analytics/accounts-at-risk?kind=organization&limit=1{cursor}")).json
        rows += seen["data"]
        if not seen["has_more"]:
            break
        cursor = f"&cursor={seen['next_cursor']}"
    mine = [row for row in rows if row["account_id"] in org]
    assert [(row["used"], row["left"], row["used_bps"]) for row in mine] == [(50, 0, 10_000), (45, 5, 9_000)]
    assert {row["plan"] for row in mine} == {"pro-org"}
    assert [row["used_bps"] for row in rows] == sorted((row["used_bps"] for row in rows), reverse=True)
    found = (await client.get("/v1/analytics/accounts-at-risk?used_percent=78&kind=organization&limit=100")).json
    assert sum(row["account_id"] in org for row in found["data"]) == 3


async def test_a_users_models(client):
    """As the sources' page shows it; every figure from what was done."""
    ann, bea, fan = [await client.account("port", credits_left=10_000) for _ in range(3)]
    names = [await client.model(price_credits=price, category=category) for price, category in
             ((310, "Anime"), (45, "Fantasy"), (7, "Anime"))]  # fmt: skip
    shared = await client.model(price_credits=1, ownership="shared", category="Shared")
    sold = await client.model(bea)
    made = await client.model(creator_id=ann, creator_share_bps=5_000, category="Made")
    for name in [*names[:2], shared]:
        await client.must(f"/v1/models/{name}/purchase", {}, user=ann)
    await client.must(f"/v1/models/{shared}/purchase", {}, user=bea)
    spent = defaultdict(int)
    uses = defaultdict(int)
    for number, name in enumerate([names[0], names[0], names[1], shared, made]):
        amount = 10 + number
        await client.must("/v1/charges", {"account_id": fan, "model_id": name, "amount": amount, "usage_type": "chat"})
        spent[name] += amount
        uses[name] += 1
    lost = await client.must("/v1/charges", {"account_id": fan, "model_id": names[1], "amount": 99})
    await client.must(f"/v1/charges/{lost['id']}/reverse", {"reason": "test"})
    old = (datetime.now(UTC) - timedelta(days=45)).isoformat()
    await client.must("/v1/charges", {"account_id": fan, "model_id": names[0], "amount": 3, "occurred_at": old})
    spent[names[0]] += 3
    uses[names[0]] += 1
    earned = {names[0]: spent[names[0]] * FLAT, names[1]: spent[names[1]] * FLAT, shared: spent[shared] * FLAT // 2,
              made: spent[made] * FLAT // 2}  # fmt: skip
    reply = await (await client.key_of(ann)).get("/api/model-analytics")
    assert reply.status == 200, reply
    seen = reply.exact
    over = seen["overview"]
    total = sum(earned.values())
    assert over["purchasedModels"] == 3
    assert over["tokensSpent"] == 310 + 45 + 1
    assert round(over["totalEarnings"] * 10**9) == total
    assert over["totalEarningsTokens"] == sum(spent.values())
    assert over["totalUsage"] == sum(uses.values())
    assert abs(round(over["averageEarnings"] * 10**9) - Fraction(total, 3)) <= Fraction(1, 2)
    assert over["mostProfitable"]["modelId"] == names[0]
    assert {row["category"]: round(row["earnings"] * 10**9) for row in seen["categories"]} == {
        "Anime": earned[names[0]], "Fantasy": earned[names[1]], "Shared": earned[shared], "Made": earned[made],
    }  # fmt: skip
    lines = {row["modelId"]: row for row in seen["purchased"]}
    assert set(lines) == {names[0], names[1], shared}
    for name, row in lines.items():
        assert (row["usage"], row["tokens"]) == (uses[name], spent[name])
        assert round(row["earnings"] * 10**9) == earned[name]
        assert row["lastUsageAt"]
    recent = seen["recentActivity"]
    assert len(recent) == 5  # neither what was taken back nor what is older than thirty days
    assert [row["tokens"] for row in recent] == [14, 13, 12, 11, 10]
    assert fan not in reply.body.decode()
    available = {row["id"] for row in seen["available"]}
    assert names[2] in available
    assert not available & {*names[:2], shared, sold}
    assert over["totalModels"] >= 6
    # A platform key asks for whom it names; one who owns nothing gets zeros.
    named = await client.get("/api/model-analytics", user=ann)
    assert named.json["overview"] == reply.json["overview"]
    empty = (await client.get("/api/model-analytics", user=await client.account("none"))).json
    assert (empty["overview"]["averageEarnings"], empty["overview"]["mostProfitable"]) == (0, None)
    assert (empty["purchased"], empty["categories"], empty["recentActivity"]) == ([], [], [])
    assert made in {row["id"] for row in empty["available"]}
    is_problem(await client.get("/api/model-analytics"), 400)
    is_problem(await client.get("/api/model-analytics", user=f"no-{uuid.uuid4().hex}"), 404)
