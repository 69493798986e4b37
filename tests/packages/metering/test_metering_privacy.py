"""Taking a person out of the records, whatever buckets they and the organizations are in."""

import psycopg
import pytest

from economy import clean, party, tenant
from tokenhouse.domain import access, metering
from tokenhouse.infra.database import PLATFORM, sqlstate
from tokenhouse.infra.kernel.errors import Conflict, NotFound


async def erase(economy, account):
    async with economy.db.transaction(PLATFORM) as tx:
        return await metering.erase(tx, account.id)


async def receipts(economy, account):
    async with economy.db.read(tenant(account)) as tx:
        rows = await metering.receipts_of(tx, party(account))
    return [(row.user_id, row.metadata, row.amount) for row in rows]


async def test_the_person_goes_and_the_sums_stay(economy):
    ann, bob = await economy.account("ann", plan="small"), await economy.account("bob", plan="small")
    firms = [await economy.account(f"firm-{n}", "organization", plan="small") for n in range(5)]
    await economy.model("hers", ann)
    for payer in (ann, bob, *firms):
        await economy.grant(payer, 50, note="ann wanted it")
        await economy.charge(payer, amount=3, user_label="ann", metadata='{"who": "ann"}')
        await economy.charge(payer, amount=2, user_label="bob", metadata='{"who": "bob"}')
    earned = await economy.charge(bob, model_id="hers", amount=10)
    before, owed = [await economy.balance(one) for one in (ann, bob, *firms)], await economy.earned(ann)
    assert owed > 0
    opaque = await erase(economy, ann)
    assert [await economy.balance(one) for one in (ann, bob, *firms)] == before
    assert await economy.earned(ann) == owed
    assert await receipts(economy, ann) == [(opaque, None, 2), (opaque, None, 3)]
    for firm in firms:
        assert await receipts(economy, firm) == [("bob", {"who": "bob"}, 2), (opaque, None, 3)]
    assert [grant.note for grant in await economy.grants(ann) if grant.source != "allowance"] == [None]
    assert [grant.note for grant in await economy.grants(bob) if grant.source != "allowance"] == ["ann wanted it"]
    await economy.reverse(bob, earned.id, 4)
    await clean(economy.db)


async def test_what_is_kept_of_a_person(economy):
    ann = await economy.account("ann", plan="small")
    for number in range(3):
        await economy.grant(ann, 5, note=str(number))
    await economy.charge(ann, amount=3)
    async with economy.db.read(PLATFORM) as tx:
        kept = await metering.kept_of(tx, economy.terms, ann, 14)
    assert [grant.note for grant in kept.grants if grant.source != "allowance"] == ["2", "1", "0"]
    assert (kept.charges.count, kept.memberships, kept.models, kept.earnings.accrued) == (1, {}, [], 0)
    assert kept.charges.first_at == kept.charges.last_at is not None


async def test_who_is_not_erased(economy):
    ann = await economy.account("ann", plan="small")
    with pytest.raises(NotFound):
        async with economy.db.transaction(PLATFORM) as tx:
            await metering.erase(tx, 10**9)
    with pytest.raises(psycopg.Error) as refused:
        async with economy.db.transaction(tenant(ann)) as tx:
            await metering.erase(tx, ann.id)
    assert sqlstate(refused.value) == "TH403"
    firm, bob = await economy.account("firm", "organization"), await economy.account("bob", plan="small")
    async with economy.db.transaction(PLATFORM) as tx:
        await access.set_member(tx, firm, ann, "owner")
        await access.set_member(tx, firm, bob, "admin")
    with pytest.raises(Conflict) as held:
        await erase(economy, ann)
    assert held.value.code == "last_owner"
    await erase(economy, bob)
    await erase(economy, ann)


async def test_every_earner_knows_a_payer_by_another_name(economy):
    """The same each time, another for each of them, and another for each payer: no two can be put together."""
    earners = [await economy.account(name) for name in ("ann", "bob")]
    payers = [await economy.account(name, plan="small") for name in ("eve", "kim")]
    for earner in earners:
        await economy.model(f"of-{earner.external_id}", earner)
    for _ in range(2):
        for payer in payers:
            for earner in earners:
                await economy.charge(payer, model_id=f"of-{earner.external_id}", amount=2)
    names = []
    for earner in earners:
        async with economy.db.read(tenant(earner)) as tx:
            uses = await tx.connection.execute("select user_id from metering.uses_earned()")
            accrued = await tx.connection.execute("select user_id from metering.accruals_of(%s, null, 10)", [earner.id])
            known = [name for (name,) in await uses.fetchall()]
            assert sorted(known) == sorted([name for (name,) in await accrued.fetchall()])
        assert sorted(known.count(name) for name in set(known)) == [2, 2]
        names += set(known)
    assert len(set(names)) == 4
    assert not {"eve", "kim", *(str(one.id) for one in payers)} & set(names)
