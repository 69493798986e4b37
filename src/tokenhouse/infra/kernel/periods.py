"""Periods of an allowance: where each begins and ends, without drift.

A period is half-open, [start, end), and counted from an anchor: period 0 begins at the anchor itself,
and every later one is computed from the anchor, never from the one before, so that 31 January leads to
28 February and then to 31 March again.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Interval = Literal["month", "30d"]

_THIRTY_DAYS = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Period:
    """The index-th period from an anchor; both ends in UTC, the end not included."""

    index: int
    start: datetime
    end: datetime


def zone(name: str) -> ZoneInfo:
    """Look up an IANA time zone by name; ValueError where there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # A folder of the database ("America") raises OSError, "../x" ValueError.
        raise ValueError(f"{name[:64]!r} is not an IANA time zone such as Europe/Berlin") from None


def is_time_zone(name: str) -> bool:
    """Whether there is an IANA time zone of that name."""
    try:
        zone(name)
    except ValueError:
        return False
    return True


def period_number(anchor: datetime, interval: Interval, time_zone: str, index: int) -> Period:
    """Give the period with that index; negative ones lie before the anchor.

    `month`: calendar months on the wall clock of `time_zone`, the day clamped to the month's end; a wall
    time that a change of clocks skips or repeats is taken by the offset before the change.
    `30d`: spans of exactly 30 times 86 400 seconds; `time_zone` plays no part.
    """
    _aware(anchor)
    return Period(
        index,
        _boundary(anchor, interval, time_zone, index),
        _boundary(anchor, interval, time_zone, index + 1),
    )


def period_at(anchor: datetime, interval: Interval, time_zone: str, at: datetime) -> Period:
    """Give the period in which `at` lies. ValueError for naive times or an unknown interval or zone."""
    _aware(anchor)
    _aware(at)
    if interval == "30d":
        return period_number(anchor, interval, time_zone, (at - anchor) // _THIRTY_DAYS)
    local_zone = zone(time_zone)
    here, there = anchor.astimezone(local_zone), at.astimezone(local_zone)
    index = (there.year - here.year) * 12 + there.month - here.month
    # The count of months is right to within one: the day or the hour may not have come yet.
    start = _boundary(anchor, interval, time_zone, index)
    while start > at:
        index -= 1
        start = _boundary(anchor, interval, time_zone, index)
    end = _boundary(anchor, interval, time_zone, index + 1)
    while end <= at:
        index += 1
        start, end = end, _boundary(anchor, interval, time_zone, index + 1)
    return Period(index, start, end)


def _boundary(anchor: datetime, interval: Interval, time_zone: str, index: int) -> datetime:
    if interval == "30d":
        return anchor.astimezone(UTC) + index * _THIRTY_DAYS
    if interval != "month":
        raise ValueError(f"{interval!r} is no interval; month and 30d are")
    if index == 0:
        return anchor.astimezone(UTC)
    local = anchor.astimezone(zone(time_zone))
    year, month = divmod(local.year * 12 + local.month - 1 + index, 12)
    day = min(local.day, monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day, fold=0).astimezone(UTC)


def _aware(at: datetime) -> None:
    if at.tzinfo is None:
        raise ValueError("a time without a zone cannot be placed in a period; give it one")
