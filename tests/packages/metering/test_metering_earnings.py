"""Who earns by a use, how much to the nano-dollar, and why nobody does."""

import asyncio

import pytest

from economy import FLAT_RATE, TERMS, Economy, clean, source
from tokenhouse.domain.metering.types import Share

MAX = 2**63 - 1
STEEP = 9 * 10**18  # nano-dollars a credit, by the tests' policy `steep`


async def shares(economy, payer, **order):
    receipt = (await economy.charge(payer, **order)).receipt
    assert all(share.model_id == receipt.model_id for share in receipt.earnings)
    return {share.account_id: share.nanos for share in receipt.earnings}, receipt.earnings_reason


async def shared_model(economy: Economy, policy="odd", share=0, creator=None, owners=2, **more):
    """A shared model with owners o0, o1, … and their accounts."""
    people = [await economy.account(f"o{place}") for place in range(owners)]
    given = {"earnings_policy": policy, "creator_share_bps": share, "creator_id": creator, "ownership": "shared"}
    return await economy.model("m", *people, **(given | more)), people


async def test_an_owner_earns_what_others_use(economy):
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    model = await economy.model("m", owner)
    assert await shares(economy, payer, model_id="m", amount=10) == ({"owner": 10 * FLAT_RATE}, None)
    assert await shares(economy, payer, model_id="m", amount=1, operation="chat") == ({"owner": FLAT_RATE}, None)
    assert (await economy.earned(owner), await economy.standing(model)) == (11 * FLAT_RATE, (2, 11, 11 * FLAT_RATE))
    rows = await economy.rows(
        "select sum(uses), sum(credits), sum(nanos), count(last_used_at) from earnings.model_earner"
    )
    assert rows == [(2, 11, 11 * FLAT_RATE, 1)]
    await clean(economy.db)


async def test_self_use_is_paid_for_and_earns_nobody(economy):
    maker = await economy.account("maker", credits=100)
    other = await economy.account("other", credits=100)
    model, (first, second) = await shared_model(economy, "flat", 2500, "maker")
    for payer in (first, second, maker):
        assert await shares(economy, payer, model_id="m", amount=4) == ({}, "self_use")
    # The label may say whose use it is.
    for label in ("o0", "o1", "maker"):
        assert await shares(economy, other, model_id="m", amount=4, user_label=label) == ({}, "self_use")
    assert await economy.standing(model) == (0, 0, 0)
    assert await economy.rows("select count(*) from metering.usage where counted or earners is not null") == [(0,)]
    assert (await economy.balance(maker), await economy.balance(other)) == (96, 88)
    assert (await shares(economy, other, model_id="m", amount=4, user_label="O0"))[1] is None
    # A hold is asked at its capture: the buyer of the model earns nothing by what they had set aside before.
    await economy.model("late")
    hold = await economy.hold(other, model_id="late", amount=4)
    await economy.buy(other, "late")
    assert (await economy.capture(other, hold, 4)).receipt.earnings_reason == "self_use"
    await clean(economy.db)


async def test_a_creator_without_a_share_is_an_earner_too(economy):
    maker = await economy.account("maker", credits=100)
    other = await economy.account("other", credits=100)
    owner = await economy.account("owner")
    await economy.model("m", owner, creator_id="maker", creator_share_bps=0)
    assert await shares(economy, maker, model_id="m", amount=4) == ({}, "self_use")
    assert await shares(economy, other, model_id="m", amount=4) == ({"owner": 4 * FLAT_RATE}, None)


