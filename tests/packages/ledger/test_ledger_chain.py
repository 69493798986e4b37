"""The chain: every record in exactly one block however late it came, and whatever is altered afterwards is named."""

import asyncio
import random
from dataclasses import replace

import pytest

from chain import BY, close, holds, note, proof
from economy import clean, party, teller
from tokenhouse.domain import access, ledger, metering, wallets
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.ledger.rules import block_digest
from tokenhouse.domain.ledger.types import Block, Command
from tokenhouse.domain.wallets.types import NewGrant
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import Unavailable

GRANT = NewGrant("general", 5, "gift", note="hello")


def covered(admin):
    """How many rows there are, and how many the blocks say that they cover."""
    rows = (
        "select (select count(*) from access.audit), (select count(*) from ledger.entry),"
        " (select count(*) from ledger.transfer)"
    )
    said = "select sum(audits)::int, sum(entries)::int, sum(transfers)::int from access.audit_block"
    return admin.execute(rows).fetchone(), admin.execute(said).fetchone()


async def test_blocks_cover_acts_entries_and_transfers_once(economy, admin):
    assert (await proof(economy)).blocks == 0
    ann = await economy.account("ann", credits=100)
    await note(economy, ann, before={"name": "Ann"}, after={"name": "Anna"})
    assert await close(economy) > 0
    assert await close(economy) == 0
    await economy.charge(ann, amount=7)
    await economy.hold(ann, amount=3)
    assert await close(economy) > 0
    await note(economy, ann)
    await close(economy)
    await holds(economy, 3)
    there, said = covered(admin)
    assert there == said
    query = "select first_audit, last_audit, audits from access.audit_block order by number"
    assert admin.execute(query).fetchall() == [
        (1, 1, 1), (None, None, 0), (2, 2, 1),
    ]  # fmt: skip


async def test_what_is_young_waits(economy):
    ann = await economy.account("ann", credits=100)
    assert await ledger.close_block(economy.db) == 0
    assert (await proof(economy)).waiting > 0
    await close(economy)
    await economy.charge(ann, amount=1)
    assert await ledger.close_block(economy.db) == 0
    await close(economy)
    await holds(economy, 2)


async def test_what_commits_late_is_in_the_next_block(economy, admin):
    people = [await economy.account(name, credits=10) for name in ("ann", "bob", "eve")]
    ann, bob, eve = people
    async with economy.db.transaction(teller(ann)) as slow:
        await wallets.grant(slow, economy.terms, Command(party(ann), "slow", "00" * 16), GRANT)
        await access.record(slow, BY, Act("grant.create", "grant", "1", ann.id, after={"amount": 5}))
        async with economy.db.transaction(teller(bob)) as lost:
            await wallets.grant(lost, economy.terms, Command(party(bob), "lost", "00" * 16), GRANT)
            await note(economy, eve)
            await economy.charge(eve, amount=1)
            assert await close(economy) > 0
            # Still open at the next one as well.
            await economy.charge(eve, amount=1)
            assert await close(economy) > 0
            await lost.connection.rollback()
            await lost.connection.execute("begin")
    assert await close(economy) == 3  # the act, the entry and its transfer, each once
    assert await close(economy) == 0
    late = admin.execute(
        "select cardinality(late_audits), cardinality(late_entries) from access.audit_block"
    ).fetchall()
    assert late == [(0, 0), (0, 0), (1, 1)]
    await holds(economy, 3)
    assert len(set(covered(admin))) == 1


async def test_what_came_late_and_waits_for_its_block_is_no_fault(economy):
    ann, bob = [await economy.account(name, credits=10) for name in ("ann", "bob")]
    async with economy.db.transaction(teller(ann)) as slow:
        await wallets.grant(slow, economy.terms, Command(party(ann), "slow", "00" * 16), GRANT)
        await access.record(slow, BY, Act("grant.create", "grant", "1", ann.id, after={"amount": 5}))
        await economy.charge(bob, amount=1)
        assert await close(economy) > 0
    found = await proof(economy)
    assert (found.fault, found.waiting) == (None, 2)
    assert await close(economy) == 3
    await holds(economy, 2)


