"""Models and their prices, characters, and purchases: one payment, one owner, whatever races."""

import asyncio

import psycopg
import pytest
import pytest_asyncio

from economy import Economy, party, teller, tenant
from tokenhouse.domain import market
from tokenhouse.domain.ledger.types import Command
from tokenhouse.domain.market import rules
from tokenhouse.domain.market.types import NewCharacter, NewModel, Sale, Wanted
from tokenhouse.infra.database import PLATFORM, Database, sqlstate
from tokenhouse.infra.kernel.errors import (
    Conflict,
    IdempotencyMismatch,
    InsufficientTokens,
    NotFound,
    TokenhouseError,
    UnknownReference,
    ValidationFailed,
)


@pytest_asyncio.fixture
async def eco(db: Database) -> Economy:
    return await Economy.found(db)


async def change(eco: Economy, model_id: str, **changes):
    async with eco.db.transaction(PLATFORM) as tx:
        return await market.update_model(tx, eco.terms, model_id, changes)


async def see(eco: Economy, model_id: str, *, archived=False):
    async with eco.db.read(PLATFORM) as tx:
        return await market.find_model(tx, model_id, archived=archived)


# ---- models ----


async def test_a_model_comes_back_as_made(eco):
    maker = await eco.account("maker")
    made = await eco.model(
        "m", name="Nightjar", category="Fantasy", description="sings", features=("long", "short"),
        pricing={"output_token": "0.0060", "input_token": "0.0015"}, upstream_model="gpt-4o-mini",
        provider="default", price_credits=450, premium=False, ownership="shared", creator_id="maker",
        creator_share_bps=2500, earnings_policy="dynamic",
    )  # fmt: skip
    assert made == await see(eco, "m")
    assert made.pricing == {"input_token": "0.0015", "output_token": "0.006"}
    assert (made.pricing_version, made.creator, made.creator_id) == (1, maker.id, "maker")
    assert (made.features, made.price_credits, made.premium) == (["long", "short"], 450, False)
    assert made.archived_at is None


async def test_a_credit_cost_is_a_price_by_call(eco):
    assert (await eco.model("a", credit_cost=3)).pricing == {"call": "3"}
    assert (await eco.model("b", credit_cost=0)).pricing == {"call": "0"}
    assert (await eco.model("c")).pricing is None
    assert [rules.credit_cost(price) for price in ({"call": "3"}, {"call": "0.5"}, {"image": "3"}, None)] == [
        3, None, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"pricing": {"call": "3"}, "credit_cost": 3}, ValidationFailed),
        ({"pricing": {}}, ValidationFailed),
        ({"pricing": {"hour": "1"}}, ValidationFailed),
        ({"credit_cost": -1}, ValidationFailed),
        ({"external_id": "a b"}, ValidationFailed),
        ({"earnings_policy": "no-such"}, UnknownReference),
        ({"creator_id": "nobody"}, NotFound),
    ],
)
async def test_models_that_are_none(eco, given, error):
    external_id = given.pop("external_id", "m")
    with pytest.raises(error):
        await eco.model(external_id, **given)


async def test_an_id_is_taken_once_and_made_where_none_is_given(eco):
    await eco.model("m")
    with pytest.raises(Conflict) as refused:
        await eco.model("m")
    assert refused.value.code == "already_exists"
    assert (await eco.model(None)).external_id


async def test_changes_leave_the_rest(eco):
    before = await eco.model("m", credit_cost=3, description="old", price_credits=450)
    after = await change(eco, "m", price_credits=460, category="Realistic", features=["x"])
    assert (after.price_credits, after.category, after.features) == (460, "Realistic", ["x"])
    assert (after.description, after.pricing, after.pricing_version) == ("old", {"call": "3"}, 1)
    assert after.updated_at > before.updated_at
    assert (await change(eco, "m", description=None)).description is None
    for bad, error in (
        ({"earnings_policy": "no-such"}, UnknownReference),
        ({"credit_cost": -3}, ValidationFailed),
        ({"creator_id": "nobody"}, NotFound),
    ):
        with pytest.raises(error):
            await change(eco, "m", **bad)
    with pytest.raises(NotFound):
        await change(eco, "no-such", price_credits=1)


