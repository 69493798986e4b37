"""Reported uses: recorded and credited, deducted nowhere."""

import pytest

from economy import FLAT_RATE, clean, party, tenant
from tokenhouse.domain import metering
from tokenhouse.domain.metering.types import Share
from tokenhouse.infra.kernel.errors import Conflict, NotFound


async def test_a_report_credits_and_deducts_nothing(economy):
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    model = await economy.model("m", owner)
    done = await economy.charge(
        payer, "report", model_id="m", amount=500, usage_type="image_generation", metadata='{"imageCount": 2}'
    )
    receipt = done.receipt
    assert (done.kind, receipt.amount, receipt.grants, receipt.usage_type) == ("report", 0, (), "image_generation")
    assert receipt.earnings == (Share("owner", "m", 500 * FLAT_RATE),)
    assert (await economy.earned(owner), await economy.standing(model)) == (500 * FLAT_RATE, (1, 500, 500 * FLAT_RATE))
    view = await economy.wallet(payer)
    assert (view.balance, view.used, view.last_used_at) == (100, 0, None)
    async with economy.db.read(tenant(payer)) as tx:
        assert await metering.receipts_of(tx, party(payer)) == []
    await clean(economy.db)


async def test_a_report_needs_no_credits(economy):
    owner, poor = await economy.account("owner"), await economy.account("poor", "organization")
    await economy.model("m", owner, credit_cost=7)
    assert (await economy.charge(poor, "report", model_id="m")).receipt.earnings[0].nanos == 7 * FLAT_RATE
    done = await economy.charge(poor, "report", model_id="m", amount=10**15)
    assert (done.receipt.earnings, done.receipt.earnings_reason) == ((), "overflow")
    await clean(economy.db)


async def test_a_report_earns_whatever_earns_by_charges(economy):
    """Policy `paid` asks where credits came from; a report says that they were paid elsewhere."""
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=5)
    await economy.model("m", owner, earnings_policy="paid")
    assert (await economy.charge(payer, "report", model_id="m", amount=3)).receipt.earnings[0].nanos == 3 * FLAT_RATE


async def test_why_a_report_credits_nobody(economy):
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=5)
    model = await economy.model("m", owner)
    await economy.model("nobodys")
    await economy.model("off", owner, monetized=False)
    reasons = [
        (await economy.charge(who, "report", model_id=name, amount=3, lenient=True)).receipt.earnings_reason
        for who, name in ((owner, "m"), (payer, "nobodys"), (payer, "off"), (payer, "nowhere"))
    ]
    assert reasons == ["self_use", "no_owner", "not_monetized", "no_model"]
    assert await economy.standing(model) == (0, 0, 0)
    with pytest.raises(NotFound):
        await economy.charge(payer, "report", model_id="nowhere", amount=3)
    await economy.change_model("m", active=False)
    with pytest.raises(Conflict):
        await economy.charge(payer, "report", model_id="m", amount=3)
    await clean(economy.db)
