"""What ends an ownership: a refund gives back exactly what was paid, a transfer moves nothing but the right to earn."""

import asyncio
import json
import sys
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

import buyer
from economy import FLAT_RATE, RACES, TELLER, Economy, clean, party, pass_time, teller, tenant
from tokenhouse.domain import access, market
from tokenhouse.domain.access.acts import By
from tokenhouse.domain.ledger.types import Command
from tokenhouse.infra.database import PLATFORM, sqlstate
from tokenhouse.infra.kernel.errors import Conflict, IdempotencyMismatch, NotFound, TokenhouseError, ValidationFailed


async def refund(economy: Economy, account, model_id, key=None, body="00", by=None):
    command = Command(party(account), key or uuid.uuid4().hex, body * 16)
    while True:
        try:
            async with economy.db.transaction(TELLER) as tx:
                return await market.refund(tx, economy.terms, command, model_id, "a test", by)
        except Exception as error:
            if sqlstate(error) not in RACES:
                raise


async def transfer(economy: Economy, model_id, giver, taker, by=None):
    async with economy.db.transaction(PLATFORM) as tx:
        return await market.transfer(tx, model_id, giver, taker, by, "a test")


async def owners(economy, model_id):
    return [
        name
        for (name,) in await economy.rows(
            "select i.external_id from market.ownership o join market.model m on m.id = o.model_id "
            "join access.identity i on i.account_id = o.account_id "
            "where m.external_id = %s and o.ended_at is null order by o.id",
            model_id,
        )
    ]


# ---- refunds ----


async def test_a_refund_restores_the_grants_that_paid(economy):
    ann = await economy.account("ann", credits=100)
    await economy.grant(ann, 50, source="gift", priority=1)
    await economy.model("m", price_credits=120)
    await economy.buy(ann, "m")
    assert await economy.left(ann) == [("top_up", 30)]
    answer, replayed = await refund(economy, ann, "m")
    at = datetime.fromisoformat(answer.pop("refunded_at"))
    assert (datetime.now(UTC) - at).total_seconds() < 60
    assert answer == {
        "model_id": "m", "account_id": "ann", "price_credits": 120, "credit_type": "general", "balance": 150,
        "reason": "a test",
    }  # fmt: skip
    assert not replayed
    assert await economy.left(ann) == [("top_up", 100), ("gift", 50)]
    assert (await economy.wallet(ann)).used == 0
    assert await owners(economy, "m") == []
    await clean(economy.db)
    # It is on sale again, and can be refunded once more.
    await economy.buy(ann, "m")
    assert await owners(economy, "m") == ["ann"]
    await refund(economy, ann, "m")
    assert await economy.balance(ann) == 150
    await clean(economy.db)


async def test_the_same_key_gives_the_same_answer(economy):
    ann = await economy.account("ann", credits=100)
    await economy.model("m", price_credits=40)
    await economy.buy(ann, "m")
    first, _ = await refund(economy, ann, "m", "k")
    await economy.buy(ann, "m")
    assert await refund(economy, ann, "m", "k") == (first, True)
    assert await owners(economy, "m") == ["ann"]
    with pytest.raises(IdempotencyMismatch):
        await refund(economy, ann, "m", "k", body="11")


async def test_who_gets_nothing_back(economy):
    ann, bob = await economy.account("ann", credits=100), await economy.account("bob", credits=100)
    await economy.model("m", price_credits=40)
    for model_id, who, error, code in (
        ("m", ann, NotFound, "not_found"),
        ("no-such", ann, NotFound, "not_found"),
    ):
        with pytest.raises(error) as refused:
            await refund(economy, who, model_id)
        assert refused.value.code == code
    await economy.buy(ann, "m")
    with pytest.raises(NotFound):
        await refund(economy, bob, "m")
    await refund(economy, ann, "m", "k")
    with pytest.raises(Conflict) as refused:
        await refund(economy, ann, "m")
    assert refused.value.code == "already_refunded"
    # What came by a transfer was paid by nobody; who handed it on owns it no more.
    await economy.buy(ann, "m")
    await transfer(economy, "m", "ann", "bob")
    with pytest.raises(Conflict) as refused:
        await refund(economy, bob, "m")
    assert refused.value.code == "not_bought"
    with pytest.raises(NotFound):
        await refund(economy, ann, "m")
    assert (await economy.balance(ann), await economy.balance(bob)) == (60, 100)
    await clean(economy.db)


async def test_what_was_earned_meanwhile_stays_and_nothing_is_earned_after(economy):
    ann, payer = await economy.account("ann", credits=100), await economy.account("payer", credits=100)
    await economy.model("m", price_credits=40)
    await economy.buy(ann, "m")
    await economy.charge(payer, model_id="m", amount=10)
    await refund(economy, ann, "m")
    # The till knew the owner: the model's version rose, and it looks again.
    done = await economy.charge(payer, model_id="m", amount=10)
    assert done.receipt.earnings_reason == "no_owner"
    assert await economy.earned(ann) == 10 * FLAT_RATE
    await clean(economy.db)


