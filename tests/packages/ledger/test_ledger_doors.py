"""The ledger's functions are the last line: whatever a caller got wrong, no floor breaks and nothing is half done."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from economy import TELLER, clean, party, teller, tenant
from tokenhouse.domain import ledger, wallets
from tokenhouse.domain.ledger import chart
from tokenhouse.domain.ledger.types import EntryRow, HoldEnd, LegRow, Posting
from tokenhouse.infra.database import sqlstate

NOW = datetime.now(UTC)
GENERAL = 1


async def post(economy, account, change=(0, 0, 0), legs=(), entry=None, ended=()):
    """Post to an account's wallet of type general as its teller."""
    posting = Posting(account.bucket)
    posting.wallet(account.id, GENERAL, *change)
    posting.legs.extend(legs)
    posting.ended.extend(ended)
    if entry:
        posting.entries.append(entry)
    async with economy.db.transaction(teller(account)) as tx:
        await ledger.post(tx, posting, NOW)


def entry_of(account, key="k"):
    return EntryRow(account.id, key, str(uuid4()), "grant", "00", None)


def leg(account, amount=1, debit=None, credit=99, entry=None):
    debit = chart.issuance(GENERAL) if debit is None else debit
    return LegRow(entry or str(uuid4()), 0, "grant", GENERAL, debit, credit, amount, account.id, None)


async def snapshot(economy):
    return [
        await economy.rows(f"select * from {table} order by 1, 2, 3")
        for table in ("ledger.account", "ledger.entry", "ledger.transfer", "ledger.hold", "wallets.lot")
    ]


@pytest.mark.parametrize(
    ("what", "state"),
    [
        ({"change": (-101, 0, 0)}, "23514"),  # below zero
        ({"change": (0, 101, 0)}, "23514"),  # more held than there is
        ({"change": (0, -11, 0)}, "23514"),  # less than nothing held
        ({"change": (-91, 0, 0)}, "23514"),  # what is held is spent
        ({"change": (2**63 - 1, 0, 0)}, "22003"),
        ({"legs": {"amount": 0}}, "23514"),
        ({"legs": {"amount": -1}}, "23514"),
        ({"legs": {"debit": 99}}, "23514"),  # to itself
        ({"entry": "used"}, "23505"),
    ],
)
async def test_floors(economy, what, state):
    account = await economy.account("a", "organization")
    await economy.grant(account, 100, key="used")
    await economy.hold(account, amount=10)
    before = await snapshot(economy)
    change = what.get("change", (1, 0, 0))
    legs = [leg(account, **what["legs"])] if "legs" in what else [leg(account)]
    with pytest.raises(psycopg.Error) as refused:
        await post(economy, account, change, legs, entry_of(account, what.get("entry", "new")))
    assert sqlstate(refused.value) == state
    assert await snapshot(economy) == before
    await clean(economy.db)


async def test_a_wallet_that_is_not_there(economy):
    account = await economy.account("a", "organization")
    with pytest.raises(psycopg.Error) as refused:
        await post(economy, account, (1, 0, 0), [leg(account)], entry_of(account))
    assert sqlstate(refused.value) == "TH409"
    assert await economy.rows("select count(*) from ledger.entry") == [(0,)]


async def test_accounts_are_opened_once(economy):
    account = await economy.account("a", "organization")

    async def open_all():
        async with economy.db.transaction(teller(account)) as tx:
            await ledger.open_accounts(
                tx, account.bucket, [(account.id, 2), (account.id, 1), (account.id, 1)], "wallet"
            )

    await asyncio.gather(*(open_all() for _ in range(10)))
    query = "select asset_id, balance, held, spent from ledger.account where owner_id = %s order by 1"
    assert await economy.rows(query, account.id) == [(1, 0, 0, 0), (2, 0, 0, 0)]


