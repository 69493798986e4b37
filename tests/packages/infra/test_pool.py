"""Transactions: who they act for, what they leave behind, and what happens when the server goes away."""

import asyncio
import datetime as dt
import os
import signal
import time
import uuid

import psycopg
import pytest

from tokenhouse.infra.database import queries
from tokenhouse.infra.database.pool import Database, sqlstate
from tokenhouse.infra.database.queries import Queries, parse
from tokenhouse.infra.database.token import PLATFORM, Actor
from tokenhouse.infra.kernel.errors import Unavailable


async def value(tx, text, params=None):
    cursor = await tx.connection.execute(text, params)
    return (await cursor.fetchone())[0]


async def test_token_lasts_one_transaction(db):
    async with db.transaction(Actor((3, 4))) as tx:
        assert await value(tx, "select access.scope()") == [3, 4]
    async with db.connection() as connection:
        cursor = await connection.execute("select access.scope()")
        assert await cursor.fetchone() == (None,)


async def test_commit_and_rollback(db, admin):
    admin.execute("create table public.mark (n int); grant select, insert on public.mark to th_app")
    async with db.transaction(PLATFORM) as tx:
        await tx.connection.execute("insert into public.mark values (1)")
    with pytest.raises(KeyError):
        async with db.transaction(PLATFORM) as tx:
            await tx.connection.execute("insert into public.mark values (2)")
            raise KeyError
    with pytest.raises(psycopg.errors.DivisionByZero):
        async with db.transaction(PLATFORM) as tx:
            await tx.connection.execute("insert into public.mark values (3)")
            await tx.connection.execute("select 1/0")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        async with db.read(PLATFORM) as tx:
            await tx.connection.execute("insert into public.mark values (4)")
    task = asyncio.create_task(_sleeper(db))
    await asyncio.sleep(0.2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with db.connection() as connection:
        await connection.execute("begin")
        await connection.execute("insert into public.mark values (6)")
    async with db.read(PLATFORM) as tx:
        assert await value(tx, "select array_agg(n) from public.mark") == [1]


async def _sleeper(db):
    async with db.transaction(PLATFORM) as tx:
        await tx.connection.execute("insert into public.mark values (5)")
        await tx.connection.execute("select pg_sleep(30)")


async def test_a_nested_transaction_is_a_savepoint(db):
    async with db.transaction(PLATFORM) as tx:
        with pytest.raises(psycopg.errors.DivisionByZero):
            async with tx.connection.transaction():
                await tx.connection.execute("select 1/0")
        assert await value(tx, "select 1") == 1


async def test_isolation(db):
    async with db.transaction(PLATFORM, isolation="serializable") as tx:
        assert await value(tx, "show transaction_isolation") == "serializable"
    async with db.transaction(PLATFORM) as tx:
        assert await value(tx, "show transaction_isolation") == "read committed"
    with pytest.raises(ValueError, match="isolation"):
        async with db.transaction(PLATFORM, isolation="none"):
            pass


async def test_values_come_as_python_objects(db):
    key = uuid.uuid4()
    async with db.read(PLATFORM) as tx:
        cursor = await tx.connection.execute(
            "select 9007199254740993::bigint, 'é'::text, %s::uuid,"
            " '2026-01-02 03:04:05.678901+02'::timestamptz,"
            """ '{"a": [1, null]}'::jsonb, true, '{1,null}'::bigint[], %s::smallint, %s::jsonb, null::text""",
            [key, 7, {"b": "ü"}],
        )
        row = await cursor.fetchone()
    moment = dt.datetime(2026, 1, 2, 1, 4, 5, 678901, tzinfo=dt.UTC)
    assert row == (2**53 + 1, "é", key, moment, {"a": [1, None]}, True, [1, None], 7, {"b": "ü"}, None)
    assert row[3].utcoffset() == dt.timedelta(0)


async def test_our_sqlstates_pass(db):
    with pytest.raises(psycopg.Error) as refused:
        async with db.transaction(PLATFORM) as tx:
            await tx.connection.execute("do $$ begin raise 'no' using errcode = 'TH402'; end $$")
    assert sqlstate(refused.value) == "TH402"
    assert sqlstate(KeyError()) is None


async def test_tokens_follow_the_clock_of_the_database(booted, monkeypatch):
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 7200)
    async with Database(booted.app_conninfo, booted.signer) as db, db.read(PLATFORM) as tx:
        assert 7190 < db.skew_seconds < 7210
        assert await value(tx, "select access.scope()") == [0]


