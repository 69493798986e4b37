"""Grants: what a balance is made of, in which order it burns, when it lapses."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from economy import TELLER, clean, pass_time
from tokenhouse.domain import metering, wallets
from tokenhouse.infra.kernel.errors import (
    Conflict,
    IdempotencyMismatch,
    InsufficientTokens,
    UnknownReference,
    ValidationFailed,
)

NOW = datetime.now(UTC)
SOURCES = ("top_up", "gift", "refund", "bonus", "promotion", "adjustment")


def later(**span):
    return NOW + timedelta(**span)


async def test_a_grant_is_there_at_once(economy):
    account = await economy.account("a", "organization")
    expires = later(days=3)
    answer = await economy.grant(
        account, 70, "forecast", "gift", priority=7, expires_at=expires, note="well done", key="k"
    )
    (grant,) = await economy.grants(account)
    assert (grant.credit_type, grant.source, grant.amount, grant.remaining) == ("forecast", "gift", 70, 70)
    assert (grant.priority, grant.expires_at, grant.note) == (7, expires, "well done")
    wanted = {
        "id": str(grant.id), "account_id": "a", "credit_type": "forecast", "amount": 70, "source": "gift",
        "priority": 7, "note": "well done", "balance": 70, "replayed": False,
    }  # fmt: skip
    assert wanted.items() <= answer.items()
    assert datetime.fromisoformat(str(answer["expires_at"])) == expires
    again = await economy.grant(
        account, 70, "forecast", "gift", priority=7, expires_at=expires, note="well done", key="k"
    )
    assert again == answer | {"replayed": True}
    with pytest.raises(IdempotencyMismatch):
        await economy.grant(account, 71, "forecast", "gift", key="k")
    view = await economy.wallet(account, "forecast")
    assert (view.balance, view.used, view.allocated) == (70, 0, 70)
    await clean(economy.db)


@pytest.mark.parametrize("source", SOURCES)
async def test_of_every_source(economy, source):
    account = await economy.account("a", "organization")
    await economy.grant(account, 5, source=source)
    assert await economy.left(account) == [(source, 5)]


async def test_what_is_no_grant(economy):
    account = await economy.account("a", "organization")
    for given, error in (
        ({"credit_type": "gold"}, UnknownReference),
        ({"expires_at": later(days=-1)}, ValidationFailed),
        ({"expires_at": later(seconds=-1)}, ValidationFailed),
    ):
        with pytest.raises(error):
            await economy.grant(account, 5, **given)
    assert await economy.grants(account) == []
    assert await economy.rows("select count(*) from ledger.entry") == [(0,)]


async def test_a_balance_stays_within_64_bits(economy):
    account = await economy.account("a", "organization")
    for _ in range(2):
        await economy.grant(account, 2**62 - 1)
    await economy.grant(account, 1)
    with pytest.raises(Conflict) as refused:
        await economy.grant(account, 1)
    assert refused.value.code == "balance_limit"
    assert await economy.balance(account) == 2**63 - 1
    await clean(economy.db)


async def test_burn_order(economy):
    """Soonest expiry, then lower priority number, then oldest; those without an expiry come last."""
    account = await economy.account("a", "organization")
    grants = [  # in the order in which they are given → the place at which they burn
        (5, {"priority": 100}),
        (2, {"expires_at": later(days=2), "priority": 100}),
        (7, {"priority": 200}),
        (4, {"priority": 1}),
        (1, {"expires_at": later(days=1), "priority": 900}),
        (3, {"expires_at": later(days=2), "priority": 100}),
        (6, {"priority": 100}),
        (0, {"expires_at": later(days=1), "priority": 2}),
    ]
    ids = {}
    for place, given in grants:
        ids[(await economy.grant(account, 10, **given))["id"]] = place
    burned = []
    for amount in (3, 7, 25, 5, 40):
        receipt = (await economy.charge(account, amount=amount)).receipt
        burned += [(ids[str(one.grant_id)], one.amount) for one in receipt.grants]
        assert sum(one.amount for one in receipt.grants) == amount
    assert burned == [(0, 3), (0, 7), (1, 10), (2, 10), (3, 5), (3, 5), (4, 10), (5, 10), (6, 10), (7, 10)]
    assert await economy.grants(account) == []
    await clean(economy.db)


async def test_an_allowance_burns_before_what_was_bought(economy):
    account = await economy.account("a", plan="small")
    await economy.grant(account, 50)
    await economy.charge(account, amount=120)
    assert [one for one in await economy.left(account) if one[0] != "allowance"] == [("top_up", 30)]


async def test_expired_grants_lapse_and_the_others_stay(economy, admin):
    account = await economy.account("a", plan="none")
    for hours, source in ((1, "gift"), (3, "bonus"), (None, "top_up")):
        expires = hours and later(hours=hours)
        await economy.grant(account, 10, source=source, expires_at=expires)
    await economy.charge(account, amount=4)
    pass_time(admin, timedelta(hours=2))
    assert (await economy.check(account, amount=1)).available == 20
    assert await economy.left(account) == [("bonus", 10), ("top_up", 10)]
    assert await economy.lapsed(account) == 6
    with pytest.raises(InsufficientTokens):
        await economy.charge(account, amount=21)
    pass_time(admin, timedelta(hours=2))
    assert (await economy.charge(account, amount=10)).receipt.balance == 0
    assert await economy.lapsed(account) == 16
    view = await economy.wallet(account)
    assert (view.balance, view.used) == (0, 14)
    await clean(economy.db)


async def test_a_grant_to_a_wallet_that_is_due_settles_it_first(economy, admin):
    account = await economy.account("a", plan="small")
    await economy.charge(account, amount=99)
    pass_time(admin, timedelta(days=32))
    answer = await economy.grant(account, 5)
    assert answer["balance"] == 105
    assert (await economy.wallet(account)).used == 0
    await clean(economy.db)


async def test_a_hold_keeps_what_expires(economy, admin):
    account = await economy.account("a", plan="none")
    await economy.grant(account, 50, source="gift", expires_at=later(hours=1))
    await economy.grant(account, 10)
    hold = await economy.hold(account, amount=45, ttl_seconds=7 * 86400)
    pass_time(admin, timedelta(hours=2))
    view = await economy.wallet(account)
    # 60 − 45 were free: of the 50 that are over 15 lapse, for the hold needs the rest.
    assert (view.balance, view.held, view.available) == (45, 45, 0)
    assert await economy.left(account) == [("gift", 35), ("top_up", 10)]
    receipt = (await economy.capture(account, hold, 40)).receipt
    assert receipt.balance == 5
    pass_time(admin, timedelta(minutes=2))
    assert (await economy.wallet(account)).balance == 5
    assert await economy.left(account) == [("top_up", 5)]
    await clean(economy.db)


async def test_what_a_hold_kept_lapses_when_it_is_given_back(economy, admin):
    account = await economy.account("a", plan="none")
    await economy.grant(account, 50, source="gift", expires_at=later(hours=1))
    hold = await economy.hold(account, amount=45, ttl_seconds=7 * 86400)
    pass_time(admin, timedelta(hours=2))
    assert (await economy.wallet(account)).balance == 45
    await economy.void(account, hold)
    pass_time(admin, timedelta(minutes=2))
    assert (await economy.check(account, amount=1)).available == 0
    assert await economy.lapsed(account) == 50
    await clean(economy.db)


async def test_the_sweep_finds_who_is_due(economy, admin):
    """In pages, each account once, whatever its wallets; not those for whom time has done nothing."""
    due = [await economy.account(f"due{place}", "organization") for place in range(7)]
    idle = await economy.account("idle", credits=10)
    for account in due:
        await economy.grant(account, 10, source="gift", expires_at=later(hours=1))
        await economy.grant(account, 10, "forecast", "gift", expires_at=later(hours=1))
    assert await sweep(economy) == []
    pass_time(admin, timedelta(hours=2))
    assert sorted(await sweep(economy, most=3)) == sorted(account.external_id for account in due)
    assert await sweep(economy) == []
    assert await economy.balance(idle) == 10
    assert {await economy.lapsed(account) for account in due} == {20}
    await clean(economy.db)


async def sweep(economy, most=500):
    """Settle all who are due, as the job does."""
    found = []
    for bucket in range(economy.buckets):
        after = 0
        while True:
            async with economy.db.transaction(TELLER) as tx:
                parties = await wallets.due_accounts(tx, bucket, after=after, most=most)
            if not parties:
                break
            assert len(parties) <= most
            for one in parties:
                await metering.settle_account(economy.db, economy.terms, one)
            found += [one.external_id for one in parties]
            after = parties[-1].id
    return found


async def test_grants_that_race(economy):
    account = await economy.account("a", "organization")
    await asyncio.gather(*(economy.grant(account, 1) for _ in range(20)))
    await asyncio.gather(*(economy.grant(account, 1, "forecast") for _ in range(20)))
    assert (await economy.balance(account), await economy.balance(account, "forecast")) == (20, 20)
    await clean(economy.db)
