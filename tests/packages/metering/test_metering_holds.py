"""Holds: set aside, captured, voided, expired; each ends exactly once, whoever comes first."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from economy import FLAT_RATE, TELLER, clean, party, pass_time, tenant
from tokenhouse.domain import ledger, metering, wallets
from tokenhouse.domain.metering.types import Share
from tokenhouse.infra.kernel.errors import Conflict, InsufficientTokens, NotFound

ENDED = "hold_ended"
HOUR = timedelta(hours=1)


async def figures(economy, payer):
    view = await economy.wallet(payer)
    return view.balance, view.held, view.available


async def sweep(economy):
    done = 0
    for bucket in range(economy.buckets):
        async with economy.db.transaction(TELLER) as tx:
            done += await ledger.expire_holds(tx, bucket)
    return done


async def test_a_hold_sets_aside_and_takes_nothing(economy):
    payer = await economy.account("payer", credits=100)
    hold = await economy.hold(payer, amount=70, ttl_seconds=60)
    answer = hold.answer
    assert (answer["account_id"], answer["credit_type"], answer["amount"]) == ("payer", "general", 70)
    assert (answer["state"], answer["available"], answer["balance"]) == ("live", 30, 100)
    async with economy.db.read(tenant(payer)) as tx:
        found = await ledger.hold_of(tx, UUID(hold.id))
    assert found.expires_at - found.created_at == timedelta(seconds=60)
    assert (found.account_external_id, found.state, found.captured) == ("payer", "live", None)
    assert await figures(economy, payer) == (100, 70, 30)
    assert (await economy.wallet(payer)).used == 0
    with pytest.raises(InsufficientTokens) as refused:
        await economy.charge(payer, amount=31)
    assert refused.value.available == 30
    with pytest.raises(InsufficientTokens):
        await economy.hold(payer, amount=31)
    assert (await economy.charge(payer, amount=30)).receipt.balance == 70
    await clean(economy.db)


async def test_nobody_else_sees_a_hold(economy):
    payer, other = await economy.account("payer", credits=100), await economy.account("other", credits=100)
    hold = await economy.hold(payer, amount=70)
    async with economy.db.read(tenant(other)) as tx:
        assert await ledger.hold_of(tx, UUID(hold.id)) is None
    for sort in ("capture", "void"):
        with pytest.raises(NotFound):
            await economy.till.submit(economy.ending(other, hold, sort, 1))
    assert await economy.hold_state(hold) == "live"


async def test_a_capture_takes_its_part_and_frees_the_rest(economy):
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    model = await economy.model("m", owner, credit_cost=70)
    hold = await economy.hold(
        payer, model_id="m", operation="chat", user_label="someone", metadata='{"a": 1}', provider="p", cost_nanos=5
    )
    done = await economy.capture(payer, hold, 40)
    receipt = done.receipt
    assert (done.kind, receipt.hold_id, receipt.amount, receipt.balance) == ("capture", hold.id, 40, 60)
    # What the hold was about is what the capture is about, at the price of then.
    assert (receipt.operation, receipt.model_id, receipt.user_id) == ("chat", "m", "someone")
    assert (receipt.metadata, receipt.provider, receipt.cost_nano_usd) == ({"a": 1}, "p", 5)
    assert (receipt.usage_type, receipt.rate_card_version) == ("chat", 1)
    assert receipt.earnings == (Share("owner", "m", 40 * FLAT_RATE),)
    assert await figures(economy, payer) == (60, 0, 60)
    assert (await economy.earned(owner), await economy.standing(model)) == (40 * FLAT_RATE, (1, 40, 40 * FLAT_RATE))
    await clean(economy.db)


async def test_a_capture_keeps_the_character(economy):
    payer = await economy.account("payer", credits=100)
    await economy.model("m")
    await economy.character("hero", "m")
    for names in ({"character_id": "hero"}, {"character_id": "hero", "model_id": "m"}):
        hold = await economy.hold(payer, amount=10, **names)
        receipt = (await economy.capture(payer, hold, 10)).receipt
        assert (receipt.model_id, receipt.character_id) == ("m", "hero")


async def test_all_of_it_and_nothing_of_it(economy):
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    await economy.model("m", owner)
    whole = await economy.hold(payer, amount=60, model_id="m")
    nothing = await economy.hold(payer, amount=40, model_id="m")
    assert (await economy.capture(payer, whole, 60)).receipt.balance == 40
    receipt = (await economy.capture(payer, nothing, 0)).receipt
    assert (receipt.amount, receipt.balance, receipt.grants, receipt.earnings) == (0, 40, (), ())
    assert await economy.hold_state(nothing) == "captured"
    assert await figures(economy, payer) == (40, 0, 40)
    assert await economy.earned(owner) == 60 * FLAT_RATE
    await clean(economy.db)


async def test_a_refused_over_capture_leaves_the_hold_live(economy):
    payer = await economy.account("payer", credits=100)
    hold = await economy.hold(payer, amount=50)
    with pytest.raises(Conflict) as refused:
        await economy.capture(payer, hold, 51, key="k")
    assert (refused.value.code, refused.value.extra["held"]) == ("capture_exceeds_hold", 50)
    assert (await economy.hold_state(hold), await figures(economy, payer)) == ("live", (100, 50, 50))
    assert (await economy.capture(payer, hold, 50, key="k")).receipt.balance == 50


async def test_a_void_gives_all_back(economy):
    payer = await economy.account("payer", credits=100)
    hold = await economy.hold(payer, amount=50)
    answer = (await economy.void(payer, hold)).answer
    assert answer == {"id": hold.id, "state": "voided", "amount": 50, "available": 100, "balance": 100}
    assert await figures(economy, payer) == (100, 0, 100)
    await clean(economy.db)


@pytest.mark.parametrize("first", ["capture", "void"])
async def test_what_has_ended_does_not_end_again(economy, first):
    payer = await economy.account("payer", credits=100)
    hold = await economy.hold(payer, amount=50)
    await economy.till.submit(economy.ending(payer, hold, first, 10, key="k"))
    for sort in ("capture", "void"):
        with pytest.raises(Conflict) as refused:
            await economy.till.submit(economy.ending(payer, hold, sort, 10))
        assert (refused.value.code, refused.value.extra["state"]) == (ENDED, f"{first}d".replace("voidd", "voided"))
    again = await economy.till.submit(economy.ending(payer, hold, first, 10, key="k"))
    assert again.replayed
    assert await economy.balance(payer) == (90 if first == "capture" else 100)


async def test_time_ends_a_hold(economy, admin):
    """Its credits are free for whoever asks, before any sweep has been."""
    payer = await economy.account("payer", credits=100)
    hold = await economy.hold(payer, amount=80, ttl_seconds=3599)
    later = await economy.hold(payer, amount=10, ttl_seconds=7200)
    pass_time(admin, HOUR)
    async with economy.db.read(tenant(payer)) as tx:
        views, _ = await wallets.wallets_of(tx, economy.terms, party(payer))
    assert [(view.balance, view.held, view.available) for view in views if view.balance] == [(100, 10, 90)]
    for sort in ("void", "capture"):
        with pytest.raises(Conflict, match="it was expired") as refused:
            await economy.till.submit(economy.ending(payer, hold, sort, 1))
        assert (refused.value.code, refused.value.extra["state"]) == (ENDED, "expired")
    assert await figures(economy, payer) == (100, 10, 90)
    assert (await economy.check(payer, amount=90)).available == 90
    assert (await economy.charge(payer, amount=90)).receipt.balance == 10
    assert (await economy.hold_state(hold), await economy.hold_state(later)) == ("expired", "live")
    assert (await economy.capture(payer, later, 5)).receipt.balance == 5
    # Also of several, one after the other, with nothing else to be done to the account.
    holds = [await economy.hold(payer, amount=1, ttl_seconds=hours * 3600 - 1) for hours in (1, 2, 3)]
    for hold in holds:
        pass_time(admin, HOUR)
        with pytest.raises(Conflict, match="it was expired"):
            await economy.capture(payer, hold, 1)
    assert await figures(economy, payer) == (5, 0, 5)
    await clean(economy.db)


async def test_the_sweep_ends_all_that_is_over(economy, admin):
    payers = [await economy.account(f"p{number}", credits=100) for number in range(5)]
    holds = [await economy.hold(payer, amount=20, ttl_seconds=60) for payer in payers for _ in range(3)]
    kept = await economy.hold(payers[0], amount=20, ttl_seconds=7200)
    empty = await economy.hold(
        await economy.account("empty", "organization"), operation="avatar_upload", ttl_seconds=60
    )
    pass_time(admin, HOUR)
    assert await sweep(economy) == 16
    assert await sweep(economy) == 0
    assert {await economy.hold_state(hold) for hold in [*holds, empty]} == {"expired"}
    assert await economy.hold_state(kept) == "live"
    assert await figures(economy, payers[0]) == (100, 20, 80)
    await clean(economy.db)


async def test_settling_an_account_ends_its_holds(economy, admin):
    payer, other = await economy.account("payer"), await economy.account("other")
    hold, others = [await economy.hold(one, amount=20, ttl_seconds=60) for one in (payer, other)]
    pass_time(admin, HOUR)
    assert await economy.settle(payer)
    assert not await economy.settle(payer)
    assert (await economy.hold_state(hold), await economy.hold_state(others)) == ("expired", "live")


async def test_ends_that_race(economy, admin):
    """Captures, voids, sweeps and settlements of one hold at once: one of them ends it."""
    for sets in range(6):
        payer = await economy.account(f"payer{sets}", credits=100)
        hold = await economy.hold(payer, amount=50)
        if sets % 2:
            admin.execute(
                "update ledger.hold set expires_at = clock_timestamp() + interval '15 ms' where id = %s", [hold.id]
            )
        ends = [economy.ending(payer, hold, sort, 50) for sort in ("capture", "void") * 3]
        tills = [economy.till, type(economy.till)(economy.db, buckets=economy.buckets)]
        outcomes = await asyncio.gather(
            *(tills[place % 2].submit(end) for place, end in enumerate(ends)),
            *(sweep(economy) for _ in range(2)),
            metering.settle_account(economy.db, economy.terms, ends[0].command.party),
            return_exceptions=True,
        )
        done = [one for one in outcomes[:6] if not isinstance(one, BaseException)]
        refused = [one for one in outcomes[:6] if isinstance(one, BaseException)]
        assert {getattr(one, "code", one) for one in refused} == {ENDED}
        assert not [one for one in outcomes[6:] if isinstance(one, BaseException)]
        if not done:
            await sweep(economy)
        state = await economy.hold_state(hold)
        assert (len(done), state) in ((1, "captured"), (1, "voided"), (0, "expired"))
        assert await figures(economy, payer) == ((50, 0, 50) if state == "captured" else (100, 0, 100))
    await clean(economy.db)
