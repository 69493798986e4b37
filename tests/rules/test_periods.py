"""Periods of an allowance: calendar months without drift, and spans of thirty days."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tokenhouse.infra.kernel.periods import is_time_zone, period_at, period_number

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"]
TIMES = st.datetimes(datetime(2001, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - zone given


def starts(anchor, zone, count, interval="month"):
    return [period_number(anchor, interval, zone, index).start.astimezone(ZoneInfo(zone)) for index in range(count)]


def test_the_last_of_january_clamps_and_comes_back():
    days = [(s.month, s.day) for s in starts(datetime(2025, 1, 31, 15, tzinfo=UTC), "UTC", 13)]
    assert days == [
        (1, 31), (2, 28), (3, 31), (4, 30), (5, 31), (6, 30), (7, 31), (8, 31), (9, 30), (10, 31),
        (11, 30), (12, 31), (1, 31),
    ]  # fmt: skip


@pytest.mark.parametrize(("year", "day"), [(2023, 28), (2024, 29), (2000, 29), (2100, 28)])
def test_february_of_leap_years(year, day):
    anchor = datetime(year, 1, 30, tzinfo=UTC)
    assert period_number(anchor, "month", "UTC", 1).start == datetime(year, 2, day, tzinfo=UTC)


def test_the_29th_of_february_meets_its_like_after_four_years():
    anchor = datetime(2024, 2, 29, 12, tzinfo=UTC)
    assert period_number(anchor, "month", "UTC", 12).start == datetime(2025, 2, 28, 12, tzinfo=UTC)
    assert period_number(anchor, "month", "UTC", 48).start == datetime(2028, 2, 29, 12, tzinfo=UTC)


def test_the_wall_clock_keeps_its_hour_when_clocks_change():
    anchor = datetime(2025, 1, 15, 9, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    walls = starts(anchor, "Europe/Berlin", 8)
    assert {(s.hour, s.minute) for s in walls} == {(9, 30)}
    assert len({s.utcoffset() for s in walls}) == 2


def test_a_skipped_hour_is_taken_by_the_offset_before():
    # 02:30 on 30 March 2025 does not exist in Berlin: clocks go from 02:00 to 03:00.
    anchor = datetime(2025, 1, 30, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert period_number(anchor, "month", "Europe/Berlin", 2).start == datetime(2025, 3, 30, 1, 30, tzinfo=UTC)
    assert period_number(anchor, "month", "Europe/Berlin", 3).start == datetime(2025, 4, 30, 0, 30, tzinfo=UTC)


def test_a_repeated_hour_is_its_first():
    anchor = datetime(2025, 9, 26, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert period_number(anchor, "month", "Europe/Berlin", 1).start == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)


def test_an_anchor_in_the_second_of_two_hours_begins_there():
    anchor = datetime(2025, 10, 26, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin"))
    first = period_at(anchor, "month", "Europe/Berlin", anchor)
    assert (first.index, first.start) == (0, datetime(2025, 10, 26, 1, 30, tzinfo=UTC))


def test_thirty_days_are_exact_seconds():
    anchor = datetime(2025, 3, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    second = period_number(anchor, "30d", "Europe/Berlin", 1)
    assert second.start.timestamp() - anchor.timestamp() == 30 * 86_400
    assert second.end - second.start == timedelta(days=30)


@pytest.mark.parametrize("interval", ["month", "30d"])
def test_the_end_belongs_to_the_next(interval):
    anchor = datetime(2025, 5, 31, 10, tzinfo=UTC)
    first = period_number(anchor, interval, "UTC", 0)
    instant = timedelta(microseconds=1)
    assert period_at(anchor, interval, "UTC", first.end - instant) == first
    assert period_at(anchor, interval, "UTC", first.end).index == 1
    assert period_at(anchor, interval, "UTC", anchor - instant).index == -1


@given(TIMES, TIMES, st.sampled_from(["month", "30d"]), st.sampled_from(ZONES))
@example(datetime(2011, 12, 30, 9, tzinfo=UTC), datetime(2012, 1, 30, 9, tzinfo=UTC), "month", "Pacific/Apia")
def test_every_moment_lies_in_its_period(anchor, at, interval, zone):
    period = period_at(anchor, interval, zone, at)
    assert period.start <= at < period.end
    assert period == period_number(anchor, interval, zone, period.index)


@given(TIMES, st.integers(-60, 600), st.sampled_from(["month", "30d"]), st.sampled_from(ZONES))
def test_periods_follow_each_other_without_gap(anchor, index, interval, zone):
    one = period_number(anchor, interval, zone, index)
    following = period_number(anchor, interval, zone, index + 1)
    assert one.start < one.end == following.start
    assert timedelta(days=26) < one.end - one.start < timedelta(days=33)


@given(TIMES, st.integers(0, 600), st.sampled_from(ZONES))
def test_months_never_drift_from_the_anchors_day(anchor, index, zone):
    local = anchor.astimezone(ZoneInfo(zone))
    wall = period_number(anchor, "month", zone, index).start.astimezone(ZoneInfo(zone))
    months = (wall.year - local.year) * 12 + wall.month - local.month
    # A change of clocks may push a wall time past midnight, or by a day where a zone crossed the date line.
    assert months in (index, index + 1)
    assert wall.day in (local.day, local.day + 1, 1) or (wall.day < local.day and (wall + timedelta(days=1)).day == 1)


@pytest.mark.parametrize(
    "name", ["", "America", "../etc", "Mars/Olympus", "/etc/passwd", "Europe/Berlin\0", "a" * 5000]
)
def test_what_is_no_zone(name):
    assert not is_time_zone(name)
    with pytest.raises(ValueError, match="IANA"):
        period_number(datetime(2025, 1, 1, tzinfo=UTC), "month", name, 1)


@pytest.mark.parametrize("name", ZONES)
def test_what_is_a_zone(name):
    assert is_time_zone(name)


def test_naive_times_and_unknown_intervals_are_refused():
    naive, aware = datetime(2025, 1, 1), datetime(2025, 1, 1, tzinfo=UTC)  # noqa: DTZ001 - what is refused
    with pytest.raises(ValueError, match="zone"):
        period_at(naive, "month", "UTC", aware)
    with pytest.raises(ValueError, match="zone"):
        period_at(aware, "month", "UTC", naive)
    with pytest.raises(ValueError, match="interval"):
        period_number(aware, "week", "UTC", 1)
