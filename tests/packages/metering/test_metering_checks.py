"""Check: what a charge would cost, whether it could be paid; it changes nothing."""

import asyncio
from datetime import timedelta

import pytest

from economy import pass_time
from tokenhouse.domain.metering import Verdict
from tokenhouse.infra.kernel.errors import Conflict, NotFound, UnknownReference, ValidationFailed

TABLES = (
    "ledger.account", "ledger.entry", "ledger.transfer", "ledger.hold", "wallets.lot", "wallets.enrolment",
    "earnings.standing", "earnings.model_earner", "metering.usage", "metering.reversal", "market.model",
)  # fmt: skip


def everything(admin):
    """All rows that move value; earners' accounts that hold nothing are no value."""
    return {
        name: admin.execute(
            f"select * from {name} t where to_jsonb(t) ->> 'role' is distinct from 'earnings' or "
            "(to_jsonb(t) ->> 'balance')::bigint > 0 order by 1, 2, 3"
        ).fetchall()
        for name in TABLES
    }


async def test_a_check_says_what_a_charge_would_do_and_does_nothing(economy, admin):
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    await economy.model("m", owner, credit_cost=40)
    await economy.character("hero", "m")
    await economy.hold(payer, amount=30)
    before = everything(admin)
    for order, verdict in (
        ({"amount": 70}, Verdict(allowed=True, required=70, available=70)),
        ({"amount": 71}, Verdict(allowed=False, required=71, available=70)),
        ({"model_id": "m"}, Verdict(allowed=True, required=40, available=70)),
        ({"character_id": "hero", "quantity": 2}, Verdict(allowed=False, required=80, available=70)),
        ({"operation": "chat"}, Verdict(allowed=True, required=1, available=70)),
        ({"operation": "generate_lead"}, Verdict(allowed=False, required=5, available=0)),
        ({"operation": "avatar_upload"}, Verdict(allowed=True, required=0, available=70)),
        ({"amount": 10**15}, Verdict(allowed=False, required=10**15, available=70)),
        ({"fallback": 9}, Verdict(allowed=True, required=9, available=70)),
    ):
        assert await economy.check(payer, **order) == verdict, order
    assert everything(admin) == before


async def test_a_check_refuses_what_a_charge_refuses(economy):
    payer = await economy.account("payer", credits=100)
    await economy.model("off", active=False)
    for order, error in (
        ({}, ValidationFailed),
        ({"operation": "nonsense"}, UnknownReference),
        ({"operation": "unpriced"}, ValidationFailed),
        ({"model_id": "nowhere", "amount": 1}, NotFound),
        ({"model_id": "off", "amount": 1}, Conflict),
    ):
        with pytest.raises(error):
            await economy.check(payer, **order)
    assert (await economy.check(payer, model_id="off", amount=1, lenient=True)).allowed


async def test_a_check_sees_what_time_has_done(economy, admin):
    payer = await economy.account("payer", plan="small")
    await economy.charge(payer, amount=99)
    await economy.hold(payer, amount=1, ttl_seconds=60)
    assert (await economy.check(payer, amount=1)).available == 0
    pass_time(admin, timedelta(minutes=2))
    assert (await economy.check(payer, amount=1)).available == 1
    pass_time(admin, timedelta(days=31))
    assert (await economy.check(payer, amount=100)) == Verdict(allowed=True, required=100, available=100)


async def test_many_checks_at_once(economy):
    payers = [await economy.account(f"p{place}", credits=place + 1) for place in range(20)]
    for place in range(5):
        await economy.model(f"m{place}", credit_cost=place)
    verdicts = await asyncio.gather(
        *(economy.check(payer, model_id=f"m{place}") for payer in payers for place in range(5))
    )
    assert verdicts == [Verdict(place <= has, place, has) for has in range(1, 21) for place in range(5)]


async def test_who_is_not_there_has_nothing(economy):
    poor = await economy.account("poor", "organization")
    assert await economy.check(poor, amount=1) == Verdict(allowed=False, required=1, available=0)
