"""What tries the operations of adjustments, bonuses, goals and reviews, for the matrix of rights."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from rights import Try, World, fixed, tries
from tokenhouse.infra.database import PLATFORM, Database

if TYPE_CHECKING:
    from http_face import Client

GOALS, REVIEWS = "/v1/earnings-goals", "/v1/earnings-reviews"

fixed("earnings_adjust", "POST", "/v1/accounts/{who}/earnings-adjustments", {"amount_nano_usd": 1, "reason": "x"})
fixed("bonuses_list", "GET", "/v1/bonuses?account_id={who}")
fixed("earnings_goals_create", "POST", GOALS, {"account_id": "{who}", "amount_nano_usd": 1})
fixed("earnings_goals_list", "GET", GOALS + "?account_id={who}")
fixed("earnings_reviews_list", "GET", REVIEWS + "?limit=1")


@tries("accounts_set_referrer")
async def _referrer(world: World, who: str) -> Try:
    return Try("PUT", f"/v1/accounts/{who}/referrer", {"referred_by": world.names["bea"]})


async def _goal(world: World, who: str) -> str:
    return (await world.client.must(GOALS, {"account_id": who, "amount_nano_usd": 1}))["id"]


@tries("earnings_goals_get")
async def _goal_get(world: World, who: str) -> Try:
    return Try("GET", f"{GOALS}/{await _goal(world, who)}")


@tries("earnings_goals_update")
async def _goal_update(world: World, who: str) -> Try:
    return Try("PATCH", f"{GOALS}/{await _goal(world, who)}", {"name": "x"})


@tries("earnings_goals_remove")
async def _goal_remove(world: World, who: str) -> Try:
    return Try("DELETE", f"{GOALS}/{await _goal(world, who)}")


async def review_of(client: Client, database: Database, who: str, earner: str) -> str:
    """A review of one use; what is odd about it is not looked at here."""
    model = await client.model(owner=earner)
    charge = (await client.must("/v1/charges", {"account_id": who, "amount": 1, "model_id": model}))["id"]
    number = uuid.uuid4()
    async with database.transaction(PLATFORM) as tx:
        await tx.connection.execute(
            "select metering.open_review(u.bucket, %s, u.account_id, u.model_id, u.occurred_at, clock_timestamp(), "
            "u.earners, 1, u.nanos, '[]') from metering.usage u where u.id = %s",
            [number, charge],
        )
    return str(number)


async def _review(world: World, who: str) -> str:
    return await review_of(world.client, world.database, who, world.names["bea"])


@tries("earnings_reviews_get")
async def _review_get(world: World, who: str) -> Try:
    return Try("GET", f"{REVIEWS}/{await _review(world, who)}")


@tries("earnings_reviews_clear")
async def _review_clear(world: World, who: str) -> Try:
    return Try("POST", f"{REVIEWS}/{await _review(world, who)}/clear", {"reason": "x"})


@tries("earnings_reviews_reject")
async def _review_reject(world: World, who: str) -> Try:
    return Try("POST", f"{REVIEWS}/{await _review(world, who)}/reject", {"reason": "x"})
