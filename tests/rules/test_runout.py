"""The day a wallet runs out, by the rules that burn grants and renew allowances."""

from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest

from tokenhouse.domain.catalog.types import Plan
from tokenhouse.domain.insights.rules import midnight
from tokenhouse.domain.insights.runout import Burn, run_out
from tokenhouse.domain.wallets.types import Enrolment, Lot, Wallet

NOW = datetime(2030, 1, 31, 0, 0, tzinfo=UTC)  # a Thursday, at midnight
TODAY = NOW.date()
GENERAL, OTHER = 1, 2


class Terms:
    """What a run-out reads of a catalog."""

    credit_types = MappingProxyType({"general": GENERAL, "other": OTHER})
    codes = MappingProxyType({GENERAL: "general", OTHER: "other"})


def lot(number, remaining, *, source="top_up", priority=100, expires=None):
    return Lot(number, remaining, source, priority, expires.timestamp() if expires else None)


def wallet(*lots, held=0, asset=GENERAL):
    made = Wallet(7, asset, 0, sum(one.remaining for one in lots), held, due=False)
    made.lots = list(lots)
    return made


def steady(amount, days=28, *, today=TODAY, last=28):
    return Burn(today, days, {today - timedelta(days=n): amount for n in range(1, last + 1)})


def ends(*wallets, burn, enrolment=None, plan=None, at=NOW, zone="UTC"):
    burns = {GENERAL: burn, OTHER: Burn(burn.today, burn.days, {})}
    found = run_out(wallets, enrolment, plan, Terms, burns, at, zone)
    return next(one for one in found if one.credit_type == "general")


def plan_of(amount, *, rollover=False, interval="month"):
    return Plan(
        id="p", name="P", price_nanos=None, interval=interval, allowances={"general": amount}, rollover=rollover
    )


def enrolled(start, end):
    return Enrolment(7, "p", start, start, end, "UTC")


