"""Into which sums a time falls, and what is left of what uses brought in."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tokenhouse.domain.insights.margins import Figures, grouped, parts_of

DAYS = st.dates(date(2020, 1, 1), date(2030, 12, 31))


def days_in(part):
    return [part.first + timedelta(days=n) for n in range((part.beyond - part.first).days)]


@given(DAYS, st.integers(0, 900), st.integers(-40, 1000))
def test_parts_make_up_the_days_and_months_are_whole(first, length, since):
    """Each day once; beyond the last only what lies after today."""
    last = first + timedelta(days=length)
    today = last + timedelta(days=since)
    parts = parts_of(first, last, today)
    days = [day for part in parts for day in days_in(part)]
    wanted = [first + timedelta(days=n) for n in range(length + 1)]
    assert days[: len(wanted)] == wanted
    assert all(day > today for day in days[len(wanted) :])
    assert len(days) - len(wanted) <= 30
    for part in parts:
        assert part.first < part.beyond
        if part.grain == "month":
            assert part.first.day == part.beyond.day == 1
    assert sum(len(days_in(part)) for part in parts if part.grain == "day") <= 61


def test_figures():
    one = Figures(3, 10, 200, 1_500_000_000, 700, 2)
    assert one.revenue == 2  # 1.5 nano-dollars, half to even
    assert one.margin == 2 - 700 - 200
    assert (one.uncosted, one.uncosted_bps) == (1, 3333)
    assert (one + one).revenue == 3
    assert Figures(0, 0, 0, 0, 0, 0).uncosted_bps == 0


@given(DAYS, st.integers(1, 400), st.sampled_from(["day", "week", "month"]))
def test_groups_keep_the_sum(first, length, grain):
    days = [(first + timedelta(days=n), Figures(n, 1, 0, n, 0, 0)) for n in range(length)]
    found = grouped(days, grain)
    assert sum(figures.uses for _, figures in found) == sum(range(length))
    assert found[0][0] == first
    for day, _ in found[1:]:
        assert grain == "day" or (day.weekday() == 0 if grain == "week" else day.day == 1)
