"""The market over HTTP: lists, pictures, bulk changes, refunds, transfers, reviews, submissions."""

from contextlib import asynccontextmanager

import httpx2

from economy import clean
from http_face import Client, is_problem, key, serving
from tokenhouse.entrypoints.api.cursor import cursor_of


@asynccontextmanager
async def configured(client, database, **settings):
    """A client of another service on the same database."""
    async with serving(database, **settings) as base, httpx2.AsyncClient(base_url=base, timeout=30) as http:
        yield Client(http, client.description)


async def ids(client, query, **more):
    return [one["id"] for one in (await client.get(f"/v1/models?{query}", **more)).json["data"]]


# ---- lists ----


async def test_a_list_is_searched_filtered_and_sorted(client):
    word = f"zq{key()[:10]}"
    ann, maker = await client.account("ann", credits_left=100), await client.account("maker")
    cheap = await client.model(name=f"{word} alpha", price_credits=1, category=word, premium=False)
    dear = await client.model(name=f"{word} beta", price_credits=9, ownership="shared", creator_id=maker)
    hidden = await client.model(name=f"{word} gamma", active=False, price_credits=5)
    await client.must(f"/v1/models/{dear}/purchase", {}, user=ann)
    own, made = await client.key_of(ann), await client.key_of(maker)
    for who, query, found in (
        (client, f"q={word}", [hidden, dear, cheap]),
        (own, f"q={word}", [dear, cheap]),
        (own, f"q={word}&active=false", [dear, cheap]),
        (client, f"q={word}&active=false", [hidden]),
        (client, f"q={word[:6]}&sort=price", [cheap, hidden, dear]),
        (client, f"q={word}&sort=price_desc", [dear, hidden, cheap]),
        (client, f"q={word}&sort=name", [cheap, dear, hidden]),
        (client, f"q={word}&price_from=5", [hidden, dear]),
        (client, f"q={word}&price_to=5&premium=true", [hidden]),
        (client, f"category={word}", [cheap]),
        (own, "owned=true", [dear]),
        (own, f"owned=true&category={word}", []),
        (made, "owned=true", []),
        (made, f"creator_id={maker}", [dear]),
        (client, f"creator_id={maker}", [dear]),
        (own, f"creator_id={maker}", []),
        (client, "creator_id=nobody-at-all", []),
    ):
        got = await ids(who, query)
        assert got[: len(found)] == found, query
        assert len(got) == len(found) or "q=" in query, query
    assert await ids(client, "owned=true", user=ann) == [dear]
    is_problem(await client.get("/v1/models?owned=true"), 400)
    for sort in ("newest", "name", "price", "price_desc", "rating"):
        wanted = await ids(client, f"q={word}&sort={sort}")
        first = (await client.get(f"/v1/models?q={word}&sort={sort}&limit=2")).json
        rest = (await client.get(f"/v1/models?q={word}&sort={sort}&cursor={first['next_cursor']}")).json
        assert [one["id"] for one in (*first["data"], *rest["data"])] == wanted
        assert (first["has_more"], rest["has_more"], rest["next_cursor"]) == (True, False, None)
    for odd in (
        '["price",1,"",2', '["price",true,"",2]', '["price",1,"\\ud800",2]', '["price",1,"\\u0000",2]', "[" * 1400,
        '["price",1e400,"",2]', '["price",9223372036854775808,"",2]', '["name",0,"x",2]', "{}", "null",
    ):  # fmt: skip
        foreign = cursor_of(odd)
        is_problem(await client.get(f"/v1/models?sort=price&cursor={foreign}"), 422, "validation_failed")
    categories = {one["category"]: one["models"] for one in (await own.get("/v1/model-categories")).json["data"]}
    assert categories[word] == 1
    await client.call("PATCH", f"/v1/models/{cheap}", {"active": False})
    categories = {one["category"] for one in (await own.get("/v1/model-categories")).json["data"]}
    assert word not in categories


