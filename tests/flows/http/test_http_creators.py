"""A creator's figures over HTTP, by our path and by the sources', while nothing and while all of it is rolled."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tokenhouse.domain import insights
from tokenhouse.infra.database import Database

RATE = Decimal("0.0001")


@pytest.fixture(scope="module")
async def shop(client, shared_database):
    """A creator in India with two models, used today, a week and a hundred days ago; a stranger's model."""
    owner = await client.account("creator", time_zone="Asia/Kolkata")
    payer = await client.account("payer", credits_left=10_000)
    models = [await client.model(owner, name=name) for name in ("Emma", "Lucy")]
    foreign = await client.model(await client.account("else"), name="Foreign")
    charges = []
    for days, model, amount in ((0, 0, 10), (0, 1, 20), (6, 0, 30), (100, 1, 40), (0, 1, 5)):
        used = (datetime.now(UTC) - timedelta(days=days, seconds=1)).isoformat()
        body = {"account_id": payer, "model_id": models[model], "amount": amount, "occurred_at": used}
        charges.append(await client.must("/v1/charges", body))
    await client.must(f"/v1/charges/{charges[-1]['id']}/reverse", {"reason": "a test"})
    await client.must("/v1/charges", {"account_id": payer, "model_id": foreign, "amount": 7})
    return owner, models, payer, foreign, charges


@pytest.fixture(params=["waiting", "rolled"])
async def state(request, shared_database):
    if request.param == "rolled":
        async with Database(shared_database.worker_conninfo, shared_database.signer, max_size=1) as database:
            await insights.roll(database)


async def test_the_sources_path(client, shop, state):
    owner, (emma, lucy), payer, _, _ = shop
    mine = await client.key_of(owner)
    got = (await mine.get("/api/creator-analytics?period=7")).exact
    assert got["summary"] == {
        "totalEarnings": Decimal("0.006"), "activeModels": 2, "totalUsage": 3, "totalTokens": 60,
        "averageEarnings": Decimal("0.003"),
    }  # fmt: skip
    assert got["models"][0] == {
        "modelId": emma, "modelName": "Emma", "modelCategory": "Realistic", "earnings": Decimal("0.004"), "usage": 2,
        "tokens": 40,
    }  # fmt: skip
    assert [one["modelId"] for one in got["topModels"]] == [emma, lucy]
    assert len(got["trends"]["daily"]) == 7
    for points in got["trends"].values():
        assert sum(point["usage"] for point in points) == 3
        assert sum(point["tokens"] for point in points) == 60
        assert sum(point["earnings"] for point in points) == Decimal("0.006")
    assert [(one["tokens"], one["earnings"]) for one in got["recentActivity"]] == [
        (30, 30 * RATE), (20, 20 * RATE), (10, 10 * RATE),
    ]  # fmt: skip
    assert payer not in str(got)
    assert got["transactions"] == []  # what was paid out or given otherwise than by uses: nothing
    assert (await mine.get("/api/creator-analytics")).json["summary"]["totalUsage"] == 3
    assert (await mine.get("/api/creator-analytics?period=365")).json["summary"]["totalUsage"] == 4
    one = (await mine.get(f"/api/creator-analytics?period=365&modelId={lucy}")).json
    assert one["summary"]["totalUsage"] == 2
    assert {line["modelId"] for line in one["models"] + one["recentActivity"]} == {lucy}
    by_platform = await client.get("/api/creator-analytics?period=7", user=owner)
    assert by_platform.exact == got


@pytest.mark.parametrize("bad", ["period=13", "period=0", "period=-7", "period=abc", "period=1e9", "period=7&period=x"])
async def test_no_other_periods(client, shop, bad):
    assert (await client.get(f"/api/creator-analytics?{bad}", user=shop[0])).status == 422


async def test_whose_figures(client, shop):
    owner, _, payer, foreign, _ = shop
    mine, other = await client.key_of(owner), await client.key_of(payer)
    assert (await mine.get(f"/api/creator-analytics?period=365&modelId={foreign}")).json["summary"]["totalUsage"] == 0
    assert (await mine.get("/api/creator-analytics?modelId=nobodys")).status == 404
    assert (await other.get("/api/creator-analytics")).json["summary"]["totalUsage"] == 0
    assert (await client.get("/api/creator-analytics")).status == 400
    for path in ("", "/peak-hours", "/retention"):
        assert (await other.get(f"/v1/analytics/creator{path}?account_id={owner}")).status == 404


async def test_any_time(client, shop, state):
    owner, (emma, lucy), _, _, _ = shop
    got = (await client.get(f"/v1/analytics/creator?account_id={owner}")).json
    assert got["period"]["time_zone"] == "Asia/Kolkata"
    assert got["period"]["from"].endswith("18:30:00Z")
    assert got["totals"] == {
        "uses": 3, "credits": 60, "earnings_nano_usd": 6_000_000, "earnings_usd": "0.006", "active_models": 2,
        "average_nano_usd": 3_000_000, "average_usd": "0.003", "users": 1, "new_users": 0,
    }  # fmt: skip
    assert [one["model_id"] for one in got["models"]] == [emma, lucy]
    assert len(got["trends"]["daily"]) == 30
    since = (datetime.now(UTC) - timedelta(days=5)).isoformat().replace("+00:00", "Z")
    got = (await client.get(f"/v1/analytics/creator?account_id={owner}&from={since}")).json
    assert (got["totals"]["uses"], got["previous"]["uses"], got["previous"]["users"]) == (2, 1, 1)
    assert sum(point["credits"] for point in got["trends"]["monthly"]) == 30
    lines = {one["model_id"]: (one["uses"], one["previous"]["uses"]) for one in got["models"]}
    assert lines == {emma: (1, 1), lucy: (1, 0)}
    got = (await client.get(f"/v1/analytics/creator?account_id={owner}&days=366&model_id={lucy}")).json
    assert (got["totals"]["uses"], got["totals"]["new_users"]) == (2, 1)


@pytest.mark.parametrize(
    "bad",
    [
        "days=0",
        "days=367",
        "days=x",
        "from=2026-01-01",
        "from=2026-01-01T00:00:00",
        "from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z",
        "from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z",
        "from=2026-01-01T00:00:00Z&days=3",
    ],
)
async def test_times_that_are_none(client, shop, bad):
    reply = await client.get(f"/v1/analytics/creator?account_id={shop[0]}&{bad}")
    assert (reply.status, reply.json["code"]) == (422, "validation_failed")


async def test_peak_hours(client, shop, state):
    owner = shop[0]
    got = (await client.get(f"/v1/analytics/creator/peak-hours?account_id={owner}&days=365")).json
    assert sum(one["uses"] for one in got["data"]) == 4
    wall = datetime.now(UTC) + timedelta(hours=5, minutes=30)
    assert {one["weekday"] for one in got["data"]} <= set(range(1, 8))
    assert {(wall.hour - 1) % 24, wall.hour} & {one["hour"] for one in got["data"]}


async def test_retention(client, shop, state):
    owner = shop[0]
    got = (await client.get(f"/v1/analytics/creator/retention?account_id={owner}&count=6")).json
    assert len(got["data"]) == 6
    cohort = next(one for one in got["data"] if one["users"])
    assert cohort["retained"][0] == 1
    assert cohort["retained"][-1] == 1  # came again this month
    assert date.fromisoformat(cohort["start"]).day == 1
    weeks = (await client.get(f"/v1/analytics/creator/retention?account_id={owner}&interval=week&count=2")).json
    assert [one["users"] for one in weeks["data"]] == [0, 0]  # who came before is in no cohort of these
