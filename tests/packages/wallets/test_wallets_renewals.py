"""Allowances renew by themselves: by the calendar or every 30 days, replaced and never added up."""

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta

from economy import TERMS, clean, party, pass_time, source, tenant
from tokenhouse.domain import access, metering, wallets
from tokenhouse.domain.access.types import AccountChanges
from tokenhouse.infra.database import PLATFORM

TICK = timedelta(microseconds=1)


async def period(economy, account):
    async with economy.db.read(tenant(account)) as tx:
        found = await wallets.enrolment_of(tx, party(account))
    return found.period_started_at, found.renews_at


def boundary(anchor: datetime, zone: str, months: int) -> datetime:
    """So many months after the anchor, by the wall clock of the zone."""
    local = anchor.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return (local + relativedelta(months=months)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


async def renewals(economy, account, clock, end):
    """Settle the moment before the end, at it, and again: how many renewals there are after each."""
    counts = []
    for clock.at in (end - TICK, end, end):
        await economy.settle(account)
        ((count,),) = await economy.rows("select count(*) from ledger.entry where kind = 'renewal'")
        counts.append(count)
    return tuple(counts)


@pytest.mark.parametrize(
    ("zone", "anchor", "days"),
    [
        ("UTC", datetime(2023, 1, 31, 10, tzinfo=UTC), [(2, 28), (3, 31), (4, 30), (5, 31)]),
        ("UTC", datetime(2024, 1, 31, 10, tzinfo=UTC), [(2, 29), (3, 31), (4, 30)]),
        ("UTC", datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC), [(3, 29), (4, 29)]),
        # 00:30 in Berlin on the 31st is the 30th in UTC; from the end of March an hour sooner.
        ("Europe/Berlin", datetime(2023, 1, 30, 23, 30, tzinfo=UTC), [(2, 27), (3, 30), (4, 29), (5, 30)]),
        # 22:30 on 31 January in New York is the 1st of February in UTC.
        ("America/New_York", datetime(2023, 2, 1, 3, 30, tzinfo=UTC), [(3, 1), (4, 1), (5, 1), (6, 1)]),
        ("Pacific/Auckland", datetime(2023, 12, 31, 12, tzinfo=UTC), [(1, 31), (2, 29), (3, 31)]),
    ],
)
async def test_by_calendar_month(economy, clock, admin, zone, anchor, days):
    clock.at = anchor
    account = await economy.account("a", plan="small", time_zone=zone)
    for number, (month, day) in enumerate(days, 1):
        start, end = boundary(anchor, zone, number - 1), boundary(anchor, zone, number)
        assert (end.month, end.day) == (month, day)
        assert await period(economy, account) == (start, end)
        admin.execute("update ledger.account set due_at = null")  # for a charge goes by the database's clock
        await economy.charge(account, amount=10 * number)
        assert await renewals(economy, account, clock, end) == (number - 1, number, number)
        assert sorted(await economy.left(account)) == [("allowance", 10), ("allowance", 100)]
        assert {grant.expires_at for grant in await economy.grants(account)} == {boundary(anchor, zone, number + 1)}
    await clean(economy.db)


async def test_every_thirty_days_by_the_second(economy, clock):
    anchor = datetime(2024, 2, 1, 6, 7, 8, tzinfo=UTC)
    clock.at = anchor
    account = await economy.account("a", plan="thirty", time_zone="Europe/Berlin")
    for number in range(1, 5):
        end = anchor + number * timedelta(days=30)
        assert await period(economy, account) == (end - timedelta(days=30), end)
        assert await renewals(economy, account, clock, end) == (number - 1, number, number)
    assert await economy.left(account) == [("allowance", 70)]


