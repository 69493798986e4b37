"""The hot path's own connection: what it does when the server refuses, ends or goes away."""

import asyncio
import time
from dataclasses import dataclass

import psycopg
import pytest

from tokenhouse.infra.database import Actor, Database, Lane
from tokenhouse.infra.database.queries import Queries, parse
from tokenhouse.infra.kernel.errors import Unavailable

TELLER = Actor((0,), teller=True)


@dataclass(frozen=True, slots=True)
class Row:
    number: int
    pid: int


QUERIES = Queries(
    "tests.lane",
    parse(
        """
-- load : Row
select %(number)s::integer as number, pg_backend_pid() as pid;

-- post : nothing
select 1 / %(divisor)s::integer, pg_sleep(%(seconds)s::float8);
""",
        "lane",
    ),
)


@pytest.fixture
async def lane(db: Database):
    lane = Lane(db, QUERIES.rows("load", Row), QUERIES.nothing("post"))
    yield lane
    await lane.close()


async def decide(lane: Lane[Row], number: int = 7, divisor: int = 1, seconds: str = "0") -> Row:
    async with lane.decision(TELLER, number=number) as decision:
        await decision.post(divisor=divisor, seconds=seconds)
        return decision.loaded


async def test_it_loads_and_posts_on_one_connection(lane):
    first, second = await decide(lane, 1), await decide(lane, 2)
    assert (first.number, second.number) == (1, 2)
    assert first.pid == second.pid


async def test_a_refusal_of_the_database_leaves_it_usable(lane):
    first = await decide(lane)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await decide(lane, divisor=0)
    assert (await decide(lane)).pid == first.pid


async def test_what_is_not_posted_is_rolled_back(lane, admin):
    async with lane.decision(TELLER, number=1) as decision:
        pid = decision.loaded.pid
        state = "select state from pg_stat_activity where pid = %s"
        assert admin.execute(state, [pid]).fetchone() == ("idle in transaction",)
    assert admin.execute(state, [pid]).fetchone() == ("idle",)


async def test_an_error_between_load_and_post_rolls_back(lane):
    first = await decide(lane)
    with pytest.raises(ZeroDivisionError):
        async with lane.decision(TELLER, number=1):
            raise ZeroDivisionError
    assert (await decide(lane)).pid == first.pid


async def test_a_connection_ended_while_idle_is_replaced_and_costs_nothing(lane, admin):
    first = await decide(lane)
    admin.execute("select pg_terminate_backend(%s)", [first.pid])
    before = time.process_time()
    await asyncio.sleep(0.5)
    # An end that is not taken off the loop wakes it for ever.
    assert time.process_time() - before < 0.3
    try:
        second = await decide(lane)
    except Unavailable:
        second = await decide(lane)
    assert second.pid != first.pid


async def test_a_connection_ended_under_way_is_in_doubt_and_then_replaced(lane, admin):
    first = await decide(lane)
    under_way = asyncio.create_task(decide(lane, seconds="30"))
    await asyncio.sleep(0.3)
    admin.execute("select pg_terminate_backend(%s)", [first.pid])
    with pytest.raises(Unavailable):
        await asyncio.wait_for(under_way, 5)
    assert (await decide(lane)).pid != first.pid


async def test_a_caller_that_goes_away_leaves_no_transaction_behind(lane, admin):
    first = await decide(lane)
    under_way = asyncio.create_task(decide(lane, seconds="30"))
    await asyncio.sleep(0.3)
    under_way.cancel()
    with pytest.raises(asyncio.CancelledError):
        await under_way
    assert (await decide(lane)).pid != first.pid


async def test_much_at_once_passes_through_the_socket(lane):
    async with lane.decision(TELLER, number=1) as decision:
        with pytest.raises(psycopg.errors.InvalidTextRepresentation):
            await decision.post(divisor="x" * 4_000_000, seconds="0")
    assert (await decide(lane)).number == 7
