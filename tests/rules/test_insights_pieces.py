"""A stretch of time is cut into the fewest pieces that cells are kept for, and none is lost or counted twice."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenhouse.domain.insights.rules import (
    AUDIENCE,
    day_bounds,
    floor,
    grains,
    midnight,
    months,
    pieces,
    weeks,
    whole_hours,
)
from tokenhouse.domain.insights.types import Point, Sums

ZONES = ["UTC", "America/New_York", "Asia/Kolkata", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe",
         "Pacific/Apia", "Africa/Cairo"]  # fmt: skip
CUBES = ["earner", "earner_model", "payer_mix"]
moments = st.datetimes(datetime(2001, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - timezones= makes them aware
LENGTHS = {"quarter": timedelta(minutes=15), "hour": timedelta(hours=1), "day": timedelta(days=1)}


def whole(piece):
    """Whether a piece begins and ends where cells of its grain do."""
    return floor(piece.grain, piece.since) == piece.since and floor(piece.grain, piece.until) == piece.until


@given(st.sets(moments, min_size=2, max_size=5), st.sampled_from(CUBES))
def test_pieces_follow_each_other(bounds, cube):
    bounds = sorted(bounds)
    cut = pieces(grains(cube), bounds)
    assert cut[0].since == bounds[0]
    assert cut[-1].until == bounds[-1]
    assert all(one.until == other.since for one, other in pairwise(cut))
    for piece in cut:
        assert piece.since < piece.until
        assert bounds[piece.point] <= piece.since < piece.until <= bounds[piece.point + 1]
        assert piece.grain in (*grains(cube), "raw")
        if piece.grain == "raw":
            assert piece.until - piece.since < LENGTHS["quarter"]
        else:
            assert whole(piece)


@given(st.tuples(moments, moments).filter(lambda two: two[0] < two[1]), st.sampled_from(CUBES))
def test_pieces_are_few_and_no_coarser_one_would_do(bounds, cube):
    kept = grains(cube)
    cut = pieces(kept, bounds)
    assert len(cut) <= 2 * len(kept) + 1
    for piece in cut:
        coarser = kept[: kept.index(piece.grain)] if piece.grain != "raw" else kept
        for grain in coarser:
            first = floor(grain, piece.since)
            begin = first if first == piece.since else floor(grain, piece.since + timedelta(days=32))
            if grain != "month":
                begin = first if first == piece.since else first + LENGTHS[grain]
            elif begin != piece.since:
                begin = (first + timedelta(days=32)).replace(day=1)
            assert begin >= floor(grain, piece.until), (piece, grain)


@given(st.dates(date(2001, 1, 1), date(2040, 1, 1)), st.integers(1, 40), st.sampled_from(ZONES))
def test_days_of_a_zone_need_no_records(first, count, zone):
    """Every zone is off UTC by whole quarters: no piece of its days is less."""
    place = ZoneInfo(zone)
    bounds = day_bounds(first, first + timedelta(days=count - 1), place)
    assert len(bounds) == count + 1
    cut = pieces(grains("earner"), bounds)
    assert all(piece.grain != "raw" for piece in cut)
    assert all(0 <= (two - one).total_seconds() <= 25 * 3600 for one, two in pairwise(bounds))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("America/New_York", date(2026, 7, 1), 24),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),  # the clocks skipped its midnight
        ("Pacific/Apia", date(2011, 12, 30), 0),  # nobody there had that day
    ],
)
def test_how_long_a_day_is(zone, day, hours):
    begin, end = day_bounds(day, day, ZoneInfo(zone))
    assert end - begin == timedelta(hours=hours)


def test_midnight_that_comes_twice_is_the_first():
    assert midnight(date(2026, 11, 1), ZoneInfo("America/Havana")) == datetime(2026, 11, 1, 4, tzinfo=UTC)


def test_a_year_in_utc_is_read_by_months():
    cut = pieces(grains("earner"), (datetime(2025, 3, 10, tzinfo=UTC), datetime(2026, 3, 10, tzinfo=UTC)))
    assert [piece.grain for piece in cut] == ["day", "month", "day"]
    cut = pieces(AUDIENCE, (datetime(2025, 3, 10, 5, tzinfo=UTC), datetime(2025, 3, 12, tzinfo=UTC)))
    assert [piece.grain for piece in cut] == ["raw", "day"]


def test_a_range_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValueError, match="before it begins"):
        day_bounds(date(2026, 1, 2), date(2026, 1, 1), ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("zone", "answer"), [("Europe/Berlin", True), ("Asia/Kolkata", False), ("Asia/Kathmandu", False)]
)
def test_whole_hours(zone, answer):
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    assert whole_hours(begin, begin + timedelta(days=300), ZoneInfo(zone)) is answer


def test_weeks_and_months():
    days = [Point(date(2026, 6, 27) + timedelta(days=n), Sums(1, n, 10 * n)) for n in range(9)]
    assert weeks(days) == [
        Point(date(2026, 6, 22), Sums(2, 1, 10)),
        Point(date(2026, 6, 29), Sums(7, 35, 350)),
    ]
    assert months(days) == [
        Point(date(2026, 6, 1), Sums(4, 6, 60)),
        Point(date(2026, 7, 1), Sums(5, 30, 300)),
    ]
