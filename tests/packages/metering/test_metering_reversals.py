"""Reversals: credits back to the grants they came from, earnings taken back, in parts as at once."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from economy import FLAT_RATE, clean, pass_time, tenant
from tokenhouse.domain import metering
from tokenhouse.domain.metering import Statement
from tokenhouse.domain.payouts.types import Terms
from tokenhouse.infra.kernel.errors import Conflict, NotFound
from withdrawing import act, ago, request, sums


async def funded(economy, name):
    """An account with three grants, which burn in the order gift (30), top_up (20), bonus (50)."""
    account = await economy.account(name, "organization")
    await economy.grant(account, 50, source="bonus", priority=200)
    await economy.grant(account, 20)
    await economy.grant(account, 30, source="gift", expires_at=datetime.now(UTC) + timedelta(days=3))
    return account


async def test_a_whole_charge(economy):
    owner, payer = await economy.account("owner"), await funded(economy, "payer")
    model = await economy.model("m", owner)
    before = await economy.left(payer)
    done = await economy.charge(payer, model_id="m", amount=70)
    assert await economy.left(payer) == [("bonus", 30)]
    answer = await economy.reverse(payer, done.id)
    nanos = 70 * FLAT_RATE
    wanted = {
        "charge_id": done.id, "account_id": "payer", "credit_type": "general", "amount": 70, "balance": 100,
        "left": 0, "earnings_taken_back_nano_usd": nanos, "earnings_taken_back_usd": "0.007",
        "earnings_lost_nano_usd": 0, "earnings_lost_usd": "0.00", "reason": "a test", "replayed": False,
    }  # fmt: skip
    assert wanted.items() <= answer.items()
    assert await economy.left(payer) == before
    assert (await economy.earned(owner), await economy.standing(model)) == (0, (0, 0, 0))
    assert await economy.rows("select uses, credits, nanos from earnings.model_earner") == [(0, 0, 0)]
    view = await economy.wallet(payer)
    assert (view.balance, view.used, view.allocated) == (100, 0, 100)
    async with economy.db.read(tenant(payer)) as tx:
        (row,) = (await metering.receipt_rows(tx, [done.id])).values()
    # The receipt says what it said, and what was given back of it.
    assert (row.reversed, metering.receipt_of(row)) == (70, done.receipt)
    await clean(economy.db)


async def test_what_burned_last_comes_back_first(economy):
    payer = await funded(economy, "payer")
    done = await economy.charge(payer, amount=70)  # 30 gift, 20 top_up, 20 bonus
    for amount, left in (
        (5, [("bonus", 35)]),
        (16, [("bonus", 50), ("top_up", 1)]),
        (30, [("bonus", 50), ("top_up", 20), ("gift", 11)]),
    ):
        await economy.reverse(payer, done.id, amount)
        assert await economy.left(payer) == left
    await clean(economy.db)


async def test_parts_are_as_much_as_the_whole(economy):
    """Two equal charges of three earners, one reversed at once and one in every part: the same is taken back."""
    owners = [await economy.account(f"o{place}") for place in range(2)]
    await economy.account("maker")
    models = [
        await economy.model(
            name, *owners, earnings_policy="odd", creator_id="maker", creator_share_bps=3333, ownership="shared"
        )
        for name in ("whole", "parts")
    ]
    payers = [await funded(economy, name) for name in ("a", "b")]
    whole, parts = [
        await economy.charge(payer, model_id=model.external_id, amount=67)
        for payer, model in zip(payers, models, strict=True)
    ]
    assert [share.nanos for share in whole.receipt.earnings] == [share.nanos for share in parts.receipt.earnings]
    answer = await economy.reverse(payers[0], whole.id)
    taken = lost = given = 0
    for amount in (1, 1, 2, 3, 5, 8, 13, 21, None):
        one = await economy.reverse(payers[1], parts.id, amount)
        given += one["amount"]
        taken += one["earnings_taken_back_nano_usd"]
        lost += one["earnings_lost_nano_usd"]
        assert one["left"] == 67 - given
    assert (given, taken, lost) == (67, answer["earnings_taken_back_nano_usd"], 0)
    assert await economy.left(payers[0]) == await economy.left(payers[1])
    assert [await economy.standing(model) for model in models] == [(0, 0, 0)] * 2
    assert [await economy.earned(owner) for owner in owners] == [0, 0]
    await clean(economy.db)


async def test_a_use_counts_until_all_of_it_is_back(economy):
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    model = await economy.model("m", owner)
    done = await economy.charge(payer, model_id="m", amount=10)
    await economy.reverse(payer, done.id, 4)
    assert await economy.standing(model) == (1, 6, 6 * FLAT_RATE)
    assert await economy.rows("select uses, credits, nanos from earnings.model_earner") == [(1, 6, 6 * FLAT_RATE)]
    await economy.reverse(payer, done.id, 6)
    assert await economy.standing(model) == (0, 0, 0)
    await clean(economy.db)


async def test_not_twice_and_not_more_than_there_is(economy):
    payer, other = await economy.account("payer", credits=100), await economy.account("other", credits=100)
    done = await economy.charge(payer, amount=10)
    with pytest.raises(Conflict) as refused:
        await economy.reverse(payer, done.id, 11, key="k")
    assert (refused.value.code, refused.value.extra) == ("exceeds_charge", {"left": 10})
    await economy.reverse(payer, done.id, 7, key="k")
    with pytest.raises(Conflict) as refused:
        await economy.reverse(payer, done.id, 4)
    assert (refused.value.code, refused.value.extra) == ("exceeds_charge", {"left": 3})
    assert (await economy.reverse(payer, done.id))["amount"] == 3
    for amount in (None, 1):
        with pytest.raises(Conflict) as refused:
            await economy.reverse(payer, done.id, amount)
        assert refused.value.code == "already_reversed"
    assert (await economy.reverse(payer, done.id, 7, key="k"))["replayed"]
    for party, charge in ((other, done.id), (payer, str(uuid4()))):
        with pytest.raises(NotFound):
            await economy.reverse(party, charge)
    assert await economy.balance(payer) == 100
    await clean(economy.db)


async def test_what_is_no_charge_is_not_reversed(economy):
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    await economy.model("m", owner)
    report = await economy.charge(payer, "report", model_id="m", amount=5)
    nothing = await economy.charge(payer, operation="avatar_upload")
    hold = await economy.hold(payer, amount=5)
    for charge in (report.id, hold.id):
        with pytest.raises(NotFound):
            await economy.reverse(payer, charge)
    with pytest.raises(Conflict):
        await economy.reverse(payer, nothing.id)
    assert await economy.earned(owner) == 5 * FLAT_RATE


async def test_captures_self_use_and_uses_that_earned_nothing(economy):
    owner, payer = await economy.account("owner", credits=50), await economy.account("payer", credits=100)
    model = await economy.model("m", owner)
    hold = await economy.hold(payer, model_id="m", amount=40)
    capture = await economy.capture(payer, hold, 30)
    own = await economy.charge(owner, model_id="m", amount=20)
    await economy.change_model("m", monetized=False)
    unpaid = await economy.charge(payer, model_id="m", amount=10)
    assert await economy.standing(model) == (2, 40, 30 * FLAT_RATE)
    assert (await economy.reverse(owner, own.id))["earnings_taken_back_nano_usd"] == 0
    assert (await economy.reverse(payer, unpaid.id, 4))["earnings_taken_back_nano_usd"] == 0
    assert await economy.standing(model) == (2, 36, 30 * FLAT_RATE)
    assert (await economy.reverse(payer, capture.id))["earnings_taken_back_nano_usd"] == 30 * FLAT_RATE
    assert await economy.hold_state(hold) == "captured"
    assert (await economy.balance(payer), await economy.balance(owner)) == (94, 50)
    assert await economy.standing(model) == (1, 6, 0)
    await clean(economy.db)


async def test_what_was_paid_out_is_the_platforms_loss(economy):
    """Of what three charges earned, all but a little is paid out."""
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    await economy.model("m", owner)
    charges = [await economy.charge(payer, model_id="m", amount=10) for _ in range(3)]
    await request(economy, owner, 18 * FLAT_RATE)
    amounts = []
    for charge, amount in ((charges[0], None), (charges[1], 5), (charges[1], 5), (charges[2], None)):
        answer = await economy.reverse(payer, charge.id, amount, maturity_days=0)
        amounts.append((answer["earnings_taken_back_nano_usd"], answer["earnings_lost_nano_usd"]))
    rate = FLAT_RATE
    assert amounts == [(10 * rate, 0), (2 * rate, 3 * rate), (0, 5 * rate), (0, 10 * rate)]
    assert (await economy.earned(owner), await economy.balance(payer)) == (0, 100)
    assert await economy.rows("select sum(nanos), sum(lost_nanos) from metering.reversal") == [(12 * rate, 18 * rate)]
    await clean(economy.db)


async def test_what_is_maturing_pays_for_no_other_charge(economy):
    """What was paid out of an old charge is the platform's loss, however much matures; a young one pays for itself."""
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    await economy.model("m", owner)
    ripe = await economy.charge(payer, model_id="m", amount=10, occurred_at=ago(20))
    young = await economy.charge(payer, model_id="m", amount=7)
    other = await economy.charge(payer, model_id="m", amount=5)
    terms = Terms(maturity_days=14)
    paid = await request(economy, owner, 8 * FLAT_RATE, terms)
    first = await economy.reverse(payer, ripe.id)
    assert (first["earnings_taken_back_nano_usd"], first["earnings_lost_nano_usd"]) == (2 * FLAT_RATE, 8 * FLAT_RATE)
    assert await sums(economy, owner, 14) == Statement(20 * FLAT_RATE, 12 * FLAT_RATE, 0, 8 * FLAT_RATE, 0)
    second = await economy.reverse(payer, young.id, 3)
    assert (second["earnings_taken_back_nano_usd"], second["earnings_lost_nano_usd"]) == (3 * FLAT_RATE, 0)
    assert (await economy.reverse(payer, young.id))["earnings_taken_back_nano_usd"] == 4 * FLAT_RATE
    assert await sums(economy, owner, 14) == Statement(13 * FLAT_RATE, 5 * FLAT_RATE, 0, 8 * FLAT_RATE, 0)
    await act(economy, owner, paid["id"], "fail", terms)
    assert await sums(economy, owner, 14) == Statement(13 * FLAT_RATE, 5 * FLAT_RATE, 8 * FLAT_RATE, 0, 0)
    await economy.reverse(payer, other.id)
    await clean(economy.db)


