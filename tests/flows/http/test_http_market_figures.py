"""What accounts spent, the market, models side by side and those who earn: held against the raw records."""

import uuid
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from http_face import is_problem
from tokenhouse.domain import insights


def days_ago(days, hours=0):
    return (datetime.now(UTC) - timedelta(days=days, hours=hours)).isoformat()


def span(days=30):
    last = datetime.now(UTC).date()
    return last - timedelta(days=days - 1), last


def records(superuser):
    """Every use with what is left of it after reversals, and who earned how much of it, straight from the tables."""
    rows = superuser.execute(
        "select u.id, p.external_id, m.external_id, m.category, u.operation, u.user_label, u.usage_type, u.amount, "
        "       u.credits, u.counted, u.occurred_at, u.earners, u.kind from metering.usage u "
        "join access.identity p on p.account_id = u.account_id left join market.model m on m.id = u.model_id"
    ).fetchall()
    back = defaultdict(list)
    for usage, entry, amount, whole in superuser.execute("select usage_id, id, amount, whole from metering.reversal"):
        back[usage].append((entry, amount, whole))
    paid = defaultdict(lambda: defaultdict(int))
    for entry, who, amount, gain in superuser.execute(
        "select entry_id, owner_id, amount, credit_id > 0 from ledger.transfer where asset_id = 0"
    ):
        paid[entry][who] += amount if gain else -amount
    names = dict(superuser.execute("select account_id, external_id from access.identity").fetchall())
    for usage, payer, model, category, operation, label, kind, amount, credit_sum, counted, at, earners, sort in rows:
        given = sum(one[1] for one in back[usage])
        gone = any(one[2] for one in back[usage])
        nanos = defaultdict(int)
        for entry in (usage, *(one[0] for one in back[usage])):
            for who, part in paid[entry].items():
                nanos[names[who]] += part
        yield {
            "payer": payer, "model": model, "category": category, "operation": operation, "label": label, "type": kind,
            "charged": int(sort != "report" and not gone), "credits": amount - given,
            "used": int(counted and not gone), "used_credits": credit_sum - given if counted else 0, "at": at,
            "earners": {names[who] for who in earners or ()}, "nanos": nanos,
        }  # fmt: skip


def within(rows, first, last, zone=UTC):
    return [row for row in rows if first <= row["at"].astimezone(zone).date() <= last]


@pytest.fixture(scope="module")
async def market(client):
    """Three owners, five models in three categories, uses over sixty days, some of them given back."""
    tag = uuid.uuid4().hex[:6]
    owners = [await client.account("mko") for _ in range(3)]
    fans = [await client.account("mkf", credits_left=5_000, time_zone=zone) for zone in ("UTC", "Asia/Kolkata", "UTC")]
    models = [
        await client.model(owners[0], category=f"Anime {tag}"),
        await client.model(owners[1], category=f"Anime {tag}"),
        await client.model(owners[0], category=f"Fantasy {tag}"),
        await client.model(category=f"Anime {tag}", ownership="shared"),
        await client.model(category=f"Empty {tag}"),
    ]
    for owner in owners[1:]:
        await client.must(f"/v1/models/{models[3]}/purchase", {}, user=owner)
    done = []
    for number in range(60):
        body = {
            "account_id": fans[number % 3], "amount": number % 7 + 1, "occurred_at": days_ago(number, number % 5),
            "operation": "chat" if number % 2 else None, "user_id": f"label-{number % 2}" if number % 3 else None,
            "model_id": models[number % 4] if number % 5 else None, "usage_type": "chat" if number % 4 else None,
        }  # fmt: skip
        body = {name: value for name, value in body.items() if value is not None}
        done.append(await client.must("/v1/charges", body))
    for number in (3, 11, 29, 44):
        body = {"reason": "test"} if number % 2 else {"reason": "test", "amount": 1}
        await client.must(f"/v1/charges/{done[number]['id']}/reverse", body)
    await client.must("/v1/charges", {"account_id": owners[0], "model_id": models[0], "amount": 5})  # an owner's own
    await client.must("/v1/charges", {"account_id": fans[0], "operation": "chat", "amount": 2})
    await client.must(f"/v1/models/{models[4]}/purchase", {}, user=fans[0])
    return owners, fans, models, tag


@pytest.fixture(params=["before a roll", "rolled", "made anew"])
async def rolled(request, own):
    """Figures are the same however many records are summed up already."""
    if request.param == "rolled":
        await insights.roll(own)
    elif request.param == "made anew":
        await insights.rebuild(own)
    return request.param


