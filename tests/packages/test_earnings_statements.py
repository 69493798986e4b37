"""What an earner is told: model by model, the sums, use by use; right over all buckets, and silent about who paid."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from economy import FLAT_RATE, Economy, teller, tenant
from tokenhouse.domain import earnings, market, metering
from tokenhouse.domain.metering import Statement
from tokenhouse.infra.database import PLATFORM, sqlstate


async def by_model(eco: Economy, account, actor=None):
    async with eco.db.read(actor or tenant(account)) as tx:
        return await earnings.model_earnings(tx, account.id)


async def statement(eco: Economy, account, days: int, actor=None) -> Statement:
    async with eco.db.read(actor or tenant(account)) as tx:
        return await metering.statement(tx, account.id, days)


async def accruals(eco: Economy, account, actor=None, **more):
    async with eco.db.read(actor or tenant(account)) as tx:
        return await metering.accruals(tx, account.id, **more)


def ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


async def test_models_by_what_they_earned(economy):
    """The first source's third scenario, from payers that may lie in different buckets."""
    owner = await economy.account("owner")
    fans = [await economy.account(f"fan{number}", credits=200) for number in range(3)]
    for name, parts in (("x", (33, 33, 34)), ("y", (1, 199, 50)), ("z", (25, 24, 1)), ("unused", ())):
        await economy.model(name, owner, name=f"Model {name}", category="Anime")
        await economy.character(f"c-{name}", name, name=name.upper(), image_url=f"https://img.example/{name}")
        await economy.character(f"second-{name}", name)
        for fan, part in zip(fans, parts, strict=False):
            await economy.grant(fan, part)
            await economy.charge(fan, model_id=name, amount=part)
    found = await by_model(economy, owner)
    assert [(m.model_id, m.uses, m.credits, m.nanos) for m in found] == [
        ("y", 3, 250, 250 * FLAT_RATE), ("x", 3, 100, 100 * FLAT_RATE), ("z", 3, 50, 50 * FLAT_RATE),
    ]  # fmt: skip
    first = found[0]
    assert (first.model_name, first.model_category) == ("Model y", "Anime")
    assert (first.character_name, first.character_image) == ("Y", "https://img.example/y")
    assert first.created_at <= first.last_used_at <= first.updated_at
    assert await by_model(economy, owner, PLATFORM) == found
    assert await by_model(economy, owner, tenant(fans[0])) == []
    assert await by_model(economy, fans[0]) == []


async def test_equal_earnings_the_latest_model_first(economy):
    owner, fan = await economy.account("owner"), await economy.account("fan", credits=100)
    for name in ("a", "b", "c"):
        await economy.model(name, owner, monetized=False)
        await economy.charge(fan, model_id=name, amount=1)
    found = await by_model(economy, owner)
    assert [(m.model_id, m.uses, m.nanos, m.character_name) for m in found] == [
        ("c", 1, 0, None), ("b", 1, 0, None), ("a", 1, 0, None),
    ]  # fmt: skip


async def test_an_archived_model_keeps_what_it_earned_and_a_reversed_use_goes(economy):
    owner, fan = await economy.account("owner"), await economy.account("fan", credits=100)
    await economy.model("kept", owner)
    await economy.model("undone", owner)
    await economy.charge(fan, model_id="kept", amount=7)
    undone = await economy.charge(fan, model_id="undone", amount=7)
    await economy.reverse(fan, undone.id)
    async with economy.db.transaction(PLATFORM) as tx:
        await market.remove_model(tx, "kept")
    assert [(m.model_id, m.nanos) for m in await by_model(economy, owner)] == [("kept", 7 * FLAT_RATE)]


