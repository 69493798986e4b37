"""How a stretch of time is cut into pieces that cells were kept for. Pure."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

from tokenhouse.domain.insights.types import NOTHING, Cube, Grain, Piece, Point, Sums

_QUARTER = timedelta(minutes=15)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)

_DENSE: Final[frozenset[Cube]] = frozenset({"earner", "payer", "platform", "platform_work"})


AUDIENCE: Final[tuple[Grain, ...]] = ("month", "day")
"""The grains in which it is kept who used an earner's models."""


def grains(cube: Cube) -> tuple[Grain, ...]:
    """Say which grains a cube has, from the coarsest; those that are dense in time have the hour as well."""
    return ("month", "day", "hour", "quarter") if cube in _DENSE else ("month", "day", "quarter")


def pieces(kept: Sequence[Grain], bounds: Sequence[datetime]) -> list[Piece]:
    """Cut the time between ascending bounds, n of them for n - 1 points, into the fewest pieces of these grains.

    kept: from the coarsest. The pieces follow each other without gaps, from the first bound to the last; each belongs
    to one point.
    """
    found: list[Piece] = []
    for point, (since, until) in enumerate(pairwise(bounds)):
        _cut(found, tuple(kept), point, since.astimezone(UTC), until.astimezone(UTC))
    return found


def _cut(found: list[Piece], left: tuple[Grain, ...], point: int, since: datetime, until: datetime) -> None:
    """Take out the whole stretches of the coarsest grain; what lies before and after goes to the finer ones."""
    if since >= until:
        return
    if not left:
        found.append(Piece("raw", since, until, point))
        return
    grain, finer = left[0], left[1:]
    first, last = _ceil(grain, since), floor(grain, until)
    if first >= last:
        _cut(found, finer, point, since, until)
        return
    _cut(found, finer, point, since, first)
    found.append(Piece(grain, first, last, point))
    _cut(found, finer, point, last, until)


def floor(grain: Grain, at: datetime) -> datetime:
    """Return the begin of the stretch that a moment (UTC) lies in."""
    if grain == "quarter":
        return at - (at - _EPOCH) % _QUARTER
    if grain == "hour":
        return at.replace(minute=0, second=0, microsecond=0)
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return day if grain == "day" else day.replace(day=1)


def _ceil(grain: Grain, at: datetime) -> datetime:
    begin = floor(grain, at)
    if begin == at:
        return at
    if grain == "month":
        return (begin + timedelta(days=32)).replace(day=1)
    return begin + {"quarter": _QUARTER, "hour": _HOUR, "day": _DAY}[grain]


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """Return when a day begins where a clock shows that zone's time, in UTC.

    Where the clocks skip midnight, the day begins with the moment that they skip to.
    """
    # A wall time that is skipped is taken by the offset before the change: that is the moment skipped to.
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def whole_hours(since: datetime, until: datetime, zone: ZoneInfo) -> bool:
    """Whether clocks in a zone are off UTC by whole hours, as far as each day between two moments tells."""
    day = since.astimezone(UTC)
    while day < until + _DAY:
        if (day.astimezone(zone).utcoffset() or _DAY) % _HOUR:
            return False
        day += _DAY
    return True


def weeks(points: Sequence[Point]) -> list[Point]:
    """Sum days by week; a week is dated by its Monday, also where the first of its days is not among them."""
    return _summed(points, lambda day: day - timedelta(days=day.weekday()))


def months(points: Sequence[Point]) -> list[Point]:
    """Sum days by month; a month is dated by its first."""
    return _summed(points, lambda day: day.replace(day=1))


def _summed(points: Sequence[Point], begin: Callable[[date], date]) -> list[Point]:
    sums: dict[date, Sums] = {}
    for point in points:
        key = begin(point.day)
        sums[key] = sums.get(key, NOTHING).plus(point.sums)
    return [Point(day, one) for day, one in sums.items()]


def day_bounds(first: date, last: date, zone: ZoneInfo) -> list[datetime]:
    """Return the bounds of the days from the first to the last, both of them included: one more than there are days."""
    if first > last:
        raise ValueError("a range ends before it begins")
    return [midnight(first + timedelta(days=n), zone) for n in range((last - first).days + 2)]