async def test_a_full_pool_is_unavailable(booted):
    async with (
        Database(booted.app_conninfo, booted.signer, max_size=1, wait_seconds=0.2) as db,
        db.read(PLATFORM),
    ):
        with pytest.raises(Unavailable) as busy:
            async with db.read(PLATFORM):
                pass
    assert busy.value.headers["Retry-After"] == "1"


async def test_an_absent_server_is_unavailable(booted):
    conninfo = psycopg.conninfo.make_conninfo(booted.app_conninfo, port=1)
    with pytest.raises(Unavailable):
        await Database(conninfo, booted.signer, wait_seconds=0.3).open()


async def test_dead_connections_are_replaced_unseen(booted, admin):
    async with Database(booted.app_conninfo, booted.signer, min_size=4) as db:
        for _ in range(3):
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'th_app'")
            await asyncio.sleep(0.05)
            async with db.read(PLATFORM) as tx:
                assert await value(tx, "select 1") == 1


async def test_a_connection_lost_inside_a_transaction_is_unavailable(db, admin):
    with pytest.raises(Unavailable):
        async with db.transaction(PLATFORM) as tx:
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'th_app'")
            await tx.connection.execute("select 1")
    with pytest.raises(Unavailable):
        async with db.connection() as connection:
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'th_app'")
            await connection.execute("select 1")


async def test_the_pool_recovers_from_a_killed_server(postgres, booted):
    async with Database(booted.app_conninfo, booted.signer, min_size=3, wait_seconds=1.0) as db:
        os.kill(postgres.pid, signal.SIGKILL)
        answers = []
        restart = asyncio.create_task(_restart_later(postgres))
        end = time.monotonic() + 20
        while time.monotonic() < end and not (restart.done() and answers[-1:] == ["ok"]):
            try:
                async with db.transaction(PLATFORM) as tx:
                    await value(tx, "select 1")
                answers.append("ok")
            except Unavailable:
                answers.append("unavailable")
            await asyncio.sleep(0.02)
        await restart
        assert answers[-1] == "ok"
        back = time.monotonic()
        for _ in range(5):
            async with db.read(PLATFORM) as tx:
                assert await value(tx, "select 1") == 1
        assert time.monotonic() - back < 1


async def _restart_later(server):
    await asyncio.sleep(1.5)
    assert await asyncio.to_thread(server.ensure)


ORDER = """
-- first : int
SELECT %(n)s::integer AS n;

-- counted : int
SELECT count(*)::integer AS n FROM ledger.asset;

-- broken : int
SELECT 1 / %(n)s::integer AS n;
"""


async def test_statements_travel_together(db, tmp_path, monkeypatch):
    (tmp_path / "queries.sql").write_text(ORDER)
    monkeypatch.setattr(queries, "REGISTRY", {})
    found = queries.load_queries(str(tmp_path / "service.py"))
    first, counted, broken = found.rows("first", int), found.rows("counted", int), found.rows("broken", int)
    async with db.read(PLATFORM) as tx:
        assert await tx.together((first, {"n": 7}), (counted, {}), (first, {"n": 8})) == [[7], [1], [8]]
    with pytest.raises(psycopg.errors.DivisionByZero):
        async with db.transaction(PLATFORM) as tx:
            await tx.together((first, {"n": 7}), (broken, {"n": 0}), (counted, {}))
    async with db.read(PLATFORM) as tx:  # the connection is fit for the next
        assert await tx.one(first, n=9) == 9


ONCE = """
-- scope : int
select (access.scope())[1]::integer as own;

-- divide : int
select (1 / %(by)s::integer) as result;

-- number : int
select pg_current_xact_id()::text::integer as id;
"""


async def test_one_statement_in_one_round_trip(db, admin):
    """It acts for the actor, commits, and leaves the connection as it was, also where it fails."""
    queries = Queries("tests", parse(ONCE, "tests"))
    scope, divide, number = (queries.rows(name, int) for name in ("scope", "divide", "number"))
    assert await db.once(Actor((7,)), scope) == [7]
    assert await db.once(PLATFORM, scope) == [0]
    for _ in range(4):  # also once the statements are prepared
        with pytest.raises(psycopg.errors.DivisionByZero):
            await db.once(PLATFORM, divide, by=0)
        assert await db.once(PLATFORM, divide, by=1) == [1]
    (done,) = await db.once(PLATFORM, number)
    assert admin.execute("select pg_xact_status(%s::text::xid8)", [done]).fetchone() == ("committed",)
    async with db.connection() as connection:
        cursor = await connection.execute("select coalesce(current_setting('tokenhouse.token', true), '')")
        assert await cursor.fetchone() == ("",)
