"""Payouts by a webhook, at a provider that loses answers, is slow, redirects: paid once, and known in the end."""

import base64
import uuid

import pytest

from economy import clean
from provider import SECRET, Provider
from tokenhouse.domain import payouts
from tokenhouse.domain.payouts.methods import webhook
from tokenhouse.domain.payouts.types import AnswerLost, Instruction, Outcome, Setup, Terms, Unreachable
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import Conflict
from tokenhouse.infra.kernel.sealing import Sealer, parse_keys
from withdrawing import NOW, act, earner, payout, request, sums

CENT = 10_000_000
SEALER = Sealer(parse_keys(f"k:{base64.b64encode(b'k' * 32).decode()}"))


@pytest.fixture(autouse=True)
async def provider():
    async with Provider() as one:
        yield one


def methods(provider, **more):
    return payouts.senders(
        Setup(**{"webhook_url": provider.url, "webhook_secret": SECRET, "webhook_private": True} | more)
    )


async def due(economy, provider, terms=NOW, look_seconds=0):
    """What a run of the job does; then everything told is looked up at once."""
    return await payouts.send_due(economy.db, methods(provider), terms, lambda: SEALER, look_seconds=look_seconds)


async def payee(economy, name="ann", details=None):
    account = await earner(economy, name, 100 * CENT)
    async with economy.db.transaction(PLATFORM) as tx:
        await payouts.set_method(tx, SEALER, account.id, "webhook", details or {"paypal": f"{name}@example.com"})
    return account


async def test_paid_at_once(economy, provider):
    ann = await payee(economy)
    made = await request(economy, ann, 7 * CENT + 3)
    assert made["amount_nano_usd"] == 7 * CENT
    assert await due(economy, provider) == 1
    assert provider.posts == [
        {"type": "payout.send", "id": made["id"], "account_id": "ann", "amount_nano_usd": 7 * CENT,
         "amount_usd": "0.07", "details": {"paypal": "ann@example.com"}}
    ]  # fmt: skip
    assert provider.headers[0]["idempotency-key"] == provider.headers[0]["webhook-id"] == made["id"]
    found = await payout(economy, made["id"])
    assert (found.state, found.reference) == ("completed", f"ref {made['id'][:8]}")
    assert await due(economy, provider) == 0
    assert len(provider.posts) == 1
    assert (await sums(economy, ann)).paid == 7 * CENT
    await clean(economy.db)


async def test_refused_comes_back(economy, provider):
    ann = await payee(economy)
    made = await request(economy, ann, CENT)
    provider.mood = ["refuse"]
    await due(economy, provider)
    found = await payout(economy, made["id"])
    assert (found.state, found.reason) == ("failed", "account closed")
    assert (await sums(economy, ann)).payable == 100 * CENT
    await clean(economy.db)


async def test_accepted_then_paid(economy, provider):
    ann = await payee(economy)
    made = await request(economy, ann, CENT)
    provider.mood = ["ok"]
    await due(economy, provider)
    found = await payout(economy, made["id"])
    assert (found.state, found.reference, found.accepted_at is not None) == ("processing", "on its way", True)
    provider.paid[made["id"]] = "completed"
    assert await due(economy, provider, look_seconds=1000) == 0
    assert await due(economy, provider) == 1
    assert (await payout(economy, made["id"])).state == "completed"
    assert len(provider.posts) == 1


LOST = ["lose", "drop", "error", "error after", "redirect", "redirect after", "nonsense", "strange", "list", "huge"]


@pytest.mark.parametrize("mood", LOST)
async def test_what_was_not_answered_is_looked_up(economy, provider, mood):
    """Unknown at first. Where the provider paid, it is completed; where it did not, it is sent again, once."""
    ann = await payee(economy)
    made = await request(economy, ann, CENT)
    provider.mood = [mood]
    await due(economy, provider)
    assert (await payout(economy, made["id"])).state == "unknown"
    assert (await sums(economy, ann)).in_payout == CENT
    # Nobody knows yet, whoever is asked: it stays as it is and nothing is sent.
    for look in ("lose", "error", "redirect", "nonsense", "strange", "bare 404"):
        provider.looks = [look]
        await due(economy, provider)
        assert (await payout(economy, made["id"])).state == "unknown", look
    assert len(provider.posts) == 1
    for _ in range(3):
        await due(economy, provider)
    assert (await payout(economy, made["id"])).state == "completed"
    assert provider.paid == {made["id"]: "completed"}
    assert len(provider.posts) == (1 if mood in ("lose", "error after", "redirect after") else 2)
    assert (await sums(economy, ann)).paid == CENT
    await clean(economy.db)


async def test_too_slow_is_not_known(economy, provider, monkeypatch):
    monkeypatch.setattr(webhook, "_SECONDS", 0.5)
    made = await request(economy, await payee(economy), CENT)
    provider.mood = ["slow"]
    await due(economy, provider)
    assert (await payout(economy, made["id"])).state == "unknown"
    await due(economy, provider)
    assert (await payout(economy, made["id"])).state == "completed"
    assert len(provider.posts) == 1


async def test_nobody_there_is_tried_again(economy, provider):
    made = await request(economy, await payee(economy), CENT)
    await provider.__aexit__()
    url = provider.url
    assert await due(economy, provider) == 0
    assert (await payout(economy, made["id"])).state == "processing"
    assert (await payout(economy, made["id"])).sent_at is None
    async with Provider() as again:
        assert again.url != url
        assert await due(economy, again) == 1
    assert (await payout(economy, made["id"])).state == "completed"


async def test_approval_comes_first(economy, provider):
    terms = Terms(maturity_days=0, approval=True)
    ann = await payee(economy)
    made = await request(economy, ann, CENT, terms)
    await due(economy, provider, terms)
    assert provider.posts == []
    await act(economy, ann, made["id"], "approve", terms)
    await due(economy, provider, terms)
    assert (await payout(economy, made["id"])).state == "completed"
    with pytest.raises(Conflict):
        await act(economy, ann, made["id"], "fail", terms)


INSTRUCTION = Instruction(uuid.uuid4(), "ann", CENT, {})


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
async def test_no_way_into_our_own_network(provider, host):
    """Unless it is configured, neither for a number nor for a name that leads there; nothing is sent."""
    url = provider.url.replace("127.0.0.1", host)
    closed = methods(provider, webhook_url=url, webhook_private=False)["webhook"]
    for asked in (closed.send, closed.look_up):
        with pytest.raises(Unreachable):
            await asked(INSTRUCTION)
    assert provider.posts == []
    if host in ("127.0.0.1", "localhost"):
        assert await methods(provider, webhook_url=url)["webhook"].send(INSTRUCTION) == Outcome(
            "paid", f"ref {str(INSTRUCTION.id)[:8]}"
        )


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True), ("10.1.2.3", False), ("169.254.169.254", False), ("100.64.0.1", False), ("0.0.0.0", False),
        ("224.0.0.1", False), ("2606:4700::1", True), ("fe80::1%eth0", False), ("fd00::1", False),
        ("::ffff:10.0.0.1", False), ("2002:0a00:0001::1", False), ("64:ff9b::a00:1", False),
    ],
)  # fmt: skip
def test_addresses(address, public):
    assert webhook.is_public(address) is public


async def test_it_is_off_unless_it_is_set_up(provider):
    assert "webhook" not in payouts.senders(Setup())
    assert SECRET not in repr(Setup(webhook_secret=SECRET))
    with pytest.raises(AnswerLost):
        provider.mood = ["strange"]
        await methods(provider)["webhook"].send(INSTRUCTION)
