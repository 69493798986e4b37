"""What a method sends by itself is sent once, whatever is lost on the way: the provider counts what it was told."""

import asyncio
from dataclasses import dataclass, field

import pytest

from economy import FLAT_RATE, clean, party, teller
from rows_payouts import SEALER
from tokenhouse.domain import payouts
from tokenhouse.domain.metering import Statement
from tokenhouse.domain.payouts import methods
from tokenhouse.domain.payouts.types import AnswerLost, Outcome, Payee, Terms, Unreachable
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import Conflict, ValidationFailed
from withdrawing import NOW, act, earner, payout, request, sums

CENT = 10_000_000
RATE = FLAT_RATE
APPROVED = Terms(maturity_days=0, approval=True)


@dataclass
class Provider:
    """Pays by its own books; `moods` are what it does with the next calls, the last one for ever."""

    moods: list[str]
    told: list[tuple[str, int, str]] = field(default_factory=list)
    asked: int = 0
    books: dict[str, str] = field(default_factory=dict)

    def mood(self):
        return self.moods.pop(0) if len(self.moods) > 1 else self.moods[0]

    async def send(self, instruction):
        mood = self.mood()
        if mood == "unreachable":
            raise Unreachable
        self.told.append((str(instruction.id), instruction.amount, instruction.details["iban"]))
        if mood == "lost before":
            raise AnswerLost
        if mood == "refuse":
            return Outcome("refused", reason="No such account")
        self.books[str(instruction.id)] = "paid" if mood != "accept" else "accepted"
        if mood == "lost after":
            raise AnswerLost
        if mood == "crash":
            raise RuntimeError("a fault of the method's own")
        return Outcome("paid" if mood == "pay" else "accepted", reference=f"ref {len(self.told)}")

    async def look_up(self, instruction):
        self.asked += 1
        if self.mood() == "unreachable":
            raise Unreachable
        return Outcome(self.books.get(str(instruction.id), "not_sent"), reference="looked up")


class Tested:
    """A method that pays whole cents by a provider."""

    KIND = "tested"
    WHOLE_CENTS = True

    @staticmethod
    def payee(given):
        if "iban" not in given:
            raise ValidationFailed.of("details", "need an iban")
        return Payee(dict(given), given["iban"][-4:])

    @staticmethod
    def sender(setup):
        return None


@pytest.fixture
def method(monkeypatch):
    known = {**methods.found(), "tested": Tested}
    monkeypatch.setattr(methods, "found", lambda: known)


async def payee(economy, name="owner", credits_=3000):
    owner = await earner(economy, name, credits_ * RATE)
    async with economy.db.transaction(PLATFORM) as tx:
        await payouts.set_method(tx, SEALER, owner.id, "tested", {"iban": f"IBAN-{name}"})
    return owner


async def run(economy, provider, terms=NOW, look_seconds=0):
    return await payouts.send_due(
        economy.db, {"tested": provider}, terms, lambda: SEALER, look_seconds=look_seconds
    )  # fmt: skip


async def state(economy, made):
    found = await payout(economy, made["id"])
    return found.state, found.reference


