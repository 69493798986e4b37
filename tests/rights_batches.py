"""What tries the operations of batches and statements, for the matrix of rights."""

from __future__ import annotations

from rights import Try, World, fixed, tries
from rights_payouts import _earned

CENT = 10_000_000


async def _bank_payout(world: World, who: str) -> str:
    """A payout by bank that waits, of somebody who earned enough."""
    for _ in range(2):
        await _earned(world, who)
    await world.client.fund(world.names["bea"], 1000)
    model = await world.client.model(owner=who)
    body = {"account_id": world.names["bea"], "amount": 200, "model_id": model, "occurred_at": "2025-01-01T00:00:00Z"}
    await world.client.must("/v1/charges", body)
    given = {"method": "bank", "details": {"name": "Ann", "iban": "DE02120300000000202051"}}
    await world.client.call("PUT", f"/v1/accounts/{who}/payout-method", given)
    made = await world.client.must("/v1/payouts", {"account_id": who, "amount_nano_usd": CENT})
    await world.client.call("PUT", f"/v1/accounts/{who}/payout-method", given)
    return made["id"]


@tries("payout_batches_create")
async def _batch_create(world: World, who: str) -> Try:
    return Try("POST", "/v1/payout-batches", {"format": "csv", "ids": [await _bank_payout(world, who)]})


async def _batch(world: World, who: str) -> str:
    body = {"format": "csv", "ids": [await _bank_payout(world, who)]}
    return (await world.client.must("/v1/payout-batches", body))["id"]


@tries("payout_batches_get")
async def _batch_get(world: World, who: str) -> Try:
    return Try("GET", f"/v1/payout-batches/{await _batch(world, who)}")


@tries("payout_batches_file")
async def _batch_file(world: World, who: str) -> Try:
    return Try("GET", f"/v1/payout-batches/{await _batch(world, who)}/file")


fixed("payout_batches_list", "GET", "/v1/payout-batches")
fixed("statements_get", "GET", "/v1/accounts/{who}/statements?month=2026-10")