async def test_pictures_and_characters(client):
    picture = "https://img.example/m.png"
    model = await client.model(image_url=picture)
    assert (await client.get(f"/v1/models/{model}")).json["image_url"] == picture
    for bad in ("javascript:x", "", "ftp://x", "https://a b", 7):
        is_problem(await client.call("PATCH", f"/v1/models/{model}", {"image_url": bad}), 422)
    made = await client.must("/v1/characters", {"name": "Emma", "model_id": model, "image_url": "/emma.png"})
    offered = {one["id"]: one for one in (await client.get("/api/models")).json["models"]}
    assert offered[model]["image"] == picture
    await client.call("PATCH", f"/v1/models/{model}", {"image_url": None})
    offered = {one["id"]: one for one in (await client.get("/api/models")).json["models"]}
    assert offered[model]["image"] == "/emma.png"
    path = f"/v1/characters/{made['id']}"
    changed = await client.call("PATCH", path, {"name": "Ada", "image_url": None})
    assert (changed.status, changed.json["name"], changed.json["image_url"]) == (200, "Ada", None)
    assert (await client.get(f"/v1/characters?model_id={model}")).json["data"] == [changed.json]
    is_problem(await client.call("PATCH", path, {"model_id": "no-such"}), 404)
    is_problem(await client.call("PATCH", path, {"name": None}), 422)
    assert (await client.call("DELETE", path)).status == 204
    is_problem(await client.get(path), 404)
    is_problem(await client.call("DELETE", path), 404)
    assert (await client.get(f"/v1/characters?model_id={model}")).json["data"] == []


async def test_bulk_changes_have_an_outcome_each(client):
    one, two, new = await client.model(), await client.model(), f"m-{key()}"

    async def bulk(body):
        reply = await client.post("/v1/models/bulk", body, idem=False)
        assert reply.status == 200, reply
        return [(item["id"], item["status"], (item["error"] or {}).get("code")) for item in reply.json["data"]]

    assert await bulk({"ids": [one, "no-such", two], "action": "deactivate"}) == [
        (one, 200, None), ("no-such", 404, "not_found"), (two, 200, None),
    ]  # fmt: skip
    assert (await client.get(f"/v1/models/{one}")).json["active"] is False
    await bulk({"ids": [one], "action": "activate"})
    assert [(await client.get(f"/v1/models/{name}")).json["active"] for name in (one, two)] == [True, False]
    await bulk({"ids": [one, two], "changes": {"category": "Anime", "price_credits": 7, "description": None}})
    told = (await client.get(f"/v1/models/{two}")).json
    assert (told["category"], told["price_credits"], told["active"]) == ("Anime", 7, False)
    assert await bulk(
        {
            "models": [
                {"id": one, "price_credits": 8},
                {"id": new, "name": "New", "category": "Anime", "credit_cost": 2, "features": ["x"]},
                {"id": f"{new}-x", "price_credits": 8},
                {"id": two, "price_credits": -8},
                {"id": two, "colour": "red"},
                {"id": two, "earnings_policy": "no-such"},
                {"price_credits": 8},
                {"id": two, "name": "Two"},
            ]
        }
    ) == [
        (one, 200, None), (new, 201, None), (f"{new}-x", 422, "validation_failed"), (two, 422, "validation_failed"),
        (two, 422, "validation_failed"), (two, 422, "unknown_reference"), (None, 422, "validation_failed"),
        (two, 200, None),
    ]  # fmt: skip
    made = (await client.get(f"/v1/models/{new}")).json
    assert (made["credit_cost"], made["features"], made["ownership"], made["active"]) == (2, ["x"], "exclusive", True)
    assert await bulk({"ids": [new], "action": "archive"}) == [(new, 200, None)]
    assert await bulk({"models": [{"id": new, "name": "x", "category": "c"}]}) == [(new, 409, "already_exists")]
    is_problem(await client.get(f"/v1/models/{new}"), 404)
    for bad in (
        {}, {"ids": []}, {"ids": [one]}, {"ids": [one], "action": "sell"}, {"models": [], "ids": [one]},
        {"ids": [one], "action": "archive", "changes": {}}, {"models": [{"id": one}], "action": "archive"},
        {"ids": ["x"] * 501, "action": "activate"}, {"models": ["x"]}, {"changes": {}},
    ):  # fmt: skip
        is_problem(await client.post("/v1/models/bulk", bad), 422, "validation_failed")


# ---- ownership ----