async def test_a_hold_that_has_ended_does_not_end(economy):
    account, other = await economy.account("a", credits=100), await economy.account("b", credits=100)
    hold, ended, others = [await economy.hold(one, amount=10) for one in (account, account, other)]
    await economy.void(account, ended)
    for which in (ended.id, others.id, str(uuid4())):
        with pytest.raises(psycopg.Error) as refused:
            await post(economy, account, ended=[HoldEnd(hold.id, "expired", None), HoldEnd(which, "expired", None)])
        assert sqlstate(refused.value) == "TH409"
        assert await economy.hold_state(hold) == "live"
    for state, captured in (("captured", None), ("captured", 11), ("captured", -1), ("voided", 1), ("lost", None)):
        with pytest.raises(psycopg.Error) as refused:
            await post(economy, account, (0, -10, 0), ended=[HoldEnd(hold.id, state, captured)])
        assert sqlstate(refused.value) == "23514"
    assert await economy.hold_state(others) == "live"
    await clean(economy.db)


@pytest.mark.parametrize(("remaining", "lapsed", "state"), [(-101, 0, "23514"), (1, 0, "23514"), (0, -1, "23514")])
async def test_grants_stay_within_their_amount(economy, remaining, lapsed, state):
    account = await economy.account("a", credits=100)
    (grant,) = await economy.grants(account)
    lists = ", ".join(["%s::bigint[]"] * 3)
    statement = f"select wallets.move_lots(%s::smallint, %s::bigint[], '{{1}}'::smallint[], {lists})"
    for lot, expected in ((grant.id, state), (grant.id + 1000, "TH409")):
        with pytest.raises(psycopg.Error) as refused:
            async with economy.db.transaction(teller(account)) as tx:
                await tx.connection.execute(statement, [account.bucket, [account.id], [lot], [remaining], [lapsed]])
        assert sqlstate(refused.value) == expected
    await clean(economy.db)


async def test_locks_are_taken_in_one_order(economy):
    """However the wallets are named: those who lock many wait for each other, and never in a ring."""
    accounts = [await economy.account(f"a{place}", credits=10) for place in range(12)]
    accounts = [account for account in accounts if account.bucket == accounts[0].bucket]
    turn = asyncio.Semaphore(8)

    async def lock(step):
        async with turn, economy.db.transaction(TELLER) as tx:
            keys = [(account.id, asset) for account in accounts for asset in (2, 1)]
            found = await ledger.lock_wallets(tx, accounts[0].bucket, keys[step:] + keys[:step])
            await asyncio.sleep(0.005)
            return found[0]

    found = await asyncio.gather(*(lock(step) for step in range(24)))
    assert all(owners == sorted(account.id for account in accounts) for owners in found)


async def test_when_time_next_has_something_to_do(economy):
    """The soonest of a renewal, a grant's expiry and a hold's end; brought forward, never put off."""
    account = await economy.account("a", plan="none")

    async def due():
        query = "select due_at from ledger.account where owner_id = %s and role = 'wallet' and asset_id = 1"
        return (await economy.rows(query, account.id))[0][0]

    await economy.grant(account, 100)
    renewal = (await economy.wallet(account)).refreshes_at
    assert await due() == renewal
    expires = NOW + timedelta(days=3)
    await economy.grant(account, 10, source="gift", expires_at=expires)
    assert await due() == expires
    await economy.grant(account, 10, source="gift", expires_at=expires + timedelta(days=2))
    assert await due() == expires
    async with economy.db.read(tenant(account)) as tx:
        enrolment = await wallets.enrolment_of(tx, party(account))
    assert enrolment.renews_at == renewal
    statement = "select ledger.bring_forward(%s::smallint, %s::bigint, 1::smallint, %s)"
    for at, wanted in (
        (expires + timedelta(days=1), expires),
        (expires - timedelta(days=1), expires - timedelta(days=1)),
    ):
        async with economy.db.transaction(teller(account)) as tx:
            await tx.connection.execute(statement, [account.bucket, account.id, at])
        assert await due() == wanted


async def test_lookups(economy):
    account = await economy.account("a", credits=10)
    await economy.charge(account, key="k", amount=1)
    async with economy.db.read(tenant(account)) as tx:
        assert [asset.code for asset in await ledger.assets(tx)][:2] == ["USD", "general"]
        found = await ledger.entry_of(tx, account.bucket, account.id, "k")
        assert (found.kind, found.key, found.answer) == ("charge", "k", None)
        assert await ledger.entry_of(tx, account.bucket, account.id, "K") is None
        assert await ledger.hold_of(tx, uuid4()) is None
