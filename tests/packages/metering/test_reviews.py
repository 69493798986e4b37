"""Odd use: found from the records, held exactly, freed or taken back; what others' uses matured is left alone."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from economy import FLAT_RATE, TELLER, Economy, clean, fingerprint, party, tenant
from tokenhouse.domain import access, insights, metering
from tokenhouse.domain.access.types import SessionLimits, Visitor
from tokenhouse.domain.ledger.types import Command
from tokenhouse.domain.metering import Statement, Thresholds
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import Conflict, IdempotencyMismatch, InsufficientEarnings, NotFound

DAYS = 14
RATE = FLAT_RATE
LIMITS = Thresholds(uses=8, share_percent=60, per_minute=5, minutes=2)


async def look(eco: Economy, limits=LIMITS) -> int:
    return await metering.open_reviews(eco.db, limits)


async def reviews(eco: Economy, state=None):
    async with eco.db.read(PLATFORM) as tx:
        return await metering.reviews(tx, state=state)


async def statement(eco: Economy, account, days=DAYS) -> Statement:
    async with eco.db.read(tenant(account)) as tx:
        return await metering.statement(tx, account.id, days)


async def clear(eco: Economy, review):
    async with eco.db.transaction(PLATFORM) as tx:
        return await metering.clear(tx, review.id, "they are fine")


async def reject(eco: Economy, payer, review, *, key=None, days=DAYS):
    command = Command(party(payer), key or uuid.uuid4().hex, fingerprint(("reject", review.id)))
    async with eco.db.transaction(TELLER) as tx:
        return await metering.reject(tx, command, review.id, "bought from oneself", days)


async def use(eco: Economy, payer, times, model="m", amount=1, minutes_ago=30):
    at = (datetime.now(UTC) - timedelta(minutes=minutes_ago)).isoformat()
    orders = [eco.order(payer, model_id=model, amount=amount, occurred_at=at) for _ in range(times)]
    return await eco.till.submit_all(orders)


async def people(eco: Economy, *names):
    owner = await eco.account("owner")
    await eco.model("m", owner)
    return owner, *[await eco.account(name, credits=1000) for name in names]


def age(admin, days=20):
    """Let what is recorded be so old; a review keeps its uses."""
    passed = timedelta(days=days)
    with admin.transaction():
        admin.execute("set local session_replication_role = replica")  # the records are kept from change
        admin.execute(
            "update metering.usage set occurred_at = occurred_at - %s, recorded_at = recorded_at - %s", [passed] * 2
        )
        admin.execute("update metering.review set since = since - %s, until = until - %s", [passed] * 2)


async def test_what_looks_odd_is_held_and_cleared(economy, admin):
    owner, odd, fan = await people(economy, "odd", "fan")
    await use(economy, odd, 10)
    await use(economy, fan, 3)
    assert await look(economy) == 1
    assert await look(economy) == 0
    (review,) = await reviews(economy)
    assert (review.payer, review.model_id, review.uses, review.nanos, review.state) == (
        "odd",
        "m",
        10,
        10 * RATE,
        "open",
    )
    assert review.reasons == [{"sign": "share", "uses": 10, "of": 13}]
    assert review.earners == [owner.id]
    assert await statement(economy, owner, 0) == Statement(13 * RATE, 10 * RATE, 3 * RATE, 0, 0)
    assert await statement(economy, owner) == Statement(13 * RATE, 13 * RATE, 0, 0, 0)
    age(admin)
    assert await statement(economy, owner) == Statement(13 * RATE, 10 * RATE, 3 * RATE, 0, 0)
    cleared = await clear(economy, review)
    assert (cleared.state, cleared.reason, cleared.taken) == ("cleared", "they are fine", None)
    assert await statement(economy, owner) == Statement(13 * RATE, 0, 13 * RATE, 0, 0)
    with pytest.raises(Conflict):
        await clear(economy, review)
    with pytest.raises(Conflict):
        await reject(economy, odd, review)
    await clean(economy.db)


async def test_what_is_held_cannot_be_taken_and_what_is_not_can(economy, admin):
    owner, odd, fan = await people(economy, "odd", "fan")
    await use(economy, odd, 10)
    await use(economy, fan, 3)
    await look(economy)
    age(admin)
    command = Command(party(owner), "k", "00" * 16)
    with pytest.raises(InsufficientEarnings):
        async with economy.db.transaction(TELLER) as tx:
            await metering.adjust(tx, command, -(3 * RATE + 1), "", None, DAYS)
    async with economy.db.transaction(TELLER) as tx:
        await metering.adjust(tx, command, -3 * RATE, "", None, DAYS)
    assert await statement(economy, owner) == Statement(10 * RATE, 10 * RATE, 0, 0, 0)
    await clean(economy.db)


async def test_uses_after_a_review_are_looked_at_anew(economy):
    _, odd = await people(economy, "odd")
    await use(economy, odd, 10)
    assert await look(economy) == 1
    (first,) = await reviews(economy)
    await clear(economy, first)
    assert await look(economy) == 0
    await use(economy, odd, 7, minutes_ago=0)
    assert await look(economy) == 0
    await use(economy, odd, 1, minutes_ago=0)
    assert await look(economy) == 1
    second, _ = await reviews(economy)
    assert (second.uses, second.since) == (8, first.until)


async def test_two_that_look_at_once_open_one(economy):
    _, odd = await people(economy, "odd")
    await use(economy, odd, 10)
    assert sum(await asyncio.gather(*(look(economy) for _ in range(4)))) == 1


async def test_a_rejection_takes_back_what_was_earned_and_gives_the_payer_nothing(economy, admin):
    owner, odd, fan = await people(economy, "odd", "fan")
    model = (await economy.rows("select id from market.model"))[0][0]
    done = await use(economy, odd, 10, amount=2)
    await use(economy, fan, 3)
    await economy.reverse(odd, done[0].id, 1)
    before = await economy.balance(odd)
    await look(economy)
    (review,) = await reviews(economy)
    answer, replayed = await reject(economy, odd, review, key="k")
    assert not replayed
    assert (answer["taken_nano_usd"], answer["lost_nano_usd"]) == (19 * RATE, 0)
    assert await reject(economy, odd, review, key="k") == (answer, True)
    with pytest.raises(Conflict):
        await reject(economy, odd, review)
    with pytest.raises(IdempotencyMismatch):
        async with economy.db.transaction(TELLER) as tx:
            await metering.reject(tx, Command(party(odd), "k", "11" * 16), review.id, "", DAYS)
    assert await economy.balance(odd) == before
    assert await statement(economy, owner) == Statement(3 * RATE, 3 * RATE, 0, 0, 0)
    figures = await economy.rows(
        "select sum(uses), sum(credits), sum(nanos) from earnings.standing where model_id = %s", model
    )
    assert figures == [(13, 22, 3 * RATE)]
    async with economy.db.read(tenant(owner)) as tx:
        told = await metering.accruals(tx, owner.id)
    rejected = [one for one in told if one.kind == "rejection"]
    assert (len(rejected), sum(one.nanos for one in rejected)) == (10, -19 * RATE)
    assert {one.credits for one in rejected} == {0}
    assert sum(one.nanos for one in told) == 3 * RATE
    assert (await reviews(economy, "rejected"))[0].taken == 19 * RATE
    await clean(economy.db)
    # The figures that are kept ready take it as what it is.
    await insights.roll(economy.db)
    assert (await insights.verify(economy.db)).holds
    async with economy.db.read(tenant(owner)) as tx:
        far = [datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)]
        (row,) = await insights.read(tx, "earner", owner.id, far)
    assert (row.uses, row.credits, row.nanos) == (13, 22, 3 * RATE)


async def test_a_rejected_use_may_still_be_reversed_and_takes_nothing_more(economy):
    owner, odd, fan = await people(economy, "odd", "fan")
    done = await use(economy, odd, 10, amount=2)
    await use(economy, fan, 3)
    await look(economy)
    (review,) = await reviews(economy)
    await reject(economy, odd, review)
    for amount in (1, None):
        answer = await economy.reverse(odd, done[0].id, amount)
        assert (answer["earnings_taken_back_nano_usd"], answer["earnings_lost_nano_usd"]) == (0, 0)
    assert await economy.balance(odd) == 1000 - 20 + 2
    assert await economy.earned(owner) == 3 * RATE
    await clean(economy.db)


async def test_what_is_no_longer_there_is_the_platforms_loss_and_nobody_elses(economy, admin):
    """Taken out before the review was opened: what others' uses matured and mature is left alone."""
    owner, odd, fan = await people(economy, "odd", "fan")
    await use(economy, odd, 10)
    async with economy.db.transaction(TELLER) as tx:
        await metering.adjust(tx, Command(party(owner), "k", "00" * 16), -4 * RATE, "", None, 0)
    # Only from the bucket where it lies can it be missing.
    missing = 4 * RATE
    await look(economy)
    (review,) = await reviews(economy)
    await use(economy, fan, 3)
    answer, _ = await reject(economy, odd, review)
    assert (answer["taken_nano_usd"], answer["lost_nano_usd"]) == (10 * RATE - missing, missing)
    assert await statement(economy, owner) == Statement(3 * RATE, 3 * RATE, 0, 0, 0)
    await clean(economy.db)


