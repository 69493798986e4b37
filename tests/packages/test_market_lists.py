"""Lists of models: what a search finds, what filters leave, the order, pages that hold while the market changes."""

from time import perf_counter

import pytest

from economy import Economy, party, tenant
from tokenhouse.domain import market, metering
from tokenhouse.domain.market import rules
from tokenhouse.domain.market.types import Place, Wanted
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import Conflict, NotFound


async def listed(economy: Economy, wanted=None, *, actor=PLATFORM, **more):
    async with economy.db.read(actor) as tx:
        models, _ = await market.list_models(tx, wanted or Wanted(), **more)
    return [model.external_id for model in models]


async def pages(economy, wanted=None, **more):
    """Every page of two, to the end."""
    found, after = [], None
    while True:
        async with economy.db.read(PLATFORM) as tx:
            models, after = await market.list_models(tx, wanted or Wanted(), after=after, most=2, **more)
        found.append([model.external_id for model in models])
        if after is None:
            return found


async def test_search(economy):
    await economy.model("a", name="Night Jar", category="Fantasy", description="sings of old rivers")
    await economy.model("b", name="Emma", category="Realistic", features=("voice calls", "gpt-4o"))
    await economy.model("c", name="Émile", category="Realistic", description="étective")
    for q, found in (
        ("night", ["a"]), ("NIGHT", ["a"]), ("nig", ["a"]), ("river", ["a"]), ("voice", ["b"]), ("gpt-4o", ["b"]),
        ("gpt", ["b"]), ("real", ["c", "b"]), ("real emma", ["b"]), ("emma night", []), ("ivers", []),
        ("Émi", ["c"]), ("étective", ["c"]), ("%", []), ("' | 'jar", ["a"]), ("&!()", []),
        ("jar:*", ["a"]), ("  emma  ", ["b"]), ("x" * 200, []), ("_", []), ("\\", []),
    ):  # fmt: skip
        assert await listed(economy, Wanted(q=q)) == found, q
    # Beyond ASCII, case is folded as the database's locale does it.
    folded = (await economy.rows("select lower('É') = 'é'"))[0][0]
    assert await listed(economy, Wanted(q="émi")) == (["c"] if folded else [])


def test_words():
    assert rules.words_of("Night jar!") == "'Night':* & 'jar':*"
    assert rules.words_of("!? ") is None
    assert rules.words_of("a'b\\") == "'a':* & 'b':*"
    assert rules.words_of(" ".join(map(str, range(99)))).count("&") == 15


async def test_filters(economy):
    maker, ann, bob = [await economy.account(name, credits=100) for name in ("maker", "ann", "bob")]
    await economy.model("a", ann, price_credits=5, premium=False, category="Anime")
    await economy.model("b", price_credits=10, creator_id="maker")
    await economy.model("c", ann, bob, price_credits=20, category="Fantasy")
    await economy.model("d", price_credits=30, active=False)
    for wanted, found in (
        (Wanted(), ["d", "c", "b", "a"]),
        (Wanted(category="Anime"), ["d", "b", "a"]),
        (Wanted(premium=False), ["a"]),
        (Wanted(active=False), ["d"]),
        (Wanted(owner=ann.id), ["c", "a"]),
        (Wanted(owner=maker.id), []),
        (Wanted(creator=maker.id), ["b"]),
        (Wanted(price_from=10), ["d", "c", "b"]),
        (Wanted(price_to=10), ["b", "a"]),
        (Wanted(price_from=10, price_to=20), ["c", "b"]),
        (Wanted(q="model", owner=bob.id, active=True, price_to=20), ["c"]),
    ):
        assert await listed(economy, wanted) == found, wanted
    # A tenant's own token shows its own ownership, and nobody else's.
    assert await listed(economy, Wanted(owner=bob.id), actor=tenant(bob)) == ["c"]
    assert await listed(economy, Wanted(owner=ann.id), actor=tenant(bob)) == []
    async with economy.db.read(PLATFORM) as tx:
        assert [(one.category, one.models) for one in await market.categories(tx)] == [("Anime", 3), ("Fantasy", 1)]
        assert [(one.category, one.models) for one in await market.categories(tx, active=True)] == [
            ("Anime", 2), ("Fantasy", 1),
        ]  # fmt: skip


