"""Goals: kept for their account alone, and how far each is, by uses and beside them."""

from datetime import UTC, date, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from economy import FLAT_RATE, TELLER, Economy, party, teller, tenant
from tokenhouse.domain import earnings, insights, metering
from tokenhouse.domain.earnings.goals import MOST_GOALS
from tokenhouse.domain.earnings.rules import end_of, progress
from tokenhouse.domain.earnings.types import Goal, NewGoal
from tokenhouse.domain.ledger.types import Command
from tokenhouse.infra.database import sqlstate
from tokenhouse.infra.kernel.errors import Conflict, NotFound, UnknownReference, ValidationFailed

RATE = FLAT_RATE
AT = datetime(2030, 6, 15, 12, tzinfo=UTC)


async def add(eco: Economy, account, nanos, **more) -> Goal:
    async with eco.db.transaction(teller(account)) as tx:
        return await earnings.add_goal(tx, account.id, NewGoal(nanos, **more))


async def views(eco: Economy, account):
    async with eco.db.read(tenant(account)) as tx:
        return await insights.goal_views(tx, await earnings.goals_of(tx, account.id), account)


async def one_view(eco: Economy, account):
    ((_, found),) = await views(eco, account)
    return found


def ago(days: float) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)


async def use(eco: Economy, payer, credit_count, days=0.0, model="m"):
    return await eco.charge(payer, model_id=model, amount=credit_count, occurred_at=ago(days).isoformat())


async def test_a_goal_counts_what_is_earned_since_it_began(economy):
    owner, fan = await economy.account("owner"), await economy.account("fan", credits=1000)
    await economy.model("m", owner)
    await economy.model("n", owner)
    await use(economy, fan, 100, days=20)
    await add(economy, owner, 40 * RATE, name="A holiday", since=ago(10))
    assert (await one_view(economy, owner)).percent == 0
    await use(economy, fan, 10, days=9)
    done = await use(economy, fan, 10, model="n")
    found = await one_view(economy, owner)
    assert (found.earned, found.percent, found.state) == (20 * RATE, 50, "open")
    await economy.reverse(fan, done.id, 5)
    assert (await one_view(economy, owner)).earned == 15 * RATE
    async with economy.db.transaction(TELLER) as tx:
        await metering.adjust(tx, Command(party(owner), "k", "00" * 16), 25 * RATE, "", "m", 14)
    found = await one_view(economy, owner)
    assert (found.earned, found.percent, found.state, found.no_forecast) == (40 * RATE, 100, "reached", "reached")


async def test_a_goal_of_one_model(economy):
    owner, fan = await economy.account("owner"), await economy.account("fan", credits=1000)
    await economy.model("m", owner)
    await economy.model("n", owner)
    goal = await add(economy, owner, 10 * RATE, model_id="n", since=ago(1))
    assert (goal.model_id, goal.name, goal.due_on) == ("n", None, None)
    await use(economy, fan, 7, model="m")
    await use(economy, fan, 3, model="n")
    assert (await one_view(economy, owner)).earned == 3 * RATE
    with pytest.raises(UnknownReference):
        await add(economy, owner, 1, model_id="nobody's")


async def test_a_goal_ends_with_its_day_in_the_accounts_zone(economy):
    owner = await economy.account("owner", time_zone="Pacific/Kiritimati")
    fan = await economy.account("fan", credits=1000)
    await economy.model("m", owner)
    today = datetime.now(UTC).astimezone(ZoneInfo("Pacific/Kiritimati")).date()
    yesterday = today - timedelta(days=1)
    await add(economy, owner, 100 * RATE, since=ago(30), due_on=yesterday)
    await use(economy, fan, 7, days=3)
    await use(economy, fan, 100)  # today: too late
    found = await one_view(economy, owner)
    assert (found.earned, found.state, found.forecast, found.no_forecast) == (7 * RATE, "missed", None, "missed")


