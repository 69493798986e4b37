"""A payout leaves the balance at once and ends once: sent, or back where it came from."""

import asyncio
import base64

import pytest

from economy import FLAT_RATE, clean, party, teller, tenant
from tokenhouse.domain import access, payouts
from tokenhouse.domain.access.acts import By
from tokenhouse.domain.ledger import chart
from tokenhouse.domain.metering import Statement
from tokenhouse.domain.payouts.types import ACTIONS, STATES, Terms
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import (
    Conflict,
    Forbidden,
    IdempotencyMismatch,
    InsufficientEarnings,
    NotFound,
    UnknownReference,
    ValidationFailed,
)
from tokenhouse.infra.kernel.sealing import Sealer, Unsealable, parse_keys
from withdrawing import NOW, act, ago, earner, payout, request, sums

RATE = FLAT_RATE
SEALER = Sealer(parse_keys(f"k:{base64.b64encode(b'k' * 32).decode()}"))


async def platform_balance(economy, account):
    """Of one of the platform's accounts: what came less what went, of all transfers."""
    query = (
        "select coalesce(sum(case when credit_id = %s then amount else -amount end), 0)::bigint from ledger.transfer "
        "where %s in (debit_id, credit_id)"
    )
    return (await economy.rows(query, account, account))[0][0]


async def test_from_request_to_sent(economy):
    owner = await earner(economy, "owner", 100 * RATE)
    asked = await request(economy, owner, 70 * RATE)
    assert (asked["state"], asked["amount_nano_usd"], asked["method"]) == ("pending", 70 * RATE, "manual")
    assert await sums(economy, owner) == Statement(100 * RATE, 0, 30 * RATE, 70 * RATE, 0)
    assert await platform_balance(economy, chart.IN_PAYOUT) == 70 * RATE
    approved = await act(economy, owner, asked["id"], "approve")
    assert approved["state"] == "processing"
    assert await sums(economy, owner) == Statement(100 * RATE, 0, 30 * RATE, 70 * RATE, 0)
    sent = await act(economy, owner, asked["id"], "complete", reference="transfer 7")
    assert (sent["state"], sent["reference"]) == ("completed", "transfer 7")
    assert await sums(economy, owner) == Statement(100 * RATE, 0, 30 * RATE, 0, 70 * RATE)
    assert await platform_balance(economy, chart.IN_PAYOUT) == 0
    assert await platform_balance(economy, chart.PAID_OUT) == 70 * RATE
    found = await payout(economy, asked["id"])
    assert (found.state, found.requested_by, found.approved_by) == ("completed", "account 4711", "platform")
    async with economy.db.read(tenant(owner)) as tx:
        events = await payouts.events_of(tx, found)
    assert [(one.state, one.by) for one in events] == [
        ("pending", "account 4711"), ("processing", "platform"), ("completed", "platform"),
    ]  # fmt: skip
    await clean(economy.db)


@pytest.mark.parametrize("action", ["fail", "cancel"])
async def test_what_is_not_sent_comes_back_once(economy, action):
    owner = await earner(economy, "owner", 100 * RATE)
    before = await economy.rows("select bucket, balance from ledger.account where role = 'earnings' order by 1, 2")
    asked = await request(economy, owner, 99 * RATE)
    ended = await act(economy, owner, asked["id"], action, reason="The bank said no")
    assert ended["state"] == {"fail": "failed", "cancel": "cancelled"}[action]
    assert await sums(economy, owner) == Statement(100 * RATE, 0, 100 * RATE, 0, 0)
    assert await economy.rows(
        "select bucket, balance from ledger.account where role = 'earnings' order by 1, 2"
    ) == before  # fmt: skip
    for again in ACTIONS:
        with pytest.raises(Conflict) as refusal:
            await act(economy, owner, asked["id"], again)
        assert (refusal.value.code, refusal.value.extra) == ("payout_state", {"state": ended["state"]})
    assert await sums(economy, owner) == Statement(100 * RATE, 0, 100 * RATE, 0, 0)
    await clean(economy.db)


# From which states an action is allowed, without approval and with it.
ALLOWED = {
    "approve": ({"pending"}, {"pending"}),
    "complete": ({"pending", "processing", "unknown"}, {"processing", "unknown"}),
    "fail": ({"pending", "processing", "unknown"}, {"pending", "processing", "unknown"}),
    "cancel": ({"pending"}, {"pending"}),
}


@pytest.mark.parametrize("approval", [False, True])
async def test_every_action_from_every_state(economy, admin, approval):
    owner = await earner(economy, "owner", 1000 * RATE)
    terms = Terms(maturity_days=0, approval=approval)
    for state in STATES:
        for action in ACTIONS:
            made = await request(economy, owner, RATE)
            if state in ("completed", "failed", "cancelled"):
                first = {"completed": "complete", "failed": "fail", "cancelled": "cancel"}[state]
                await act(economy, owner, made["id"], first)
            elif state != "pending":
                # A payout whose method was told and did not answer.
                sent = "now()" if state == "unknown" else "null"
                admin.execute(
                    f"update payouts.payout set state = %s, sent_at = {sent} where id = %s", [state, made["id"]]
                )
            before = await sums(economy, owner)
            if state in ALLOWED[action][approval]:
                await act(economy, owner, made["id"], action, terms)
            else:
                with pytest.raises(Conflict):
                    await act(economy, owner, made["id"], action, terms)
                assert await sums(economy, owner) == before