async def test_what_is_erased_while_a_block_is_closed_is_not_taken_for_late(economy, admin):
    """Erasing writes anew what an app said of entries; those that moved nothing have no transfer to tell their time."""
    ann = await economy.account("ann", credits=10)
    await economy.hold(ann, amount=3)
    async with economy.db.transaction(PLATFORM) as erasing:
        await metering.erase(erasing, ann.id)
        assert await close(economy) > 0
    await close(economy)
    found = await proof(economy)
    assert (found.fault, found.waiting) == (None, 0)
    assert len(set(covered(admin))) == 1


async def test_concurrent_writers_skip_and_double_nothing(economy, admin):
    """Writers that keep what they wrote to themselves for a while, against blocks closed without any margin."""
    accounts = [await economy.account(f"u{n}", credits=1_000) for n in range(6)]
    chance = random.Random(7)
    ended = False

    async def write(number):
        account = accounts[number]
        for turn in range(12):
            if chance.random() < 0.4:
                await economy.charge(account, amount=1)
                continue
            async with economy.db.transaction(teller(account)) as tx:
                await wallets.grant(tx, economy.terms, Command(party(account), f"{turn}", "00" * 16), GRANT)
                if chance.random() < 0.5:
                    await access.record(tx, BY, Act("grant.create", "grant", f"{turn}", account.id))
                await asyncio.sleep(chance.random() * 0.05)

    async def close_often():
        while not ended:
            await close(economy)
            await asyncio.sleep(0.005)

    closing = [asyncio.create_task(close_often()) for _ in range(2)]
    await asyncio.gather(*(write(number) for number in range(6)))
    ended = True
    await asyncio.gather(*closing)
    await close(economy)
    (late,) = admin.execute("select sum(cardinality(late_entries)) from access.audit_block").fetchone()
    assert late > 5, "the writers were never late: the test shows nothing"
    found = await proof(economy)
    assert (found.fault, found.waiting) == (None, 0)
    assert len(set(covered(admin))) == 1
    await clean(economy.db)


async def test_a_clock_that_was_set_back(economy, admin):
    """What is then recorded lies before the end of the last block; it is taken by the next one all the same."""
    ann = await economy.account("ann", credits=10)
    await close(economy)
    block = await _last(economy)
    later = replace(block, until=block.until.replace(year=block.until.year + 1))
    admin.execute("update access.audit_block set until = %s, digest = %s", [later.until, block_digest(later)])
    await economy.charge(ann, amount=1)
    await note(economy, ann)
    assert await close(economy) == 3
    await economy.charge(ann, amount=1)
    assert await close(economy) == 2
    assert await close(economy) == 0
    found = await proof(economy)
    assert (found.blocks, found.fault) == (3, None)


async def _last(economy):
    async with economy.db.read(PLATFORM) as tx:
        (row,) = await (
            await tx.connection.execute("select * from access.audit_block order by number desc limit 1")
        ).fetchall()
    return Block(*row)


async def test_of_two_at_once_one_closes(economy):
    ann = await economy.account("ann", credits=10)
    await economy.charge(ann, amount=1)
    done = await asyncio.gather(*(close(economy) for _ in range(4)))
    assert sum(1 for one in done if one) == 1
    await holds(economy, 1)


async def test_a_closing_that_is_killed_leaves_nothing_behind(economy, admin):
    ann = await economy.account("ann", credits=10)
    await economy.charge(ann, amount=1)
    admin.execute("select pg_advisory_lock(hashtextextended('access.close_block', 0))")
    closing = asyncio.create_task(close(economy))
    killed = "select pg_terminate_backend(pid) from pg_stat_activity where wait_event = 'advisory' and datname = %s"
    for _ in range(500):
        if admin.execute(killed, [admin.info.dbname]).fetchall():
            break
        await asyncio.sleep(0.01)
    with pytest.raises(Unavailable):
        await closing
    admin.execute("select pg_advisory_unlock_all()")
    assert (await proof(economy)).blocks == 0
    assert await close(economy) > 0
    await holds(economy, 1)