@pytest.mark.parametrize("days", [1, 30, 45])
async def test_what_an_account_spent(client, superuser, market, rolled, days):
    _, fans, _, _ = market
    for fan, zone in zip(fans, ("UTC", "Asia/Kolkata", "UTC"), strict=True):
        local = datetime.now(ZoneInfo(zone)).date()
        first = local - timedelta(days=days - 1)
        reply = await client.get(f"/v1/analytics/user?account_id={fan}&from={first}&to={local}&limit=100")
        seen = reply.json
        rows = [row for row in records(superuser) if row["payer"] == fan]
        mine = within(rows, first, local, ZoneInfo(zone))
        assert seen["time_zone"] == zone
        before = within(rows, first - timedelta(days=days), first - timedelta(days=1), ZoneInfo(zone))
        for told, wanted in ((seen["totals"], mine), (seen["before"], before)):
            assert told["uses"] == sum(row["charged"] for row in wanted)
            assert told["credits"] == sum(row["credits"] for row in wanted)
        assert len(seen["trend"]) == days
        for point in seen["trend"]:
            day = datetime.fromisoformat(point["date"]).date()
            today = within(mine, day, day, ZoneInfo(zone))
            assert (point["uses"], point["credits"]) == (
                sum(row["charged"] for row in today), sum(row["credits"] for row in today),
            )  # fmt: skip
        for field, key in (("by_operation", "operation"), ("by_model", "model"), ("by_user", "label"),
                           ("by_usage_type", "type")):  # fmt: skip
            wanted = defaultdict(lambda: [0, 0])
            for row in mine:
                wanted[row[key]][0] += row["charged"]
                wanted[row[key]][1] += row["credits"]
            got = {row["id"]: [row["uses"], row["credits"]] for row in seen[field]}
            assert got == {name: sums for name, sums in wanted.items() if sums != [0, 0]}, field
            order = [row["credits"] for row in seen[field]]
            assert order == sorted(order, reverse=True)
    assert seen["by_credit_type"][0]["id"] == "general"
    bought = (await client.get(f"/v1/analytics/user?account_id={fans[0]}")).json["purchases"]
    assert bought == {"count": 1, "credits": 0}


async def test_an_account_sees_itself_alone(client, market):
    _, fans, _, _ = market
    mine = await client.key_of(fans[0])
    assert (await mine.get(f"/v1/analytics/user?account_id={fans[0]}")).status == 200
    is_problem(await mine.get(f"/v1/analytics/user?account_id={fans[1]}"), 404)
    is_problem(await mine.get("/v1/analytics/user"), 422)
    for query in ("from=2030-01-02&to=2030-01-01", "limit=0", "to=x"):
        is_problem(await mine.get(f"/v1/analytics/user?account_id={fans[0]}&{query}"), 422)


async def test_the_market_by_category(client, superuser, market, rolled):
    _, fans, _, tag = market
    first, last = span()
    seen = (await client.get(f"/v1/analytics/market?from={first}&to={last}")).json
    rows = list(records(superuser))
    wanted, before = within(rows, first, last), within(rows, first - timedelta(days=30), first - timedelta(days=1))
    for view in seen["data"]:
        mine = [row for row in wanted if row["category"] == view["category"]]
        past = [row for row in before if row["category"] == view["category"]]
        assert view["uses"] == sum(row["used"] for row in mine), view
        assert view["credits"] == sum(row["used_credits"] for row in mine)
        assert view["earnings_nano_usd"] == sum(sum(row["nanos"].values()) for row in mine)
        assert view["uses_before"] == sum(row["used"] for row in past)
        used = {row["model"] for row in mine if row["used"]}
        assert view["models_used"] == len(used)
    by = {view["category"]: view for view in seen["data"]}
    assert by[f"Anime {tag}"]["models"] == 3
    assert by[f"Empty {tag}"]["uses"] == 0
    past, now = by[f"Anime {tag}"]["uses_before"], by[f"Anime {tag}"]["uses"]
    assert by[f"Anime {tag}"]["growth_bps"] == round((now - past) * 10_000 / past)
    # Others see nothing by which they could tell what one model earned.
    theirs = await (await client.key_of(fans[0])).get(f"/v1/analytics/market?from={first}&to={last}")
    seen = {view["category"]: view for view in theirs.json["data"]}
    assert seen[f"Anime {tag}"]["earnings_nano_usd"] == by[f"Anime {tag}"]["earnings_nano_usd"]
    assert seen[f"Fantasy {tag}"]["earnings_usd"] is seen[f"Fantasy {tag}"]["credits"] is None
    assert seen[f"Fantasy {tag}"]["uses"] == by[f"Fantasy {tag}"]["uses"] > 0