async def test_a_years_plan_renews_by_the_month(economy, clock):
    clock.at = datetime(2024, 1, 31, tzinfo=UTC)
    account = await economy.account("a", plan="yearly")
    assert (await period(economy, account))[1] == datetime(2024, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize("months", [1, 5, 26])
async def test_nobody_asked_for_months(economy, clock, months):
    """One allowance, the current one's; the period is the one of an account that was settled every day."""
    anchor = datetime(2022, 12, 31, 15, tzinfo=UTC)
    clock.at = anchor
    account = await economy.account("a", plan="small")
    await economy.grant(account, 40, source="bonus")
    clock.at = boundary(anchor, "UTC", months) + timedelta(days=3)
    assert await economy.settle(account)
    assert await period(economy, account) == (boundary(anchor, "UTC", months), boundary(anchor, "UTC", months + 1))
    assert sorted(await economy.left(account)) == [("allowance", 10), ("allowance", 100), ("bonus", 40)]
    assert await economy.lapsed(account) == 110
    renewals = "select count(*) from ledger.entry where kind = 'renewal'"
    assert await economy.rows(renewals) == [(1,)]
    await clean(economy.db)


async def test_a_plan_that_rolls_over_adds_up(economy, clock):
    anchor = datetime(2022, 12, 31, 15, tzinfo=UTC)
    clock.at = anchor
    account = await economy.account("a", plan="rolling")
    for months, count in ((1, 2), (2, 3), (7, 8)):
        clock.at = boundary(anchor, "UTC", months)
        await economy.settle(account)
        grants = await economy.grants(account)
        assert [(one.remaining, one.expires_at) for one in grants] == [(50, None)] * count
    starts = await economy.rows("select period_started_at from wallets.lot order by 1")
    assert [start for (start,) in starts] == [boundary(anchor, "UTC", number) for number in range(8)]
    await clean(economy.db)


async def test_what_was_bought_stays_and_use_begins_anew(economy, admin):
    account = await economy.account("a", plan="small")
    await economy.grant(account, 40)
    await economy.charge(account, amount=120)
    assert (await economy.wallet(account)).used == 120
    before = await economy.wallet(account)
    pass_time(admin, timedelta(days=32))
    async with economy.db.read(tenant(account)) as tx:
        views, due = await wallets.wallets_of(tx, economy.terms, party(account))
    assert due
    assert views[0].balance == 20  # as it was, until it is settled
    view = await economy.wallet(account)
    assert (view.balance, view.used, view.allocated, view.available) == (120, 0, 120, 120)
    assert view.refreshes_at > before.refreshes_at - timedelta(days=32)
    assert sorted(await economy.left(account)) == [("allowance", 10), ("allowance", 100), ("top_up", 20)]
    assert await economy.balance(account, "forecast") == 10
    await clean(economy.db)


async def test_everyone_sees_the_next_date(economy):
    at = (await economy.rows("select clock_timestamp()"))[0][0]
    for name, kind, end in (
        ("user", "user", boundary(at, "UTC", 1)),
        ("org", "organization", at + timedelta(days=30)),
    ):
        view = await economy.wallet(await economy.account(name, kind))
        assert abs(view.refreshes_at - end) < timedelta(minutes=1)
    # An account on no plan has no date.
    assert (await economy.wallet(await economy.account("none", credits=5))).refreshes_at is None


async def test_a_charge_renews_what_is_due(economy, admin):
    account = await economy.account("a", plan="small")
    await economy.charge(account, amount=100)
    pass_time(admin, timedelta(days=70))
    receipt = (await economy.charge(account, amount=30)).receipt
    assert receipt.balance == 70
    start, end = await period(economy, account)
    at = (await economy.rows("select clock_timestamp()"))[0][0]
    assert start <= at < end
    await clean(economy.db)


async def test_a_hold_over_a_renewal(economy, admin):
    """The new allowance stands in for what was held; what it cannot cover of the old stays until the hold ends."""
    covered = await economy.account("covered", plan="small")
    pinned = await economy.account("pinned", plan="small")
    for account in (covered, pinned):
        await economy.grant(account, 200, source="gift", expires_at=datetime.now(UTC) + timedelta(hours=1))
    small = await economy.hold(covered, amount=60, ttl_seconds=60 * 86400)
    big = await economy.hold(pinned, amount=250, ttl_seconds=60 * 86400)
    pass_time(admin, timedelta(days=32))
    views = [await economy.wallet(account) for account in (covered, pinned)]
    assert [(view.balance, view.held, view.available) for view in views] == [(100, 60, 40), (250, 250, 0)]
    assert (await economy.capture(covered, small, 60)).receipt.balance == 40
    assert (await economy.capture(pinned, big, 120)).receipt.balance == 130
    pass_time(admin, timedelta(minutes=2))
    assert [(await economy.wallet(account)).balance for account in (covered, pinned)] == [40, 100]
    await clean(economy.db)


async def test_settlements_that_race_renew_once(economy, admin):
    accounts = [await economy.account(f"a{place}", plan="small") for place in range(4)]
    pass_time(admin, timedelta(days=32))
    await asyncio.gather(
        *(metering.settle_account(economy.db, economy.terms, party(account)) for account in accounts * 6),
        *(economy.charge(account, amount=1) for account in accounts * 6),
        *(economy.grant(account, 1) for account in accounts * 2),
    )
    assert await economy.rows("select count(*) from ledger.entry where kind = 'renewal'") == [(4,)]
    assert [await economy.balance(account) for account in accounts] == [96] * 4
    await clean(economy.db)


async def test_another_time_zone_moves_the_next_period(economy, clock):
    anchor = datetime(2024, 3, 10, 23, tzinfo=UTC)  # the 11th in Tokyo
    clock.at = anchor
    account = await economy.account("a", plan="small")
    async with economy.db.transaction(PLATFORM) as tx:
        await access.update_account(tx, "a", AccountChanges(time_zone="Asia/Tokyo"))
    assert await period(economy, account) == (anchor, boundary(anchor, "UTC", 1))
    clock.at = boundary(anchor, "UTC", 1)
    await economy.settle(account)
    assert await period(economy, account) == (boundary(anchor, "Asia/Tokyo", 1), boundary(anchor, "Asia/Tokyo", 2))
    await clean(economy.db)


async def test_a_plan_that_was_withdrawn_gives_nothing_more(economy, admin):
    account = await economy.account("a", plan="small")
    await economy.grant(account, 40)
    cut = TERMS.replace('id = "small"', 'id = "smaller"')
    await economy.apply(source(cut))
    assert await economy.balance(account) == 140
    pass_time(admin, timedelta(days=32))
    view = await economy.wallet(account)
    assert (view.balance, await economy.left(account)) == (40, [("top_up", 40)])
    await clean(economy.db)


async def test_an_allowance_of_the_catalog_of_the_moment(economy, admin):
    """A larger allowance in a new catalog comes with the next renewal."""
    account = await economy.account("a", plan="small")
    await economy.apply(source(TERMS.replace("general = 100, forecast = 10", "general = 150, strategy_analysis = 5")))
    assert await economy.balance(account) == 100
    pass_time(admin, timedelta(days=32))
    assert (await economy.wallet(account)).balance == 150
    assert await economy.balance(account, "strategy_analysis") == 5
    assert await economy.balance(account, "forecast") == 0
    await clean(economy.db)
