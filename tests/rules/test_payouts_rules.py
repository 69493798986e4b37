"""What a payout takes from where, and when a schedule is due: pure."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenhouse.domain.access.acts import By
from tokenhouse.domain.payouts.rules import CENT, cents_of, due_day, take_from, to_take, who
from tokenhouse.domain.payouts.types import Payable
from tokenhouse.infra.kernel.errors import InsufficientEarnings, ValidationFailed

NANOS = st.integers(0, 10**15)
DAYS = st.dates(date(2020, 1, 1), date(2040, 1, 1))


@given(st.lists(NANOS, max_size=6), st.data())
def test_what_is_taken_is_what_was_asked_and_nowhere_more_than_there_is(there, data):
    amount = data.draw(st.integers(0, sum(there)))
    payable = [Payable(bucket, bucket + 100, nanos) for bucket, nanos in enumerate(there)]
    parts = take_from(amount, payable)
    assert sum(part.nanos for part in parts) == amount
    assert all(0 < part.nanos <= there[part.bucket] and part.account == part.bucket + 100 for part in parts)
    with pytest.raises(ValueError, match="more"):
        take_from(sum(there) + 1, payable)


@given(NANOS, NANOS, NANOS, st.booleans())
def test_what_is_asked_is_taken_by_whole_cents_or_refused(asked, payable, minimum, whole):
    try:
        amount = to_take(asked, payable, minimum, whole_cents=whole)
    except InsufficientEarnings:
        assert asked > payable
    except ValidationFailed:
        assert asked <= payable
        assert asked < max(minimum, CENT if whole else 1)
    else:
        assert 0 < amount <= asked <= payable
        assert asked >= minimum
        assert amount == (asked // CENT * CENT if whole else asked)


def test_cents():
    assert [cents_of(nanos) for nanos in (0, 1, CENT - 1, CENT, 3 * CENT + 1)] == [0, 0, 0, CENT, 3 * CENT]


@pytest.mark.parametrize(
    ("every", "day", "after", "today", "due"),
    [
        ("week", 1, "2026-11-16", "2026-11-22", None),  # a Monday was decided, this is the Sunday after
        ("week", 1, "2026-11-16", "2026-11-23", "2026-11-23"),
        ("week", 1, "2026-11-16", "2026-12-09", "2026-12-07"),  # nobody looked for weeks: the latest
        ("week", 7, "2026-11-21", "2026-11-22", "2026-11-22"),
        ("month", 31, "2026-01-31", "2026-02-27", None),
        ("month", 31, "2026-01-31", "2026-02-28", "2026-02-28"),
        ("month", 31, "2026-02-28", "2026-03-30", None),
        ("month", 30, "2024-01-30", "2024-02-29", "2024-02-29"),
        ("month", 1, "2026-11-01", "2026-11-30", None),
        ("month", 15, "2025-12-14", "2026-01-03", "2025-12-15"),
        ("threshold", 0, "2026-11-20", "2026-11-21", "2026-11-21"),
        ("threshold", 0, "2026-11-21", "2026-11-21", None),
    ],
)
def test_days_that_are_due(every, day, after, today, due):
    found = due_day(every, day, date.fromisoformat(after), date.fromisoformat(today))
    assert found == (date.fromisoformat(due) if due else None)


@given(st.sampled_from([("week", 7), ("month", 31)]), st.data(), DAYS)
def test_looked_at_every_day_a_schedule_is_due_once_a_period(kind, data, start):
    every, last = kind
    day = data.draw(st.integers(1, last))
    looked, found = start, []
    for number in range(1, 120):
        today = start + timedelta(days=number)
        due = due_day(every, day, looked, today)
        if due is not None:
            assert due == today
            looked = due
            found.append(due)
    gaps = {(later - earlier).days for earlier, later in pairwise(found)}
    assert gaps <= ({7} if every == "week" else {28, 29, 30, 31})
    assert len(found) >= 3


def test_who_acts():
    key = "01980f7c-2b3c-7a10-8c4d-6e5f4a3b2c1d"
    assert who(By("api", 7, key)) == "account 7"
    assert who(By("api", None, key)) == f"key {key}"
    assert who(By("api")) == who(By("cli")) == "platform"
    assert who(By("service")) == "service"
