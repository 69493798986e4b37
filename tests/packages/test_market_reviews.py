"""Reviews: by those who used a model, each once; the rating is exact, whatever happens to them."""

import asyncio
from uuid import UUID

import psycopg
import pytest

from economy import Economy, clean, party, teller, tenant
from tokenhouse.domain import market, metering
from tokenhouse.infra.database import PLATFORM, Actor, sqlstate
from tokenhouse.infra.kernel.errors import Forbidden, NotFound


async def review(economy: Economy, account, model_id="m", stars=4, text=None, *, moderated=False):
    async with economy.db.transaction(PLATFORM) as tx:
        return await metering.review_model(tx, party(account), model_id, stars, text, moderated=moderated)


async def moderate(economy, one, state):
    async with economy.db.transaction(PLATFORM) as tx:
        return await market.moderate_review(tx, one.id, state)


async def remove(economy, account, model_id="m"):
    async with economy.db.transaction(PLATFORM) as tx:
        await market.remove_review(tx, model_id, account.id)


async def rating(economy, model_id="m"):
    async with economy.db.read(PLATFORM) as tx:
        model = await market.find_model(tx, model_id)
    return model.stars, model.reviews


async def seen(economy, actor, **which):
    async with economy.db.read(actor) as tx:
        return await market.list_reviews(tx, **which)


async def user(economy, name, model_id="m"):
    account = await economy.account(name, credits=100)
    await economy.charge(account, model_id=model_id, amount=1)
    return account


async def model(economy, model_id="m", **more):
    return await economy.model(model_id, await economy.account(f"owner-of-{model_id}"), **more)


async def test_a_review_is_written_changed_and_taken_away(economy):
    await model(economy)
    ann, bob = await user(economy, "ann"), await user(economy, "bob")
    first = await review(economy, ann, stars=5, text="Listens well.")
    assert (first.stars, first.text, first.state, first.model_id) == (5, "Listens well.", "published", "m")
    await review(economy, bob, stars=2)
    assert await rating(economy) == (7, 2)
    again = await review(economy, ann, stars=3, text="Not any more.")
    assert (again.id, again.stars, again.created_at) == (first.id, 3, first.created_at)
    assert again.updated_at > first.updated_at
    assert await rating(economy) == (5, 2)
    await remove(economy, bob)
    assert await rating(economy) == (3, 1)
    with pytest.raises(NotFound):
        await remove(economy, bob)
    await remove(economy, ann)
    assert await rating(economy) == (0, 0)
    await clean(economy.db)


async def test_who_may_not(economy):
    await economy.account("maker")
    owner = await economy.account("owner", credits=100)
    await economy.model("m", owner, creator_id="maker")
    never, back = await economy.account("never", credits=100), await economy.account("back", credits=100)
    await economy.charge(never, amount=1)
    done = await economy.charge(back, model_id="m", amount=3)
    await economy.reverse(back, done.id, 1)
    assert (await review(economy, back)).state == "published"
    await economy.reverse(back, done.id)
    for who in (never, back):
        with pytest.raises(Forbidden, match="Only who used"):
            await review(economy, who)
    # One who used it, and bought it afterwards.
    late = await user(economy, "late")
    await economy.change_model("m", ownership="shared")
    await economy.buy(late, "m")
    async with economy.db.read(PLATFORM) as tx:
        maker = (await market.find_model(tx, "m")).creator
    for number in (owner.id, late.id, maker):
        with pytest.raises(Forbidden, match="owns a model or made it"):
            async with economy.db.transaction(PLATFORM) as tx:
                found = await market.find_model(tx, "m")
                await market.write_review(tx, found, number, 5, None, used=True, moderated=False)
    with pytest.raises(NotFound):
        await review(economy, never, "no-such")
    async with economy.db.transaction(PLATFORM) as tx:
        await market.remove_model(tx, "m")
    with pytest.raises(NotFound):
        await review(economy, back)


async def test_moderation(economy):
    await model(economy)
    ann, bob = await user(economy, "ann"), await user(economy, "bob")
    hers, his = await review(economy, ann, stars=5, text="buy pills"), await review(economy, bob, stars=2)
    before, after = await moderate(economy, hers, "hidden")
    assert (before.state, after.state) == ("published", "hidden")
    assert await rating(economy) == (2, 1)
    assert [one.id for one in await seen(economy, tenant(bob))] == [his.id]
    # Its author goes on seeing it; another word of hers waits for a moderator, in all of its versions.
    assert [(one.id, one.state) for one in await seen(economy, tenant(ann))] == [
        (his.id, "published"), (hers.id, "hidden"),
    ]  # fmt: skip
    for _ in range(2):
        assert (await review(economy, ann, stars=4, text="sorry")).state == "pending"
    assert await rating(economy) == (2, 1)
    assert [one.id for one in await seen(economy, PLATFORM, state="pending")] == [hers.id]
    await moderate(economy, hers, "published")
    assert await rating(economy) == (6, 2)
    assert (await review(economy, ann, stars=1)).state == "published"
    assert await rating(economy) == (3, 2)
    # Where every review waits, so does a change of one that is published.
    assert (await review(economy, ann, stars=3, moderated=True)).state == "pending"
    assert await rating(economy) == (2, 1)
    with pytest.raises(NotFound):
        async with economy.db.transaction(PLATFORM) as tx:
            await market.moderate_review(tx, UUID(int=7), "hidden")
    await clean(economy.db)