async def test_only_what_has_matured(economy):
    owner = await economy.account("owner")
    payers = [await economy.account(f"p{place}", credits=1000) for place in range(3)]
    await economy.model("m", owner)
    for payer, amount, age in zip(payers, (10, 20, 100), (20, 14.1, 13.9), strict=True):
        await economy.charge(payer, model_id="m", amount=amount, occurred_at=ago(age))
    terms = Terms(maturity_days=14)
    with pytest.raises(InsufficientEarnings) as refusal:
        await request(economy, owner, 30 * RATE + 1, terms)
    assert refusal.value.extra == {"required_nano_usd": 30 * RATE + 1, "payable_nano_usd": 30 * RATE}
    await request(economy, owner, 30 * RATE, terms)
    assert await sums(economy, owner, 14) == Statement(130 * RATE, 100 * RATE, 0, 30 * RATE, 0)
    with pytest.raises(InsufficientEarnings):
        await request(economy, owner, 1, terms)
    # Nothing waits where it need not.
    await request(economy, owner, 100 * RATE, NOW)
    assert await sums(economy, owner) == Statement(130 * RATE, 0, 0, 130 * RATE, 0)
    await clean(economy.db)


async def test_whoever_earned_nothing(economy):
    nobody = await economy.account("nobody")
    with pytest.raises(InsufficientEarnings):
        await request(economy, nobody, 1)
    assert await sums(economy, nobody) == Statement(0, 0, 0, 0, 0)


async def test_replays_and_other_requests_under_a_key(economy):
    owner = await earner(economy, "owner", 100 * RATE)
    first = await request(economy, owner, 60 * RATE, key="pay")
    again = await request(economy, owner, 60 * RATE, key="pay")
    assert (first.pop("replayed"), again.pop("replayed")) == (False, True)
    assert first == again
    with pytest.raises(IdempotencyMismatch):
        await request(economy, owner, 10 * RATE, key="pay")
    done = [await act(economy, owner, first["id"], "complete", key="done") for _ in range(2)]
    assert [one["replayed"] for one in done] == [False, True]
    # After its end the first answers are still the same.
    assert (await request(economy, owner, 60 * RATE, key="pay"))["state"] == "pending"
    with pytest.raises(IdempotencyMismatch):
        await act(economy, owner, first["id"], "fail", key="done")
    with pytest.raises(IdempotencyMismatch):
        await act(economy, owner, first["id"], "complete", key="pay")
    # A refusal uses no key up.
    with pytest.raises(InsufficientEarnings):
        await request(economy, owner, 41 * RATE, key="later")
    fan = await economy.account("late", credits=10)
    await economy.charge(fan, model_id="of-owner", amount=10)
    assert (await request(economy, owner, 41 * RATE, key="later"))["replayed"] is False
    assert await sums(economy, owner) == Statement(110 * RATE, 0, 9 * RATE, 41 * RATE, 60 * RATE)
    await clean(economy.db)


async def test_anothers_payout_is_not_there(economy):
    owner, other = await earner(economy, "owner", 10 * RATE), await earner(economy, "other", 10 * RATE)
    made = await request(economy, owner, RATE)
    for action in ACTIONS:
        with pytest.raises(NotFound):
            await act(economy, other, made["id"], action)
    async with economy.db.read(tenant(other)) as tx:
        assert await payouts.payouts_of(tx, owner.id) == []
        assert await payouts.payout_of(tx, (await payout(economy, made["id"])).id) is None
    assert (await payout(economy, made["id"])).state == "pending"


async def test_who_requested_it_may_not_approve_it(economy):
    owner = await earner(economy, "owner", 100 * RATE)
    terms = Terms(maturity_days=0, approval=True)
    one, two = By("api", 7), By("api", 8)
    made = await request(economy, owner, RATE, terms, by=one)
    with pytest.raises(Conflict, match="Approve it first"):
        await act(economy, owner, made["id"], "complete", terms, by=two)
    with pytest.raises(Forbidden) as refusal:
        await act(economy, owner, made["id"], "approve", terms, by=one)
    assert refusal.value.code == "approver_is_requester"
    await act(economy, owner, made["id"], "approve", terms, by=two)
    await act(economy, owner, made["id"], "complete", terms, by=one)
    # The platform's own key is one person, whoever holds it; without the rule, anybody may.
    made = await request(economy, owner, RATE, terms, by=By("api"))
    with pytest.raises(Forbidden):
        await act(economy, owner, made["id"], "approve", terms, by=By("api"))
    assert (await act(economy, owner, made["id"], "approve", by=By("api")))["state"] == "processing"


