"""What creators ask: their figures of a period beside those of the one before, at which hours, by whom, and lately."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from tokenhouse.domain import ledger
from tokenhouse.domain.insights.rules import AUDIENCE, day_bounds, grains, pieces, whole_hours
from tokenhouse.domain.insights.service import cut_params, read
from tokenhouse.domain.insights.types import (
    NOTHING,
    ClockFound,
    Creator,
    Cube,
    Grain,
    Kept,
    ModelNamed,
    ModelSums,
    Point,
    Range,
    Recent,
    Row,
    Sums,
    Users,
)
from tokenhouse.infra.database import Query, Tx, arrays, load_queries
from tokenhouse.infra.kernel.errors import NotFound

_Q = load_queries(__file__)
_CLOCK = _Q.rows("clock", ClockFound)
_USERS = _Q.rows("users", Users)
_RETENTION = _Q.rows("retention", Kept)
_RECENT = _Q.rows("recent", Recent)
_MODELS_NAMED = _Q.rows("models_named", ModelNamed)
_MODEL_NUMBER = _Q.rows("model_number", int)

R = TypeVar("R")

BEGINNING = datetime(1900, 1, 1, tzinfo=UTC)
END = datetime(9000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


async def last_days(tx: Tx, count: int, zone: ZoneInfo) -> Range:
    """Return today, where clocks show that zone's time, and the count - 1 days before."""
    today = (await ledger.now(tx)).astimezone(zone).date()
    first = today - timedelta(days=count - 1)
    bounds = tuple(day_bounds(first, today, zone))
    before = day_bounds(first - timedelta(days=count), first, zone)[0]
    return Range(before, bounds[0], bounds[-1], bounds, tuple(first + timedelta(days=n) for n in range(count)))


def between(since: datetime, until: datetime, zone: ZoneInfo) -> Range:
    """Return the time between two moments, cut at midnight; since < until."""
    first, last = since.astimezone(zone).date(), (until - _MICROSECOND).astimezone(zone).date()
    inner = day_bounds(first, last, zone)[1:-1]
    bounds = (since.astimezone(UTC), *(max(since.astimezone(UTC), one) for one in inner), until.astimezone(UTC))
    before = since - (until - since)
    return Range(before, since, until, bounds, tuple(first + timedelta(days=n) for n in range((last - first).days + 1)))


async def model_number(tx: Tx, external_id: str) -> int:
    """Return the number of a model. NotFound where there is none."""
    number = await tx.first(_MODEL_NUMBER, external_id=external_id)
    if number is None:
        raise NotFound("There is no such model.")
    return number


async def creator(tx: Tx, earner_id: int, asked: Range, model_id: int | None = None) -> Creator:
    """Return an earner's figures of a time, day by day and by model, beside those of as long a time before."""
    by_day = await read(tx, _cube(model_id), earner_id, (asked.before, *asked.bounds), model_id)
    by_model = await read(tx, "earner_model", earner_id, (asked.before, asked.since, asked.until), model_id)
    sums: dict[int, Sums] = {}
    for row in by_day:
        sums[row.point] = sums.get(row.point, NOTHING).plus(_sums(row))
    days = [Point(day, sums.get(n + 1, NOTHING)) for n, day in enumerate(asked.days)]
    total = NOTHING
    for point in days:
        total = total.plus(point.sums)
    return Creator(total, sums.get(0, NOTHING), days, await _by_model(tx, by_model))


def _cube(model_id: int | None) -> Cube:
    return "earner" if model_id is None else "earner_model"


def _sums(row: Row) -> Sums:
    return Sums(row.uses, row.credits, row.nanos)


async def _by_model(tx: Tx, rows: Sequence[Row]) -> list[ModelSums]:
    now = {row.model_id: _sums(row) for row in rows if row.point == 1 and _sums(row) != NOTHING}
    past = {row.model_id: _sums(row) for row in rows if row.point == 0}
    named = await models_named(tx, now)
    found = [ModelSums(named[number], sums, past.get(number, NOTHING)) for number, sums in now.items()]
    return sorted(found, key=lambda one: (-one.sums.nanos, -one.sums.uses, one.model.id))