async def test_credits_of_a_grant_that_is_over_lapse_again(economy, admin):
    payer = await economy.account("payer", "organization")
    await economy.grant(payer, 50, source="gift", expires_at=datetime.now(UTC) + timedelta(hours=2))
    await economy.grant(payer, 50)
    done = await economy.charge(payer, amount=60)
    pass_time(admin, timedelta(hours=3))
    await economy.settle(payer)  # time has done what it had to: only the reversal makes the wallet due again
    assert (await economy.reverse(payer, done.id))["balance"] == 100
    # They are there for the books, and gone for whoever would spend them.
    assert (await economy.check(payer, amount=51)).available == 50
    assert await economy.left(payer) == [("top_up", 50)]
    assert await economy.lapsed(payer) == 50
    with pytest.raises(Conflict):
        await economy.reverse(payer, done.id)
    await clean(economy.db)


async def test_reversals_and_charges_that_race(economy):
    owner = await economy.account("owner")
    payers = [await economy.account(f"p{place}", credits=1000) for place in range(4)]
    model = await economy.model("m", owner, earnings_policy="dynamic")
    charges = [(payer, await economy.charge(payer, model_id="m", amount=10)) for payer in payers for _ in range(5)]
    outcomes = await asyncio.gather(
        *(economy.reverse(payer, done.id, 4) for payer, done in charges),
        *(economy.reverse(payer, done.id, 4) for payer, done in charges),
        *(economy.reverse(payer, done.id, 4) for payer, done in charges),
        *(economy.charge(payer, model_id="m", amount=1) for payer in payers for _ in range(25)),
        return_exceptions=True,
    )
    refused = [one.code for one in outcomes if isinstance(one, Conflict)]
    assert refused == ["exceeds_charge"] * 20
    assert [one for one in outcomes if isinstance(one, BaseException) and not isinstance(one, Conflict)] == []
    assert [await economy.balance(payer) for payer in payers] == [1000 - 5 * 2 - 25] * 4
    assert (await economy.standing(model))[:2] == (120, 20 * 2 + 100)
    await clean(economy.db)
