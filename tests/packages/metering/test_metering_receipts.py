"""Receipts are listed newest first, in pages, by what is asked for, to whom they belong."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from economy import party, tenant
from tokenhouse.domain import metering
from tokenhouse.infra.database import PLATFORM


async def listed(economy, payer, reader=None, **filters):
    async with economy.db.read(reader or tenant(payer)) as tx:
        rows = await metering.receipts_of(tx, party(payer), **filters)
    return [row.amount for row in rows]


async def test_newest_first_and_in_pages(economy):
    payer = await economy.account("payer", credits=1000)
    done = [await economy.charge(payer, amount=place) for place in range(1, 8)]
    assert await listed(economy, payer) == [7, 6, 5, 4, 3, 2, 1]
    assert await listed(economy, payer, most=3) == [7, 6, 5]
    assert await listed(economy, payer, most=3, before=UUID(done[4].id)) == [4, 3, 2]
    assert await listed(economy, payer, most=3, before=UUID(done[0].id)) == []


async def test_filters(economy):
    payer, other = await economy.account("payer", credits=1000), await economy.account("other", credits=1000)
    owner = await economy.account("owner")
    model = await economy.model("m", owner)
    day = datetime(2024, 5, 1, tzinfo=UTC)
    facts = [
        (1, {"operation": "chat"}),
        (2, {"operation": "chat", "model_id": "m", "user_label": "ann"}),
        (3, {"operation": "general", "user_label": "ann"}),
        (4, {"model_id": "m", "user_label": "bob"}),
        (5, {"operation": "generate_lead"}),
    ]
    await economy.grant(payer, 100, "lead_generation")
    for amount, more in facts:
        at = day + timedelta(days=amount)
        await economy.charge(payer, amount=amount, occurred_at=at.isoformat(), **more)
    hold = await economy.hold(payer, amount=9, model_id="m", user_label="ann")
    await economy.capture(payer, hold, 6)
    await economy.charge(payer, "report", model_id="m", amount=50)
    await economy.charge(other, amount=77, model_id="m")

    async def only(**filters):
        return await listed(economy, payer, **filters)

    assert await only() == [6, 5, 4, 3, 2, 1]
    assert await only(operation="chat") == [2, 1]
    assert await only(model_id=model.id) == [6, 4, 2]
    assert await only(user_label="ann") == [6, 3, 2]
    assert await only(user_label="ann", model_id=model.id, operation="chat") == [2]
    # The time of use counts, not that of recording; the end is not included.
    assert await only(since=day + timedelta(days=2), until=day + timedelta(days=4)) == [3, 2]
    assert await only(since=day + timedelta(days=30)) == [6]
    assert await only(until=day) == []


async def test_whose_they_are(economy):
    payer, other = await economy.account("payer", credits=100), await economy.account("other", credits=100)
    owner = await economy.account("owner")
    await economy.model("m", owner)
    done = await economy.charge(payer, amount=5, model_id="m")
    assert await listed(economy, payer, tenant(other)) == []
    assert await listed(economy, payer, tenant(owner)) == []
    assert await listed(economy, payer, PLATFORM) == [5]
    for reader, found in ((tenant(payer), done.receipt), (PLATFORM, done.receipt), (tenant(other), None)):
        async with economy.db.read(reader) as tx:
            assert (await metering.receipts(tx, [done.id])).get(done.id) == found