async def test_orders_and_their_pages(economy):
    await economy.account("owner")
    for name, price, stars in (("d", 5, 5), ("B", 9, 3), ("a", 5, None), ("c", 1, 5), ("e", 9, 4)):
        owner = await economy.account(f"o-{name}")
        await economy.model(f"m-{name}", owner, name=name, price_credits=price)
        if stars:
            user = await economy.account(f"u-{name}", credits=5)
            await economy.charge(user, model_id=f"m-{name}", amount=1)
            async with economy.db.transaction(PLATFORM) as tx:
                await metering.review_model(tx, party(user), f"m-{name}", stars, None, moderated=False)
    for sort, found in (
        ("newest", "e c a B d"), ("name", "a B c d e"), ("price", "c a d e B"), ("price_desc", "e B a d c"),
        ("rating", "c d e B a"),
    ):  # fmt: skip
        wanted = [f"m-{name}" for name in found.split()]
        assert await listed(economy, sort=sort) == wanted, sort
        assert await pages(economy, sort=sort) == [wanted[:2], wanted[2:4], wanted[4:]], sort
    assert await pages(economy, Wanted(price_from=5), sort="price") == [["m-a", "m-d"], ["m-e", "m-B"]]


async def test_a_page_goes_on_where_the_last_one_ended(economy):
    """Whatever is added, removed or changed in between: nothing that stayed in its place is told twice or left out."""
    for number in range(6):
        await economy.model(f"m{number}", name=f"n{number}", price_credits=number * 10)
    async with economy.db.read(PLATFORM) as tx:
        first, end = await market.list_models(tx, sort="price", most=3)
    assert [model.external_id for model in first] == ["m0", "m1", "m2"]
    assert end == Place(20, "", first[-1].id)
    await economy.model("new", price_credits=5)
    await economy.change_model("m2", price_credits=45)
    async with economy.db.transaction(PLATFORM) as tx:
        await market.remove_model(tx, "m0")
    assert await listed(economy, sort="price", after=end) == ["m3", "m4", "m2", "m5"]


async def test_thousands_are_no_matter(economy, admin):
    """Five thousand models; a list, in any order, and a search take what a page may take."""
    await economy.model("m", name="Nightjar")
    admin.execute(
        "insert into market.model (external_id, name, category, description, features, price_credits, premium, active,"
        " monetized, ownership, creator_share_bps, pricing_version) "
        "select 'x' || n, 'Model ' || md5(n::text), 'c' || (n % 20), repeat(md5(n::text) || ' ', 8), '[\"a b\"]', n, "
        "true, true, true, 'shared', 0, 1 from generate_series(1, 5000) n"
    )
    admin.execute("insert into market.pricing (model_id, version) select id, 1 from market.model where id > 1")
    admin.execute("analyze")
    slow = {}
    for name, wanted, sort in (
        ("newest", Wanted(active=True), "newest"), ("name", Wanted(), "name"), ("rating", Wanted(), "rating"),
        ("search", Wanted(q="nightj"), "newest"), ("category", Wanted(category="c3"), "price"),
    ):  # fmt: skip
        best = 9.0
        for _ in range(3):
            began = perf_counter()
            assert await listed(economy, wanted, sort=sort, most=50)
            best = min(best, perf_counter() - began)
        slow[name] = round(best * 1000)
    assert max(slow.values()) < 150, slow
    assert await listed(economy, Wanted(q="nightj")) == ["m"]
    plan = "\n".join(
        row
        for (row,) in admin.execute(
            "explain select m.id from market.model m where to_tsvector('simple', m.name) "
            "|| to_tsvector('simple', m.category) || to_tsvector('simple', coalesce(m.description, '')) "
            "|| to_tsvector('simple', m.features) @@ to_tsquery('simple', 'nightj:*')"
        )
    )
    assert "model_words" in plan, plan


