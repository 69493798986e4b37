"""Payouts over HTTP: asked for by creators, sent by admins, many at once, by keys that name each once."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from http_face import Client, Description, is_problem, key, serving

RATE = 100_000  # nano-dollars a credit


async def earner(client, credits_used, days=20):
    """Somebody who earned so many credits' worth, that many days ago."""
    owner, fan = await client.account("c"), await client.account("fan", credits_left=credits_used)
    model = await client.model(owner=owner)
    at = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    await client.must("/v1/charges", {"account_id": fan, "amount": credits_used, "model_id": model, "occurred_at": at})
    return owner


async def sums(client, account):
    """accrued, maturing, payable, in payout, paid: in credits' worth."""
    got = (await client.get(f"/v1/earnings?account_id={account}")).json
    figures = [got[f"{name}_nano_usd"] for name in ("accrued", "maturing", "payable", "in_payout", "paid")]
    assert figures[0] == sum(figures[1:])
    assert all(one % RATE == 0 for one in figures)
    return tuple(one // RATE for one in figures)


async def test_a_creator_requests_and_an_admin_sends(client):
    owner = await earner(client, 50)
    own = await client.key_of(owner)
    assert await sums(own, owner) == (50, 0, 50, 0, 0)
    reply = await own.post("/v1/payouts", {"account_id": owner, "amount_nano_usd": 30 * RATE})
    assert reply.status == 201
    made = reply.json
    assert (made["state"], made["amount_nano_usd"], made["amount_usd"]) == ("pending", 30 * RATE, "0.003")
    assert await sums(own, owner) == (50, 0, 20, 30, 0)
    for action in ("approve", "complete", "fail"):
        is_problem(await own.post(f"/v1/payouts/{made['id']}/{action}", {}), 403, "forbidden")
    done = await client.post(f"/v1/payouts/{made['id']}/complete", {"reference": "wire 7"})
    assert (done.status, done.json["state"], done.json["reference"]) == (200, "completed", "wire 7")
    assert done.json["ended_at"] is not None
    assert await sums(own, owner) == (50, 0, 20, 0, 30)
    is_problem(await client.post(f"/v1/payouts/{made['id']}/fail", {}), 409, "payout_state")
    read = (await own.get(f"/v1/payouts/{made['id']}")).json
    history = read.pop("history")
    assert [one["state"] for one in history] == ["pending", "completed"]
    assert history[0]["by"].startswith("account ")
    assert read == done.json


async def test_over_what_is_payable(client):
    owner = await earner(client, 50, days=3)
    assert await sums(client, owner) == (50, 50, 0, 0, 0)
    reply = await client.post("/v1/payouts", {"account_id": owner, "amount_nano_usd": 1}, idem="early")
    is_problem(reply, 402, "insufficient_earnings")
    assert (reply.json["required_nano_usd"], reply.json["payable_nano_usd"]) == (1, 0)
    is_problem(await client.post("/v1/payouts", {"account_id": "nobody-there", "amount_nano_usd": 1}), 404)


@pytest.mark.parametrize("amount", [0, -1, 10**15 + 1, 1.0, "5", True, None])
async def test_amounts_that_are_none(client, amount):
    owner = await client.account("c")
    body = {"account_id": owner, "amount_nano_usd": amount}
    is_problem(await client.post("/v1/payouts", body), 422, "validation_failed")


async def test_keys_are_needed_and_replay(client):
    owner = await earner(client, 50)
    body = {"account_id": owner, "amount_nano_usd": RATE}
    is_problem(await client.post("/v1/payouts", body, idem=False), 400, "idempotency_key_invalid")
    first = await client.post("/v1/payouts", body, idem="one")
    again = await client.post("/v1/payouts", body, idem="one")
    assert (first.json, first.replayed, again.replayed) == (again.json, False, True)
    is_problem(
        await client.post("/v1/payouts", {**body, "amount_nano_usd": 2}, idem="one"), 422, "idempotency_mismatch"
    )
    path = f"/v1/payouts/{first.json['id']}"
    for action in ("approve", "complete", "fail", "cancel"):
        is_problem(await client.post(f"{path}/{action}", {}, idem=False), 400, "idempotency_key_invalid")
    is_problem(await client.post(f"{path}/complete", {}, idem="one"), 422, "idempotency_mismatch")
    done = [await client.post(f"{path}/cancel", body, idem="two") for body in (None, {})]
    assert [(one.status, one.replayed, one.json) for one in done] == [
        (200, False, done[0].json), (200, True, done[0].json),
    ]  # fmt: skip
    # The key space of the account is one: a charge's key is taken, too.
    await client.fund(owner, 5)
    charge = {"account_id": owner, "amount": 1}
    is_problem(await client.post("/v1/charges", charge, idem="one"), 422, "idempotency_mismatch")
    assert await sums(client, owner) == (50, 0, 50, 0, 0)


async def test_many_at_once_each_by_itself(client):
    rich, poor = await earner(client, 50), await earner(client, 5)
    items = [
        {"account_id": rich, "amount_nano_usd": 10 * RATE},
        {"account_id": poor, "amount_nano_usd": 10 * RATE},
        {"account_id": "nobody-there", "amount_nano_usd": 1},
        {"account_id": rich, "amount_nano_usd": 0},
        "nonsense",
        {"account_id": rich, "amount_nano_usd": 20 * RATE, "idempotency_key": "mine"},
    ]
    first = await client.post("/v1/payouts/bulk", {"payouts": items}, idem="round 1".replace(" ", "-"))
    assert first.status == 200
    assert [one["status"] for one in first.json["data"]] == [201, 402, 404, 422, 422, 201]
    ids = [one["id"] for one in first.json["data"]]
    assert [one is None for one in ids] == [False, True, True, True, True, False]
    assert first.json["data"][0]["payout"]["state"] == "pending"
    assert first.json["data"][1]["error"]["code"] == "insufficient_earnings"
    again = await client.post("/v1/payouts/bulk", {"payouts": items}, idem="round-1")
    assert [one["id"] for one in again.json["data"]] == ids
    assert await sums(client, rich) == (50, 0, 20, 30, 0)
    # An item's own key is the same as a single payout's.
    single = {"account_id": rich, "amount_nano_usd": 20 * RATE}
    assert (await client.post("/v1/payouts", single, idem="mine")).json["id"] == ids[5]
    # Without any key an item is refused, one that has its own is not.
    bare = await client.post("/v1/payouts/bulk", {"payouts": [items[0], items[5]]}, idem=False)
    assert [one["status"] for one in bare.json["data"]] == [400, 201]

    named = [ids[0], ids[5], str(uuid.uuid4()), "x"]
    is_problem(
        await client.post("/v1/payouts/bulk", {"ids": named, "action": "complete"}, idem=False), 400
    )  # fmt: skip
    done = await client.post("/v1/payouts/bulk", {"ids": named, "action": "complete"}, idem="sent")
    assert [(one["id"], one["status"]) for one in done.json["data"]] == list(
        zip(named, (200, 200, 404, 404), strict=True)
    )
    assert {one["payout"]["state"] for one in done.json["data"][:2]} == {"completed"}
    other = await client.post("/v1/payouts/bulk", {"ids": named[:2], "action": "fail"}, idem="failed")
    assert [(one["status"], one["error"]["code"]) for one in other.json["data"]] == [(409, "payout_state")] * 2
    assert (await client.post("/v1/payouts/bulk", {"ids": named, "action": "complete"}, idem="sent")).json == done.json
    assert await sums(client, rich) == (50, 0, 20, 0, 30)
    for body in ({}, {"ids": ids[:1]}, {"action": "fail"}, {"payouts": [], "ids": [], "action": "fail"}):
        is_problem(await client.post("/v1/payouts/bulk", body), 422, "validation_failed")
    is_problem(await client.post("/v1/payouts/bulk", {"ids": ["x"] * 1001, "action": "fail"}), 422)


async def test_two_admins_at_once(client):
    """The same list under two keys: together no more than has matured; each of the payouts ends once."""
    owners = [await earner(client, 50) for _ in range(3)]
    items = [{"account_id": owner, "amount_nano_usd": 30 * RATE} for owner in owners for _ in range(2)]
    replies = await asyncio.gather(*(client.post("/v1/payouts/bulk", {"payouts": items}, idem=key()) for _ in range(2)))
    made = [one for reply in replies for one in reply.json["data"]]
    assert sorted(one["status"] for one in made) == [201] * 3 + [402] * 9
    ids = [one["id"] for one in made if one["status"] == 201]
    actions = ("complete", "fail", "cancel", "complete")
    ended = await asyncio.gather(
        *(client.post("/v1/payouts/bulk", {"ids": ids, "action": action}, idem=key()) for action in actions)
    )
    for place in range(3):
        assert sorted(reply.json["data"][place]["status"] for reply in ended) == [200, 409, 409, 409]
    for owner, place in zip(owners, range(3), strict=True):
        paid = (await client.get(f"/v1/payouts/{ids[place]}")).json["account_id"]
        state = (await client.get(f"/v1/payouts/{ids[place]}")).json["state"]
        expected = (50, 0, 20, 0, 30) if state == "completed" else (50, 0, 50, 0, 0)
        assert await sums(client, paid) == expected
        assert (await client.get(f"/v1/payouts?account_id={owner}")).json["data"][0]["state"] != "pending"


async def test_lists(client):
    owner, other = await earner(client, 50), await earner(client, 50)
    ids = [
        (await client.must("/v1/payouts", {"account_id": who, "amount_nano_usd": RATE}))["id"]
        for who in (owner, other, owner, owner)
    ]
    mine = [ids[3], ids[2], ids[0]]
    own = await client.key_of(owner)
    await client.must(f"/v1/payouts/{ids[2]}/complete", {})

    async def listed(by, query):
        return [one["id"] for one in (await by.get(f"/v1/payouts?{query}")).json["data"]]

    assert await listed(own, "") == await listed(own, f"account_id={owner}") == mine
    assert await listed(client, f"account_id={owner}&state=pending") == [ids[3], ids[0]]
    assert (await listed(client, "limit=4"))[:4] == [ids[3], ids[2], ids[1], ids[0]]
    first = (await own.get("/v1/payouts?limit=2")).json
    assert (first["has_more"], [one["id"] for one in first["data"]]) == (True, mine[:2])
    assert await listed(own, f"limit=2&cursor={first['next_cursor']}") == mine[2:]
    is_problem(await own.get(f"/v1/payouts?account_id={other}"), 404)
    is_problem(await own.get(f"/v1/payouts/{ids[1]}"), 404)
    is_problem(await client.get("/v1/payouts?state=gone"), 422)


async def test_how_an_account_is_paid(client):
    account = await client.account("c")
    own, path = await client.key_of(account), f"/v1/accounts/{account}/payout-method"
    is_problem(await own.get(path), 404)
    details = {"name": "Ada Lovelace", "iban": "DE02120300000000202051"}
    put = await own.call("PUT", path, {"method": "manual", "details": details})
    assert put.status == 200
    assert (put.json["method"], put.json["hint"]) == ("manual", "•••• 2051")
    assert (await own.get(path)).json == put.json
    is_problem(await own.post(f"{path}/reveal"), 403)
    assert (await client.post(f"{path}/reveal")).json["details"] == details
    is_problem(await own.call("PUT", path, {"method": "pigeon", "details": details}), 422)
    for wrong in ({}, {"iban": 7}, {"a": "x" * 501}, {"": "x"}, None):
        is_problem(await own.call("PUT", path, {"method": "manual", "details": wrong}), 422)


async def test_what_is_paid_out_by_itself(client):
    account = await client.account("c")
    own, path = await client.key_of(account), f"/v1/accounts/{account}/payout-schedule"
    is_problem(await own.get(path), 404)
    put = await own.call("PUT", path, {"every": "month", "day": 31, "minimum_nano_usd": 10**10})
    assert (put.status, put.json["every"], put.json["day"], put.json["minimum_usd"]) == (200, "month", 31, "10.00")
    assert (await own.get(path)).json == put.json
    for body in ({"every": "week", "day": 8}, {"every": "week"}, {"every": "threshold"},
                 {"every": "threshold", "day": 1, "minimum_nano_usd": 5}, {"every": "year", "day": 1}):  # fmt: skip
        is_problem(await own.call("PUT", path, body), 422, "validation_failed")
    assert (await own.call("DELETE", path)).status == 204
    is_problem(await own.call("DELETE", path), 404)


async def test_approval_and_minimum(shared_database):
    settings = {"payout_approval": "required", "payout_minimum_usd": "0.002", "earnings_maturity_days": 0}
    async with serving(shared_database, **settings) as base, httpx2.AsyncClient(base_url=base, timeout=30) as http:
        client = Client(http, Description((await http.get("/openapi.json")).json()))
        owner = await earner(client, 50, days=0)
        body = {"account_id": owner, "amount_nano_usd": 19 * RATE}
        is_problem(await client.post("/v1/payouts", body), 422, "validation_failed")
        own = await client.key_of(owner)
        made = await own.must("/v1/payouts", {**body, "amount_nano_usd": 20 * RATE})
        is_problem(await client.post(f"/v1/payouts/{made['id']}/complete", {}), 409, "payout_state")
        assert (await client.must(f"/v1/payouts/{made['id']}/approve", {}))["state"] == "processing"
        assert (await client.must(f"/v1/payouts/{made['id']}/complete", {}))["state"] == "completed"
        by_platform = await client.must("/v1/payouts", {**body, "amount_nano_usd": 20 * RATE})
        is_problem(await client.post(f"/v1/payouts/{by_platform['id']}/approve", {}), 403, "approver_is_requester")
