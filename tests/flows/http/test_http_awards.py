"""Adjustments, bonuses, goals, referrals and reviews over HTTP."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from http_face import key
from rights_awards import GOALS, REVIEWS
from tokenhouse.domain import metering
from tokenhouse.domain.metering import Thresholds
from tokenhouse.infra.database import PLATFORM

USES = 45


async def earnings(client, account):
    reply = await client.get(f"/v1/earnings?account_id={account}&limit=100")
    assert reply.status == 200
    return reply.json


def sums(told):
    return {name: told[f"{name}_nano_usd"] for name in ("accrued", "maturing", "payable")}


async def adjust(client, account, amount, **more):
    body = {"amount_nano_usd": amount, "reason": "a test", **more}
    return await client.post(f"/v1/accounts/{account}/earnings-adjustments", body, idem=more.pop("idem", None))


async def test_an_adjustment(client):
    maker = await client.account("maker")
    again = key()
    body = {"amount_nano_usd": 25, "reason": "For the contest"}
    path = f"/v1/accounts/{maker}/earnings-adjustments"
    made = await client.post(path, body, idem=again)
    assert made.status == 201
    assert (made.json["amount_nano_usd"], made.json["amount_usd"]) == (25, "0.000000025")
    twin = await client.post(path, body, idem=again)
    assert (twin.status, twin.replayed, twin.json) == (201, True, made.json)
    assert (await client.post(path, body | {"amount_nano_usd": 26}, idem=again)).json["code"] == "idempotency_mismatch"
    told = await earnings(await client.key_of(maker), maker)
    assert sums(told) == {"accrued": 25, "maturing": 0, "payable": 25}
    (line,) = told["data"]
    assert (line["kind"], line["nano_usd"], line["note"]) == ("adjustment", 25, "For the contest")
    assert (line["charge_id"], line["user_id"]) == (None, None)
    short = await client.post(path, {"amount_nano_usd": -26, "reason": "x"})
    assert (short.status, short.json["code"]) == (402, "insufficient_earnings")
    assert (short.json["required_nano_usd"], short.json["payable_nano_usd"]) == (26, 25)
    assert (await client.post(path, {"amount_nano_usd": -25, "reason": "x"})).status == 201
    assert (await client.post(path, body, idem=False)).status == 400


@pytest.mark.parametrize("wrong", [
    {"amount_nano_usd": 0}, {"amount_nano_usd": "5"}, {"amount_nano_usd": 10**15 + 1}, {"amount_nano_usd": True},
    {"reason": ""}, {"reason": "x" * 501}, {"model_id": "no such model"}, {"model_id": "nobody's"}, {"more": 1},
])  # fmt: skip
async def test_what_no_adjustment_may_say(client, wrong):
    maker = await client.account("maker")
    body = {"amount_nano_usd": 5, "reason": "x"} | wrong
    assert (await client.post(f"/v1/accounts/{maker}/earnings-adjustments", body)).status == 422


async def test_who_brought_an_account_is_said_once(client):
    scout, other = await client.account("scout"), await client.account("other")
    new = await client.account("new", referred_by=scout)
    said = await client.call("PUT", f"/v1/accounts/{new}/referrer", {"referred_by": scout})
    assert (said.status, said.json) == (200, {"account_id": new, "referred_by": scout})
    again = await client.call("PUT", f"/v1/accounts/{new}/referrer", {"referred_by": other})
    assert (again.status, again.json["code"]) == (409, "referrer_set")
    for account, referrer in ((other, other), (scout, new), (other, "nobody")):
        refused = await client.call("PUT", f"/v1/accounts/{account}/referrer", {"referred_by": referrer})
        assert refused.status == 422
    name = f"u-{uuid.uuid4().hex}"
    body = {"id": name, "kind": "user", "name": "x", "referred_by": "nobody"}
    assert (await client.post("/v1/accounts", body)).status == 422
    assert (await client.get(f"/v1/accounts/{name}")).status == 404


async def test_a_goal_from_its_setting_to_its_removal(client):
    maker = await client.account("maker", time_zone="Europe/Berlin")
    own = await client.key_of(maker)
    ending = (datetime.now(UTC) + timedelta(days=90)).date().isoformat()
    begin = "2030-01-01T00:00:00+01:00"
    body = {"account_id": maker, "amount_nano_usd": 100, "name": "A camera", "by": ending}
    made = await own.post(GOALS, body)
    assert made.status == 201
    goal = made.json
    assert (goal["percent"], goal["state"], goal["forecast"]) == (0, "open", None)
    assert goal["forecast_reason"] == "not_enough_history"
    assert (goal["by"], goal["name"], goal["model_id"]) == (ending, "A camera", None)
    await adjust(client, maker, 40)
    assert (await own.get(f"{GOALS}/{goal['id']}")).json["percent"] == 40
    changed = await own.call("PATCH", f"{GOALS}/{goal['id']}", {"amount_nano_usd": 40, "by": None})
    assert (changed.json["state"], changed.json["percent"], changed.json["by"]) == ("reached", 100, None)
    assert changed.json["name"] == "A camera"
    later = await own.call("PATCH", f"{GOALS}/{goal['id']}", {"from": begin, "name": None})
    assert (later.json["earned_nano_usd"], later.json["name"]) == (0, None)
    assert later.json["from"] == "2029-12-31T23:00:00Z"
    listed = (await own.get(f"{GOALS}?account_id={maker}")).json["data"]
    assert [one["id"] for one in listed] == [goal["id"]]
    assert (await own.get(f"{GOALS}?account_id={maker}&state=reached")).json["data"] == []
    assert (await own.call("DELETE", f"{GOALS}/{goal['id']}")).status == 204
    assert (await own.get(f"{GOALS}/{goal['id']}")).status == 404


@pytest.mark.parametrize("wrong", [
    {"amount_nano_usd": 0}, {"by": "2030-02-30"}, {"by": "20300101"}, {"by": 5}, {"by": "1999-01-01"},
    {"from": "2030-01-01T00:00:00"}, {"since": "2030-01-01T00:00:00Z"}, {"model_id": "nobody's"}, {"name": ""},
])  # fmt: skip
async def test_what_no_goal_may_say(client, wrong):
    maker = await client.account("maker")
    body = {"account_id": maker, "amount_nano_usd": 5} | wrong
    assert (await client.post(GOALS, body)).status == 422
    goal = (await client.must(GOALS, {"account_id": maker, "amount_nano_usd": 5}))["id"]
    assert (await client.call("PATCH", f"{GOALS}/{goal}", wrong)).status == 422
    for gone in ({"amount_nano_usd": None}, {"from": None}):
        assert (await client.call("PATCH", f"{GOALS}/{goal}", gone)).status == 422


async def odd(client, own):
    """Odd use of a model by one payer, found: who earns, who pays, and the review."""
    maker, payer = await client.account("maker"), await client.account("payer", credits_left=1000)
    model = await client.model(owner=maker)
    use = {"account_id": payer, "amount": 10, "model_id": model}
    await client.must("/v1/charges/batch", {"charges": [use | {"idempotency_key": key()} for _ in range(USES)]})
    # Other tests' uses of the same database are fewer, at each model.
    assert await metering.open_reviews(own, Thresholds(uses=USES, share_percent=60)) >= 1
    found = (await client.get(f"{REVIEWS}?state=open")).json["data"]
    return maker, payer, next(one for one in found if one["model_id"] == model)


async def test_odd_use_is_cleared(client, own):
    maker, payer, review = await odd(client, own)
    assert (review["account_id"], review["earner_ids"], review["uses"]) == (payer, [maker], USES)
    assert review["reasons"][0] == {"sign": "share", "uses": USES, "of": USES}
    assert (await client.get(f"{REVIEWS}/{review['id']}")).json == review
    done = await client.call("POST", f"{REVIEWS}/{review['id']}/clear", {"reason": "a class"})
    assert (done.status, done.json["state"], done.json["reason"]) == (200, "cleared", "a class")
    again = await client.call("POST", f"{REVIEWS}/{review['id']}/clear", {"reason": "a class"})
    assert (again.status, again.json["code"], again.json["state"]) == (409, "review_ended", "cleared")
    assert (await client.post(f"{REVIEWS}/{review['id']}/reject", {"reason": "x"})).json["code"] == "review_ended"
    assert sums(await earnings(client, maker))["accrued"] == USES * 10 * 100_000


async def test_odd_use_is_rejected(client, own):
    maker, payer, review = await odd(client, own)
    before = await client.balance(payer)
    path = f"{REVIEWS}/{review['id']}/reject"
    assert (await client.post(path, {"reason": "x"}, idem=False)).status == 400
    again = key()
    done = await client.post(path, {"reason": "bought from oneself"}, idem=again)
    assert done.status == 200
    assert (done.json["taken_nano_usd"], done.json["lost_nano_usd"]) == (USES * 10 * 100_000, 0)
    twin = await client.post(path, {"reason": "bought from oneself"}, idem=again)
    assert (twin.replayed, twin.json) == (True, done.json)
    assert sums(await earnings(client, maker)) == {"accrued": 0, "maturing": 0, "payable": 0}
    assert await client.balance(payer) == before
    kinds = [line["kind"] for line in (await earnings(client, maker))["data"]]
    assert (kinds.count("earning"), kinds.count("rejection")) == (USES, USES)
    told = await client.get(f"/api/model-earnings?userId={maker}")
    assert told.json["totalEarnings"] == 0
    async with own.read(PLATFORM) as tx:
        cursor = await tx.connection.execute(
            "select act from access.audit where target_id = %s order by id", [review["id"]]
        )
        assert await cursor.fetchall() == [("review.open",), ("review.reject",)]
    assert (await client.get(f"{REVIEWS}/{uuid.uuid4()}")).status == 404


async def test_bonuses_are_listed(client):
    maker = await client.account("maker")
    told = await (await client.key_of(maker)).get(f"/v1/bonuses?account_id={maker}")
    assert told.json == {"data": [], "next_cursor": None, "has_more": False}
