"""Hits in moving windows, counted in the database that all processes share."""

import asyncio
import random
import time

import pytest
from limits import RateLimitItemPerMinute
from limits.aio.strategies import MovingWindowRateLimiter
from limits.errors import ConfigurationError
from structlog.testing import capture_logs

from tokenhouse.domain import access
from tokenhouse.domain.access.types import HitsAsked
from tokenhouse.entrypoints.api.limits import Limits
from tokenhouse.entrypoints.api.windows import DatabaseStorage, storage_of
from tokenhouse.entrypoints.jobs.tasks import Context, sweep_rate_windows
from tokenhouse.infra.database import Database
from tokenhouse.infra.kernel.addresses import neighbourhood
from tokenhouse.infra.kernel.errors import Unavailable


async def take(db, *asked):
    return await access.take_hits(db, [HitsAsked(*one) for one in asked])


def age(admin, seconds):
    """Let time pass: all hits move into the past."""
    admin.execute("update access.rate_window set ticks = array(select t - %s from unnest(ticks) t)", [seconds])


async def early(admin):
    """Wait for the beginning of a step, so that the next statements all fall into it."""
    (part,) = admin.execute("select (extract(epoch from clock_timestamp()) % 1)::float8").fetchone()
    if part > 0.2:
        await asyncio.sleep(1.01 - part)


async def test_a_window_holds_no_more_than_its_limit(db, admin):
    await early(admin)
    first = (await take(db, ("a", 5, 60, 3)))["a"]
    assert (first.granted, first.used) == (3, 3)
    assert 60 < first.frees_seconds <= 61
    second = await take(db, ("a", 5, 60, 3), ("b", 5, 60, 1))
    assert (second["a"].granted, second["a"].used, second["b"].granted) == (2, 5, 1)
    third = (await take(db, ("a", 5, 60, 1)))["a"]
    assert (third.granted, third.used) == (0, 5)
    age(admin, 59)
    assert (await take(db, ("a", 5, 60, 1)))["a"].granted == 0
    age(admin, 2)
    last = (await take(db, ("a", 5, 60, 9)))["a"]
    assert (last.granted, last.used) == (5, 5)


async def test_a_step_counts_until_all_of_it_is_outside(db, admin):
    for ticks, granted in ((60, 0), (61, 1)):
        await early(admin)
        await take(db, (f"a {ticks}", 1, 60, 1))
        age(admin, ticks)
        found = (await take(db, (f"a {ticks}", 1, 60, 1)))[f"a {ticks}"]
        assert found.granted == granted
        assert 0 < found.frees_seconds <= (61 if granted else 1)


async def test_hits_leave_one_after_the_other(db, admin):
    await take(db, ("a", 3, 60, 1))
    age(admin, 30)
    await take(db, ("a", 3, 60, 2))
    age(admin, 31)
    found = (await take(db, ("a", 3, 60, 9)))["a"]
    assert (found.granted, found.used) == (1, 3)
    assert 28 <= found.frees_seconds <= 30


async def test_against_a_model(db, admin):
    """No window of a minute ever holds more than the limit, and nothing is refused that waits a step longer."""
    dice = random.Random(27)
    limit, now, taken = 7, 0, []
    for _ in range(400):
        wait = dice.choice((0, 0, 1, 2, 5, 20, 61))
        age(admin, wait)
        now += wait
        wanted = dice.choice((1, 1, 2, 5))
        granted = (await take(db, ("a", limit, 60, wanted)))["a"].granted
        # The clock runs on for some moments meanwhile: what lies within a step of the border may fall on either side.
        most = max(0, limit - sum(n for at, n in taken if at > now - 59))
        least = max(0, limit - sum(n for at, n in taken if at >= now - 62))
        assert min(wanted, least) <= granted <= min(wanted, most), (now, wanted, granted, taken[-9:])
        taken.append((now, granted))


@pytest.fixture
async def processes(booted):
    """Four processes' storages, each with connections of its own."""
    databases = [Database(booted.app_conninfo, booted.signer, max_size=3) for _ in range(4)]
    for database in databases:
        await database.open()
    yield [DatabaseStorage(database) for database in databases]
    for database in databases:
        await database.close()