async def test_a_refund_of_an_archived_model_and_of_a_free_one(economy):
    ann = await economy.account("ann", "organization")
    await economy.grant(ann, 40)
    await economy.model("m", price_credits=40)
    await economy.model("free", ann)
    await economy.buy(ann, "m")
    async with economy.db.transaction(PLATFORM) as tx:
        await market.remove_model(tx, "m")
    assert (await refund(economy, ann, "m"))[0]["balance"] == await economy.balance(ann)
    before = await economy.balance(ann)
    assert (await refund(economy, ann, "free"))[0]["price_credits"] == 0
    assert await economy.balance(ann) == before
    assert await owners(economy, "free") == []
    await clean(economy.db)


async def test_what_goes_back_to_a_grant_that_is_over_lapses_with_it(economy, admin):
    ann = await economy.account("ann", credits=0)
    await economy.grant(ann, 50, expires_at=datetime.now(UTC) + timedelta(hours=1))
    await economy.model("m", price_credits=30)
    await economy.buy(ann, "m")
    pass_time(admin, timedelta(hours=2))
    await economy.settle(ann)
    await refund(economy, ann, "m")
    assert (await economy.wallet(ann)).balance == 0
    assert await economy.lapsed(ann) == 50
    await clean(economy.db)


async def test_only_the_platform_refunds_and_transfers(economy):
    ann, bob = await economy.account("ann", credits=100), await economy.account("bob", credits=100)
    await economy.model("m", ann, price_credits=40)
    command = Command(party(ann), "k", "00" * 16)
    for actor in (tenant(ann), teller(ann), teller(bob), PLATFORM):
        with pytest.raises(psycopg.Error) as refused:
            async with economy.db.transaction(actor) as tx:
                await market.refund(tx, economy.terms, command, "m", None)
        assert sqlstate(refused.value) == "TH403"
    for actor in (tenant(ann, bob), teller(ann, bob)):
        with pytest.raises(psycopg.Error) as refused:
            async with economy.db.transaction(actor) as tx:
                await market.transfer(tx, "m", "ann", "bob")
        assert sqlstate(refused.value) == "TH403"
    assert await owners(economy, "m") == ["ann"]


async def test_both_are_recorded(economy):
    ann = await economy.account("ann", credits=100)
    await economy.account("bob")
    for model_id in ("m", "n"):
        await economy.model(model_id, ann, price_credits=4)
    await refund(economy, ann, "m", by=By("cli"))
    await transfer(economy, "n", "ann", "bob", By("cli"))
    rows = await economy.rows(
        "select act, target_id, account_id from access.audit where act like 'model.%%' order by id"
    )
    assert rows == [("model.refund", "m", ann.id), ("model.transfer", "n", ann.id)]


# ---- transfers ----


async def test_a_transfer_moves_the_right_to_earn_and_nothing_else(economy):
    ann, bob = await economy.account("ann", credits=100), await economy.account("bob", credits=10)
    payer = await economy.account("payer", credits=100)
    await economy.model("m", price_credits=40)
    await economy.buy(ann, "m")
    await economy.charge(payer, model_id="m", amount=10)
    await transfer(economy, "m", "ann", "bob")
    await economy.charge(payer, model_id="m", amount=7)
    assert (await economy.earned(ann), await economy.earned(bob)) == (10 * FLAT_RATE, 7 * FLAT_RATE)
    assert (await economy.balance(ann), await economy.balance(bob)) == (60, 10)
    assert await owners(economy, "m") == ["bob"]
    async with economy.db.read(tenant(bob)) as tx:
        (owned,) = await market.owned_by(tx, bob.id)
    assert (owned.model_id, owned.price_credits) == ("m", 0)
    # It is sold all the same.
    late = await economy.account("late", credits=100)
    with pytest.raises(Conflict):
        await economy.buy(late, "m")
    await transfer(economy, "m", "bob", "ann")
    assert await owners(economy, "m") == ["ann"]
    await clean(economy.db)


async def test_transfers_that_are_none(economy):
    ann, bob = await economy.account("ann"), await economy.account("bob")
    await economy.model("m", ann, bob)
    await economy.model("one", ann)
    for model_id, giver, taker, error, code in (
        ("m", "ann", "bob", Conflict, "already_owned"),
        ("one", "bob", "ann", NotFound, "not_found"),
        ("one", "ann", "nobody", NotFound, "not_found"),
        ("one", "nobody", "ann", NotFound, "not_found"),
        ("no-such", "ann", "bob", NotFound, "not_found"),
        ("one", "ann", "ann", ValidationFailed, "validation_failed"),
    ):
        with pytest.raises(error) as refused:
            await transfer(economy, model_id, giver, taker)
        assert refused.value.code == code
    assert (await owners(economy, "m"), await owners(economy, "one")) == (["ann", "bob"], ["ann"])