async def test_a_new_price_is_a_new_version(eco):
    await eco.model("m", credit_cost=3)
    assert (await change(eco, "m", credit_cost=8)).pricing_version == 2
    assert (await change(eco, "m", credit_cost=8, name="same price")).pricing_version == 2
    model = await change(eco, "m", pricing=None)
    assert (model.pricing, model.pricing_version) == (None, 3)
    async with eco.db.read(PLATFORM) as tx:
        versions = await market.pricing_versions(tx, model.id)
    assert [(v.version, v.pricing) for v in versions] == [(3, None), (2, {"call": "8"}), (1, {"call": "3"})]


async def test_creator_comes_and_goes(eco):
    maker = await eco.account("maker")
    await eco.model("m")
    assert (await change(eco, "m", creator_id="maker", creator_share_bps=100)).creator == maker.id
    assert (await change(eco, "m", name="same maker")).creator == maker.id
    assert (await change(eco, "m", creator_id=None)).creator is None


async def test_a_removed_model_is_archived(eco):
    owner = await eco.account("owner", credits=10)
    await eco.model("m", owner)
    async with eco.db.transaction(PLATFORM) as tx:
        gone = await market.remove_model(tx, "m")
    assert gone.archived_at is not None
    assert not gone.active
    assert await see(eco, "m") is None
    assert await see(eco, "m", archived=True) == gone
    for verb in (market.remove_model, market.update_model):
        with pytest.raises(NotFound):
            async with eco.db.transaction(PLATFORM) as tx:
                await (verb(tx, "m") if verb is market.remove_model else verb(tx, eco.terms, "m", {}))
    async with eco.db.read(tenant(owner)) as tx:
        assert [owned.model_id for owned in await market.owned_by(tx, owner.id)] == ["m"]
    with pytest.raises(NotFound):
        await eco.buy(await eco.account("late", credits=10), "m")
    with pytest.raises(Conflict):
        await eco.model("m")


async def test_lists(eco):
    for number in range(5):
        await eco.model(f"m{number}", category="Anime" if number % 2 else "Fantasy", active=number != 3)
    async with eco.db.transaction(PLATFORM) as tx:
        await market.remove_model(tx, "m4")
        ids = lambda models: [model.external_id for model in models]  # noqa: E731
        assert ids((await market.list_models(tx))[0]) == ["m3", "m2", "m1", "m0"]
        assert ids((await market.list_models(tx, Wanted(active=True)))[0]) == ["m2", "m1", "m0"]
        assert ids((await market.list_models(tx, Wanted(category="Anime", active=False)))[0]) == ["m3"]
        first, end = await market.list_models(tx, most=2)
        assert ids(first) == ["m3", "m2"]
        assert [ids(rest) for rest in (await market.list_models(tx, after=end))[:1]] == [["m1", "m0"]]


async def test_only_the_platform_changes_the_market(eco):
    owner = await eco.account("owner", credits=10)
    await eco.model("m", owner)
    for actor in (tenant(owner), teller(owner)):
        for verb in (
            lambda tx: market.create_model(tx, eco.terms, NewModel("x", "c", 1, True, True, True, "shared")),
            lambda tx: market.update_model(tx, eco.terms, "m", {"price_credits": 0}),
            lambda tx: market.remove_model(tx, "m"),
            lambda tx: market.create_character(tx, NewCharacter("x", "m")),
        ):
            with pytest.raises(psycopg.Error) as refused:
                async with eco.db.transaction(actor) as tx:
                    await verb(tx)
            assert sqlstate(refused.value) == "TH403"


# ---- characters ----


async def test_characters(eco):
    await eco.model("m")
    made = await eco.character("emma", "m", name="Emma", image_url="https://img.example/emma.png")
    await eco.character("late", "m")
    assert made.model_id == "m"
    async with eco.db.read(PLATFORM) as tx:
        assert await market.find_character(tx, "emma") == made
        assert await market.find_character(tx, "nobody") is None
    model = await see(eco, "m")
    assert (model.character_id, model.character_name, model.character_image) == (
        "emma", "Emma", "https://img.example/emma.png",
    )  # fmt: skip
    with pytest.raises(Conflict):
        await eco.character("emma", "m")
    with pytest.raises(NotFound):
        await eco.character("x", "no-such")
    async with eco.db.transaction(PLATFORM) as tx:
        await market.remove_model(tx, "m")
    with pytest.raises(NotFound):
        await eco.character("x", "m")


# ---- purchases ----


