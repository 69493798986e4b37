"""Tiers count the uses logged before this one, exactly, whatever the batches; over all buckets."""

from decimal import ROUND_HALF_EVEN, Decimal

from economy import clean

EDGES = ((10_000, "2.5"), (5_000, "2.0"), (1_000, "1.5"), (100, "1.2"))
TYPES = {"image_generation": "1.0", "chat": "0.8", "other": "0.6"}


def nanos(amount: int, before: int, usage_type: str) -> int:
    """What the shipped policy `dynamic` pays, worked out by hand."""
    tier = next((multiplier for uses, multiplier in EDGES if before >= uses), "1.0")
    usd = (Decimal("0.001") + amount * Decimal("0.0001")) * Decimal(tier) * Decimal(TYPES[usage_type])
    return int((usd * 10**9).quantize(Decimal(1), ROUND_HALF_EVEN))


def earned(done) -> int:
    return sum(share.nanos for share in done.receipt.earnings)


async def test_every_use_is_paid_by_those_before_it(economy):
    """10,010 charges in batches: each, the edges 99/100, 999/1000, 4999/5000, 9999/10000 among them, to the nano."""
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=10**6)
    model = await economy.model("m", owner, earnings_policy="dynamic")
    kinds = list(TYPES)
    total = 0
    for start in range(0, 10_010, 1001):
        orders = [
            economy.order(payer, model_id="m", amount=before % 7 + 1, usage_type=kinds[before % 3])
            for before in range(start, start + 1001)
        ]
        done = await economy.till.submit_all(orders)
        wanted = [nanos(before % 7 + 1, before, kinds[before % 3]) for before in range(start, start + 1001)]
        assert [earned(one) for one in done] == wanted
        total += sum(wanted)
    assert await economy.earned(owner) == total
    assert (await economy.standing(model))[::2] == (10_010, total)
    await clean(economy.db)


async def test_uses_of_all_payers_count_and_self_use_does_not(economy):
    """Payers take turns, so that every bucket sees the others' uses; a reversed use is uncounted again."""
    owner = await economy.account("owner", credits=1000)
    payers = [await economy.account(f"p{place}", credits=1000) for place in range(5)]
    model = await economy.model("m", owner, earnings_policy="dynamic")
    await economy.character("hero", "m")
    for before in range(97):
        done = await economy.charge(payers[before % 5], model_id="m", amount=1)
        assert earned(done) == nanos(1, before, "other")
        if before % 10 == 0:
            assert (await economy.charge(owner, model_id="m", amount=1)).receipt.earnings_reason == "self_use"
    by_character = await economy.charge(payers[0], character_id="hero", amount=1)
    report = await economy.charge(payers[1], "report", model_id="m", amount=1)
    assert (earned(by_character), earned(report)) == (nanos(1, 97, "other"), nanos(1, 98, "other"))
    assert (await economy.standing(model))[0] == 99
    for before, payer in ((99, payers[2]), (100, payers[3])):
        done = await economy.charge(payer, model_id="m", amount=1)
        assert earned(done) == nanos(1, before, "other")
    await economy.reverse(payers[3], done.id)
    assert earned(await economy.charge(payers[4], model_id="m", amount=1)) == nanos(1, 100, "other")
    await economy.change_model("m", monetized=False)
    assert earned(await economy.charge(payers[4], model_id="m", amount=1)) == 0
    await economy.change_model("m", monetized=True)
    assert earned(await economy.charge(payers[4], character_id="hero", amount=1)) == nanos(1, 102, "other")
    await clean(economy.db)
    assert nanos(1, 99, "other") < nanos(1, 100, "other")