async def test_models_side_by_side(client, superuser, market, rolled):
    owners, fans, models, _ = market
    first, last = span(25)
    rows = within(records(superuser), first, last)
    past = within(records(superuser), first - timedelta(days=25), first - timedelta(days=1))
    for owner, names in ((None, models), (owners[0], [models[2], models[0]]), (owners[1], [models[3]])):
        query = "&".join(f"model_id={name}" for name in names)
        as_whom = client if owner is None else await client.key_of(owner)
        reply = await as_whom.get(f"/v1/analytics/compare?{query}&from={first}&to={last}")
        assert [row["model_id"] for row in reply.json["data"]] == names
        for told in reply.json["data"]:

            def earned(row, owner=owner):
                return sum(row["nanos"].values()) if owner is None else row["nanos"][owner]

            mine = [row for row in rows if row["model"] == told["model_id"]]
            assert told["uses"] == sum(row["used"] for row in mine)
            assert told["users"] == len({row["payer"] for row in mine if row["used"]})
            assert told["earnings_nano_usd"] == sum(earned(row) for row in mine)
            assert told["credits"] == sum(row["used_credits"] for row in mine)
            before = [row for row in past if row["model"] == told["model_id"]]
            assert told["uses_before"] == sum(row["used"] for row in before)
            assert told["earnings_before_nano_usd"] == sum(earned(row) for row in before)
            for point in told["trend"]:
                day = datetime.fromisoformat(point["date"]).date()
                assert point["uses"] == sum(row["used"] for row in within(mine, day, day))
                assert point["earnings_nano_usd"] == sum(earned(row) for row in within(mine, day, day))
            assert len(told["trend"]) == 25
    stranger = await client.key_of(fans[1])
    is_problem(await stranger.get(f"/v1/analytics/compare?model_id={models[0]}"), 404)
    is_problem(await stranger.get(f"/v1/analytics/compare?model_id=no-{uuid.uuid4().hex}"), 404)
    is_problem(await client.get(f"/v1/analytics/compare?model_id={models[0]}&account_id={fans[0]}"), 404)
    eleven = "&".join(f"model_id=m{n}" for n in range(11))
    for query in ("", f"?model_id={models[0]}&model_id={models[0]}", f"?{eleven}", "?model_id=a%20b"):
        is_problem(await client.get(f"/v1/analytics/compare{query}"), 422)


async def test_those_who_earn(client, superuser, market, rolled):
    owners, _, _, _ = market
    first, last = span()
    rows = list(records(superuser))
    now, past = within(rows, first, last), within(rows, first - timedelta(days=30), first - timedelta(days=1))
    found, cursor = [], ""
    while True:
        seen = (await client.get(f"/v1/analytics/creators?from={first}&to={last}&limit=100{cursor}")).json
        found += seen["data"]
        if not seen["has_more"]:
            break
        cursor = f"&cursor={seen['next_cursor']}"
    assert [row["earnings_nano_usd"] for row in found] == sorted(
        (row["earnings_nano_usd"] for row in found), reverse=True
    )
    for told in found:
        name = told["account_id"]
        mine = [row for row in now if name in row["earners"]]
        assert told["uses"] == sum(row["used"] for row in mine), told
        assert told["credits"] == sum(row["used_credits"] for row in mine)
        assert told["earnings_nano_usd"] == sum(row["nanos"][name] for row in mine)
        assert told["earnings_before_nano_usd"] == sum(row["nanos"][name] for row in past)
        assert told["uses_before"] == sum(row["used"] for row in past if name in row["earners"])
        assert told["accrued_nano_usd"] == sum(row["nanos"][name] for row in rows)
    by = {row["account_id"]: row for row in found}
    assert [by[owner]["models"] for owner in owners] == [2, 2, 1]
    for query in ("sort=x", "limit=0", "cursor=abc", "from=2030-01-02&to=2030-01-01"):
        is_problem(await client.get(f"/v1/analytics/creators?{query}"), 422)


async def test_advice_is_made_of_the_records(client, superuser):
    tag = uuid.uuid4().hex[:6]
    owner = await client.account("adv")
    fan = await client.account("adv", "organization", plan="pro-org")
    mine = await client.model(owner, category=f"Quiet {tag}", name=f"Quiet one {tag}")
    for number in range(3):
        await client.model(category=f"Quiet {tag}", name=f"Quiet {number} {tag}")
    await client.fund(fan, 2_000)
    for number in range(12):
        await client.must(
            "/v1/charges", {"account_id": fan, "model_id": mine, "amount": 1, "occurred_at": days_ago(40)}
        )
        if number < 3:
            await client.must("/v1/charges", {"account_id": fan, "model_id": mine, "amount": 1})
    reply = await (await client.key_of(owner)).get(f"/v1/analytics/recommendations?account_id={owner}")
    falling = next(one for one in reply.json["data"] if one["kind"] == "model_falling")
    assert falling["model_id"] == mine
    assert falling["reason"] == "Its use fell by 75 %: from 12 uses in the 30 days before to 3 in the last 30."
    await client.must("/v1/charges", {"account_id": fan, "amount": 19, "credit_type": "goal_generation"})
    superuser.execute(
        "update wallets.enrolment e set period_started_at = period_started_at - interval '9 days 23:59', "
        "renews_at = renews_at - interval '10 days' from access.identity i where i.account_id = e.account_id "
        "and i.external_id = %s",
        [fan],
    )
    superuser.execute(
        "update wallets.lot l set period_started_at = period_started_at - interval '9 days 23:59' "
        "from access.identity i where i.account_id = l.account_id and i.external_id = %s and l.source = 'allowance'",
        [fan],
    )
    data = (await client.get(f"/v1/analytics/recommendations?account_id={fan}")).json["data"]
    assert data[0]["kind"] == "allowance_short"
    assert data[0]["reason"] == (
        "19 of 20 goal_generation credits of this period (95 %) are used, and 33 % of the period are over: at this "
        "rate it takes 285 % of the allowance."
    )
    is_problem(await (await client.key_of(owner)).get(f"/v1/analytics/recommendations?account_id={fan}"), 404)
