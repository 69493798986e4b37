"""What is paid out by itself: once a period, all that is payable in whole cents, whoever looks and however often."""

import asyncio

import pytest

from economy import FLAT_RATE, clean
from tokenhouse.domain import metering, payouts
from tokenhouse.domain.metering import Statement
from tokenhouse.domain.payouts.types import Terms
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import ValidationFailed
from withdrawing import NOW, act, ago, earner, sums

CENT = 10_000_000
A_CENT = CENT // FLAT_RATE  # credits that earn one


async def schedule(economy, account, every, day=None, minimum=0):
    async with economy.db.transaction(PLATFORM) as tx:
        return await payouts.set_schedule(tx, account.id, "UTC", payouts.NewSchedule(every, day, minimum))


def days_pass(admin, days):
    """Schedules were decided for so many days longer ago."""
    admin.execute("update payouts.schedule set looked_on = looked_on - %s", [days])


async def made(economy, account):
    async with economy.db.read(PLATFORM) as tx:
        return await payouts.payouts_of(tx, account.id)


@pytest.mark.parametrize(
    ("every", "day", "days"), [("week", 1, 7), ("week", 7, 7), ("month", 1, 31), ("month", 31, 31)]
)
async def test_once_a_period_in_whole_cents(economy, admin, every, day, days):
    owner = await earner(economy, "owner", 5 * CENT + CENT // 4)
    await schedule(economy, owner, every, day)
    assert await metering.run_schedules(economy.db, NOW) == 0  # not on the day that it was made
    days_pass(admin, days)
    assert await metering.run_schedules(economy.db, NOW) == 1
    assert await metering.run_schedules(economy.db, NOW) == 0
    (one,) = await made(economy, owner)
    assert (one.amount, one.requested_by, one.state) == (5 * CENT, "service", "pending")
    assert (await sums(economy, owner)).payable == CENT // 4
    # Looked at again for the same day, as by another process that was late: nothing is asked for twice.
    days_pass(admin, days)
    assert await metering.run_schedules(economy.db, NOW) == 0
    await clean(economy.db)


async def test_at_once_by_many(economy, admin):
    owner = await earner(economy, "owner", 5 * CENT)
    await schedule(economy, owner, "week", 1)
    days_pass(admin, 7)
    assert sum(await asyncio.gather(*(metering.run_schedules(economy.db, NOW) for _ in range(4)))) == 1
    assert len(await made(economy, owner)) == 1


async def test_below_the_minimum_it_waits_for_the_next_time(economy, admin):
    owner = await earner(economy, "owner", 5 * CENT)
    await schedule(economy, owner, "week", 1, minimum=6 * CENT)
    days_pass(admin, 7)
    assert await metering.run_schedules(economy.db, NOW) == 0
    fan = await economy.account("late", credits=A_CENT)
    await economy.charge(fan, model_id="of-owner", amount=A_CENT)
    assert await metering.run_schedules(economy.db, NOW) == 0  # decided for this week
    days_pass(admin, 7)
    assert await metering.run_schedules(economy.db, Terms(0, minimum=7 * CENT)) == 0  # the platform's own minimum
    days_pass(admin, 7)
    assert await metering.run_schedules(economy.db, NOW) == 1


async def test_a_threshold_as_soon_as_there_is_enough_once_a_day(economy, admin):
    owner = await earner(economy, "owner", 5 * CENT)
    await schedule(economy, owner, "threshold", minimum=6 * CENT)
    assert await metering.run_schedules(economy.db, NOW) == 0
    fan = await economy.account("late", credits=20 * A_CENT)
    await economy.charge(fan, model_id="of-owner", amount=A_CENT)
    assert await metering.run_schedules(economy.db, NOW) == 1
    await economy.charge(fan, model_id="of-owner", amount=10 * A_CENT)
    assert await metering.run_schedules(economy.db, NOW) == 0
    assert [one.amount for one in await made(economy, owner)] == [6 * CENT]
    await act(economy, owner, (await made(economy, owner))[0].id, "complete")
    assert await sums(economy, owner) == Statement(16 * CENT, 0, 10 * CENT, 0, 6 * CENT)


async def test_only_what_has_matured(economy, admin):
    owner, fan = await economy.account("owner"), await economy.account("fan", credits=10 * A_CENT)
    await economy.model("m", owner)
    await economy.charge(fan, model_id="m", amount=3 * A_CENT, occurred_at=ago(20))
    await economy.charge(fan, model_id="m", amount=7 * A_CENT)
    await schedule(economy, owner, "week", 1)
    days_pass(admin, 7)
    assert await metering.run_schedules(economy.db, Terms()) == 1
    assert await sums(economy, owner, 14) == Statement(10 * CENT, 7 * CENT, 0, 3 * CENT, 0)


async def test_dropped_and_wrong_ones(economy, admin):
    owner = await earner(economy, "owner", 5 * CENT)
    await schedule(economy, owner, "week", 1)
    async with economy.db.transaction(PLATFORM) as tx:
        assert await payouts.drop_schedule(tx, owner.id)
        assert not await payouts.drop_schedule(tx, owner.id)
    days_pass(admin, 7)
    assert await metering.run_schedules(economy.db, NOW) == 0
    for wrong in (
        ("week", 8),
        ("week", None),
        ("month", 0),
        ("month", 32),
        ("threshold", None),
        ("threshold", 1, CENT),
    ):
        with pytest.raises(ValidationFailed):
            await schedule(economy, owner, *wrong)