async def test_no_owner(economy):
    await economy.account("maker")
    payer = await economy.account("payer", credits=1000)
    nobodys = await economy.model("nobodys")
    unshared = await economy.model("unshared", creator_id="maker", creator_share_bps=0)
    share = await economy.model("share", creator_id="maker", creator_share_bps=2500)
    assert await shares(economy, payer, model_id="nobodys", amount=10) == ({}, "no_owner")
    assert await shares(economy, payer, model_id="unshared", amount=10) == ({}, "no_owner")
    # The creator's share is paid all the same; the owners' part is nobody's.
    assert await shares(economy, payer, model_id="share", amount=10) == ({"maker": 10 * FLAT_RATE // 4}, None)
    assert [await economy.standing(model) for model in (nobodys, unshared)] == [(0, 0, 0)] * 2
    assert await economy.standing(share) == (1, 10, 10 * FLAT_RATE // 4)
    await clean(economy.db)


@pytest.mark.parametrize(
    ("share", "amount", "parts"),
    [
        # `odd` pays 3 nano-dollars a credit; the creator's share is rounded down, the odd one goes to the earliest.
        (0, 1, {"o0": 1, "o1": 1, "o2": 1}),
        (3333, 1, {"o0": 1, "o1": 1, "o2": 1}),
        (3334, 1, {"maker": 1, "o0": 1, "o1": 1}),
        (3333, 5, {"maker": 4, "o0": 4, "o1": 4, "o2": 3}),
        (9999, 1, {"maker": 2, "o0": 1}),
        (10_000, 7, {"maker": 21}),
        (1, 3333, {"o0": 3333, "o1": 3333, "o2": 3333}),
        (1, 3334, {"maker": 1, "o0": 3334, "o1": 3334, "o2": 3333}),
    ],
)
async def test_a_split_loses_nothing(economy, share, amount, parts):
    await economy.account("maker")
    payer = await economy.account("payer", credits=10_000)
    model, owners = await shared_model(economy, "odd", share, "maker", owners=3)
    assert await shares(economy, payer, model_id="m", amount=amount) == (parts, None)
    assert sum(parts.values()) == 3 * amount
    assert [await economy.earned(owner) for owner in owners] == [parts.get(f"o{place}", 0) for place in range(3)]
    assert await economy.standing(model) == (1, amount, 3 * amount)
    # Those who got nothing by it had a use all the same.
    assert await economy.rows("select count(*), min(uses) from earnings.model_earner") == [(4 if share else 3, 1)]
    await clean(economy.db)


async def test_a_creator_who_owns_gets_both_parts(economy):
    maker, other = await economy.account("maker"), await economy.account("other")
    payer = await economy.account("payer", credits=100)
    await economy.model("m", other, maker, creator_id="maker", creator_share_bps=5000)
    done = await economy.charge(payer, model_id="m", amount=2)
    # 200 000: half to the creator, then a quarter each.
    assert done.receipt.earnings == (Share("maker", "m", 150_000), Share("other", "m", 50_000))


async def test_owners_come_and_the_next_use_knows(economy):
    first, second = await economy.account("first"), await economy.account("second")
    payer = await economy.account("payer", credits=100)
    await economy.model("m", first, None)
    assert await shares(economy, payer, model_id="m", amount=2) == ({"first": 2 * FLAT_RATE}, None)
    await economy.buy(second, "m")
    assert await shares(economy, payer, model_id="m", amount=2) == ({"first": FLAT_RATE, "second": FLAT_RATE}, None)
    await economy.change_model("m", creator_id="payer", creator_share_bps=100)
    assert await shares(economy, payer, model_id="m", amount=2) == ({}, "self_use")
    await economy.change_model("m", creator_id=None, monetized=False)
    assert await shares(economy, payer, model_id="m", amount=2) == ({}, "not_monetized")
    await economy.change_model("m", monetized=True, earnings_policy="odd")
    assert await shares(economy, payer, model_id="m", amount=2) == ({"first": 3, "second": 3}, None)


async def test_what_is_not_monetized_counts_and_earns_nothing(economy):
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    model = await economy.model("m", owner, monetized=False)
    assert await shares(economy, payer, model_id="m", amount=10) == ({}, "not_monetized")
    assert (await economy.standing(model), await economy.earned(owner)) == ((1, 10, 0), 0)
    assert await economy.rows("select uses, credits, nanos from earnings.model_earner") == [(1, 10, 0)]
    await clean(economy.db)


async def test_only_credits_that_earn_earn(economy):
    """Policy `paid` earns on top-ups alone: the gift that burns first earns nobody anything."""
    owner = await economy.account("owner")
    model = await economy.model("m", owner, earnings_policy="paid")
    payer = await economy.account("payer", plan="small", credits=0)
    await economy.grant(payer, 10, source="gift", priority=1)
    await economy.grant(payer, 10)
    assert await shares(economy, payer, model_id="m", amount=100) == ({}, "unpaid_source")  # the allowance
    assert await shares(economy, payer, model_id="m", amount=4) == ({}, "unpaid_source")
    assert await shares(economy, payer, model_id="m", amount=8) == ({"owner": 2 * FLAT_RATE}, None)
    assert await shares(economy, payer, model_id="m", amount=8) == ({"owner": 8 * FLAT_RATE}, None)
    assert (await economy.standing(model), await economy.earned(owner)) == ((4, 120, 10 * FLAT_RATE), 10 * FLAT_RATE)
    await clean(economy.db)


async def test_a_use_that_took_nothing_earns_nothing(economy):
    """Not even by a policy that pays per use."""
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    await economy.model("m", owner, earnings_policy="dynamic", credit_cost=0)
    assert await shares(economy, payer, model_id="m") == ({}, "unpaid_source")
    assert await shares(economy, payer, operation="avatar_upload", model_id="m") == ({}, "unpaid_source")
    assert await economy.earned(owner) == 0


async def test_a_charge_without_a_model_earns_nothing(economy):
    payer = await economy.account("payer", credits=100)
    assert await shares(economy, payer, amount=10) == ({}, "no_model")


async def test_more_than_64_bits_are_charged_and_not_credited(economy):
    owner, payer = await economy.account("owner"), await economy.account("payer")
    for _ in range(3):
        await economy.grant(payer, 10**15)
    flat = await economy.model("flat", owner)
    steep = await economy.model("steep", owner, earnings_policy="steep")
    assert await shares(economy, payer, model_id="flat", amount=10**15) == ({}, "overflow")  # 10^20
    assert await shares(economy, payer, model_id="steep", amount=2) == ({}, "overflow")
    assert await economy.balance(payer) == 250_000 + 2 * 10**15 - 2
    assert (await economy.standing(flat), await economy.standing(steep)) == ((1, 10**15, 0), (1, 2, 0))
    assert await economy.earned(owner) == 0
    await clean(economy.db)


async def test_sums_that_would_pass_64_bits(economy):
    """Each fits, their sum does not: in one batch, in several, by one model or by two of one earner."""
    owner, other = await economy.account("owner"), await economy.account("other")
    payer = await economy.account("payer")
    await economy.grant(payer, 10**15)
    steep = await economy.model(
        "steep", owner, other, earnings_policy="steep", creator_id="owner", creator_share_bps=5000
    )
    flat = await economy.model("flat", owner)
    orders = [economy.order(payer, model_id="steep", amount=1) for _ in range(3)]
    done = await economy.till.submit_all(orders)
    assert [one.receipt.earnings_reason for one in done] == [None, "overflow", "overflow"]
    assert (await economy.earned(owner), await economy.earned(other)) == (STEEP // 4 * 3, STEEP // 4)
    assert await economy.standing(steep) == (3, 3, STEEP)
    # The owner has room for so many credits more at the flat rate, and not for one.
    room = (MAX - STEEP // 4 * 3) // FLAT_RATE
    assert (await shares(economy, payer, model_id="flat", amount=room + 1))[1] == "overflow"
    assert await shares(economy, payer, model_id="flat", amount=room) == ({"owner": room * FLAT_RATE}, None)
    orders = [economy.order(payer, model_id="flat", amount=1), economy.order(payer, amount=1)]
    orders += [economy.order(payer, "report", model_id="flat", amount=1)]
    done = await asyncio.gather(*(economy.till.submit(order) for order in orders))
    assert [one.receipt.earnings_reason for one in done] == ["overflow", "no_model", "overflow"]
    assert await economy.standing(flat) == (4, 2 * room + 3, room * FLAT_RATE)
    assert await economy.balance(payer) == 250_000 + 10**15 - 3 - 2 * room - 1 - 2
    # A hold of what would overflow is captured all the same.
    hold = await economy.hold(payer, model_id="flat", amount=1)
    assert (await economy.capture(payer, hold, 1)).receipt.earnings_reason == "overflow"
    again = await economy.till.submit(orders[0])
    assert (again.replayed, again.receipt) == (True, done[0].receipt)
    await clean(economy.db)


async def test_a_neighbour_of_an_overflow_earns(economy):
    owner, other = await economy.account("owner"), await economy.account("other")
    payer = await economy.account("payer", credits=10)
    await economy.model("steep", owner, earnings_policy="steep")
    await economy.model("flat", other)
    orders = [economy.order(payer, model_id=name, amount=1) for name in ("steep", "flat", "steep", "flat")]
    done = await economy.till.submit_all(orders)
    assert [one.receipt.earnings_reason for one in done] == [None, None, "overflow", None]
    assert (await economy.earned(owner), await economy.earned(other)) == (STEEP, 2 * FLAT_RATE)
    await clean(economy.db)


async def test_policies_are_the_catalogs_of_the_moment(economy):
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    await economy.model("m", owner, earnings_policy="odd")
    assert await shares(economy, payer, model_id="m", amount=1) == ({"owner": 3}, None)
    await economy.apply(source(TERMS.replace('per_credit_usd = "0.000000003"', 'per_credit_usd = "0.000000005"')))
    assert await shares(economy, payer, model_id="m", amount=1) == ({"owner": 5}, None)
    await economy.apply(source(TERMS[: TERMS.index("[[earnings_policy]]")]))
    assert await shares(economy, payer, model_id="m", amount=1) == ({}, "not_monetized")


async def test_a_buyer_who_comes_while_the_terms_are_read(economy, admin):
    """Terms are read while another process opens the first owner's account; the second owner comes in between."""
    first, second = await economy.account("first"), await economy.account("second")
    payer = await economy.account("payer", credits=100)
    await economy.model("m", first, None)
    with admin.transaction():
        admin.execute(
            "insert into ledger.account (bucket, owner_id, asset_id, role) values (%s, %s, 0, 'earnings')",
            [payer.bucket, first.id],
        )
        charge = asyncio.ensure_future(economy.charge(payer, model_id="m", amount=2))
        blocked = (
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        for _ in range(500):
            if admin.execute(blocked).fetchone() == (1,):
                break
            await asyncio.sleep(0.01)
        await economy.buy(second, "m")
    assert (await charge).receipt.earnings == (Share("first", "m", FLAT_RATE), Share("second", "m", FLAT_RATE))
    await clean(economy.db)
