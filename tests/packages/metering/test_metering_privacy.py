"""Taking a person out of the records, whatever buckets they and the organizations are in."""

import psycopg
import pytest

from economy import FLAT_RATE, clean, party, tenant
from rows_payouts import SEALER
from tokenhouse.domain import access, metering, payouts
from tokenhouse.infra.database import PLATFORM, sqlstate
from tokenhouse.infra.kernel.errors import Conflict, NotFound
from withdrawing import act, earner, request, sums


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


async def test_where_the_money_went_is_forgotten_and_that_it_went_stays(economy):
    ann = await earner(economy, "ann", 100 * FLAT_RATE)
    sent, open_ = [await request(economy, ann, 10 * FLAT_RATE) for _ in range(2)]
    await act(economy, ann, sent["id"], "complete", reference="to Ann's account", reason="Ann asked")
    async with economy.db.transaction(PLATFORM) as tx:
        await payouts.set_method(tx, SEALER, ann.id, "manual", {"iban": "DE02120300000000202051"})
        await payouts.set_schedule(tx, ann.id, "UTC", payouts.NewSchedule("week", 1))
    async with economy.db.read(PLATFORM) as tx:
        kept = await metering.kept_of(tx, economy.terms, ann, 0)
    assert (kept.paid_by.hint, kept.schedule.every, kept.earnings.paid) == ("•••• 2051", "week", 10 * FLAT_RATE)
    before = await sums(economy, ann)
    await erase(economy, ann)
    assert await economy.rows("select 1 from payouts.method union all select 2 from payouts.schedule") == []
    words = await economy.rows(
        "select reference, reason from payouts.payout union select reason, null from payouts.event"
    )
    assert words == [(None, None)]
    answers = await economy.rows("select answer::text from ledger.entry where kind ^@ 'payout'")
    assert not any("Ann" in (answer or "") for (answer,) in answers)
    assert await sums(economy, ann) == before
    # What is on its way is still seen to.
    await act(economy, ann, open_["id"], "fail")
    assert (await sums(economy, ann)).payable == 90 * FLAT_RATE
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
    for one in earners:
        await economy.model(f"of-{one.external_id}", one)
    for _ in range(2):
        for payer in payers:
            for one in earners:
                await economy.charge(payer, model_id=f"of-{one.external_id}", amount=2)
    names = []
    for one in earners:
        async with economy.db.read(tenant(one)) as tx:
            uses = await tx.connection.execute("select user_id from metering.uses_earned()")
            accrued = await tx.connection.execute("select user_id from metering.accruals_of(%s, null, 10)", [one.id])
            known = [name for (name,) in await uses.fetchall()]
            assert sorted(known) == sorted([name for (name,) in await accrued.fetchall()])
        assert sorted(known.count(name) for name in set(known)) == [2, 2]
        names += set(known)
    assert len(set(names)) == 4
    assert not {"eve", "kim", *(str(one.id) for one in payers)} & set(names)
