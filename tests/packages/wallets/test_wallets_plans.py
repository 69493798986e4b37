"""Changes of plan act at once: what is left = max(0, new allowance − used this period); never a refill."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from economy import clean, party, pass_time, tenant
from tokenhouse.domain import wallets
from tokenhouse.infra.kernel.errors import UnknownReference


async def plan_of(economy, account):
    async with economy.db.read(tenant(account)) as tx:
        return await wallets.enrolment_of(tx, party(account))


@pytest.mark.parametrize(
    ("start", "used", "end", "left"),
    [
        ("small", 0, "large", 1000),
        ("small", 30, "large", 970),
        ("small", 100, "large", 900),
        ("large", 0, "small", 100),
        ("large", 30, "small", 70),
        ("large", 100, "small", 0),
        ("large", 101, "small", 0),
        ("large", 1000, "small", 0),
        ("large", 30, "none", 0),
        ("none", 0, "large", 1000),
        ("small", 30, "thirty", 40),
        ("small", 30, "rolling", 20),
        ("rolling", 30, "small", 70),
        ("small", 30, "small", 70),
        ("free", 1000, "pro", 9_999_000),
        ("pro", 300_000, "free", 0),
    ],
)
async def test_what_is_left(economy, start, used, end, left):
    account = await economy.account("a", plan=start)
    await economy.grant(account, 40)
    if used:
        await economy.charge(account, amount=used)
    before = await plan_of(economy, account)
    await economy.change_plan(account, end)
    view = await economy.wallet(account)
    assert (view.balance, view.available) == (left + 40, left + 40)
    after = await plan_of(economy, account)
    assert (after.plan_id, after.anchor, after.period_started_at) == (end, before.anchor, before.period_started_at)
    if end != "thirty":
        assert after.renews_at == before.renews_at == view.refreshes_at
    else:
        assert after.renews_at == after.anchor + timedelta(days=30)
    # What was used stays used, on whatever plan.
    assert view.used == used
    assert ("top_up", 40) in await economy.left(account)
    await clean(economy.db)


async def test_to_and_fro_never_refills(economy):
    account = await economy.account("a", plan="small")
    used = 0
    for plan, allowance in (("large", 1000), ("small", 100), ("large", 1000), ("none", 0), ("rolling", 50)) * 2:
        await economy.change_plan(account, plan)
        left = max(0, allowance - used)
        assert await economy.balance(account) == left, plan
        if left >= 7:
            await economy.charge(account, amount=7)
            used += 7
    assert used == 70 - 7 * 3
    await clean(economy.db)


async def test_several_credit_types(economy):
    account = await economy.account("a", "organization", plan="pro-org")
    await economy.charge(account, operation="generate_lead", quantity=4)
    await economy.charge(account, operation="forecast", quantity=2)
    codes = ("lead_generation", "goal_generation", "strategy_analysis", "forecast", "general")

    async def balances():
        return [await economy.balance(account, code) for code in codes]

    assert await balances() == [30, 20, 100, 22, 0]
    await economy.change_plan(account, "enterprise")
    assert await balances() == [480, 200, 1000, 192, 0]
    await economy.change_plan(account, "starter")
    assert await balances() == [0] * 5
    await economy.change_plan(account, "pro-org")
    assert await balances() == [30, 20, 100, 22, 0]
    await clean(economy.db)


async def test_an_unknown_plan_changes_nothing(economy):
    account = await economy.account("a", plan="small")
    with pytest.raises(UnknownReference, match="no plan 'gold'"):
        await economy.change_plan(account, "gold")
    with pytest.raises(UnknownReference):
        await economy.account("b", plan="gold")
    assert (await plan_of(economy, account)).plan_id == "small"
    assert await economy.rows("select count(*) from access.account") == [(1,)]


async def test_a_change_when_a_renewal_is_due(economy, admin):
    """The period that is over ends first: its use does not count in the new one."""
    account = await economy.account("a", plan="small")
    await economy.charge(account, amount=90)
    pass_time(admin, timedelta(days=32))
    await economy.change_plan(account, "large")
    assert await economy.balance(account) == 1000
    assert (await economy.wallet(account)).used == 0
    await clean(economy.db)


async def test_the_next_renewal_is_the_new_plans(economy, admin):
    account = await economy.account("a", plan="small")
    await economy.charge(account, amount=90)
    await economy.change_plan(account, "large")
    await economy.charge(account, amount=5)
    pass_time(admin, timedelta(days=32))
    assert (await economy.wallet(account)).balance == 1000
    await economy.change_plan(account, "small")
    assert await economy.balance(account) == 100
    await clean(economy.db)


async def test_a_hold_keeps_what_it_needs_over_a_downgrade_and_no_longer(economy, admin):
    account = await economy.account("a", plan="large")
    hold = await economy.hold(account, amount=700, ttl_seconds=7 * 86400)
    await economy.change_plan(account, "small")
    view = await economy.wallet(account)
    assert (view.balance, view.held, view.available) == (700, 700, 0)
    await economy.void(account, hold)
    pass_time(admin, timedelta(minutes=2))
    # Nothing was used, so that the small plan's allowance is what is left.
    assert (await economy.wallet(account)).balance == 100
    await clean(economy.db)


async def test_a_hold_captured_after_a_downgrade_is_used(economy, admin):
    account = await economy.account("a", plan="large")
    hold = await economy.hold(account, amount=700, ttl_seconds=7 * 86400)
    await economy.change_plan(account, "small")
    await economy.capture(account, hold, 650)
    pass_time(admin, timedelta(minutes=2))
    assert (await economy.wallet(account)).balance <= 100
    await economy.change_plan(account, "large")
    assert await economy.balance(account) == 350
    await clean(economy.db)


async def test_a_hold_does_not_carry_a_plan_to_and_fro(economy):
    account = await economy.account("a", plan="small")
    for _ in range(4):
        hold = await economy.hold(account, amount=await economy.balance(account))
        await economy.change_plan(account, "large")
        await economy.void(account, hold)
        await economy.change_plan(account, "small")
    assert await economy.balance(account) == 100
    await clean(economy.db)


async def test_a_reversed_charge_counts_as_unused(economy):
    account = await economy.account("a", plan="small")
    done = await economy.charge(account, amount=90)
    await economy.reverse(account, done.id, 60)
    await economy.change_plan(account, "large")
    assert await economy.balance(account) == 970
    await clean(economy.db)


async def test_a_charge_of_before_reversed_after_the_change(economy):
    """Credits go back to the grant that they came from, and end with its period."""
    up, down = await economy.account("up", plan="small"), await economy.account("down", plan="large")
    charges = [await economy.charge(account, amount=90) for account in (up, down)]
    await economy.change_plan(up, "large")
    await economy.change_plan(down, "small")
    assert [await economy.balance(account) for account in (up, down)] == [910, 10]
    for account, charge in zip((up, down), charges, strict=True):
        await economy.reverse(account, charge.id)
    assert [await economy.balance(account) for account in (up, down)] == [1000, 100]
    await economy.change_plan(up, "none")
    await economy.change_plan(up, "large")
    assert await economy.balance(up) == 1000
    await clean(economy.db)


async def test_changes_that_race(economy):
    account = await economy.account("a", plan="small")
    await economy.charge(account, amount=10)
    await asyncio.gather(
        *(economy.change_plan(account, plan) for plan in ("large", "small", "none") * 4),
        *(economy.grant(account, 1) for _ in range(5)),
        return_exceptions=False,
    )
    plan = (await plan_of(economy, account)).plan_id
    assert await economy.balance(account) == {"large": 990, "small": 90, "none": 0}[plan] + 5
    await clean(economy.db)


async def test_the_period_ends_as_the_new_plan_counts(economy, clock):
    """From the same anchor: by the month, or every 30 days; what was used since the period began stays used."""
    anchor = datetime(2024, 1, 5, 10, tzinfo=UTC)
    clock.at = anchor
    account = await economy.account("a", plan="small")
    for plan, end in (
        ("thirty", datetime(2024, 2, 4, 10, tzinfo=UTC)),
        ("large", datetime(2024, 2, 5, 10, tzinfo=UTC)),
        ("yearly", datetime(2024, 2, 5, 10, tzinfo=UTC)),
    ):
        clock.at += timedelta(days=2)
        await economy.change_plan(account, plan)
        found = await plan_of(economy, account)
        assert (found.anchor, found.period_started_at, found.renews_at) == (anchor, anchor, end)
        allowances = [one for one in await economy.grants(account) if one.credit_type == "general"]
        assert [one.expires_at for one in allowances] == [end]


async def test_an_account_made_on_the_last_day(economy, admin):
    """The anchor is the moment of enrolment, and a change of plan does not move it."""
    account = await economy.account("a", plan="small")
    anchor = (await plan_of(economy, account)).anchor
    assert abs(anchor - datetime.now(UTC)) < timedelta(minutes=1)
    pass_time(admin, timedelta(days=40))
    await economy.change_plan(account, "large")
    found = await plan_of(economy, account)
    assert found.anchor == anchor - timedelta(days=40)
    assert found.period_started_at <= datetime.now(UTC) < found.renews_at