async def test_maturity_counts_from_the_use(economy):
    owner = await economy.account("owner")
    fans = [await economy.account(f"fan{number}", credits=1000) for number in range(3)]
    await economy.model("m", owner)
    await economy.charge(fans[0], model_id="m", amount=1, occurred_at=ago(20))
    await economy.charge(fans[1], model_id="m", amount=10, occurred_at=ago(13.9))
    await economy.charge(fans[2], model_id="m", amount=100)
    rate = FLAT_RATE
    assert await statement(economy, owner, 14) == Statement(111 * rate, 110 * rate, 1 * rate, 0, 0)
    assert await statement(economy, owner, 0) == Statement(111 * rate, 0, 111 * rate, 0, 0)
    assert await statement(economy, owner, 1) == Statement(111 * rate, 100 * rate, 11 * rate, 0, 0)
    assert await statement(economy, owner, 365) == Statement(111 * rate, 111 * rate, 0, 0, 0)
    assert await statement(economy, owner, 14, PLATFORM) == await statement(economy, owner, 14)
    assert await statement(economy, fans[0], 14) == Statement(0, 0, 0, 0, 0)


async def test_a_reversal_takes_from_where_the_use_stood(economy):
    owner, fan = await economy.account("owner"), await economy.account("fan", credits=1000)
    await economy.model("m", owner)
    ripe = await economy.charge(fan, model_id="m", amount=10, occurred_at=ago(20))
    young = await economy.charge(fan, model_id="m", amount=100)
    await economy.reverse(fan, ripe.id, 4)
    await economy.reverse(fan, young.id, 30)
    rate = FLAT_RATE
    assert await statement(economy, owner, 14) == Statement(76 * rate, 70 * rate, 6 * rate, 0, 0)
    found = await accruals(economy, owner)
    assert [(one.kind, str(one.charge_id), one.credits, one.nanos) for one in found] == [
        ("reversal", young.id, -30, -30 * rate), ("reversal", ripe.id, -4, -4 * rate),
        ("earning", young.id, 100, 100 * rate), ("earning", ripe.id, 10, 10 * rate),
    ]  # fmt: skip
    assert sum(one.nanos for one in found) == (await statement(economy, owner, 14)).accrued


async def test_accruals_page_through_all_buckets_newest_first(economy):
    owner = await economy.account("owner")
    fans = [await economy.account(f"fan{number}", credits=100) for number in range(5)]
    await economy.model("m", owner)
    made = [await economy.charge(fans[n % 5], model_id="m", amount=n + 1, usage_type="chat") for n in range(12)]
    whole = await accruals(economy, owner)
    assert [str(one.id) for one in whole] == [done.id for done in reversed(made)]
    assert [one.credits for one in whole] == list(range(12, 0, -1))
    assert {(one.model_id, one.usage_type, one.kind) for one in whole} == {("m", "chat", "earning")}
    paged, before = [], None
    while page := await accruals(economy, owner, before=before, most=5):
        assert len(page) <= 5
        paged += page
        before = page[-1].id
    assert paged == whole


async def test_accruals_do_not_say_who_paid(economy):
    owner, other = await economy.account("owner"), await economy.account("other")
    ann, bob = await economy.account("ann", credits=100), await economy.account("bob", credits=100)
    await economy.model("m", owner)
    await economy.model("n", other)
    for payer in (ann, bob, ann):
        await economy.charge(payer, model_id="m", amount=1, user_label="secret", metadata='{"note": "secret"}')
    await economy.charge(ann, model_id="n", amount=1)
    found = await accruals(economy, owner)
    (anna, bobby, ann_again) = (one.user_id for one in reversed(found))
    assert anna == ann_again
    assert anna != bobby
    assert all(len(one.user_id) == 12 for one in found)
    assert "secret" not in str(found)
    (elsewhere,) = await accruals(economy, other)
    assert elsewhere.user_id not in {anna, bobby}
    assert [one.user_id for one in await accruals(economy, owner, PLATFORM)] == [one.user_id for one in found]


async def test_nobody_reads_anothers_statement(economy):
    owner, fan = await economy.account("owner"), await economy.account("fan", credits=100)
    await economy.model("m", owner)
    await economy.charge(fan, model_id="m", amount=1)
    for actor in (tenant(fan), teller(fan)):
        for read in (accruals(economy, owner, actor), statement(economy, owner, 14, actor)):
            with pytest.raises(psycopg.Error) as refused:
                await read
            assert sqlstate(refused.value) == "TH403"