async def test_a_purchase_pays_and_owns(eco, admin):
    buyer = await eco.account("buyer", credits=1000)
    await eco.model("m", price_credits=460)
    answer, replayed = await eco.buy(buyer, "m", "k1")
    bought_at = answer.pop("bought_at")
    assert answer == {
        "model_id": "m", "account_id": "buyer", "price_credits": 460, "credit_type": "general",
        "balance": 540, "ownership": "exclusive",
    }  # fmt: skip
    assert not replayed
    assert await eco.balance(buyer) == 540
    async with eco.db.read(tenant(buyer)) as tx:
        (owned,) = await market.owned_by(tx, buyer.id)
    assert (owned.model_id, owned.price_credits, owned.bought_at.isoformat()) == ("m", 460, bought_at)
    legs = admin.execute(
        "select t.kind, t.amount, t.credit_id, e.kind, e.id = o.entry_id from ledger.entry e "
        "join ledger.transfer t on t.bucket = e.bucket and t.entry_id = e.id "
        "cross join market.ownership o where e.key = 'k1'"
    ).fetchall()
    assert legs == [("purchase", 460, -18, "purchase", True)]
    assert admin.execute(
        "select a.balance, a.spent, (select sum(l.remaining) from wallets.lot l) from ledger.account a"
    ).fetchall() == [(540, 460, 540)]


async def test_the_same_key_gives_the_same_answer(eco):
    buyer = await eco.account("buyer", credits=1000)
    await eco.model("m", price_credits=460)
    first = await eco.buy(buyer, "m", "k1")
    assert await eco.buy(buyer, "m", "k1") == (first[0], True)
    with pytest.raises(IdempotencyMismatch):
        await eco.buy(buyer, "m", "k1", body="11")
    async with eco.db.transaction(PLATFORM) as tx:
        await market.remove_model(tx, "m")
    assert await eco.buy(buyer, "m", "k1") == (first[0], True)
    assert await eco.balance(buyer) == 540


async def test_refusals_move_nothing(eco, admin):
    buyer, other = await eco.account("buyer", credits=1000), await eco.account("other", credits=1000)
    await eco.model("m", other, price_credits=300)
    await eco.model("off", price_credits=1, active=False)
    await eco.model("dear", price_credits=1001)
    for model_id, who, code in (
        ("m", buyer, "already_owned"), ("m", other, "already_owned"), ("off", buyer, "model_inactive"),
        ("dear", buyer, "insufficient_tokens"), ("no-such", buyer, "not_found"),
    ):  # fmt: skip
        with pytest.raises(TokenhouseError) as refused:
            await eco.buy(who, model_id, f"k-{model_id}")
        assert refused.value.code == code
    assert (await eco.balance(buyer), await eco.balance(other)) == (1000, 700)
    assert admin.execute("select count(*) from market.ownership").fetchone() == (1,)
    # A refusal does not use the key up.
    await eco.grant(buyer, 1)
    answer, replayed = await eco.buy(buyer, "dear", "k-dear")
    assert (answer["balance"], replayed) == (0, False)


async def test_figures_of_a_refusal(eco):
    buyer = await eco.account("buyer", credits=7)
    await eco.model("m", price_credits=10)
    with pytest.raises(InsufficientTokens) as refused:
        await eco.buy(buyer, "m")
    assert refused.value.extra == {"required": 10, "available": 7, "upgrade_url": "/plans"}


async def test_held_credits_buy_nothing(eco):
    buyer = await eco.account("buyer", credits=10)
    await eco.model("m", price_credits=8)
    await eco.charge(buyer, "hold", amount=5)
    with pytest.raises(InsufficientTokens) as refused:
        await eco.buy(buyer, "m")
    assert refused.value.available == 5


async def test_an_expired_hold_is_free_again(eco, admin):
    buyer = await eco.account("buyer", credits=10)
    await eco.model("m", price_credits=8)
    await eco.charge(buyer, "hold", amount=5)
    admin.execute("update ledger.hold set expires_at = clock_timestamp()")
    answer, _ = await eco.buy(buyer, "m")
    assert answer["balance"] == 2


async def test_a_free_model_needs_no_wallet(eco):
    buyer = await eco.account("buyer", "organization")
    await eco.model("m")
    answer, _ = await eco.buy(buyer, "m", "k1")
    assert (answer["price_credits"], answer["balance"]) == (0, 0)
    assert await eco.buy(buyer, "m", "k1") == (answer, True)


async def test_what_burns_first_pays_first(eco, admin):
    buyer = await eco.account("buyer", credits=100)
    await eco.grant(buyer, 50, source="gift", priority=1)
    await eco.model("m", price_credits=120)
    await eco.buy(buyer, "m")
    left = admin.execute("select source, remaining from wallets.lot order by source").fetchall()
    assert left == [("gift", 0), ("top_up", 30)]