async def test_minimum_and_methods(economy):
    owner = await earner(economy, "owner", 100 * RATE)
    with pytest.raises(ValidationFailed, match=r"\$0\.005"):
        await request(economy, owner, 49 * RATE, Terms(maturity_days=0, minimum=50 * RATE))
    await request(economy, owner, 50 * RATE, Terms(maturity_days=0, minimum=50 * RATE))
    with pytest.raises(UnknownReference, match="manual"):
        await request(economy, owner, RATE, method="pigeon")


async def test_every_step_is_an_act(economy):
    owner = await earner(economy, "owner", 100 * RATE)
    made = await request(economy, owner, RATE)
    await act(economy, owner, made["id"], "approve")
    await act(economy, owner, made["id"], "fail")
    async with economy.db.read(PLATFORM) as tx:
        acts = await access.list_acts(tx, target_kind="payout", target_id=made["id"])
    assert [(one.act, one.actor_number) for one in acts] == [
        ("payout.fail", None), ("payout.approve", None), ("payout.request", 4711),
    ]  # fmt: skip


async def test_payees_details_are_sealed_for_their_row(economy, admin):
    one, two = await economy.account("one"), await economy.account("two")
    given = {"name": "Ada Lovelace", "iban": "DE02120300000000202051"}
    async with economy.db.transaction(PLATFORM) as tx:
        for account in (one, two):
            told = await payouts.set_method(tx, SEALER, account.id, "manual", given)
            assert told.hint == "•••• 2051"
    (sealed,) = admin.execute("select sealed from payouts.method where account_id = %s", [one.id]).fetchone()
    assert b"Ada" not in sealed
    assert b"2051" not in sealed
    async with economy.db.read(tenant(one)) as tx:
        found = await payouts.paid_by(tx, one.id)
        assert await payouts.paid_by(tx, two.id) is None
    assert payouts.unseal(SEALER, found) == given
    admin.execute("update payouts.method set sealed = %s where account_id = %s", [sealed, two.id])
    async with economy.db.read(PLATFORM) as tx:
        copied = await payouts.paid_by(tx, two.id)
    with pytest.raises(Unsealable):
        payouts.unseal(SEALER, copied)


async def test_two_at_once_take_no_more_than_there_is(economy):
    owner = await earner(economy, "owner", 100 * RATE)
    outcomes = await asyncio.gather(
        *(request(economy, owner, 15 * RATE) for _ in range(20)), return_exceptions=True
    )  # fmt: skip
    taken = [one for one in outcomes if isinstance(one, dict)]
    assert len(taken) == 6
    assert all(isinstance(one, InsufficientEarnings) for one in outcomes if not isinstance(one, dict))
    assert await sums(economy, owner) == Statement(100 * RATE, 0, 10 * RATE, 90 * RATE, 0)
    ended = await asyncio.gather(
        *(act(economy, owner, one["id"], action) for one in taken for action in ("complete", "fail", "cancel")),
        return_exceptions=True,
    )
    assert len([one for one in ended if isinstance(one, dict)]) == len(taken)
    assert {type(one) for one in ended if not isinstance(one, dict)} == {Conflict}
    told = await sums(economy, owner)
    assert (told.accrued, told.in_payout) == (100 * RATE, 0)
    await clean(economy.db)


async def test_twins_and_reversals_at_once(economy):
    """The same request many times at once is one; payouts and reversals never take the same money twice."""
    owner = await economy.account("owner")
    payers = [await economy.account(f"p{place}", credits=100) for place in range(4)]
    await economy.model("m", owner)
    charges = [(payer, await economy.charge(payer, model_id="m", amount=25)) for payer in payers for _ in range(4)]
    outcomes = await asyncio.gather(
        *(request(economy, owner, 40 * RATE, key=f"k{number % 8}") for number in range(24)),
        *(economy.reverse(payer, done.id, maturity_days=0) for payer, done in charges),
        return_exceptions=True,
    )
    answered = [one for one in outcomes[:24] if isinstance(one, dict)]
    assert {type(one) for one in outcomes if not isinstance(one, dict)} <= {InsufficientEarnings}
    by_id = {one["id"]: one for one in answered}
    assert sum(not one["replayed"] for one in answered) == len(by_id)
    lost = (await economy.rows("select sum(lost_nanos)::bigint from metering.reversal"))[0][0]
    told = await sums(economy, owner)
    assert (told.in_payout, told.payable) == (40 * RATE * len(by_id), 0)
    assert lost == told.in_payout
    await clean(economy.db)


async def test_a_door_posts_only_for_its_token(economy):
    """The teller of one account moves nothing of another's."""
    owner, other = await earner(economy, "owner", 10 * RATE), await economy.account("other")
    with pytest.raises(Exception, match="outside of this token"):
        async with economy.db.transaction(teller(other)) as tx:
            await payouts.owed(tx, owner.id)
    assert party(owner).id != party(other).id