# ---- characters ----


async def test_characters_are_listed_changed_and_taken_off(economy):
    payer, owner = await economy.account("payer", credits=100), await economy.account("owner")
    await economy.model("m", owner)
    await economy.model("n")
    for name, model_id in (("emma", "m"), ("ada", "m"), ("zoe", "n")):
        await economy.character(name, model_id)
    done = await economy.charge(payer, character_id="emma", amount=2)

    async def names(**which):
        async with economy.db.read(PLATFORM) as tx:
            return [one.external_id for one in await market.list_characters(tx, **which)]

    assert await names() == ["zoe", "ada", "emma"]
    assert await names(model_id="m") == ["ada", "emma"]
    assert await names(model_id="nothing") == []
    async with economy.db.transaction(PLATFORM) as tx:
        before, after = await market.update_character(tx, "emma", {"name": "Emma II", "image_url": "/e.png"})
        assert (before.name, after.name, after.image_url, after.model_id) == ("Emma", "Emma II", "/e.png", "m")
        for bad, changes in (("nobody", {"name": "x"}), ("emma", {"model_id": "no-such"})):
            with pytest.raises(NotFound):
                await market.update_character(tx, bad, changes)
    async with economy.db.transaction(PLATFORM) as tx:
        await market.remove_character(tx, "emma")
        with pytest.raises(NotFound):
            await market.remove_character(tx, "emma")
    assert await names(model_id="m") == ["ada"]
    async with economy.db.read(PLATFORM) as tx:
        assert await market.find_character(tx, "emma") is None
        model = await market.find_model(tx, "m")
        assert (await metering.receipt_rows(tx, [done.id]))[done.id].character_id == "emma"
    assert model.character_id == "ada"
    with pytest.raises(NotFound):
        await economy.charge(payer, character_id="emma", amount=2)
    with pytest.raises(Conflict):
        await economy.character("emma", "m")


async def test_a_character_speaks_for_another_model_from_then_on(economy):
    payer, ann, bob = [await economy.account(name, credits=100) for name in ("payer", "ann", "bob")]
    await economy.model("m", ann)
    await economy.model("n", bob)
    await economy.character("emma", "m")
    await economy.charge(payer, character_id="emma", amount=2)
    async with economy.db.transaction(PLATFORM) as tx:
        await market.update_character(tx, "emma", {"model_id": "n"})
    done = await economy.charge(payer, character_id="emma", amount=3)
    assert [one.account_id for one in done.receipt.earnings] == ["bob"]


# ---- submissions ----


async def test_a_submitted_model_is_decided_about(economy):
    await economy.account("maker")
    await economy.model("m", creator_id="maker", active=False, approval="pending")

    async def decide(*, approved):
        async with economy.db.transaction(PLATFORM) as tx:
            _, after = await market.decide_submission(tx, economy.terms, "m", approved=approved)
        return after.approval, after.active

    assert await decide(approved=False) == ("rejected", False)
    with pytest.raises(Conflict):
        await decide(approved=False)
    assert await decide(approved=True) == ("approved", True)
    for approved in (True, False):
        with pytest.raises(Conflict) as refused:
            await decide(approved=approved)
        assert refused.value.code == "not_pending"
    assert (await economy.change_model("m", name="still approved")).approval == "approved"
    # Who switches one on has approved it.
    await economy.model("n", creator_id="maker", active=False, approval="pending")
    assert (await economy.change_model("n", name="x")).approval == "pending"
    assert (await economy.change_model("n", active=True)).approval == "approved"