async def models_named(tx: Tx, numbers: Mapping[int, object] | Sequence[int]) -> dict[int, ModelNamed]:
    """Return how models are called, by their numbers."""
    return {one.id: one for one in await tx.all(_MODELS_NAMED, ids=arrays.ints(numbers))}


async def clock(
    tx: Tx, earner_id: int, asked: Range, zone: ZoneInfo, model_id: int | None = None
) -> list[tuple[int, int, Sums]]:
    """Return an earner's figures by weekday (1: Monday) and hour on clocks of a zone, where there were any."""
    cube = _cube(model_id)
    dense = "hour" in grains(cube) and whole_hours(asked.since, asked.until, zone)
    kept: tuple[Grain, ...] = ("hour",) if dense else ("quarter",)
    cut = pieces(kept, (asked.since, asked.until))
    rows = await tx.all(
        _CLOCK, cube=cube, owner_id=earner_id, model_id=model_id, zone=zone.key, **cut_params(cut)
    )  # fmt: skip
    found = [(row.weekday, row.hour, Sums(row.uses, int(row.credits), int(row.nanos))) for row in rows]
    return [one for one in found if one[2] != NOTHING]


async def users(tx: Tx, earner_id: int, asked: Range, model_id: int | None = None) -> Users:
    """Return how many used an earner's models in a time, how many were new, and how many in as long a time before."""
    return (await _audience(tx, _USERS, earner_id, model_id, (BEGINNING, asked.before, asked.since, asked.until)))[0]


async def retention(
    tx: Tx, earner_id: int, begins: Sequence[datetime], model_id: int | None = None
) -> dict[int, dict[int, int]]:
    """Return, by cohort and by how many stretches later, how many came again; 0 later: the cohort itself.

    begins: the begins (UTC) of the stretches, oldest first, and the end of the last. Cohorts are numbered from 1.
    """
    found: dict[int, dict[int, int]] = {}
    for row in await _audience(tx, _RETENTION, earner_id, model_id, (BEGINNING, *begins)):
        found.setdefault(row.cohort, {})[row.later] = row.users
    return found


async def _audience(
    tx: Tx, query: Query[R], earner_id: int, model_id: int | None, bounds: Sequence[datetime]
) -> list[R]:
    cut = pieces(AUDIENCE, bounds)
    return await tx.all(
        query,
        earner_id=earner_id,
        model_id=model_id or 0,
        **cut_params(cut),
        points=arrays.ints(piece.point for piece in cut),
    )


async def recent(tx: Tx, earner_id: int, asked: Range, model_id: int | None = None, *, most: int = 20) -> list[Recent]:
    """Return the latest uses in a time of an earner's models that are left after reversals, newest first."""
    return await tx.all(
        _RECENT, earner_id=earner_id, model_id=model_id, since=asked.since, before=asked.until, most=most
    )


async def maturing(tx: Tx, earner_id: int, days: int) -> int:
    """Return the nano-dollars credited for uses younger than so many days, less what reversals took back of them."""
    since = await ledger.now(tx) - timedelta(days=days) + _MICROSECOND
    rows = await read(tx, "earner", earner_id, (since, END))
    return sum(row.nanos for row in rows)


def begins(interval: str, count: int, today: date) -> list[datetime]:
    """Return the begins (UTC) of the last `count` weeks or months, that of today the last, and the end of it."""
    first = today - timedelta(days=today.weekday()) if interval == "week" else today.replace(day=1)
    found = [first]
    for _ in range(count - 1):
        back = found[0] - timedelta(days=7 if interval == "week" else 1)
        found.insert(0, back if interval == "week" else back.replace(day=1))
    end = first + timedelta(days=7 if interval == "week" else 32)
    found.append(end if interval == "week" else end.replace(day=1))
    return [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in found]
