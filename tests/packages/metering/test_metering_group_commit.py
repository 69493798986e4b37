"""The group commit: many callers share a commit; each gets its own outcome, whatever its neighbours do."""

import asyncio
from contextlib import contextmanager, suppress
from datetime import timedelta

import psycopg
import pytest

from economy import TERMS, clean, pass_time, source
from tokenhouse.domain.metering import GroupCommit, group_commit
from tokenhouse.domain.metering.types import Done
from tokenhouse.infra.kernel.errors import InsufficientTokens, TokenhouseError, Unavailable, UnknownReference

POISON = {
    "metadata that is no JSON": {"metadata": "{"},
    "metadata that PostgreSQL's JSON refuses": {"metadata": '{"a": "\\u0000"}'},
    "metadata that only Python reads": {"metadata": '{"a": NaN}'},
    "a NUL in a text": {"user_label": "a\0b"},
    "a lone surrogate": {"provider": "\ud800"},
    "a time that is none": {"occurred_at": "2024-02-30T00:00:00Z"},
    "a cost over 64 bits": {"cost_nanos": 2**63},
    "a usage type that is none": {"usage_type": "nonsense"},
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
@pytest.mark.parametrize("sort", ["charge", "report"])
async def test_a_poisoned_order_fails_alone(economy, poison, sort):
    """What validation let through by mistake, and the database refuses."""
    owner = await economy.account("owner")
    await economy.model("m", owner)
    payers = [await economy.account(f"p{place}", credits=100) for place in range(4)]
    orders = [economy.order(payer, model_id="m", amount=3) for payer in payers for _ in range(3)]
    bad = economy.order(payers[0], sort, model_id="m", amount=3, **poison)
    orders.insert(5, bad)
    outcomes = await asyncio.gather(*map(economy.till.submit, orders), return_exceptions=True)
    assert isinstance(outcomes.pop(5), Exception)
    assert all(isinstance(one, Done) for one in outcomes), outcomes
    assert [await economy.balance(payer) for payer in payers] == [91] * 4
    # It used nothing up, and fails alone again.
    with pytest.raises(Exception):  # noqa: B017, PT011 - what it is depends on the poison
        await economy.till.submit(bad)
    assert (await economy.charge(payers[0], key=bad.command.key, amount=1)).receipt.balance == 90
    await clean(economy.db)


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
async def test_a_poisoned_item_of_a_bulk_fails_alone(economy, poison):
    payer = await economy.account("payer", credits=100)
    orders = [economy.order(payer, amount=3) for _ in range(5)]
    outcomes = await economy.till.submit_all([*orders[:2], economy.order(payer, amount=3, **poison), *orders[2:]])
    assert [isinstance(one, Done) for one in outcomes] == [True, True, False, True, True, True]
    assert isinstance(outcomes[2], TokenhouseError)
    assert await economy.balance(payer) == 85


async def test_orders_of_an_account_keep_their_order(economy):
    payers = [await economy.account(f"p{place}", credits=1000) for place in range(3)]
    till = GroupCommit(economy.db, buckets=economy.buckets, batch_limit=4, lanes=3)
    orders = [economy.order(payer, amount=1) for _ in range(40) for payer in payers]
    done = await till.submit_all(orders)
    for place in range(3):
        assert [one.receipt.balance for one in done[place::3]] == list(range(999, 959, -1))
    ids = [one.id for one in done[::3]]
    assert ids == sorted(ids)


async def test_refusals_in_a_batch_are_each_their_own(economy):
    payer = await economy.account("payer", credits=10)
    amounts = [4, 7, 3, 4, 2, 1, 1]
    outcomes = await economy.till.submit_all([economy.order(payer, amount=amount) for amount in amounts])
    assert [isinstance(one, InsufficientTokens) for one in outcomes] == [False, True, False, True, False, False, True]
    assert [one.available for one in outcomes if isinstance(one, InsufficientTokens)] == [6, 3, 0]
    assert await economy.balance(payer) == 0


async def test_concurrent_callers_share_commits(economy):
    payers = [await economy.account(f"p{place}", credits=100) for place in range(50)]
    batches = []
    till = GroupCommit(economy.db, buckets=economy.buckets, observe=lambda size, *_: batches.append(size))
    await asyncio.gather(*(till.submit(economy.order(payer, amount=1)) for payer in payers for _ in range(4)))
    assert sum(batches) == 200
    assert len(batches) <= 60
    assert till.waiting == 0


async def test_nobody_waits_for_a_batch_that_is_stuck(economy, admin):
    stuck = [await economy.account(f"s{place}", credits=100) for place in range(20)]
    other = await economy.account("other", credits=100)
    locked = "select 1 from ledger.account where owner_id = %s for update"
    with admin.transaction():
        admin.execute(locked, [stuck[0].id])
        waiting = asyncio.gather(*[economy.till.submit(economy.order(payer, amount=1)) for payer in stuck])
        await asyncio.sleep(0.02)
        done = await asyncio.wait_for(economy.till.submit(economy.order(other, amount=1)), 2)
        assert done.receipt.balance == 99
        assert not waiting.done()
    assert [done.receipt.balance for done in await waiting] == [99] * 20


async def test_a_full_queue_refuses_with_retry_after(economy):
    payer = await economy.account("payer", credits=1000)
    till = GroupCommit(economy.db, buckets=economy.buckets, lanes=1, batch_limit=2, queue_limit=5)
    orders = [economy.order(payer, amount=1) for _ in range(20)]
    outcomes = await till.submit_all(orders)
    refused = [one for one in outcomes if isinstance(one, TokenhouseError)]
    assert [isinstance(one, Done) for one in outcomes] == [True] * 5 + [False] * 15
    assert {(type(one), one.status, one.headers.get("Retry-After")) for one in refused} == {(Unavailable, 503, "1")}
    again = await economy.till.submit_all(orders)
    assert [one.replayed for one in again] == [True] * 5 + [False] * 15
    assert await economy.balance(payer) == 980


async def test_closing_lets_those_under_way_end(economy):
    payers = [await economy.account(f"p{place}", credits=100) for place in range(4)]
    till = GroupCommit(economy.db, buckets=economy.buckets, lanes=1, batch_limit=3)
    under_way = [asyncio.ensure_future(till.submit(economy.order(payer, amount=1))) for payer in payers * 5]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await till.close()
    assert all(isinstance(one, Done) for one in await asyncio.gather(*under_way))
    with pytest.raises(Unavailable, match="closing") as refused:
        await till.submit(economy.order(payers[0], amount=1))
    assert refused.value.headers["Retry-After"] == "1"
    assert [await economy.balance(payer) for payer in payers] == [95] * 4


async def test_a_caller_that_leaves_harms_nobody(economy):
    payer = await economy.account("payer", credits=100)
    orders = [economy.order(payer, amount=1) for _ in range(10)]
    tasks = [asyncio.ensure_future(economy.till.submit(order)) for order in orders]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(one, asyncio.CancelledError) for one in outcomes] == [True, False] * 5
    await economy.till.close()
    # What was queued was carried out, and its answer waits under its key.
    again = await GroupCommit(economy.db, buckets=economy.buckets).submit_all(orders)
    assert all(one.replayed for one in again)
    assert await economy.balance(payer) == 90