async def test_the_forecast_is_by_the_rate_of_thirty_days(economy):
    owner, fan = await economy.account("owner"), await economy.account("fan", credits=1000)
    await economy.model("m", owner)
    await add(economy, owner, 100 * RATE, since=ago(60))
    found = await one_view(economy, owner)
    assert (found.forecast, found.no_forecast) == (None, "not_enough_history")
    await use(economy, fan, 10, days=1)
    assert (await one_view(economy, owner)).no_forecast == "not_enough_history"
    await use(economy, fan, 20, days=20)
    found = await one_view(economy, owner)
    # 70 are missing, a day brings one.
    assert (found.forecast, found.no_forecast) == (datetime.now(UTC).date() + timedelta(days=70), None)


async def test_goals_are_changed_removed_and_no_more_than_many(economy):
    owner = await economy.account("owner")
    goal = await add(economy, owner, 5, name="x", since=ago(1))
    async with economy.db.transaction(teller(owner)) as tx:
        changed = await earnings.change_goal(tx, goal, NewGoal(7, due_on=date(2999, 1, 1)))
    assert (changed.nanos, changed.name, changed.since, changed.due_on) == (7, None, goal.since, date(2999, 1, 1))
    with pytest.raises(ValidationFailed):
        await add(economy, owner, 5, due_on=date(2001, 1, 1))
    for _ in range(MOST_GOALS - 1):
        await add(economy, owner, 5)
    with pytest.raises(Conflict):
        await add(economy, owner, 5)
    async with economy.db.transaction(teller(owner)) as tx:
        await earnings.drop_goal(tx, goal)
        with pytest.raises(NotFound):
            await earnings.drop_goal(tx, goal)
        with pytest.raises(NotFound):
            await earnings.change_goal(tx, goal, NewGoal(7))
    await add(economy, owner, 5)


async def test_nobody_touches_anothers_goal(economy):
    owner, other = await economy.account("owner"), await economy.account("other")
    goal = await add(economy, owner, 5)
    async with economy.db.read(tenant(other)) as tx:
        assert await earnings.goals_of(tx, owner.id) == []
        with pytest.raises(NotFound):
            await earnings.find_goal(tx, goal.id)
    for actor in (tenant(owner), teller(other)):
        with pytest.raises(psycopg.Error) as refused:
            async with economy.db.transaction(actor) as tx:
                await earnings.drop_goal(tx, goal)
        assert sqlstate(refused.value) == "TH403"


# ---- the rule ----


def goal(nanos=100, due_on=None):
    return Goal(uuid4(), 1, None, nanos, None, None, AT, due_on, AT, AT)


def test_what_a_goal_says():
    assert progress(goal(), 99, 30, 1, AT, "UTC")[1:] == (99, "open", date(2030, 6, 16), None)
    assert progress(goal(), 100, 0, 0, AT, "UTC")[1:] == (100, "reached", None, "reached")
    assert progress(goal(), 250, 0, 0, AT, "UTC").percent == 250
    assert progress(goal(), -5, 0, 5, AT, "UTC")[1:] == (0, "open", None, "no_earnings")
    assert progress(goal(10**12), 0, 1, 1, AT, "UTC")[3:] == (None, "too_far")
    assert progress(goal(due_on=date(2030, 6, 15)), 0, 0, 0, AT, "UTC").state == "open"
    assert progress(goal(due_on=date(2030, 6, 15)), 0, 0, 0, AT, "Asia/Tokyo").state == "open"
    assert progress(goal(due_on=date(2030, 6, 15)), 0, 0, 0, AT, "Pacific/Kiritimati").state == "missed"
    assert progress(goal(due_on=date(2030, 6, 14)), 100, 0, 0, AT, "UTC").state == "reached"


@given(st.integers(1, 10**12), st.integers(0, 10**12), st.integers(1, 10**12))
def test_a_forecast_is_the_first_day_by_which_the_rate_suffices(target, earned, recent):
    found = progress(goal(target), earned, recent, 1, AT, "UTC")
    if found.forecast is not None:
        days = (found.forecast - AT.date()).days
        assert earned * 30 + recent * days >= target * 30 > earned * 30 + recent * (days - 1)


def test_a_day_ends_at_midnight_of_its_zone():
    assert end_of(date(2030, 3, 31), "Europe/Berlin") == datetime(2030, 3, 31, 22, tzinfo=UTC)
    assert end_of(date(2030, 3, 30), "Europe/Berlin") == datetime(2030, 3, 30, 23, tzinfo=UTC)
