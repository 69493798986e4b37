"""What tries the operations of payouts, for the matrix of rights."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from rights import TRIES, Try, World, fixed, tries


async def _earned(world: World, who: str) -> None:
    """Let an account earn a little, long enough ago to be paid out."""
    model = await world.client.model(owner=who)
    long_ago = (datetime.now(UTC) - timedelta(days=30)).isoformat()
    body = {"account_id": world.names["bea"], "amount": 1, "model_id": model, "occurred_at": long_ago}
    await world.client.must("/v1/charges", body)


async def _payout(world: World, who: str) -> str:
    await _earned(world, who)
    return (await world.client.must("/v1/payouts", {"account_id": who, "amount_nano_usd": 1}))["id"]


@tries("payouts_create")
async def _payout_create(world: World, who: str) -> Try:
    await _earned(world, who)
    return Try("POST", "/v1/payouts", {"account_id": who, "amount_nano_usd": 1})


@tries("payouts_bulk")
async def _payout_bulk(world: World, who: str) -> Try:
    await _earned(world, who)
    body = {"payouts": [{"account_id": who, "amount_nano_usd": 1}]}
    return Try("POST", "/v1/payouts/bulk", body, deep=lambda reply: reply.json["data"][0]["status"])


@tries("payouts_get")
async def _payout_get(world: World, who: str) -> Try:
    return Try("GET", f"/v1/payouts/{await _payout(world, who)}")


def _payout_step(action: str) -> None:
    async def make(world: World, who: str) -> Try:
        return Try("POST", f"/v1/payouts/{await _payout(world, who)}/{action}", {})

    TRIES[f"payouts_{action}"] = make


for _action in ("approve", "complete", "fail", "cancel"):
    _payout_step(_action)

fixed("payouts_list", "GET", "/v1/payouts?account_id={who}")
fixed("payout_method_set", "PUT", "/v1/accounts/{who}/payout-method", {"method": "manual", "details": {"iban": "1"}})
fixed("payout_schedule_set", "PUT", "/v1/accounts/{who}/payout-schedule", {"every": "week", "day": 1})


async def _paid(world: World, who: str) -> str:
    """How an account is paid, and when."""
    base = f"/v1/accounts/{who}"
    await world.client.call("PUT", f"{base}/payout-method", {"method": "manual", "details": {"iban": "12345678"}})
    await world.client.call("PUT", f"{base}/payout-schedule", {"every": "month", "day": 31})
    return base


@tries("payout_method_get")
async def _method_get(world: World, who: str) -> Try:
    return Try("GET", f"{await _paid(world, who)}/payout-method")


@tries("payout_method_reveal")
async def _method_reveal(world: World, who: str) -> Try:
    return Try("POST", f"{await _paid(world, who)}/payout-method/reveal")


@tries("payout_schedule_get")
async def _schedule_get(world: World, who: str) -> Try:
    return Try("GET", f"{await _paid(world, who)}/payout-schedule")


@tries("payout_schedule_drop")
async def _schedule_drop(world: World, who: str) -> Try:
    return Try("DELETE", f"{await _paid(world, who)}/payout-schedule")
