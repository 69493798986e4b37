"""Charges, batches, holds and reversals over HTTP: the answers, their replays, what they leave in the wallet."""

import asyncio
import json

import httpx2
import pytest

from http_face import is_problem, key, serving


async def test_a_charge_answers_with_its_receipt(client):
    user = await client.account(credits_left=100)
    reply = await client.post("/v1/charges", {"account_id": user, "amount": 7, "metadata": {"a": [1, {"b": None}]}})
    assert reply.status == 201
    got = reply.json
    assert (got["account_id"], got["amount"], got["balance"], got["credit_type"]) == (user, 7, 93, "general")
    assert got["rate_card_version"] is None
    assert got["earnings_reason"] == "no_model"
    assert got["metadata"] == {"a": [1, {"b": None}]}
    read = await client.get(f"/v1/charges/{got['id']}")
    assert read.json == {**got, "kind": "charge", "reversed": 0}


async def test_the_same_key_gives_the_first_answer_again(client):
    user = await client.account(credits_left=100)
    body = {"account_id": user, "amount": 7, "quantity": {"call": 2, "chunk": 1}, "metadata": {"z": 1, "a": 2}}
    first = await client.post("/v1/charges", body, idem="same")
    again = await client.post("/v1/charges", dict(reversed(body.items())), idem="same")
    assert (first.status, again.status) == (201, 201)
    assert again.json == first.json
    assert (first.replayed, again.replayed) == (False, True)
    assert await client.balance(user) == 93
    is_problem(await client.post("/v1/charges", {**body, "amount": 8}, idem="same"), 422, "idempotency_mismatch")
    other = await client.account(credits_left=10)
    assert (await client.post("/v1/charges", {"account_id": other, "amount": 1}, idem="same")).status == 201


async def test_a_refused_charge_does_not_use_its_key_up(client):
    user = await client.account(credits_left=3)
    body = {"account_id": user, "amount": 5}
    short = await client.post("/v1/charges", body, idem="later")
    is_problem(short, 402, "insufficient_tokens")
    assert (short.json["required"], short.json["available"], short.json["upgrade_url"]) == (5, 3, "/plans")
    await client.fund(user, 5)
    assert (await client.post("/v1/charges", body, idem="later")).status == 201


async def test_twenty_at_once_take_no_more_than_there_is(client):
    user = await client.account(credits_left=50)
    replies = await asyncio.gather(
        *(client.post("/v1/charges", {"account_id": user, "amount": 7}) for _ in range(20)),
    )
    assert sorted(reply.status for reply in replies) == [201] * 7 + [402] * 13
    assert await client.balance(user) == 1


async def test_twins_at_once_are_carried_out_once(client):
    user = await client.account(credits_left=50)
    body = {"account_id": user, "amount": 7}
    replies = await asyncio.gather(*(client.post("/v1/charges", body, idem="twin") for _ in range(8)))
    assert {reply.json["id"] for reply in replies} == {replies[0].json["id"]}
    assert sum(reply.replayed for reply in replies) == 7
    assert await client.balance(user) == 43


async def test_the_fast_route_and_the_documented_one_are_one(client, shared_database):
    user = await client.account(credits_left=100)
    headers = {"Authorization": f"Bearer {client.key}", "Content-Type": "application/json"}
    bodies = [
        {"account_id": user, "amount": 1, "metadata": {"é": [1.5, None]}},
        {"account_id": user, "amount": 0},
        {"account_id": user, "amount": 10**6},
        {"account_id": "nobody-at-all", "amount": 1},
        {"account_id": user, "operation": "no-such"},
        {"account_id": user, "x": "y", "quantity": "2"},
        [],
        None,
    ]
    async with serving(shared_database, fast=False) as base, httpx2.AsyncClient(base_url=base, headers=headers) as http:
        for number, body in enumerate(bodies):
            fast = await client.post("/v1/charges", body, idem=f"both-{number}")
            content = b"" if body is None else json.dumps(body).encode()
            slow = await http.post("/v1/charges", content=content, headers={"Idempotency-Key": f"both-{number}"})
            assert slow.headers["content-type"] == fast.headers["content-type"]
            assert (slow.status_code, _plain(slow.json())) == (fast.status, _plain(fast.json)), body
            assert ("idempotency-replayed" in slow.headers) is (fast.status == 201)
        assert (await http.post("/v1/charges", json=bodies[0])).status_code == 400


def _plain(body):
    """Without the request's id, and without the words: the framework says `Field required` of a missing body."""
    return {name: value for name, value in body.items() if name not in ("request_id", "detail", "errors")}