async def test_a_refund(client, own):
    ann, bob = await client.account("ann", credits_left=100), await client.account("bob")
    model = await client.model(price_credits=30)
    path, body = f"/v1/models/{model}/refund", {"account_id": ann, "reason": "a mistake"}
    is_problem(await client.post(path, body), 404)
    await client.must(f"/v1/models/{model}/purchase", {}, user=ann)
    is_problem(await client.post(path, {"account_id": bob}), 404)
    is_problem(await client.post(path, body, idem=False), 400, "idempotency_key_invalid")
    back = await client.post(path, body, idem="refund")
    assert back.status == 201
    told = dict(back.json)
    assert told.pop("refunded_at")
    assert told == {
        "model_id": model, "account_id": ann, "price_credits": 30, "credit_type": "general", "balance": 100,
        "reason": "a mistake",
    }  # fmt: skip
    again = await client.post(path, body, idem="refund")
    assert (again.replayed, again.json) == (True, back.json)
    is_problem(await client.post(path, {"account_id": ann}, idem="refund"), 422, "idempotency_mismatch")
    is_problem(await client.post(path, body), 409, "already_refunded")
    assert (await client.get("/api/models", user=ann)).json["purchasedModels"] == []
    await client.must(f"/v1/models/{model}/purchase", {}, user=ann)
    is_problem(await (await client.key_of(ann)).post(path, body), 403)
    is_problem(await (await client.key_of(bob)).post(path, body), 404)
    await clean(own)


async def test_a_transfer(client):
    ann, bob, user = await client.account("ann"), await client.account("bob"), await client.account(credits_left=9)
    model = await client.model(owner=ann)
    path, body = f"/v1/models/{model}/transfer", {"from_account_id": ann, "to_account_id": bob, "reason": "a gift"}
    done = await client.post(path, body, idem=False)
    assert (done.status, done.json["from_account_id"], done.json["to_account_id"]) == (200, ann, bob)
    is_problem(await client.post(path, body), 404)
    charge = await client.must("/v1/charges", {"account_id": user, "model_id": model})
    assert [one["account_id"] for one in charge["earnings"]] == [bob]
    is_problem(await client.post(path, {**body, "from_account_id": bob, "to_account_id": bob}), 422)
    is_problem(await client.post(path, {**body, "from_account_id": bob, "to_account_id": "nobody-at-all"}), 404)
    is_problem(await client.post(f"/v1/models/{model}/refund", {"account_id": bob}), 409, "not_bought")
    both = await client.model(ownership="shared")
    for one in (ann, bob):
        await client.must(f"/v1/models/{both}/purchase", {}, user=one)
    is_problem(await client.post(f"/v1/models/{both}/transfer", body), 409, "already_owned")


# ---- reviews ----