async def test_a_new_catalog_is_picked_up_by_the_next_batch(economy):
    payer = await economy.account("payer", credits=1000)
    assert (await economy.charge(payer, operation="chunks")).receipt.rate_card_version == 1
    await economy.apply(source(TERMS.replace('price = { chunk = "3" }', 'price = { chunk = "4" }')))
    receipt = (await economy.charge(payer, operation="chunks")).receipt
    assert (receipt.amount, receipt.rate_card_version) == (4, 2)
    # An operation and a credit type that the till has never heard of are asked for again before they are refused.
    more = '[[operation]]\nid = "fresh"\ncredit_type = "general"\nprice = { call = "6" }\n'
    await economy.apply(source(TERMS + more))
    assert (await economy.charge(payer, operation="fresh")).receipt.amount == 6
    await economy.apply(source(TERMS))
    with pytest.raises(UnknownReference):
        await economy.charge(payer, operation="fresh")
    assert (await economy.check(payer, operation="chunks")).required == 3


async def test_a_check_knows_the_new_catalog_too(economy):
    payer = await economy.account("payer", credits=1000)
    assert (await economy.check(payer, operation="chunks")).required == 3
    await economy.apply(source(TERMS.replace('price = { chunk = "3" }', 'price = { chunk = "4" }')))
    assert (await economy.check(payer, operation="chunks")).required == 4


