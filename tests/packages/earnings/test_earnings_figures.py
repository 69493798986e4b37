"""What an earner is shown: the figures of all buckets in one, right at every commit, theirs alone."""

import asyncio

from economy import FLAT_RATE, clean, tenant
from tokenhouse.domain import earnings
from tokenhouse.infra.database import PLATFORM


async def shown(economy, earner, reader=None):
    async with economy.db.read(reader or tenant(earner)) as tx:
        rows = await earnings.model_earnings(tx, earner.id)
        return [(row.model_id, row.uses, row.credits, row.nanos) for row in rows], await earnings.accrued(tx, earner.id)


async def test_figures_over_all_buckets(economy):
    owner, maker, other = [await economy.account(name) for name in ("owner", "maker", "other")]
    payers = [await economy.account(f"p{place}", credits=1000) for place in range(8)]
    assert len({payer.bucket for payer in payers}) == min(economy.buckets, 8)
    await economy.model("small", owner)
    await economy.model("large", owner, other, creator_id="maker", creator_share_bps=2500)
    await economy.model("unused", owner)
    await economy.character("first", "large", image_url="https://example.com/a.png")
    await economy.character("second", "large")
    await asyncio.gather(
        *(economy.charge(payer, model_id="large", amount=8) for payer in payers),
        *(economy.charge(payer, model_id="small", amount=1) for payer in payers),
        *(economy.charge(owner, model_id="small", amount=1) for _ in range(3)),
    )
    rate = FLAT_RATE
    assert await shown(economy, owner) == ([("large", 8, 64, 24 * rate), ("small", 8, 8, 8 * rate)], 32 * rate)
    assert await shown(economy, maker) == ([("large", 8, 64, 16 * rate)], 16 * rate)
    assert await shown(economy, other) == ([("large", 8, 64, 24 * rate)], 24 * rate)
    assert await shown(economy, payers[0]) == ([], 0)
    async with economy.db.read(tenant(owner)) as tx:
        (large, small) = await earnings.model_earnings(tx, owner.id)
    assert (large.model_name, large.model_category, large.character_name) == ("Model large", "Anime", "First")
    assert (large.character_image, small.character_name) == ("https://example.com/a.png", None)
    assert large.created_at <= large.last_used_at <= large.updated_at
    # Another reads nothing of it, the platform all.
    assert await shown(economy, owner, tenant(other)) == ([], 0)
    assert (await shown(economy, owner, PLATFORM))[1] == 32 * rate
    await clean(economy.db)


async def test_a_model_whose_uses_were_all_given_back_is_not_shown(economy):
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=10)
    await economy.model("m", owner)
    done = await economy.charge(payer, model_id="m", amount=10)
    await economy.reverse(payer, done.id, 4)
    assert await shown(economy, owner) == ([("m", 1, 6, 6 * FLAT_RATE)], 6 * FLAT_RATE)
    await economy.reverse(payer, done.id)
    assert await shown(economy, owner) == ([], 0)


async def test_the_last_use_is_the_latest_by_its_own_time(economy):
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=10)
    await economy.model("m", owner)
    for at in ("2024-05-01T10:00:00+00:00", "2024-05-03T10:00:00+02:00", "2024-05-02T10:00:00+00:00"):
        await economy.charge(payer, model_id="m", amount=1, occurred_at=at)
    async with economy.db.read(tenant(owner)) as tx:
        (row,) = await earnings.model_earnings(tx, owner.id)
    assert row.last_used_at.isoformat() == "2024-05-03T08:00:00+00:00"
    # In one batch as well, whatever the zones in which the times are written.
    await economy.till.submit_all(
        [
            economy.order(payer, model_id="m", amount=1, occurred_at=at)
            for at in ("2024-06-01T23:30:00-05:00", "2024-06-02T03:00:00+00:00", "2024-06-02T05:00:00+02:00")
        ]
    )
    async with economy.db.read(tenant(owner)) as tx:
        (row,) = await earnings.model_earnings(tx, owner.id)
    assert row.last_used_at.isoformat() == "2024-06-02T04:30:00+00:00"
