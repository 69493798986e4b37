"""The requests of the matrix of rights at models, characters, purchases and reviews."""

from __future__ import annotations

from rights import Try, World, fixed, tries
from tokenhouse.domain import catalog, market
from tokenhouse.infra.database import PLATFORM


@tries("models_get")
async def _model_get(world: World, who: str) -> Try:
    return Try("GET", f"/v1/models/{await world.client.model()}")


@tries("models_update")
async def _model_update(world: World, who: str) -> Try:
    """Even who owns and made it does not set its price."""
    maker = who if who == world.names["ann"] else None
    model = await world.client.model(owner=maker, **({"creator_id": maker} if maker else {}))
    return Try("PATCH", f"/v1/models/{model}", {"price_credits": 3})


@tries("models_remove")
async def _model_remove(world: World, who: str) -> Try:
    return Try("DELETE", f"/v1/models/{await world.client.model()}")


@tries("models_refund")
async def _refund(world: World, who: str) -> Try:
    model = await world.client.model(owner=who, price_credits=1)
    return Try("POST", f"/v1/models/{model}/refund", {"account_id": who})


@tries("models_transfer")
async def _transfer(world: World, who: str) -> Try:
    model = await world.client.model(owner=who)
    spare = await world.client.account("spare")
    return Try("POST", f"/v1/models/{model}/transfer", {"from_account_id": who, "to_account_id": spare})


@tries("models_bulk")
async def _bulk(world: World, who: str) -> Try:
    return Try("POST", "/v1/models/bulk", {"ids": [await world.client.model()], "action": "deactivate"})


async def _submitted(world: World) -> str:
    """A model that waits for approval, whoever may submit some at present."""
    model = await world.client.model()
    async with world.database.transaction(PLATFORM) as tx:
        terms = await catalog.load(tx)
        await market.update_model(tx, terms, model, {"approval": "pending", "active": False})
    return model


@tries("models_approve")
async def _approve(world: World, who: str) -> Try:
    return Try("POST", f"/v1/models/{await _submitted(world)}/approve")


@tries("models_reject")
async def _reject(world: World, who: str) -> Try:
    return Try("POST", f"/v1/models/{await _submitted(world)}/reject", {"reason": "x"})


fixed("model_categories", "GET", "/v1/model-categories")


async def _used(world: World, who: str) -> str:
    """A model of somebody else's that this account used."""
    model = await world.client.model(owner=await world.client.account("maker"))
    await world.client.must("/v1/charges", {"account_id": who, "model_id": model, "amount": 1})
    return model


async def _reviewed(world: World, who: str) -> tuple[str, str]:
    model = await _used(world, who)
    written = await world.client.call("PUT", f"/v1/models/{model}/review", {"stars": 4}, user=who)
    return model, written.json["id"]


@tries("model_reviews_put")
async def _review(world: World, who: str) -> Try:
    return Try("PUT", f"/v1/models/{await _used(world, who)}/review", {"stars": 4}, who)


@tries("model_reviews_remove")
async def _review_remove(world: World, who: str) -> Try:
    return Try("DELETE", f"/v1/models/{(await _reviewed(world, who))[0]}/review", None, who)


@tries("model_reviews_list")
async def _reviews(world: World, who: str) -> Try:
    return Try("GET", f"/v1/models/{await world.client.model()}/reviews")


fixed("model_reviews_queue", "GET", "/v1/reviews?limit=1")


@tries("model_reviews_moderate")
async def _moderate(world: World, who: str) -> Try:
    _, review = await _reviewed(world, who)
    return Try("POST", f"/v1/reviews/{review}/moderate", {"state": "hidden"})


@tries("models_purchase")
async def _purchase(world: World, who: str) -> Try:
    model = await world.client.model(price_credits=1)
    return Try("POST", f"/v1/models/{model}/purchase", {}, who)


@tries("compat_purchase_model")
async def _compat_purchase(world: World, who: str) -> Try:
    model = await world.client.model(price_credits=1)
    return Try("POST", "/api/purchase-model", {"modelId": model}, who)


@tries("compat_track_model_usage")
async def _track(world: World, who: str) -> Try:
    body = {"modelId": await world.client.model(), "tokensConsumed": 1, "usageType": "chat"}
    return Try("POST", "/api/track-model-usage", body, who)


@tries("characters_create")
async def _character(world: World, who: str) -> Try:
    return Try("POST", "/v1/characters", {"name": "x", "model_id": await world.client.model()})


@tries("characters_get")
async def _character_get(world: World, who: str) -> Try:
    made = await world.client.must("/v1/characters", {"name": "x", "model_id": await world.client.model()})
    return Try("GET", f"/v1/characters/{made['id']}")


async def _a_character(world: World) -> str:
    made = await world.client.must("/v1/characters", {"name": "x", "model_id": await world.client.model()})
    return made["id"]


fixed("characters_list", "GET", "/v1/characters?limit=1")


@tries("characters_update")
async def _character_update(world: World, who: str) -> Try:
    return Try("PATCH", f"/v1/characters/{await _a_character(world)}", {"name": "y"})


@tries("characters_remove")
async def _character_remove(world: World, who: str) -> Try:
    return Try("DELETE", f"/v1/characters/{await _a_character(world)}")