async def test_an_account_without_a_plan_whose_grant_is_over(economy, admin):
    """Its wallet stays due as long as nobody lets the grant lapse; no order may wait for that for ever."""
    payer = await economy.account("payer", credits=5)
    at = await economy.rows("select clock_timestamp() + interval '1 hour'")
    await economy.grant(payer, 50, source="gift", expires_at=at[0][0])
    pass_time(admin, timedelta(hours=2))
    async with asyncio.timeout(5):
        with pytest.raises(InsufficientTokens) as refused:
            await economy.charge(payer, amount=6)
    assert refused.value.available == 5
    await clean(economy.db)


async def test_lost_connections_are_made_anew(economy, admin):
    """Killed between two charges, and while charges run: who is told of it may ask again with the same key."""
    payers = [await economy.account(f"p{place}", credits=100) for place in range(4)]
    killing = "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'th_app' and datname = %s"
    name = admin.info.dbname
    await economy.charge(payers[0], amount=1)
    admin.execute(killing, [name])
    assert (await economy.charge(payers[0], amount=1)).receipt.balance == 98
    orders = [economy.order(payer, amount=1) for payer in payers for _ in range(25)]
    under_way = [asyncio.ensure_future(economy.till.submit(order)) for order in orders]
    for _ in range(3):
        await asyncio.sleep(0.01)
        await asyncio.to_thread(admin.execute, killing, [name])
    outcomes = await asyncio.gather(*under_way, return_exceptions=True)
    assert {type(one) for one in outcomes} <= {Done, Unavailable}
    assert all(isinstance(one, Done) for one in await economy.till.submit_all(orders))
    assert [await economy.balance(payer) for payer in payers] == [73, 75, 75, 75]
    await clean(economy.db)


async def test_without_a_database_the_caller_is_told_to_come_again(economy, postgres, booted):
    payer = await economy.account("payer", credits=5)
    till = GroupCommit(economy.db, buckets=economy.buckets, patience_seconds=1)
    await till.rates()
    order = economy.order(payer, amount=1)
    with away(postgres, psycopg.conninfo.conninfo_to_dict(booted.app_conninfo)["dbname"]):
        with pytest.raises(Unavailable) as refused:
            await till.submit(order)
        assert refused.value.headers["Retry-After"] == "1"
    async with asyncio.timeout(10):
        while True:
            with suppress(Unavailable):
                done = await till.submit(order)
                break
    assert (done.replayed, done.receipt.balance) == (False, 4)
    await till.close()


@contextmanager
def away(postgres, name):
    """Nobody gets a connection to that database, and those there were are gone."""
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as outside:
        outside.execute(f"alter database {name} with allow_connections false")
        outside.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        try:
            yield
        finally:
            outside.execute(f"alter database {name} with allow_connections true")


async def test_a_wallet_that_cannot_be_settled_is_not_waited_for(economy, admin, monkeypatch):
    payer, other = await economy.account("payer", credits=5), await economy.account("other", credits=5)
    admin.execute("update ledger.account set due_at = clock_timestamp() where owner_id = %s", [payer.id])

    async def settle_nothing(*_):
        pass

    monkeypatch.setattr(group_commit, "settle_account", settle_nothing)
    async with asyncio.timeout(5):
        outcomes = await economy.till.submit_all([economy.order(one, amount=1) for one in (payer, other)])
    assert [type(one) for one in outcomes] == [Unavailable, Done]
    assert outcomes[0].headers["Retry-After"] == "1"
