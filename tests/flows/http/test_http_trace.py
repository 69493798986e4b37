"""The real trace through POST /v1/charges/batch, as an app would send it: every figure, and once only."""

from dataclasses import replace

import httpx2

import trace_input as trace
from economy import clean, source
from http_face import ADMIN_KEY, serving
from tokenhouse.domain import catalog as catalogs
from tokenhouse.infra.database import PLATFORM

KEY = {"Authorization": f"Bearer {ADMIN_KEY}"}


async def test_the_trace_by_the_batch(booted, db):
    requests = trace.read()
    wanted = trace.expected(requests)
    async with db.transaction(PLATFORM) as tx:
        await catalogs.apply_source(tx, source())
    alone = replace(booted, server=None)  # the session's own, which a service must not stop
    async with serving(alone) as base, httpx2.AsyncClient(base_url=base, timeout=60, headers=KEY) as http:
        people = await settled_people(http)

        async def send(some):
            charges = [
                {
                    "idempotency_key": request.key,
                    "account_id": request.user,
                    "operation": trace.OPERATION,
                    "model_id": request.model,
                    "quantity": {"input_token": request.prompt, "output_token": request.generated},
                    "occurred_at": request.at,
                }
                for request in some
            ]
            answer = await http.post("/v1/charges/batch", json={"charges": charges})
            assert answer.status_code == 200, answer.text
            return [outcome_of(one) for one in answer.json()["data"]]

        first = await trace.send_all(requests, send)
        assert first == wanted
        told = await figures(http, people)
        again = await trace.send_all(requests, send)
        assert again == [outcome._replace(replayed=True) for outcome in wanted]
        assert await figures(http, people) == told
    spent, earned = trace.sums(requests, wanted)
    assert sum(spent.values()) == sum(outcome.amount for outcome in wanted)
    for name in people:
        left = trace.CREDITS - spent[name] if name.startswith("user") else 0
        assert told[name] == (left, earned[name]), name
    await clean(db)


async def settled_people(http):
    """200 users with credits and 20 models whose owners bought them for nothing."""
    users = [f"user-{number}" for number in range(trace.USERS)]
    people = [*users, *(f"owner-{number}" for number in range(5, trace.OWNERS))]
    for name in people:
        await must(http, "/v1/accounts", {"id": name, "kind": "user", "name": name})
    for name in people:
        await leave(http, name, trace.CREDITS if name in users else 0)
    for number in range(trace.MODELS):
        model = {"id": f"model-{number}", "name": "M", "category": "Real", "price_credits": 0, "premium": True,
                 "active": True, "monetized": True, "ownership": "shared"}  # fmt: skip
        await must(http, "/v1/models", model)
        for owner in trace.owners_of(number):
            await must(http, f"/v1/models/model-{number}/purchase", {}, {"X-User-ID": owner})
    return people


async def leave(http, name, credit_count):
    """Leave exactly so many general credits, whatever the plan gave."""
    have = (await figures(http, [name]))[name][0]
    if have < credit_count:
        body = {"credit_type": "general", "amount": credit_count - have, "source": "top_up"}
        await must(http, f"/v1/accounts/{name}/grants", body)
    elif have > credit_count:
        await must(http, "/v1/charges", {"account_id": name, "amount": have - credit_count})


async def figures(http, people):
    """What each has and has earned, as the API tells it: (credits, nano-dollars)."""
    told = {}
    for name in people:
        wallets = (await http.get(f"/v1/accounts/{name}/wallets")).json()
        earned = (await http.get(f"/v1/earnings?account_id={name}&limit=1")).json()
        told[name] = (
            next(wallet["balance"] for wallet in wallets if wallet["credit_type"] == "general"),
            earned["accrued_nano_usd"],
        )
    return told


async def must(http, path, body, headers=None):
    key = {"Idempotency-Key": f"{path}-{body.get('id', '')}-{(headers or {}).get('X-User-ID', '')}"}
    answer = await http.post(path, json=body, headers={**key, **(headers or {})})
    assert answer.status_code in (200, 201), answer.text


def outcome_of(one):
    assert one["status"] == 201, one
    shares = one["receipt"]["earnings"]
    earned = {share["account_id"]: share["nano_usd"] for share in shares}
    return trace.Outcome(one["receipt"]["amount"], earned, one["replayed"])
