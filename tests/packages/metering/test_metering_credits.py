"""A charge that named no model, credited afterwards: once, to one model, and no more than it paid."""

import asyncio
from uuid import UUID, uuid4

import pytest

from economy import FLAT_RATE, clean, party
from tokenhouse.domain import metering
from tokenhouse.infra.kernel.errors import Conflict, NotFound


async def credit(economy, payer, charge, model_id="m", count=1000, usage_type="chat"):
    return await metering.credit_charge(
        economy.db,
        economy.till,
        party(payer),
        UUID(charge),
        model_id=model_id,
        credit_count=count,
        usage_type=usage_type,
    )


async def test_a_charge_is_credited_once(economy):
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    model = await economy.model("m", owner)
    done = await economy.charge(payer, amount=40)
    first = await credit(economy, payer, done.id, count=25)
    assert (first.kind, first.replayed, first.receipt.amount) == ("report", False, 0)
    assert [share.nanos for share in first.receipt.earnings] == [25 * FLAT_RATE]
    again = await credit(economy, payer, done.id, count=25)
    assert (again.replayed, again.receipt) == (True, first.receipt)
    for other in ({"count": 24}, {"usage_type": "other"}):
        with pytest.raises(Conflict) as refused:
            await credit(economy, payer, done.id, **other)
        assert refused.value.code == "already_credited"
    assert (await economy.standing(model), await economy.balance(payer)) == ((1, 25, 25 * FLAT_RATE), 60)
    await clean(economy.db)


async def test_no_more_than_it_paid(economy):
    """What was given back, and what came from grants whose use does not earn, was not paid."""
    owner, payer = await economy.account("owner"), await economy.account("payer", "organization")
    await economy.model("m", owner)
    await economy.model("paid", owner, earnings_policy="paid")
    await economy.grant(payer, 10, source="gift", priority=1)
    await economy.grant(payer, 90)
    charges = [await economy.charge(payer, amount=20) for _ in range(3)]
    await economy.reverse(payer, charges[1].id, 15)
    nanos = []
    for charge, model_id in zip(charges, ("paid", "m", "m"), strict=True):
        done = await credit(economy, payer, charge.id, model_id)
        nanos.append(sum(share.nanos for share in done.receipt.earnings))
    assert nanos == [10 * FLAT_RATE, 5 * FLAT_RATE, 20 * FLAT_RATE]
    whole = await economy.charge(payer, amount=5)
    await economy.reverse(payer, whole.id)
    assert (await credit(economy, payer, whole.id)).receipt.earnings_reason == "unpaid_source"
    assert await economy.earned(owner) == 35 * FLAT_RATE
    await clean(economy.db)


async def test_what_is_not_credited(economy):
    owner, payer = await economy.account("owner", credits=50), await economy.account("payer", credits=100)
    await economy.model("m", owner)
    await economy.model("nobodys")
    named = await economy.charge(payer, amount=5, model_id="m")
    with pytest.raises(Conflict) as refused:
        await credit(economy, payer, named.id)
    assert refused.value.code == "already_credited"
    report = await economy.charge(payer, "report", amount=5, model_id="m")
    plain, own = await economy.charge(payer, amount=5), await economy.charge(owner, amount=5)
    for who, charge in ((owner, plain.id), (payer, own.id), (payer, report.id), (payer, str(uuid4()))):
        with pytest.raises(NotFound):
            await credit(economy, who, charge)
    assert await credit(economy, payer, plain.id, "nowhere") is None
    assert (await credit(economy, owner, own.id)).receipt.earnings_reason == "self_use"
    assert (await credit(economy, payer, plain.id, "nobodys")).receipt.earnings_reason == "no_owner"
    assert await economy.earned(owner) == 10 * FLAT_RATE
    await clean(economy.db)


async def test_twins_credit_once(economy):
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    await economy.model("m", owner)
    done = await economy.charge(payer, amount=40)
    outcomes = await asyncio.gather(*(credit(economy, payer, done.id, count=7) for _ in range(10)))
    assert sorted(one.replayed for one in outcomes) == [False] + [True] * 9
    assert await economy.earned(owner) == 7 * FLAT_RATE
    await clean(economy.db)


async def test_what_was_credited_afterwards_stays_when_the_charge_is_reversed(economy):
    """A written rule: only platform keys and admins reverse, and what is still left of the charge can be credited."""
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    model = await economy.model("m", owner)
    done = await economy.charge(payer, amount=40)
    await credit(economy, payer, done.id)
    answer = await economy.reverse(payer, done.id)
    assert (answer["amount"], answer["earnings_taken_back_nano_usd"]) == (40, 0)
    assert await economy.earned(owner) == 40 * FLAT_RATE
    assert await economy.standing(model) == (1, 40, 40 * FLAT_RATE)
    await clean(economy.db)
