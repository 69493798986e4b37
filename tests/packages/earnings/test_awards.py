"""Adjustments and bonuses: exact, payable at once, each paid once, and never more taken than is payable."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from economy import FLAT_RATE, TELLER, TERMS, Economy, clean, fingerprint, party, source, teller, tenant
from tokenhouse.domain import access, earnings, ledger, metering
from tokenhouse.domain.earnings.rules import closed_months
from tokenhouse.domain.earnings.types import NewGoal, Owed
from tokenhouse.domain.ledger.types import Command
from tokenhouse.domain.metering import Statement
from tokenhouse.domain.metering.adjustments import take_payable
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import IdempotencyMismatch, InsufficientEarnings, UnknownReference

DAYS = 14


async def adjust(eco: Economy, account, nanos, *, key=None, reason="a test", model=None, days=DAYS):
    command = Command(party(account), key or uuid.uuid4().hex, fingerprint((nanos, reason)))
    async with eco.db.transaction(TELLER) as tx:
        return await metering.adjust(tx, command, nanos, reason, model, days)


async def statement(eco: Economy, account, days=DAYS) -> Statement:
    async with eco.db.read(tenant(account)) as tx:
        return await metering.statement(tx, account.id, days)


async def accruals(eco: Economy, account, **more):
    async with eco.db.read(tenant(account)) as tx:
        return await metering.accruals(tx, account.id, **more)


def ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


def rules(*bonuses: str):
    """A catalog with these bonuses."""
    return source(TERMS + "".join(f"\n[[bonus]]\n{one}\n" for one in bonuses))


async def pay(eco: Economy, best=None) -> int:
    return await earnings.pay_bonuses(eco.db, eco.terms, best)


async def bonuses(eco: Economy, account):
    async with eco.db.read(tenant(account)) as tx:
        return await earnings.bonuses_of(tx, party(account))


# ---- adjustments ----


async def test_an_adjustment_is_payable_at_once_and_listed(economy):
    owner = await economy.account("owner")
    await economy.model("m", owner)
    given, replayed = await adjust(economy, owner, 700, reason="for a good month", model="m")
    assert not replayed
    assert (given["amount_nano_usd"], given["amount_usd"], given["model_id"]) == (700, "0.0000007", "m")
    assert await statement(economy, owner) == Statement(700, 0, 700, 0, 0)
    taken, _ = await adjust(economy, owner, -300)
    assert await statement(economy, owner) == Statement(400, 0, 400, 0, 0)
    found = await accruals(economy, owner)
    assert [
        (str(one.id), one.kind, one.nanos, one.model_id, one.note, one.charge_id, one.user_id) for one in found
    ] == [
        (taken["id"], "adjustment", -300, None, "a test", None, None),
        (given["id"], "adjustment", 700, "m", "for a good month", None, None),
    ]
    await clean(economy.db)


async def test_an_adjustment_is_made_once(economy):
    owner = await economy.account("owner")
    first, _ = await adjust(economy, owner, 5, key="k")
    assert await adjust(economy, owner, 5, key="k") == (first, True)
    with pytest.raises(IdempotencyMismatch):
        await adjust(economy, owner, 6, key="k")
    assert await economy.earned(owner) == 5
    with pytest.raises(UnknownReference):
        await adjust(economy, owner, 5, model="nobody's")


async def test_no_more_is_taken_than_is_payable(economy):
    """What is maturing is not touched, in whichever buckets it lies."""
    owner = await economy.account("owner")
    fans = [await economy.account(f"fan{n}", credits=100) for n in range(4)]
    await economy.model("m", owner)
    for fan in fans:
        await economy.charge(fan, model_id="m", amount=10, occurred_at=ago(20))
        await economy.charge(fan, model_id="m", amount=1)
    ripe, young = 40 * FLAT_RATE, 4 * FLAT_RATE
    with pytest.raises(InsufficientEarnings) as refused:
        await adjust(economy, owner, -(ripe + 1))
    assert refused.value.extra == {"required_nano_usd": ripe + 1, "payable_nano_usd": ripe}
    assert await statement(economy, owner) == Statement(ripe + young, young, ripe, 0, 0)
    taken, _ = await adjust(economy, owner, -(ripe - 1))
    assert await statement(economy, owner) == Statement(young + 1, young, 1, 0, 0)
    (first, *_) = await accruals(economy, owner)
    assert (str(first.id), first.nanos) == (taken["id"], -(ripe - 1))
    paged, before = [], None
    while page := await accruals(economy, owner, before=before, most=2):
        paged += page
        before = page[-1].id
    assert sum(one.nanos for one in paged) == young + 1
    await clean(economy.db)


async def test_two_that_take_at_once_take_no_more_than_there_is(economy):
    owner = await economy.account("owner")
    await adjust(economy, owner, 100)
    outcomes = await asyncio.gather(*(adjust(economy, owner, -60) for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(one, InsufficientEarnings) for one in outcomes) == 4
    assert await economy.earned(owner) == 40
    await clean(economy.db)


amounts = st.dictionaries(st.integers(0, 5), st.tuples(st.integers(0, 100), st.integers(-5, 120)), max_size=6)


@given(amounts, st.integers(1, 300), st.integers(0, 5))
def test_what_is_taken_leaves_what_matures(found, nanos, first):
    owed = {bucket: Owed(bucket, balance) for bucket, (balance, _) in found.items()}
    maturing = {bucket: young for bucket, (_, young) in found.items()}
    payable = sum(max(0, balance - max(0, young)) for balance, young in found.values())
    if payable < nanos:
        with pytest.raises(InsufficientEarnings):
            take_payable(nanos, owed, maturing, first=first)
        return
    moves = take_payable(nanos, owed, maturing, first=first)
    assert sum(moves.values()) == -nanos
    for bucket, moved in moves.items():
        assert moved < 0
        assert owed[bucket].balance + moved >= max(0, maturing[bucket])


# ---- bonuses ----


async def test_uses_of_a_model_pay_its_creator_once(economy):
    maker, buyer = await economy.account("maker"), await economy.account("buyer")
    fan = await economy.account("fan", credits=100)
    await economy.model("m", buyer, creator_id="maker", monetized=False)
    await economy.model("n", buyer, monetized=False)
    await economy.apply(rules('id = "three"\nkind = "uses"\nat = 3\namount_usd = "2.50"'))
    for _ in range(2):
        await economy.charge(fan, model_id="m", amount=1)
        await economy.charge(fan, model_id="n", amount=1)
    assert await pay(economy) == 0
    await economy.charge(fan, model_id="m", amount=1)
    assert await pay(economy) == 1
    assert await pay(economy) == 0
    (one,) = await bonuses(economy, maker)
    assert (one.rule, one.model_id, one.nanos) == ("three", "m", 2_500_000_000)
    assert await statement(economy, maker) == Statement(2_500_000_000, 0, 2_500_000_000, 0, 0)
    (told,) = await accruals(economy, maker)
    assert (told.kind, told.note, told.model_id, told.nanos) == ("bonus", "three", "m", 2_500_000_000)
    # Without a creator it is the owner's.
    await economy.charge(fan, model_id="n", amount=1)
    assert await pay(economy) == 1
    assert [(one.rule, one.model_id) for one in await bonuses(economy, buyer)] == [("three", "n")]
    await clean(economy.db)


async def test_uses_over_all_models_of_a_creator(economy):
    owner, fan = await economy.account("owner"), await economy.account("fan", credits=100)
    for name in ("a", "b"):
        await economy.model(name, owner)
        await economy.charge(fan, model_id=name, amount=1)
    await economy.charge(fan, model_id="a", amount=1)
    rule = 'id = "all"\nkind = "uses"\nat = 3\nscope = "creator"\namount_usd = "1"'
    await economy.apply(rules(rule, 'id = "off"\nkind = "uses"\nat = 1\namount_usd = "9"\nactive = false'))
    assert await pay(economy) == 1
    assert [(one.rule, one.model_id, one.nanos) for one in await bonuses(economy, owner)] == [("all", None, 10**9)]
    assert await bonuses(economy, fan) == []


async def test_the_first_sale_is_one_to_somebody_else_for_credits(economy):
    maker, buyer = await economy.account("maker", credits=50), await economy.account("buyer", credits=50)
    await economy.apply(rules(
        'id = "sold"\nkind = "first_sale"\namount_usd = "1"',
        'id = "seller"\nkind = "first_sale"\nscope = "creator"\namount_usd = "2"',
    ))  # fmt: skip
    for name, price in (("mine", 5), ("free", 0), ("x", 5), ("y", 5)):
        await economy.model(name, creator_id="maker", price_credits=price, ownership="shared")
    await economy.buy(maker, "mine")
    await economy.buy(buyer, "free")
    assert await pay(economy) == 0
    await economy.buy(buyer, "x")
    await economy.buy(buyer, "y")
    assert await pay(economy) == 3
    found = sorted((one.rule, one.model_id, one.nanos) for one in await bonuses(economy, maker))
    assert found == [("seller", "x", 2 * 10**9), ("sold", "x", 10**9), ("sold", "y", 10**9)]
    await economy.buy(maker, "x")
    assert await pay(economy) == 0
    await clean(economy.db)


async def test_a_referral_pays_once_bought_credits_are_spent(economy):
    scout, new = await economy.account("scout"), await economy.account("new", plan="small")
    async with economy.db.transaction(PLATFORM) as tx:
        await access.set_referrer(tx, new, scout)
    await economy.apply(rules('id = "friend"\nkind = "referral"\nat = 30\namount_usd = "3"'))
    await economy.charge(new, amount=100)  # the plan's
    assert await pay(economy) == 0
    await economy.grant(new, 40)
    await economy.grant(new, 40, source="gift", priority=1)
    await economy.charge(new, amount=60)  # 40 of the gift, 20 bought
    assert await pay(economy) == 0
    await economy.charge(new, amount=10)
    assert await pay(economy) == 1
    assert await pay(economy) == 0
    assert [(one.rule, one.nanos) for one in await bonuses(economy, scout)] == [("friend", 3 * 10**9)]
    await clean(economy.db)


async def test_the_best_of_a_month_are_paid_when_it_is_over(economy, admin):
    ann, bob, cat = [await economy.account(name) for name in ("ann", "bob", "cat")]
    numbers = {name: (await economy.model(name, owner)).id for name, owner in (("a", ann), ("b", bob), ("c", cat))}
    await economy.apply(rules('id = "best"\nkind = "performance"\nat = 2\namount_usd = "5"'))
    order = ["a", "b", "c"]
    asked = []

    async def best(tx, begin, end, most):
        asked.append((begin, end, most))
        return [numbers[name] for name in order][:most]

    assert await pay(economy, best) == 0
    assert asked == []  # the first month is not over
    admin.execute("update catalog.version set applied_at = now() - interval '40 days'")
    months = closed_months(datetime.now(UTC) - timedelta(days=40), datetime.now(UTC))
    assert await pay(economy, best) == 2 * len(months)
    assert {(begin, end) for begin, end, _ in asked} == set(months)
    order.reverse()  # late uses changed the order: the places are taken
    assert await pay(economy, best) == 0
    assert [len(await bonuses(economy, one)) for one in (ann, bob, cat)] == [len(months), len(months), 0]
    await clean(economy.db)


@pytest.mark.parametrize("turn", range(3))
async def test_two_jobs_pay_each_bonus_once(economy, turn):
    owners = [await economy.account(f"o{n}") for n in range(4)]
    fan = await economy.account("fan", credits=100)
    for number, owner in enumerate(owners):
        await economy.model(f"m{number}", owner, monetized=False)
        await economy.charge(fan, model_id=f"m{number}", amount=1)
    await economy.apply(rules(*(f'id = "r{n}"\nkind = "uses"\nat = 1\namount_usd = "1"' for n in range(3))))
    paid = await asyncio.gather(*(pay(economy) for _ in range(3)))
    assert sum(paid) == 12
    assert [await economy.earned(owner) for owner in owners] == [3 * 10**9] * 4
    await clean(economy.db)


async def test_a_changed_rule_pays_nobody_again_and_a_new_one_everybody(economy):
    owner, fan = await economy.account("owner"), await economy.account("fan", credits=100)
    await economy.model("m", owner)
    await economy.charge(fan, model_id="m", amount=1)
    await economy.apply(rules('id = "one"\nkind = "uses"\nat = 1\namount_usd = "1"'))
    assert await pay(economy) == 1
    await economy.apply(rules('id = "one"\nkind = "uses"\nat = 1\namount_usd = "7"'))
    assert await pay(economy) == 0
    await economy.apply(rules('id = "two"\nkind = "uses"\nat = 1\namount_usd = "7"'))
    assert await pay(economy) == 1


async def test_an_earner_is_told_of_nobody_elses_bonuses(economy):
    owner, other = await economy.account("owner"), await economy.account("other")
    await adjust(economy, owner, 5)
    async with economy.db.read(tenant(other)) as tx:
        assert await earnings.bonuses_of(tx, party(owner)) == []


def test_months_that_are_over():
    def at(year, month, day=1):
        return datetime(year, month, day, tzinfo=UTC)

    assert closed_months(at(2029, 11, 20), at(2030, 2, 3)) == [
        (at(2029, 11), at(2029, 12)), (at(2029, 12), at(2030, 1)), (at(2030, 1), at(2030, 2)),
    ]  # fmt: skip
    assert closed_months(at(2030, 2), at(2030, 2, 28)) == []
    assert closed_months(at(2030, 2), at(2030, 3)) == [(at(2030, 2), at(2030, 3))]


# ---- the books around them ----


async def test_the_chain_covers_what_is_taken_from_several_buckets(economy):
    owner = await economy.account("owner")
    fans = [await economy.account(f"fan{n}", credits=100) for n in range(4)]
    await economy.model("m", owner)
    for fan in fans:
        await economy.charge(fan, model_id="m", amount=10, occurred_at=ago(20))
    await adjust(economy, owner, -40 * FLAT_RATE)
    await ledger.close_block(economy.db, margin_seconds=0)
    proof = await ledger.verify_chain(economy.db)
    assert (proof.fault, proof.waiting) == (None, 0)


async def test_what_was_said_goes_with_the_person_and_the_sums_stay(economy):
    owner = await economy.account("owner")
    await adjust(economy, owner, 7, reason="for Ada herself")
    async with economy.db.transaction(teller(owner)) as tx:
        await earnings.add_goal(tx, owner.id, NewGoal(5, "Ada's camera"))
    async with economy.db.transaction(PLATFORM) as tx:
        await metering.erase(tx, owner.id)
    assert [(one.nanos, one.note) for one in await accruals(economy, owner)] == [(7, "")]
    for table in ("earnings.adjustment", "earnings.goal", "ledger.entry"):
        assert "Ada" not in str(await economy.rows(f"select to_jsonb(x) from {table} x"))
    await clean(economy.db)


async def test_money_beside_uses_is_in_the_view(economy):
    owner, fan = await economy.account("owner"), await economy.account("fan", credits=10)
    await economy.model("m", owner)
    await economy.charge(fan, model_id="m", amount=1)
    await adjust(economy, owner, 5_000_000_000, model="m", reason="well done")
    await economy.apply(rules('id = "one"\nkind = "uses"\nat = 1\namount_usd = "1.50"'))
    await pay(economy)
    query = (
        "select creator_id, model_id, transaction_type, amount::text, status, description "
        "from public.earnings_transactions order by created_at"
    )
    found = await economy.rows(query)
    assert [(*row[:3], Decimal(row[3]), *row[4:]) for row in found] == [
        ("owner", "m", "adjustment", 5, "completed", "well done"),
        ("owner", "m", "bonus", Decimal("1.5"), "completed", "one"),
    ]