async def test_a_renewal_that_is_due_comes_first(eco, admin):
    buyer = await eco.account("buyer")
    await eco.charge(buyer, amount=249_999)
    admin.execute(
        "update wallets.enrolment set anchor = anchor - interval '2 months', "
        "period_started_at = period_started_at - interval '2 months', renews_at = renews_at - interval '2 months'"
    )
    admin.execute("update wallets.lot set expires_at = expires_at - interval '2 months'")
    await eco.model("m", price_credits=250_000)
    answer, _ = await eco.buy(buyer, "m")
    assert answer["balance"] == 0


async def test_shared_models_have_many_owners(eco):
    buyers = [await eco.account(f"b{number}", credits=10) for number in range(3)]
    await eco.model("m", price_credits=1, ownership="shared")
    for buyer in buyers:
        await eco.buy(buyer, "m")
    with pytest.raises(Conflict):
        await eco.buy(buyers[0], "m")
    with pytest.raises(Conflict):
        await change(eco, "m", ownership="exclusive")


@pytest.mark.parametrize("buyers", [100])
async def test_a_race_for_an_exclusive_model_has_one_winner(eco, admin, buyers):
    await eco.model("m", price_credits=500)
    crowd = [await eco.account(f"b{number}", credits=800) for number in range(buyers)]
    outcomes = await asyncio.gather(*(eco.buy(buyer, "m") for buyer in crowd), return_exceptions=True)
    assert sum(isinstance(outcome, tuple) for outcome in outcomes) == 1
    assert sum(getattr(outcome, "code", "") == "already_owned" for outcome in outcomes) == buyers - 1
    winner = crowd[next(at for at, outcome in enumerate(outcomes) if isinstance(outcome, tuple))]
    assert admin.execute("select account_id from market.ownership").fetchall() == [(winner.id,)]
    paid = admin.execute("select sum(balance), sum(spent) from ledger.account").fetchone()
    assert paid == (buyers * 800 - 500, 500)
    assert admin.execute("select count(*) from ledger.entry where kind = 'purchase'").fetchone() == (1,)


async def test_one_buyer_in_many_windows_buys_once(eco):
    buyer = await eco.account("buyer", credits=1000)
    await eco.model("m", price_credits=100, ownership="shared")
    outcomes = await asyncio.gather(*(eco.buy(buyer, "m") for _ in range(16)), return_exceptions=True)
    assert sum(isinstance(outcome, tuple) for outcome in outcomes) == 1
    assert await eco.balance(buyer) == 900


async def test_one_key_in_many_windows_gives_one_answer(eco):
    buyer = await eco.account("buyer", credits=1000)
    await eco.model("m", price_credits=100)
    outcomes = await asyncio.gather(*(eco.buy(buyer, "m", "k1") for _ in range(16)))
    assert sorted(replayed for _, replayed in outcomes) == [False] + [True] * 15
    assert len({str(answer) for answer, _ in outcomes}) == 1
    assert await eco.balance(buyer) == 900


async def test_nobody_buys_with_anothers_credits(eco):
    buyer, other = await eco.account("buyer", credits=10), await eco.account("other", credits=10)
    await eco.model("m", price_credits=1)
    command = Command(party(buyer), "k", "00" * 16)
    for actor in (teller(other), tenant(buyer)):
        with pytest.raises(psycopg.Error) as refused:
            async with eco.db.transaction(actor) as tx:
                await market.purchase(tx, eco.terms, command, "m", "/plans")
        assert sqlstate(refused.value) == "TH403"


@pytest.mark.parametrize(
    ("sale", "available", "outcome"),
    [
        (Sale(True, 10, "exclusive", 0, False), 10, 10),
        (Sale(True, 0, "exclusive", 0, False), 0, 0),
        (Sale(True, 10, "shared", 5, False), 10, 10),
        (Sale(True, 10, "exclusive", 0, False), 9, "insufficient_tokens"),
        (Sale(False, 10, "exclusive", 1, True), 0, "model_inactive"),
        (Sale(True, 10, "shared", 1, True), 0, "already_owned"),
        (Sale(True, 10, "exclusive", 1, False), 0, "already_owned"),
    ],
)
def test_what_is_sold(sale, available, outcome):
    try:
        price = rules.decide_sale(sale, "m", available, "/plans")
    except TokenhouseError as refusal:
        price = refusal.code
    assert price == outcome