@pytest.mark.parametrize("limit", [1, 20, 100])
async def test_racing_processes_are_granted_exactly_the_limit(processes, limit):
    item = RateLimitItemPerMinute(limit)
    began = time.monotonic()

    async def caller(storage):
        window = MovingWindowRateLimiter(storage)
        return [await window.hit(item, "key", "k") for _ in range(40)]

    tries = await asyncio.gather(*(caller(storage) for storage in processes for _ in range(4)))
    assert time.monotonic() - began < 50
    assert sum(map(sum, tries)) == limit
    for storage in processes:
        window = await MovingWindowRateLimiter(storage).get_window_stats(item, "key", "k")
        assert window.remaining == 0
        assert 0 < window.reset_time - time.time() <= 61


async def test_hits_at_once_share_a_statement_and_a_full_window_is_not_asked_again(db, monkeypatch):
    statements = []
    real = access.take_hits

    async def counted(database, asked):
        statements.append([one.wanted for one in asked])
        return await real(database, asked)

    monkeypatch.setattr(access, "take_hits", counted)
    limits = Limits(DatabaseStorage(db), uncounted=lambda: None)
    told = await asyncio.gather(*(limits.take("key", "k", 30) for _ in range(50)))
    assert sum(one.allowed for one in told) == 30
    assert statements == [[50]]
    assert 59 < await limits.hit("key", "k", 30) <= 61
    assert len(statements) == 1
    assert await limits.hit("key", "other", 30) == 0.0
    assert len(statements) == 2


async def test_a_row_tells_nobody_and_goes_when_its_time_is_over(db, worker_db, admin):
    limits = Limits(DatabaseStorage(db), uncounted=lambda: None)
    await limits.hit("login", "ann@example.org", 10)
    await limits.hit("address", "203.0.113.9", 10)
    rows = str(admin.execute("select w::text from access.rate_window w").fetchall())
    assert "ann" not in rows
    assert "203.0.113.9" not in rows
    context = Context(worker_db, lambda: False)
    assert await sweep_rate_windows(context) == 0
    admin.execute("update access.rate_window set ends_at = now() - interval '1 second'")
    assert await sweep_rate_windows(context) == 2
    assert admin.execute("select count(*) from access.rate_window").fetchone() == (0,)
    (kind,) = admin.execute("select relpersistence::text from pg_class where relname = 'rate_window'").fetchone()
    assert kind == "u"


async def test_where_nobody_can_count_every_request_is_let_through(db, monkeypatch):
    limits = Limits(DatabaseStorage(db), uncounted=lambda: None)
    asked = []

    async def away(*_):
        asked.append(1)
        raise Unavailable("away")

    monkeypatch.setattr(access, "take_hits", away)
    with capture_logs() as logs:
        assert [await limits.take("key", "k", 1) for _ in range(5)] == [None] * 5
    assert len(asked) == 1  # for a second it is not asked again
    assert [(line["log_level"], line["event"]) for line in logs] == [
        ("warning", "requests cannot be counted; all are let through")
    ]
    monkeypatch.undo()
    limits._rests_until = 0.0
    with capture_logs() as logs:
        assert [(await limits.take("key", "k", 1)).allowed for _ in range(2)] == [True, False]
    assert [line["event"] for line in logs] == ["requests are counted again"]


async def test_a_database_that_hangs_delays_nobody_for_long(db, admin):
    limits = Limits(DatabaseStorage(db), uncounted=lambda: None)
    with admin.transaction():
        admin.execute("lock table access.rate_window in access exclusive mode")
        began = time.monotonic()
        told = await asyncio.gather(*(limits.take("key", str(number), 1) for number in range(20)))
        assert told == [None] * 20
        assert time.monotonic() - began < 2


async def test_in_memory(db):
    limits = Limits(storage_of("memory", db), uncounted=lambda: None)
    told = [await limits.hit("key", "k", 3) for _ in range(5)]
    assert [wait > 0 for wait in told] == [False, False, False, True, True]


def test_redis_needs_its_package(db):
    with pytest.raises(ConfigurationError, match="install"):
        storage_of("redis://localhost/0", db)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"), ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"), ("", "unknown"), ("nonsense", "unknown"),
    ],
)  # fmt: skip
def test_neighbourhoods(address, counted):
    assert neighbourhood(address) == counted
