"""The catalog in the database: versions, immutable rows, and who may write."""

import asyncio

import psycopg
import pytest

from tokenhouse.domain import catalog
from tokenhouse.domain.catalog.document import Source
from tokenhouse.domain.catalog.types import CatalogInvalid
from tokenhouse.infra.database.pool import sqlstate
from tokenhouse.infra.database.token import PLATFORM, Actor

SHIPPED = catalog.read_source()
TABLES = ["version", "credit_type", "operation", "plan", "top_up", "earnings_policy"]


def changed(digest, *pairs):
    """The shipped file with replacements."""
    text = SHIPPED.text
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return Source(text, digest, "changed")


async def put(db, source):
    async with db.transaction(PLATFORM) as tx:
        return await catalog.apply_source(tx, source)


async def get(db, actor=PLATFORM):
    async with db.transaction(actor) as tx:
        return await catalog.load(tx)


@pytest.fixture
async def shipped(db):
    await put(db, SHIPPED)
    return db


async def test_before_the_first_there_is_nothing(db):
    empty = await get(db)
    assert (empty.version, empty.digest, dict(empty.operations), dict(empty.credit_types)) == (0, "", {}, {})


async def test_what_is_applied_is_what_is_loaded(db):
    applied = await put(db, SHIPPED)
    loaded, document = await get(db), catalog.parse(SHIPPED.text)
    assert (applied.version, len(applied.changes)) == (1, 22)
    assert (loaded.version, loaded.digest) == (1, SHIPPED.digest)
    assert loaded.operations == document.operations
    assert loaded.plans == document.plans
    assert loaded.top_ups == document.top_ups
    assert loaded.policies == document.policies
    assert catalog.diff(loaded, document) == []
    assert list(loaded.credit_types.items()) == [(code, number) for number, code in enumerate(document.credit_types, 1)]
    assert loaded.codes == {number: code for code, number in loaded.credit_types.items()}
    assert list(loaded.plans)[-1] in ("enterprise", "pro-org")
    async with db.transaction(PLATFORM) as tx:
        assert await catalog.applied_source(tx) == SHIPPED.text


async def test_the_same_file_again_does_nothing(shipped):
    again = await put(shipped, SHIPPED)
    assert (again.version, again.changes) == (1, ())


async def test_an_unchanged_item_keeps_its_version(shipped):
    second = await put(shipped, changed("two", ('call = "3"', 'call = "4"')))
    assert [change.id for change in second.changes] == ["generate_goal"]
    loaded = await get(shipped)
    versions = {item.id: item.version for item in loaded.operations.values()}
    assert versions.pop("generate_goal") == loaded.version == 2
    assert set(versions.values()) == {1}
    # A comment makes a version, so that its digest is known, and changes nothing.
    third = await put(shipped, Source(SHIPPED.text.replace('"3"', '"4"') + "# so\n", "three", "x"))
    assert (third.version, third.changes) == (3, ())
    assert (await get(shipped)).operations["generate_goal"].version == 2


async def test_old_prices_stay_on_record(shipped, admin):
    await put(shipped, changed("two", ('call = "3"', 'call = "4"')))
    rows = admin.execute(
        "select version, price from catalog.operation where id = 'generate_goal' order by 1"
    ).fetchall()
    assert rows == [(1, {"call": "3"}), (2, {"call": "4"})]


async def test_what_is_withdrawn_may_come_back(shipped):
    before = await get(shipped)
    gone = changed(
        "two",
        (', "forecast"]', "]"),
        ('[[operation]]\nid = "forecast"\ncredit_type = "forecast"\nprice = { call = "4" }\n', ""),
        (", forecast = 30", ""),
        (", forecast = 200", ""),
        ('id = "dynamic"', 'id = "lively"'),
    )
    applied = await put(shipped, gone)
    assert {(change.id, change.sort) for change in applied.changes} == {
        ("forecast", "removed"),
        ("pro-org", "changed"),
        ("enterprise", "changed"),
        ("dynamic", "removed"),
        ("lively", "added"),
    }
    without = await get(shipped)
    assert "forecast" not in without.operations
    assert "forecast" not in without.credit_types
    assert "dynamic" not in without.policies
    assert without.codes == before.codes, "wallets may hold it still"
    await put(shipped, SHIPPED)
    back = await get(shipped)
    assert back.credit_types == before.credit_types
    assert back.operations == before.operations
    assert (back.operations["forecast"].version, back.operations["chat"].version) == (3, 1)


async def test_every_way_to_price_survives_the_database(db):
    text = changed(
        "x",
        (
            'price = { call = "3" }',
            """price = { input_token = "0.0015", output_token = "0.006" }
            tiers = [{ from = 10, price = { input_token = "0.001", output_token = "0.005" } }]
            bulk = [{ from = 100, discount_bps = 500 }]""",
        ),
        ('id = "flat"', 'id = "flat"\nkind = "flat"\nparams = { note = "ours" }'),
        ("credits = 1000000", "credits = 1000000\nlemonsqueezy_variant = 2001"),
    )
    await put(db, text)
    assert catalog.diff(await get(db), catalog.parse(text.text)) == []


async def test_a_wrong_file_changes_nothing(shipped):
    with pytest.raises(CatalogInvalid):
        await put(shipped, changed("two", ('call = "3"', 'call = "-3"')))
    assert (await get(shipped)).version == 1


async def test_prices_are_for_everyone_to_read(shipped):
    assert (await get(shipped, Actor((4711,)))).operations.keys() == (await get(shipped)).operations.keys()


async def test_only_the_platform_applies(shipped):
    with pytest.raises(psycopg.Error) as caught:
        async with shipped.transaction(Actor((4711,))) as tx:
            await catalog.apply_source(tx, changed("two", ('call = "3"', 'call = "4"')))
    assert sqlstate(caught.value) == "TH403"
    assert (await get(shipped)).version == 1


@pytest.mark.parametrize("table", TABLES)
async def test_no_role_that_serves_may_change_a_row(shipped, worker_db, table):
    column = "digest = ''" if table == "version" else "retired = true"
    statements = [
        f"update catalog.{table} set {column}",
        f"delete from catalog.{table}",
        f"truncate catalog.{table} cascade",
        f"insert into catalog.{table} default values",
    ]
    for database in (shipped, worker_db):
        async with database.connection() as connection:
            for statement in statements:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await connection.execute(statement)


@pytest.mark.parametrize("table", TABLES)
async def test_not_even_the_owner_changes_a_row(shipped, admin, table):
    before = admin.execute(f"select count(*) from catalog.{table}").fetchone()
    admin.execute("set role th_owner")
    assert admin.execute(f"delete from catalog.{table}").rowcount == 0
    admin.execute("reset role")
    assert admin.execute(f"select count(*) from catalog.{table}").fetchone() == before


async def test_two_at_once_make_one_version_each(shipped):
    sources = [changed(f"d{n}", ('call = "3"', f'call = "{n}"')) for n in range(10, 14)]
    applied = await asyncio.gather(*(put(shipped, source) for source in sources))
    assert sorted(one.version for one in applied) == [2, 3, 4, 5]
    assert all(len(one.changes) == 1 for one in applied)