async def test_authors_are_pseudonyms(economy):
    await model(economy, "m")
    await model(economy, "n")
    ann, bob = await user(economy, "ann"), await user(economy, "bob")
    await economy.charge(ann, model_id="n", amount=1)
    await review(economy, ann, "m", 4, "one")
    await review(economy, ann, "n", 4, "two")
    told = await seen(economy, tenant(bob))
    assert [one.text for one in told] == ["two", "one"]
    assert {one.account_id for one in told} == {None}
    assert len({one.author for one in told}) == 2, "nobody learns that one person wrote both"
    assert all(str(ann.id) != one.author and "ann" not in one.author for one in told)
    assert {one.account_id for one in await seen(economy, tenant(ann))} == {"ann"}
    assert {one.account_id for one in await seen(economy, PLATFORM)} == {"ann"}
    assert {one.author for one in await seen(economy, PLATFORM)} == {one.author for one in told}


async def test_pages(economy):
    await model(economy)
    written = [await review(economy, await user(economy, f"u{number}"), stars=number % 5 + 1) for number in range(7)]
    number = int((await economy.rows("select id from market.model"))[0][0])
    first = await seen(economy, PLATFORM, model_id=number, most=4)
    rest = await seen(economy, PLATFORM, model_id=number, before=first[-1].id, most=4)
    assert [one.id for one in (*first, *rest)] == [one.id for one in reversed(written)]
    assert await seen(economy, PLATFORM, model_id=number + 1) == []


async def test_only_the_platform_writes(economy):
    await model(economy)
    ann = await user(economy, "ann")
    one = await review(economy, ann)
    for actor in (tenant(ann), teller(ann)):
        for verb in (
            lambda tx: metering.review_model(tx, party(ann), "m", 5, None, moderated=False),
            lambda tx: market.remove_review(tx, "m", ann.id),
            lambda tx: market.moderate_review(tx, one.id, "hidden"),
        ):
            with pytest.raises(psycopg.Error) as refused:
                async with economy.db.transaction(actor) as tx:
                    await verb(tx)
            assert sqlstate(refused.value) == "TH403"
    # And nobody reads without a token.
    async with economy.db.connection() as connection:
        assert await (await connection.execute(
            "select * from market.read_reviews(null, null, null, null, null, 9)"
        )).fetchall() == []  # fmt: skip
        assert await (await connection.execute("select * from market.search('m:*')")).fetchall() == []
    assert await seen(economy, Actor((10**9,))) != []


async def test_ratings_are_exact_whatever_races(economy):
    await model(economy)
    people = [await user(economy, f"u{number}") for number in range(12)]

    async def busy(account, number):
        for turn in range(4):
            one = await review(economy, account, stars=(number + turn) % 5 + 1)
            if number % 3 == 0:
                await moderate(economy, one, "hidden" if turn % 2 else "published")
            if number % 4 == 1:
                await remove(economy, account)

    await asyncio.gather(*(busy(account, number) for number, account in enumerate(people)))
    await clean(economy.db)
    published = [one for one in await seen(economy, PLATFORM) if one.state == "published"]
    assert await rating(economy) == (sum(one.stars for one in published), len(published))
    assert published


async def test_an_erased_person_leaves_stars_and_no_word(economy):
    await model(economy)
    ann = await user(economy, "ann")
    await review(economy, ann, stars=5, text="I am Ann of Main Street.")
    async with economy.db.read(PLATFORM) as tx:
        kept = await metering.kept_of(tx, economy.terms, ann, 14)
    assert [(one.model_id, one.stars, one.text) for one in kept.reviews] == [("m", 5, "I am Ann of Main Street.")]
    async with economy.db.transaction(PLATFORM) as tx:
        opaque = await metering.erase(tx, ann.id)
    (left,) = await seen(economy, PLATFORM)
    assert (left.text, left.stars, left.account_id) == (None, 5, opaque)
    assert await rating(economy) == (5, 1)
    await clean(economy.db)
