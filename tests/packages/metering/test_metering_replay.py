"""Idempotency: one key space per account over all commands; the first answer for ever; refusals use nothing up."""

import asyncio
from uuid import UUID

import pytest

from economy import clean, fingerprint, party, teller
from tokenhouse.domain import market, metering
from tokenhouse.domain.ledger.types import Command
from tokenhouse.domain.metering import GroupCommit
from tokenhouse.infra.kernel.errors import IdempotencyMismatch, InsufficientTokens


async def test_the_same_again_is_answered_again(economy):
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    model = await economy.model("m", owner, credit_cost=3)
    order = economy.order(
        payer, key="k", model_id="m", operation="chat", quantity=2, metadata='{"b": 1, "a": [true]}',
        user_label="u", occurred_at="2024-05-01T10:00:00+02:00", cost_nanos=7, provider="p", upstream_model="x",
    )  # fmt: skip
    first = await economy.till.submit(order)
    assert (first.replayed, first.receipt.amount) == (False, 6)
    # Whatever happens in between, and whoever asks.
    await economy.charge(payer, amount=50)
    await economy.change_model("m", credit_cost=99, active=False)
    await economy.reverse(payer, first.id)
    for till in (economy.till, GroupCommit(economy.db, buckets=economy.buckets)):
        again = await till.submit(order)
        assert (again.replayed, again.id, again.receipt) == (True, first.id, first.receipt)
    assert await economy.standing(model) == (0, 0, 0)
    assert await economy.balance(payer) == 50
    await clean(economy.db)


async def test_holds_and_their_ends_are_answered_again(economy):
    payer = await economy.account("payer", credits=100)
    order = economy.order(payer, "hold", key="h", amount=40)
    first = await economy.till.submit(order)
    hold = await economy.hold(payer, key="h", amount=40)
    assert hold.answer == first.answer
    capture = await economy.capture(payer, hold, 30, key="c")
    again = await economy.capture(payer, hold, 30, key="c")
    assert (again.replayed, again.receipt, again.kind) == (True, capture.receipt, "capture")
    assert (await economy.till.submit(order)).answer == first.answer  # still as it was: live
    other = await economy.hold(payer, amount=5)
    void = await economy.void(payer, other, key="v")
    again = await economy.void(payer, other, key="v")
    assert (again.replayed, again.answer) == (True, void.answer)
    assert await economy.balance(payer) == 70


async def test_another_request_under_the_key_is_refused(economy):
    payer = await economy.account("payer", credits=100)
    await economy.charge(payer, key="k", amount=10)
    for order in (
        economy.order(payer, key="k", amount=11),
        economy.order(payer, "hold", key="k", amount=10),
        economy.order(payer, "report", key="k", amount=10),
        economy.order(payer, key="k", amount=10, metadata="{}"),
    ):
        with pytest.raises(IdempotencyMismatch):
            await economy.till.submit(order)
    assert await economy.balance(payer) == 90


async def use_key(economy, payer, kind, hold, usage):
    """Carry out a command of that kind under the key `k`."""
    if kind == "grant":
        return await economy.grant(payer, 5, key="k")
    if kind == "purchase":
        return await economy.buy(payer, "m", "k")
    if kind == "reverse":
        return await economy.reverse(payer, usage, 1, key="k")
    if kind in ("capture", "void"):
        return await economy.till.submit(economy.ending(payer, hold, kind, 1, key="k"))
    return await economy.charge(payer, kind, key="k", amount=1)


KINDS = ("grant", "purchase", "charge", "hold", "report", "capture", "void", "reverse")


@pytest.mark.parametrize("first", KINDS)
async def test_one_key_space_over_all_commands(economy, first):
    payer, other = await economy.account("payer", credits=100), await economy.account("other", credits=100)
    await economy.model("m", price_credits=5)
    hold, usage = await economy.hold(payer, amount=10), (await economy.charge(payer, amount=10)).id
    await use_key(economy, payer, first, hold, usage)
    before = (await economy.wallet(payer), await economy.rows("select count(*) from ledger.transfer"))
    for kind in KINDS:
        if kind != first:
            with pytest.raises(IdempotencyMismatch):
                await use_key(economy, payer, kind, hold, usage)
    assert (await economy.wallet(payer), await economy.rows("select count(*) from ledger.transfer")) == before
    # The key space is the account's own.
    assert not (await economy.charge(other, key="k", amount=1)).replayed
    await clean(economy.db)


async def test_a_refused_request_leaves_its_key_to_another_body(economy):
    payer = await economy.account("payer", credits=10)
    with pytest.raises(InsufficientTokens):
        await economy.charge(payer, key="k", amount=11)
    assert not (await economy.charge(payer, key="k", amount=10)).replayed
    assert (await economy.charge(payer, key="k", amount=10)).replayed


async def test_keys_of_any_visible_character(economy):
    payer = await economy.account("payer", credits=1000)
    keys = ["'", '"', "\\", "{}", "NULL", "null", ",", "a b".replace(" ", "~"), "k" * 255, "%s", "$1", "-- x", "é"]
    for place, key in enumerate(keys):
        first = await economy.charge(payer, key=key, amount=place + 1)
        again = await economy.charge(payer, key=key, amount=place + 1)
        assert (again.replayed, again.receipt) == (True, first.receipt)
    assert await economy.rows("select count(*) from ledger.entry where kind = 'charge'") == [(len(keys),)]


async def test_fifty_twins_are_one_charge(economy):
    payer = await economy.account("payer", credits=1000)
    order = economy.order(payer, key="k", amount=7)
    tills = [GroupCommit(economy.db, buckets=economy.buckets, batch_limit=3) for _ in range(3)]
    done = await asyncio.gather(*(tills[place % 3].submit(order) for place in range(50)))
    assert sorted(one.replayed for one in done) == [False] + [True] * 49
    assert len({(one.id, str(one.receipt)) for one in done}) == 1
    assert await economy.balance(payer) == 993
    await clean(economy.db)


async def test_twins_of_other_commands(economy):
    """Grants and reversals that race under one key: one does it, the others get its answer."""
    payer = await economy.account("payer", credits=100)
    charge = await economy.charge(payer, amount=50)
    command = Command(party(payer), "r", fingerprint("r"))

    async def reverse():
        return await metering.reverse(economy.db, economy.terms, command, UUID(charge.id), 20, "x", maturity_days=14)

    done = await asyncio.gather(*(reverse() for _ in range(8)))
    assert sorted(replayed for _, replayed in done) == [False] + [True] * 7
    assert len({str(answer) for answer, _ in done}) == 1
    grants = await asyncio.gather(*(economy.grant(payer, 5, key="g") for _ in range(8)))
    assert sorted(one.pop("replayed") for one in grants) == [False] + [True] * 7
    assert len({str(one) for one in grants}) == 1
    assert await economy.balance(payer) == 75
    await clean(economy.db)


async def test_a_purchases_key_is_a_charges(economy):
    payer = await economy.account("payer", credits=100)
    await economy.model("m", price_credits=5)
    await economy.charge(payer, key="k", amount=1)
    command = Command(party(payer), "k", fingerprint("p"))
    with pytest.raises(IdempotencyMismatch):
        async with economy.db.transaction(teller(payer)) as tx:
            await market.purchase(tx, economy.terms, command, "m", "/plans")