async def test_reviews(client, shared_database):
    owner, ann, bob = [await client.account(name, credits_left=50) for name in ("owner", "ann", "bob")]
    model = await client.model(owner=owner)
    path = f"/v1/models/{model}/review"
    by_ann, by_bob, by_owner = [await client.key_of(name) for name in (ann, bob, owner)]
    is_problem(await by_ann.call("PUT", path, {"stars": 5}), 403, "forbidden")
    for user in (ann, bob):
        await client.must("/v1/charges", {"account_id": user, "model_id": model})
    is_problem(await by_owner.call("PUT", path, {"stars": 5}), 403, "forbidden")
    for bad in ({}, {"stars": 0}, {"stars": 6}, {"stars": 4.5}, {"stars": 5, "text": ""},
                {"stars": 5, "text": "x" * 2001}, {"stars": 5, "state": "published"}):  # fmt: skip
        is_problem(await by_ann.call("PUT", path, bad), 422, "validation_failed")
    hers = await by_ann.call("PUT", path, {"stars": 5, "text": "Listens well."})
    assert (hers.status, hers.json["account_id"], hers.json["state"]) == (200, ann, "published")
    assert (await by_bob.call("PUT", path, {"stars": 2})).status == 200
    told = (await client.get(f"/v1/models/{model}")).json
    assert (told["rating"], told["reviews"]) == (3.5, 2)
    assert (await by_ann.call("PUT", path, {"stars": 5})).json["id"] == hers.json["id"]
    assert model in await ids(client, "sort=rating&limit=100")
    first = (await by_bob.get(f"{path}s?limit=1")).json
    rest = (await by_bob.get(f"{path}s?cursor={first['next_cursor']}")).json
    assert [(one["stars"], one["account_id"]) for one in (*first["data"], *rest["data"])] == [(2, bob), (5, None)]
    # A moderator hides it: for all but its author it is not there.
    moderate = f"/v1/reviews/{hers.json['id']}/moderate"
    is_problem(await client.post(moderate, {"state": "pending"}), 422)
    assert (await client.post(moderate, {"state": "hidden", "reason": "spam"})).json["state"] == "hidden"
    assert (await client.get(f"/v1/models/{model}")).json["rating"] == 2
    assert len((await by_bob.get(f"{path}s")).json["data"]) == 1
    assert [one["state"] for one in (await by_ann.get(f"{path}s")).json["data"]] == ["published", "hidden"]
    assert hers.json["id"] in [one["id"] for one in (await client.get("/v1/reviews?state=hidden")).json["data"]]
    is_problem(await client.get("/v1/reviews?state=odd"), 422)
    is_problem(await client.call("DELETE", path), 400)
    assert (await by_ann.call("DELETE", path)).status == 204
    is_problem(await by_ann.call("DELETE", path), 404)
    offered = {one["id"]: one for one in (await client.get("/api/models")).json["models"]}
    assert offered[model]["rating"] == 2
    async with configured(client, shared_database, reviews="moderated") as other:
        waits = await other.by(by_ann.key).call("PUT", path, {"stars": 4})
        assert waits.json["state"] == "pending"
        assert (await client.get(f"/v1/models/{model}")).json["reviews"] == 1
        assert (await client.post(f"/v1/reviews/{waits.json['id']}/moderate", {"state": "published"})).status == 200
    assert (await client.get(f"/v1/models/{model}")).json["rating"] == 3


async def test_an_inactive_model_shows_no_reviews(client):
    model, own = await client.model(active=False), await client.key_of(await client.account())
    is_problem(await own.get(f"/v1/models/{model}/reviews"), 404)
    assert (await client.get(f"/v1/models/{model}/reviews")).json["data"] == []


# ---- submissions ----


async def test_creators_submit_models_where_they_may(client, shared_database):
    maker, other = await client.account("maker"), await client.account("other")
    body = {"id": f"m-{key()}", "name": "Emma", "category": "Realistic", "price_credits": 50, "active": True}
    by_maker = await client.key_of(maker)
    is_problem(await by_maker.post("/v1/models", body), 403)
    async with configured(client, shared_database, creator_models="approval") as service:
        theirs = service.by(by_maker.key)
        is_problem(await theirs.post("/v1/models", {**body, "creator_id": other}), 404)
        is_problem(
            await service.by((await client.key_of(maker, scopes=["wallets:read"])).key).post("/v1/models", body), 403
        )
        made = await theirs.post("/v1/models", body)
        assert (made.status, made.json["active"], made.json["approval"], made.json["creator_id"]) == (
            201, False, "pending", maker,
        )  # fmt: skip
        is_problem(await theirs.call("PATCH", f"/v1/models/{body['id']}", {"active": True}), 403)
        is_problem(await theirs.post(f"/v1/models/{body['id']}/approve"), 403)
        # The platform's own are on the market at once, as ever.
        assert (await service.post("/v1/models", {"name": "x", "category": "c"})).json["approval"] == "approved"
    path = f"/v1/models/{body['id']}"
    assert (await by_maker.get(path)).json["approval"] == "pending"
    assert await ids(by_maker, f"creator_id={maker}") == [body["id"]]
    is_problem(await (await client.key_of(other)).get(path), 404)
    buyer = await client.account(credits_left=100)
    is_problem(await client.post(f"{path}/purchase", {}, user=buyer), 409, "model_inactive")
    rejected = await client.post(f"{path}/reject", {"reason": "no picture"})
    assert (rejected.status, rejected.json["approval"]) == (200, "rejected")
    approved = await client.post(f"{path}/approve")
    assert (approved.json["approval"], approved.json["active"]) == ("approved", True)
    is_problem(await client.post(f"{path}/approve"), 409, "not_pending")
    assert (await client.post(f"{path}/purchase", {}, user=buyer)).status == 201