async def test_whole_cents_are_paid_and_the_rest_stays(economy, method):
    owner = await payee(economy)  # 30 cents
    made = await request(economy, owner, 2 * CENT + CENT // 2)
    assert (made["method"], made["amount_nano_usd"]) == ("tested", 2 * CENT)
    with pytest.raises(ValidationFailed, match="whole cents"):
        await request(economy, owner, CENT - 1)
    provider = Provider(["pay"])
    assert await run(economy, provider) == 1
    assert provider.told == [(made["id"], 2 * CENT, "IBAN-owner")]
    assert await state(economy, made) == ("completed", "ref 1")
    assert await run(economy, provider) == 0
    assert await sums(economy, owner) == Statement(30 * CENT, 0, 28 * CENT, 0, 2 * CENT)
    await clean(economy.db)


async def test_approval_comes_first(economy, method):
    owner = await payee(economy)
    made = await request(economy, owner, CENT, APPROVED)
    provider = Provider(["accept"])
    assert await run(economy, provider, APPROVED) == 0
    await act(economy, owner, made["id"], "approve", APPROVED)
    assert await run(economy, provider, APPROVED) == 1
    assert await state(economy, made) == ("processing", "ref 1")
    provider.books[made["id"]] = "paid"
    assert await run(economy, provider, APPROVED) == 1
    assert await state(economy, made) == ("completed", "looked up")
    assert len(provider.told) == 1
    await clean(economy.db)


async def test_what_is_refused_comes_back(economy, method):
    owner = await payee(economy)
    made = await request(economy, owner, CENT)
    await run(economy, Provider(["refuse"]))
    found = await payout(economy, made["id"])
    assert (found.state, found.reason) == ("failed", "No such account")
    assert (await sums(economy, owner)).payable == 30 * CENT
    await clean(economy.db)


@pytest.mark.parametrize("mood", ["lost after", "crash"])
async def test_an_answer_that_was_lost_is_looked_up(economy, method, mood):
    owner = await payee(economy)
    made = await request(economy, owner, CENT)
    provider = Provider([mood, "unreachable", "look"])
    await run(economy, provider)
    assert await state(economy, made) == ("unknown", None)
    assert (await sums(economy, owner)).in_payout == CENT
    await run(economy, provider)  # nobody answers
    assert await state(economy, made) == ("unknown", None)
    await run(economy, provider)
    assert await state(economy, made) == ("completed", "looked up")
    assert (len(provider.told), provider.asked) == (1, 2)
    await clean(economy.db)


async def test_what_was_never_heard_of_is_sent_then(economy, method):
    owner = await payee(economy)
    made = await request(economy, owner, CENT)
    provider = Provider(["lost before", "look", "pay"])
    await run(economy, provider)
    assert await state(economy, made) == ("unknown", None)
    await run(economy, provider)
    assert (await state(economy, made))[0] == "processing"
    assert len(provider.told) == 1
    await run(economy, provider)
    assert (await state(economy, made), len(provider.told)) == (("completed", "ref 2"), 2)
    assert (await sums(economy, owner)).paid == CENT
    await clean(economy.db)


async def test_a_provider_that_is_away_is_told_later(economy, method):
    owner = await payee(economy)
    made = await request(economy, owner, CENT)
    provider = Provider(["unreachable", "pay"])
    await run(economy, provider)
    assert (await state(economy, made))[0] == "processing"
    await run(economy, provider)
    assert (await state(economy, made))[0] == "completed"
    assert (len(provider.told), provider.asked) == (1, 0)


async def test_killed_between_the_word_and_the_answer(economy, method, admin):
    """That it was told is known before it is told; so whoever comes next asks."""
    owner = await payee(economy)
    made = await request(economy, owner, CENT)

    class Killed(Provider):
        async def send(self, instruction):
            await super().send(instruction)
            raise asyncio.CancelledError

    provider = Killed(["pay"])
    with pytest.raises(asyncio.CancelledError):
        await run(economy, provider)
    assert (await state(economy, made))[0] == "processing"
    # While it may still be on its way, nobody touches it; nor does a second run.
    for action in ("complete", "fail", "cancel"):
        with pytest.raises(Conflict):
            await act(economy, owner, made["id"], action)
    assert await run(economy, provider, look_seconds=120) == 0
    assert await run(economy, provider) == 1
    assert await state(economy, made) == ("completed", "looked up")
    assert len(provider.told) == 1
    await clean(economy.db)


async def test_two_senders_at_once_and_a_creator_who_cancels(economy, method):
    owner = await payee(economy)
    made = [await request(economy, owner, CENT) for _ in range(10)]
    provider = Provider(["pay"])
    await asyncio.gather(
        *(run(economy, provider, look_seconds=120) for _ in range(3)),
        *(act(economy, owner, one["id"], "cancel") for one in made[::2]),
        return_exceptions=True,
    )
    await run(economy, provider, look_seconds=120)
    told = [name for name, _, _ in provider.told]
    assert len(told) == len(set(told))
    for one in made:
        ended = (await state(economy, one))[0]
        assert ended == ("completed" if one["id"] in told else "cancelled")
    assert (await sums(economy, owner)).paid == len(told) * CENT
    await clean(economy.db)


async def test_somebody_who_knows_may_end_what_is_unknown(economy, method):
    owner = await payee(economy)
    made = await request(economy, owner, CENT)
    provider = Provider(["lost after"])
    await run(economy, provider)
    await act(economy, owner, made["id"], "complete", reference="seen at the bank")
    await run(economy, provider)
    assert await state(economy, made) == ("completed", "seen at the bank")
    assert (len(provider.told), provider.asked) == (1, 0)


async def test_a_payee_who_is_paid_otherwise_now(economy, method):
    owner = await payee(economy)
    made = await request(economy, owner, CENT)
    async with economy.db.transaction(PLATFORM) as tx:
        await payouts.set_method(tx, SEALER, owner.id, "manual", {"iban": "elsewhere"})
    provider = Provider(["pay"])
    await run(economy, provider)
    assert ((await state(economy, made))[0], provider.told) == ("failed", [])
    with pytest.raises(Conflict, match="payout-method"):
        await request(economy, owner, CENT, method="tested")


async def test_one_that_cannot_be_sent_harms_no_other(economy, method, admin):
    broken, fine = await payee(economy, "broken"), await payee(economy, "fine")
    for one in (broken, fine):
        await request(economy, one, CENT)
    admin.execute("update payouts.method set sealed = '\\x00' where account_id = %s", [broken.id])
    provider = Provider(["pay"])
    assert await run(economy, provider) == 1
    assert [iban for _, _, iban in provider.told] == ["IBAN-fine"]
    assert (await sums(economy, broken)).in_payout == CENT


async def test_the_note_of_sending_is_made_once(economy, method):
    """The door itself refuses a second word for one payout."""
    owner = await payee(economy)
    made = await request(economy, owner, CENT)
    await run(economy, Provider(["accept"]))
    with pytest.raises(Exception, match="the payout was sent"):
        async with economy.db.transaction(teller(owner)) as tx:
            query = "select payouts.note_sending(%s::smallint, now(), %s, %s)"
            await tx.connection.execute(query, [party(owner).bucket, owner.id, made["id"]])
