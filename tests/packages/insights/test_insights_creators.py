"""What creators ask, held to the raw records: by day, by hour of the week, by whom, lately, and what is maturing."""

import random
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from economy import tenant
from insights_records import parts
from tokenhouse.domain import insights, metering
from tokenhouse.domain.insights.types import Sums, Users
from tokenhouse.infra.database import PLATFORM

ZONES = [ZoneInfo("America/New_York"), ZoneInfo("Asia/Kolkata"), ZoneInfo("Asia/Kathmandu")]


@pytest.fixture
async def market(economy):
    """Two creators' models, used over half a year by five payers; a part was given back."""
    ada, bea = await economy.account("ada"), await economy.account("bea")
    await economy.model("alone", ada)
    await economy.model("shared", ada, bea)
    await economy.model("other", bea)
    payers = [await economy.account(f"p{n}", plan="large") for n in range(5)]
    some = random.Random(11)
    now = datetime.now(UTC)
    for payer in payers:
        await economy.grant(payer, 10_000)
    for n in range(150):
        payer = some.choice(payers)
        used = now - timedelta(seconds=some.choice((1, some.randint(1, 86400), some.randint(1, 180 * 86400))))
        model = some.choice(("alone", "alone", "shared", "other"))
        done = await economy.charge(payer, model_id=model, amount=some.randint(2, 9), occurred_at=used.isoformat())
        if n % 6 == 0:
            await economy.reverse(payer, done.id, some.choice((1, None)))
    return economy, ada, bea


async def rows_of(economy, earner, model=None):
    """(time, uses, credits, nanos, use) of what counts for an earner."""
    async with economy.db.read(PLATFORM) as tx:
        found = await parts(tx)
    return [
        (part.at, part.counted, part.counted_credits, part.earned.get(earner.id, 0), part.use)
        for part in found
        if part.use.counted and earner.id in part.use.earners and model in (None, part.use.model_id)
    ]


def total(rows):
    return Sums(sum(r[1] for r in rows), sum(r[2] for r in rows), sum(r[3] for r in rows))


@pytest.mark.parametrize("rolled", [False, True])
@pytest.mark.parametrize("zone", ZONES, ids=str)
async def test_a_creators_figures(market, worker_db, admin, zone, rolled):
    economy, ada, _ = market
    if rolled:
        await insights.roll(worker_db)
    number = admin.execute("select id from market.model where external_id = 'shared'").fetchone()[0]
    now = datetime.now(UTC)
    async with economy.db.read(tenant(ada)) as own:
        ranges = [await insights.last_days(own, days, zone) for days in (7, 90)]
    ranges.append(insights.between(now - timedelta(days=33, minutes=7), now - timedelta(minutes=3, seconds=1), zone))
    for asked in ranges:
        for model in (None, number):
            async with economy.db.read(tenant(ada)) as own:
                got = await insights.creator(own, ada.id, asked, model)
                users = await insights.users(own, ada.id, asked, model)
                clock = await insights.clock(own, ada.id, asked, zone, model)
                recent = await insights.recent(own, ada.id, asked, model, most=10)
            rows = await rows_of(economy, ada, model)
            inside = [r for r in rows if asked.since <= r[0] < asked.until]
            past = [r for r in rows if asked.before <= r[0] < asked.since]
            assert got.total == total(inside)
            assert got.previous == total(past)
            assert [point.day for point in got.days] == list(asked.days)
            for point in got.days:
                assert point.sums == total([r for r in inside if r[0].astimezone(zone).date() == point.day])
            for one in got.models:
                assert one.sums == total([r for r in inside if r[4].model_id == one.model.id])
                assert one.previous == total([r for r in past if r[4].model_id == one.model.id])
            assert [one.sums.nanos for one in got.models] == sorted(
                (one.sums.nanos for one in got.models), reverse=True
            )
            assert users == whose(rows, asked)
            hours = defaultdict(list)
            for row in inside:
                wall = row[0].astimezone(zone)
                hours[wall.isoweekday(), wall.hour].append(row)
            assert {(day, hour): sums for day, hour, sums in clock} == {
                when: total(those) for when, those in hours.items() if total(those) != Sums(0, 0, 0)
            }
            left = Counter()
            for row in inside:
                left[row[4].id] += row[1]
            assert len(recent) == min(10, sum(1 for count in left.values() if count))
            assert all(left[one.id] for one in recent)
            for one in recent:
                assert (one.credits, one.nanos) == total([r for r in inside if r[4].id == one.id])[1:]
                assert len(one.user_id) == 12


def whose(rows, asked):
    """Who used in the time, for the first time in it, and in the time before."""

    def those(since, until):
        found = Counter()
        for row in rows:
            if since <= row[0] < until:
                found[row[4].account_id] += row[1]
        return {account for account, count in found.items() if count > 0}

    ever = datetime.min.replace(tzinfo=UTC)
    now = those(asked.since, asked.until)
    return Users(len(now), len(now - those(ever, asked.since)), len(those(asked.before, asked.since)))


@pytest.mark.parametrize("rolled", [False, True])
@pytest.mark.parametrize("interval", ["week", "month"])
async def test_who_came_again(market, worker_db, interval, rolled):
    economy, ada, _ = market
    if rolled:
        await insights.roll(worker_db)
    begins = insights.begins(interval, 6, datetime.now(UTC).date())
    async with economy.db.read(tenant(ada)) as own:
        got = await insights.retention(own, ada.id, begins)
    uses = defaultdict(Counter)
    for row in await rows_of(economy, ada):
        stretch = sum(1 for begin in begins if begin <= row[0])  # 0: before all of them
        uses[row[4].account_id][stretch] += row[1]
    want = defaultdict(Counter)
    for counts in uses.values():
        there = sorted(stretch for stretch, count in counts.items() if count > 0)
        if there and there[0] > 0:
            for stretch in there:
                want[there[0]][stretch - there[0]] += 1
    assert got == want


def test_begins():
    assert insights.begins("month", 3, date(2026, 1, 31)) == [
        datetime(2025, 11, 1, tzinfo=UTC), datetime(2025, 12, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 2, 1, tzinfo=UTC),
    ]  # fmt: skip
    assert insights.begins("week", 2, date(2026, 1, 1)) == [
        datetime(2025, 12, 22, tzinfo=UTC), datetime(2025, 12, 29, tzinfo=UTC), datetime(2026, 1, 5, tzinfo=UTC),
    ]  # fmt: skip


async def test_what_is_maturing(market, worker_db):
    """The same as from the records, and nothing that was not yet rolled is missing."""
    economy, ada, bea = market
    for _ in range(2):
        for earner in (ada, bea):
            for days in (0, 1, 14, 100, 3650):
                async with economy.db.read(tenant(earner)) as own:
                    known = await insights.maturing(own, earner.id, days)
                    assert await metering.statement(own, earner.id, days, known) == await metering.statement(
                        own, earner.id, days
                    )
        await insights.roll(worker_db)
    assert known > 0