async def test_prices(client):
    user = await client.account(plan="free")
    taken = await client.must("/v1/charges", {"account_id": user, "operation": "avatar_generation"})
    assert (taken["amount"], taken["balance"], taken["rate_card_version"]) == (5_000, 245_000, 1)
    for quantity in (10, {"chunk": 10}):
        taken = await client.must(
            "/v1/charges", {"account_id": user, "operation": "document_upload", "quantity": quantity}
        )
        assert taken["amount"] == 2_500
    free = await client.must("/v1/charges", {"account_id": user, "operation": "avatar_upload"})
    assert (free["amount"], free["balance"]) == (0, 240_000)
    is_problem(await client.post("/v1/charges", {"account_id": user}), 422)
    is_problem(await client.post("/v1/charges", {"account_id": user, "operation": "nothing"}), 422, "unknown_reference")


async def test_check_takes_nothing(client):
    user = await client.account(credits_left=10)
    yes = await client.post("/v1/check", {"account_id": user, "amount": 10}, idem=False)
    assert yes.json == {"allowed": True, "required": 10, "available": 10}
    no = await client.post("/v1/check", {"account_id": user, "operation": "avatar_generation"}, idem=False)
    assert no.json == {"allowed": False, "required": 5_000, "available": 10}
    assert await client.balance(user) == 10


async def test_when_it_was_used_is_for_the_platform_to_say(client):
    user = await client.account(credits_left=10)
    past = {"account_id": user, "amount": 1, "occurred_at": "2026-01-31T12:00:00+02:00"}
    got = await client.must("/v1/charges", past)
    assert got["occurred_at"] == "2026-01-31T10:00:00Z"
    is_problem(await client.post("/v1/charges", {**past, "occurred_at": "2999-01-01T00:00:00Z"}), 422)
    own = await client.key_of(user)
    is_problem(await own.post("/v1/charges", past), 403, "forbidden")


async def test_a_batch_answers_each_of_its_charges(client):
    user, other = await client.account(credits_left=10), await client.account(credits_left=10)
    items = [
        {"account_id": user, "amount": 4, "idempotency_key": "b1"},
        {"account_id": user, "amount": 4, "idempotency_key": "b1"},
        {"account_id": user, "amount": 5, "idempotency_key": "b1"},
        {"account_id": user, "amount": 9, "idempotency_key": "b2"},
        {"account_id": other, "amount": 9, "idempotency_key": "b2"},
        {"account_id": other, "amount": 0, "idempotency_key": "b3"},
        {"account_id": other, "amount": 1},
        {"account_id": "nobody-at-all", "amount": 1, "idempotency_key": "b4"},
        {"account_id": user, "amount": 1, "idempotency_key": "b5", "x": 1},
        "what",
    ]
    reply = await client.post("/v1/charges/batch", {"charges": items}, idem=False)
    assert [one["status"] for one in reply.json["data"]] == [201, 201, 422, 402, 201, 422, 422, 404, 422, 422]
    assert [one["replayed"] for one in reply.json["data"]][:2] == [False, True]
    assert [one["error"]["code"] for one in reply.json["data"] if "error" in one] == [
        "idempotency_mismatch", "insufficient_tokens", "validation_failed", "validation_failed", "not_found",
        "validation_failed", "validation_failed",
    ]  # fmt: skip
    assert (await client.balance(user), await client.balance(other)) == (6, 1)
    single = await client.post("/v1/charges", {"amount": 4, "account_id": user}, idem="b1")
    assert single.json == reply.json["data"][0]["receipt"]
    assert single.replayed
    assert (await client.post("/v1/charges/batch", {"charges": []}, idem=False)).json == {"data": []}
    is_problem(await client.post("/v1/charges/batch", {"charges": items * 101}, idem=False), 422)


async def test_a_hold_is_captured_or_voided_once(client):
    user = await client.account(credits_left=100)
    placed = await client.post("/v1/holds", {"account_id": user, "amount": 60, "ttl_seconds": 60}, idem="h")
    hold = placed.json
    assert (placed.status, hold["amount"], hold["available"], hold["state"]) == (201, 60, 40, "live")
    assert (
        await client.post("/v1/holds", {"account_id": user, "amount": 60, "ttl_seconds": 60}, idem="h")
    ).json == hold
    is_problem(await client.post("/v1/holds", {"account_id": user, "amount": 41}), 402)
    over = await client.post(f"/v1/holds/{hold['id']}/capture", {"amount": 61})
    is_problem(over, 409, "capture_exceeds_hold")
    assert (await client.get(f"/v1/holds/{hold['id']}")).json["state"] == "live"
    first = await client.post(f"/v1/holds/{hold['id']}/capture", {"amount": 45}, idem="c")
    assert (first.status, first.json["amount"], first.json["balance"], first.json["hold_id"]) == (
        200,
        45,
        55,
        hold["id"],
    )
    again = await client.post(f"/v1/holds/{hold['id']}/capture", {"amount": 45}, idem="c")
    assert again.replayed
    assert again.json == first.json
    is_problem(await client.post(f"/v1/holds/{hold['id']}/void", {}), 409, "hold_ended")
    ended = (await client.get(f"/v1/holds/{hold['id']}")).json
    assert (ended["state"], ended["captured"]) == ("captured", 45)
    assert (await client.wallet(user))["available"] == 55
    # The same key for the end of another hold is another request.
    second = await client.must("/v1/holds", {"account_id": user, "amount": 5})
    is_problem(await client.post(f"/v1/holds/{second['id']}/capture", {"amount": 45}, idem="c"), 422)