def test_a_steady_use_ends_on_the_day_that_arithmetic_says():
    for left in range(1, 60):
        found = ends(wallet(lot(1, left)), burn=steady(10))
        assert found.on == TODAY + timedelta(days=left // 10)
        assert (found.available, found.burned, found.days, found.why) == (left, 280, 28, "runs_out")


def test_the_rest_of_today_counts_as_much_as_is_left_of_it():
    noon = NOW + timedelta(hours=12)
    assert ends(wallet(lot(1, 5)), burn=steady(10), at=noon).on == TODAY + timedelta(days=1)
    assert ends(wallet(lot(1, 4)), burn=steady(10), at=noon).on == TODAY


def test_weekends_are_seen():
    """Nothing on Saturdays and Sundays: what lasts until Friday's end lasts over the weekend."""
    workdays = {day: 10 for n in range(1, 29) if (day := TODAY - timedelta(days=n)).weekday() < 5}
    burn = Burn(TODAY, 28, workdays)
    friday = TODAY + timedelta(days=1)
    assert ends(wallet(lot(1, 19)), burn=burn).on == friday
    assert ends(wallet(lot(1, 20)), burn=burn).on == friday + timedelta(days=3)
    # With too few days to tell the weekdays apart, the mean of all.
    few = Burn(TODAY, 7, {day: 10 for day in workdays if day >= TODAY - timedelta(days=7)})
    assert ends(wallet(lot(1, 20)), burn=few).on == TODAY + timedelta(days=2)


def test_what_is_held_counts_as_spent():
    assert ends(wallet(lot(1, 50), held=20), burn=steady(10)).on == TODAY + timedelta(days=3)


def test_grants_that_expire_unspent_do_not_last():
    soon = lot(1, 1000, expires=NOW + timedelta(days=2))
    found = ends(wallet(soon, lot(2, 30)), burn=steady(10))
    assert found.on == TODAY + timedelta(days=5)
    # Two grants that expire: the sooner burns first, whatever their priority.
    first = lot(1, 20, expires=NOW + timedelta(days=3), priority=100)
    second = lot(2, 20, expires=NOW + timedelta(days=2), priority=200)
    assert ends(wallet(first, second), burn=steady(10)).on == TODAY + timedelta(days=3)


def test_allowances_are_renewed_in_time_or_too_late():
    enrolment = enrolled(NOW - timedelta(days=26), NOW + timedelta(days=5))
    enough = plan_of(400)
    left = lot(1, 60, source="allowance", priority=0, expires=NOW + timedelta(days=5))
    found = ends(wallet(left), burn=steady(10), enrolment=enrolment, plan=enough)
    assert (found.on, found.why) == (None, "lasts")
    late = lot(1, 40, source="allowance", priority=0, expires=NOW + timedelta(days=5))
    assert ends(wallet(late), burn=steady(10), enrolment=enrolment, plan=enough).on == TODAY + timedelta(days=4)
    # 280 a month do for February, but not for the 31 days from 5 March on.
    left = lot(1, 60, source="allowance", priority=0, expires=NOW + timedelta(days=5))
    scarce = ends(wallet(left), burn=steady(10), enrolment=enrolment, plan=plan_of(280))
    assert scarce.on == date(2030, 4, 2)
    # What rolls over helps out for a while, what does not is lost with its period.
    assert ends(
        wallet(lot(1, 200)), burn=steady(10), enrolment=enrolment, plan=plan_of(250, rollover=True)
    ).on > TODAY + timedelta(days=100)


def test_a_renewal_at_noon_parts_the_day():
    """5 are there until noon, when 100 come: the day is survived; with 4 it is not."""
    enrolment = enrolled(NOW - timedelta(days=30, hours=-12), NOW + timedelta(hours=12))
    for have, on in ((5, None), (4, TODAY)):
        left = lot(1, have, source="allowance", priority=0, expires=NOW + timedelta(hours=12))
        found = ends(wallet(left), burn=steady(10), enrolment=enrolment, plan=plan_of(400))
        assert found.on == on


def test_what_is_due_already_is_done_first():
    enrolment = enrolled(NOW - timedelta(days=40), NOW - timedelta(days=9))
    found = ends(burn=steady(10), enrolment=enrolment, plan=plan_of(400), at=NOW)
    assert found.why == "lasts"
    assert found.available == 0  # as it stands; the renewal comes with the next use


@pytest.mark.parametrize(
    ("burn", "why"),
    [
        (Burn(TODAY, 28, {}), "not_used"),
        (Burn(TODAY, 2, {TODAY - timedelta(days=1): 5}), "not_enough_history"),
        (steady(1), "lasts"),
    ],
)
def test_why_there_is_no_day(burn, why):
    found = ends(wallet(lot(1, 10_000)), burn=burn)
    assert (found.on, found.why) == (None, why)


def test_an_empty_wallet_has_run_out_today():
    assert ends(wallet(), burn=steady(10)).on == TODAY
    assert ends(burn=steady(10)).on == TODAY


@pytest.mark.parametrize(("day", "hours"), [(date(2030, 3, 31), 23), (date(2030, 10, 27), 25), (date(2030, 5, 1), 24)])
def test_days_are_the_zones(day, hours):
    zone = "Europe/Berlin"
    assert midnight(day + timedelta(days=1), ZoneInfo(zone)) - midnight(day, ZoneInfo(zone)) == timedelta(hours=hours)
    at = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    found = ends(wallet(lot(1, 30)), burn=steady(10, today=day), at=at, zone=zone)
    assert found.on == day + timedelta(days=3)


def test_a_whole_year_without_drift():
    """Thirds of a credit add up: 365 days of 1/3 need 121 and two thirds."""
    burn = Burn(TODAY, 28, {TODAY - timedelta(days=n): (1 if n % 3 == 1 else 0) for n in range(1, 13)})
    few = Burn(TODAY, 12, burn.by_day)
    assert ends(wallet(lot(1, 122)), burn=few).on is None
    assert ends(wallet(lot(1, 120)), burn=few).on == TODAY + timedelta(days=362)