# ---- races ----


def outcomes_of(results):
    """How often each outcome came: done, replayed, or the refusal's code."""
    for one in results:
        if isinstance(one, BaseException) and not isinstance(one, TokenhouseError):
            raise one
    return Counter(
        one.code if isinstance(one, TokenhouseError) else "replayed" if one[1] else "done" for one in results
    )


async def test_two_refunds_at_once_give_back_once(economy):
    ann = await economy.account("ann", credits=100)
    await economy.model("m", price_credits=40)
    await economy.buy(ann, "m")
    results = await asyncio.gather(*(refund(economy, ann, "m") for _ in range(12)), return_exceptions=True)
    assert outcomes_of(results) == {"done": 1, "already_refunded": 11}
    assert await economy.balance(ann) == 100
    await clean(economy.db)


async def test_one_key_in_many_windows_gives_back_once(economy):
    ann = await economy.account("ann", credits=100)
    await economy.model("m", price_credits=40)
    await economy.buy(ann, "m")
    results = await asyncio.gather(*(refund(economy, ann, "m", "k") for _ in range(12)), return_exceptions=True)
    assert outcomes_of(results) == {"done": 1, "replayed": 11}
    await clean(economy.db)


async def test_a_refund_races_a_purchase_and_a_transfer(economy):
    """Whoever comes first: one owner at most, and each balance is what its owner paid and got back."""
    ann, bob = await economy.account("ann", credits=1000), await economy.account("bob", credits=1000)
    await economy.account("carl")
    for turn in range(12):
        name = f"m{turn}"
        await economy.model(name, price_credits=40)
        await economy.buy(ann, name)
        results = await asyncio.gather(
            refund(economy, ann, name), economy.buy(bob, name), transfer(economy, name, "ann", "carl"),
            return_exceptions=True,
        )  # fmt: skip
        outcomes_of([one if isinstance(one, BaseException) else (one, False) for one in results])
        refunded, bought, handed = (not isinstance(one, BaseException) for one in results)
        assert refunded != handed
        assert refunded or not bought
        wanted = ["bob"] if bought else ["carl"] if handed else []
        assert await owners(economy, name) == wanted
    paid = 1000 - await economy.balance(bob)
    assert paid == 40 * sum([await owners(economy, f"m{turn}") == ["bob"] for turn in range(12)])
    await clean(economy.db)


@pytest.mark.parametrize("buyers", [100])
async def test_two_processes_race_for_an_exclusive_model(economy, booted, admin, buyers):
    """Half of the buyers in this process, half in another: one owner, one payment."""
    await economy.model("m", price_credits=500)
    crowd = [await economy.account(f"b{number}", credits=800) for number in range(buyers)]
    ((key,),) = admin.execute("select key from access.secret").fetchall()
    process = await asyncio.create_subprocess_exec(
        sys.executable, buyer.__file__, booted.app_conninfo, key.hex(),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**26,
    )  # fmt: skip
    try:
        process.stdin.write(json.dumps([party(one) for one in crowd[::2]]).encode() + b"\n")
        assert await process.stdout.readline() == b"ready\n"
        process.stdin.write(b"go\n")
        mine, theirs = await asyncio.gather(
            asyncio.gather(*(economy.buy(one, "m") for one in crowd[1::2]), return_exceptions=True),
            process.stdout.readline(),
        )
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    came = outcomes_of(mine) + Counter(json.loads(theirs))
    assert came == {"done": 1, "already_owned": buyers - 1}
    assert len(await owners(economy, "m")) == 1
    paid = admin.execute("select sum(balance), sum(spent) from ledger.account where role = 'wallet'").fetchone()
    assert paid == (buyers * 800 - 500, 500)
    assert admin.execute("select count(*) from ledger.entry where kind = 'purchase'").fetchone() == (1,)
    await clean(economy.db)


async def test_accounts_stay_apart(economy):
    """A refund of one shared owner leaves the other's ownership as it is."""
    ann, bob = await economy.account("ann", credits=100), await economy.account("bob", credits=100)
    await economy.model("m", ann, bob, price_credits=30)
    await refund(economy, ann, "m")
    assert await owners(economy, "m") == ["bob"]
    assert (await economy.balance(ann), await economy.balance(bob)) == (100, 70)
    async with economy.db.read(PLATFORM) as tx:
        assert await access.find_account(tx, "ann") is not None
    await clean(economy.db)