@pytest.mark.parametrize("body", [{}, None])
async def test_a_void_needs_no_body(client, body):
    user = await client.account(credits_left=100)
    hold = await client.must("/v1/holds", {"account_id": user, "operation": "chat"})
    done = await client.post(f"/v1/holds/{hold['id']}/void", body, idem="v")
    assert (done.status, done.json["state"], done.json["available"]) == (200, "voided", 100)
    assert (await client.post(f"/v1/holds/{hold['id']}/void", {}, idem="v")).json == done.json


async def test_a_hold_of_nobody(client):
    for path in ("nothing", "00000000-0000-0000-0000-000000000000", "%00", "{x}"):
        is_problem(await client.post(f"/v1/holds/{path}/void", {}), 404)
        is_problem(await client.get(f"/v1/charges/{path}"), 404)


async def test_a_charge_is_reversed_in_parts(client):
    owner, user = await client.account("owner"), await client.account(credits_left=100)
    model = await client.model(owner)
    charge = await client.must("/v1/charges", {"account_id": user, "amount": 10, "model_id": model})
    assert charge["earnings"] == [
        {"account_id": owner, "model_id": model, "nano_usd": 1_000_000, "usd": "0.001"},
    ]
    path = f"/v1/charges/{charge['id']}/reverse"
    part = await client.post(path, {"amount": 4, "reason": "half of it"}, idem="r1")
    assert (part.status, part.json["amount"], part.json["left"], part.json["balance"]) == (201, 4, 6, 94)
    again = await client.post(path, {"amount": 4, "reason": "half of it"}, idem="r1")
    assert again.replayed
    assert again.json == part.json
    is_problem(await client.post(path, {"amount": 7, "reason": "too much"}), 409)
    rest = await client.must(path, {"reason": "the rest"})
    assert rest["amount"] == 6
    is_problem(await client.post(path, {"reason": "once more"}), 409, "already_reversed")
    assert (await client.get(f"/v1/charges/{charge['id']}")).json["reversed"] == 10
    assert await client.balance(user) == 100
    assert (await client.get(f"/v1/earnings?account_id={owner}")).json["accrued_nano_usd"] == 0


async def test_receipts_page_by_page(client):
    user = await client.account(credits_left=100)
    ids = []
    for number in range(7):
        body = {"account_id": user, "amount": 1, "user_id": f"who{number % 2}", "operation": "chat"}
        ids.append((await client.must("/v1/charges", body))["id"])
    seen, more = [], ""
    while more is not None:
        page = (await client.get(f"/v1/charges?account_id={user}&operation=chat&limit=3{more}")).json
        seen += [row["id"] for row in page["data"]]
        assert page["has_more"] is (page["next_cursor"] is not None)
        more = f"&cursor={page['next_cursor']}" if page["has_more"] else None
    assert seen == ids[::-1]
    mine = (await client.get(f"/v1/charges?account_id={user}&user_id=who1")).json["data"]
    assert [row["id"] for row in mine] == ids[5::-2]
    none = (await client.get(f"/v1/charges?account_id={user}&to=2020-01-01T00:00:00Z")).json
    assert none == {"data": [], "next_cursor": None, "has_more": False}


async def test_keys_are_one_space_over_all_commands(client):
    user = await client.account(credits_left=100)
    shared = key()
    await client.must("/v1/charges", {"account_id": user, "amount": 1}, idem=shared)
    is_problem(await client.post("/v1/holds", {"account_id": user, "amount": 1}, idem=shared), 422)
    grant = {"credit_type": "general", "amount": 1, "source": "gift"}
    is_problem(await client.post(f"/v1/accounts/{user}/grants", grant, idem=shared), 422, "idempotency_mismatch")
    is_problem(await client.post("/api/deduct-token", {"userId": user, "amount": 1}, idem=shared), 422)
    assert await client.balance(user) == 99