async def test_rejections_race_reversals(economy):
    owner, odd, fan = await people(economy, "odd", "fan")
    done = await use(economy, odd, 12)
    await look(economy)
    (review,) = await reviews(economy)
    tries = [reject(economy, odd, review), reject(economy, odd, review)]
    outcomes = await asyncio.gather(
        *tries, *(economy.reverse(odd, one.id) for one in done), use(economy, fan, 5), return_exceptions=True
    )
    assert sum(isinstance(one, Conflict) for one in outcomes) == 1
    assert [one for one in outcomes if isinstance(one, Exception) and not isinstance(one, Conflict)] == []
    assert await economy.earned(owner) == 5 * RATE
    await clean(economy.db)


async def test_a_review_of_a_shared_model_takes_from_each_earner(economy):
    owners = [await economy.account(name) for name in ("ann", "bob", "cat")]
    odd = await economy.account("odd", credits=1000)
    await economy.model("m", *owners, creator_id="ann", creator_share_bps=1000, earnings_policy="odd")
    await use(economy, odd, 10, amount=7)
    await look(economy)
    (review,) = await reviews(economy)
    assert review.earners == sorted(owner.id for owner in owners)
    answer, _ = await reject(economy, odd, review)
    assert answer["taken_nano_usd"] == review.nanos == 10 * 21
    assert [await economy.earned(owner) for owner in owners] == [0, 0, 0]
    await clean(economy.db)


# ---- links ----


async def _organization(eco, payer, owner):
    org = await eco.account("org", "organization")
    async with eco.db.transaction(PLATFORM) as tx:
        for one in (payer, owner):
            await access.set_member(tx, org, one, "owner")


async def _referred(eco, payer, owner):
    async with eco.db.transaction(PLATFORM) as tx:
        await access.set_referrer(tx, payer, owner)


async def _same_referrer(eco, payer, owner):
    scout = await eco.account("scout")
    async with eco.db.transaction(PLATFORM) as tx:
        await access.set_referrer(tx, payer, scout)
        await access.set_referrer(tx, owner, scout)


async def _mail(eco, payer, owner, domain="House.example"):
    async with eco.db.transaction(PLATFORM) as tx:
        for one in (payer, owner):
            await access.update_account(tx, one.external_id, access.types.AccountChanges(email=f"x@{domain}"))


async def _public_mail(eco, payer, owner):
    await _mail(eco, payer, owner, "gmail.com")


async def _address(eco, payer, owner):
    async with eco.db.transaction(PLATFORM) as tx:
        for one in (payer, owner):
            await access.add_credential(tx, one, f"{one.external_id}@{one.external_id}.example", None, verified=True)
            await access.open_session(tx, one.id, Visitor("192.0.2.7"), SessionLimits(60, 60))


async def _nothing(eco, payer, owner):
    pass


LINKS = {
    "same_organization": _organization, "referred": _referred, "same_referrer": _same_referrer,
    "same_mail_domain": _mail, "same_address": _address, "": _nothing, "public": _public_mail,
}  # fmt: skip


@pytest.mark.parametrize("how", LINKS)
async def test_links(economy, how):
    """A third of a model's uses, and few: odd only of somebody who has to do with its earner."""
    owner, odd, fan, fun = await people(economy, "odd", "fan", "fun")
    await LINKS[how](economy, odd, owner)
    for payer in (odd, fan, fun):
        await use(economy, payer, 4)
    assert await look(economy, Thresholds(uses=16, share_percent=60)) == (how not in ("", "public"))
    for review in await reviews(economy):
        assert review.payer == "odd"
        assert {"sign": "linked", "earner": owner.id, "how": how} in review.reasons


async def test_an_organization_that_uses_its_members_model(economy):
    owner = await economy.account("owner")
    org = await economy.account("org", "organization", credits=100)
    await economy.model("m", owner)
    async with economy.db.transaction(PLATFORM) as tx:
        await access.set_member(tx, org, owner, "owner")
    await use(economy, org, 4)
    assert await look(economy, Thresholds(uses=16)) == 1
    (review,) = await reviews(economy)
    assert {"sign": "linked", "earner": owner.id, "how": "organization"} in review.reasons


async def test_many_a_minute_for_minutes(economy):
    _, odd, fan = await people(economy, "odd", "fan")
    for minutes in (10, 20):
        await use(economy, odd, 6, minutes_ago=minutes)
    await use(economy, fan, 6, minutes_ago=10)
    await use(economy, fan, 5, minutes_ago=20)
    assert await look(economy, Thresholds(uses=400, per_minute=5, minutes=2)) == 1
    (review,) = await reviews(economy)
    assert (review.payer, review.reasons[0]["minutes"]) == ("odd", 2)


async def test_nights_are_the_payers_own(economy):
    owner = await economy.account("owner")
    await economy.model("m", owner)
    hour = (datetime.now(UTC) - timedelta(hours=1)).hour
    # East and west of here so that an hour ago it was two at night, or two in the afternoon.
    zones = {}
    for name, wanted in (("night", 2), ("noon", 14)):
        shift = (wanted - hour + 12) % 24 - 12
        zones[name] = f"Etc/GMT{-shift:+d}" if shift else "UTC"
    for name, zone in zones.items():
        account = await economy.account(name, credits=100, time_zone=zone)
        await _referred(economy, account, owner)
        await use(economy, account, 4, minutes_ago=60)
    await use(economy, await economy.account("fan", credits=1000), 100)
    assert await look(economy, Thresholds(uses=16, share_percent=100)) == 1
    (review,) = await reviews(economy)
    assert (review.payer, [reason["sign"] for reason in review.reasons]) == ("night", ["linked", "night"])


async def test_there_is_no_such_review(economy):
    async with economy.db.read(PLATFORM) as tx:
        with pytest.raises(NotFound):
            await metering.find_review(tx, UUID(int=7))
