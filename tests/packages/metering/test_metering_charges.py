"""What a charge costs, what it takes, what its receipt says, and when it is refused."""

from datetime import UTC, datetime

import pytest

from economy import FLAT_RATE, clean
from tokenhouse.domain import market
from tokenhouse.domain.metering.types import Burned, Share
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import (
    Conflict,
    Forbidden,
    InsufficientTokens,
    NotFound,
    UnknownReference,
    ValidationFailed,
)


async def test_a_named_amount(economy):
    payer = await economy.account("payer", credits=100)
    done = await economy.charge(payer, amount=30, metadata='{"order": 7}', user_label="someone")
    receipt = done.receipt
    (lot,) = await economy.grants(payer)
    assert (done.kind, done.replayed, done.answer, done.id) == ("charge", False, None, receipt.id)
    assert (receipt.account_id, receipt.user_id, receipt.credit_type) == ("payer", "someone", "general")
    assert (receipt.amount, receipt.balance, receipt.grants) == (30, 70, (Burned(lot.id, 30),))
    assert (receipt.operation, receipt.rate_card_version, receipt.model_id, receipt.hold_id) == (None, None, None, None)
    assert (receipt.earnings, receipt.earnings_reason, receipt.usage_type) == ((), "no_model", "other")
    assert receipt.metadata == {"order": 7}
    assert receipt.occurred_at == receipt.created_at
    view = await economy.wallet(payer)
    assert (view.balance, view.held, view.available, view.used, view.allocated) == (70, 0, 70, 30, 100)
    assert view.last_used_at == receipt.created_at
    await clean(economy.db)


@pytest.mark.parametrize(
    ("operation", "quantity", "credit_type", "price"),
    [
        ("general", None, "general", 1),
        ("general", 7, "general", 7),
        ("chat", None, "general", 1),
        ("avatar_upload", None, "general", 0),
        ("document_upload", 4, "general", 1000),
        ("document_upload", {"chunk": 4}, "general", 1000),
        ("generate_lead", None, "lead_generation", 5),
        ("chunks", 99, "general", 297),
        ("chunks", 100, "general", 285),
        # 374 × 0.0015 + 44 × 0.006 = 0.825 and 1200 × 0.0015 + 200 × 0.006 = 3: rounded up once.
        ("llm", {"input_token": 374, "output_token": 44}, "general", 1),
        ("llm", {"input_token": 1200, "output_token": 200}, "general", 3),
        ("llm", {"input_token": 1200, "output_token": 200, "cached_input_token": 1}, "general", 4),
        ("image_generation", {"image": 3}, "general", 120),
    ],
)
async def test_an_operations_price(economy, operation, quantity, credit_type, price):
    payer = await economy.account("payer", "organization")
    await economy.grant(payer, 5000, credit_type)
    receipt = (await economy.charge(payer, operation=operation, quantity=quantity)).receipt
    assert (receipt.amount, receipt.credit_type, receipt.balance) == (price, credit_type, 5000 - price)
    assert (receipt.operation, receipt.quantity) == (operation, quantity)
    assert receipt.rate_card_version == economy.terms.operations[operation].version
    assert receipt.usage_type == {"chat": "chat", "image_generation": "image_generation"}.get(operation, "other")
    assert await economy.balance(payer, credit_type) == 5000 - price


async def test_a_models_own_price(economy):
    payer = await economy.account("payer", credits=1000)
    await economy.model("dear", credit_cost=50)
    await economy.model("tokens", pricing={"input_token": "0.5", "output_token": "2"})
    await economy.model("plain")
    await economy.model("free", credit_cost=0)

    async def price(**order):
        receipt = (await economy.charge(payer, **order)).receipt
        return receipt.amount, receipt.rate_card_version

    chat = economy.terms.operations["chat"].version
    assert await price(model_id="dear") == (50, 1)
    assert await price(model_id="dear", operation="chat") == (50, 1)
    assert await price(model_id="dear", quantity=3) == (150, 1)
    assert await price(model_id="plain", operation="chat") == (1, chat)
    assert await price(model_id="free", operation="chat") == (0, 1)
    assert await price(model_id="tokens", quantity={"input_token": 3, "output_token": 2}) == (6, 1)
    assert await price(model_id="dear", amount=2) == (2, None)
    await economy.change_model("dear", credit_cost=60)
    assert await price(model_id="dear") == (60, 2)


async def test_a_character_stands_for_its_model(economy):
    owner, payer = await economy.account("owner"), await economy.account("payer", credits=100)
    await economy.model("m", owner, credit_cost=10)
    await economy.model("other")
    await economy.character("hero", "m")
    receipt = (await economy.charge(payer, character_id="hero")).receipt
    assert (receipt.amount, receipt.model_id, receipt.character_id) == (10, "m", "hero")
    assert receipt.earnings == (Share("owner", "m", 10 * FLAT_RATE),)
    receipt = (await economy.charge(payer, character_id="hero", model_id="m")).receipt
    assert (receipt.model_id, receipt.character_id) == ("m", "hero")
    with pytest.raises(ValidationFailed, match="another model"):
        await economy.charge(payer, character_id="hero", model_id="other")
    with pytest.raises(NotFound, match="no character"):
        await economy.charge(payer, character_id="nobody")


REFUSED = [
    ({}, ValidationFailed, "validation_failed", "one of them is needed"),
    ({"model_id": "plain"}, ValidationFailed, "validation_failed", "one of them is needed"),
    ({"operation": "unpriced"}, ValidationFailed, "operation_unpriced", "no price"),
    ({"operation": "nonsense"}, UnknownReference, "unknown_reference", "not in the catalog"),
    ({"operation": "chat", "credit_type": "forecast"}, ValidationFailed, "validation_failed", "paid in general"),
    ({"credit_type": "gold", "amount": 1}, UnknownReference, "unknown_reference", "no credit type 'gold'"),
    ({"operation": "llm", "quantity": 5}, ValidationFailed, "validation_failed", "must count each of"),
    ({"operation": "chat", "quantity": {"chunk": 1}}, ValidationFailed, "validation_failed", "not priced here"),
    ({"model_id": "nowhere", "amount": 1}, NotFound, "not_found", "no model 'nowhere'"),
    ({"model_id": "off"}, Conflict, "model_inactive", "not active"),
    ({"model_id": "gone", "amount": 1}, Conflict, "model_inactive", "not active"),
    ({"amount": 101}, InsufficientTokens, "insufficient_tokens", "needs 101 tokens and 100 are available"),
    ({"amount": 10**15}, InsufficientTokens, "insufficient_tokens", "1,000,000,000,000,000 tokens"),
    ({"operation": "generate_goal"}, InsufficientTokens, "insufficient_tokens", "3 tokens and 0 are available"),
]


async def test_refusals_take_nothing_and_leave_the_key_free(economy):
    payer = await economy.account("payer", credits=100)
    await economy.model("plain")
    await economy.model("off", credit_cost=1, active=False)
    await economy.model("gone", credit_cost=1)
    async with economy.db.transaction(PLATFORM) as tx:
        await market.remove_model(tx, "gone")
    for sort in ("charge", "hold"):
        for order, kind, code, words in REFUSED:
            with pytest.raises(kind, match=words) as refused:
                await economy.charge(payer, sort, key="k", **order)
            assert refused.value.code == code, order
    assert await economy.rows("select count(*) from ledger.entry where kind <> 'grant'") == [(0,)]
    done = await economy.charge(payer, key="k", amount=100)
    assert (done.receipt.balance, done.replayed) == (0, False)
    await clean(economy.db)


async def test_a_refusal_for_lack_of_tokens_says_the_figures(economy):
    payer = await economy.account("payer", credits=7)
    for sort in ("charge", "hold"):
        with pytest.raises(InsufficientTokens) as refused:
            await economy.charge(payer, sort, amount=8)
        assert refused.value.extra == {"required": 8, "available": 7, "upgrade_url": "/plans"}


async def test_the_sources_lenient_rule(economy):
    """deduct-token charges for whatever character it is told; only an active model earns."""
    payer, owner = await economy.account("payer", credits=100), await economy.account("owner")
    model = await economy.model("off", owner, credit_cost=30, active=True)
    await economy.change_model("off", active=False)
    await economy.character("old", "off")
    receipt = (await economy.charge(payer, amount=2, character_id="nobody", lenient=True)).receipt
    assert (receipt.amount, receipt.earnings_reason, receipt.model_id) == (2, "no_model", None)
    receipt = (await economy.charge(payer, amount=2, model_id="nowhere", lenient=True)).receipt
    assert (receipt.amount, receipt.earnings_reason) == (2, "no_model")
    receipt = (await economy.charge(payer, character_id="old", lenient=True)).receipt
    assert (receipt.amount, receipt.earnings, receipt.earnings_reason) == (30, (), "not_monetized")
    assert await economy.standing(model) == (1, 30, 0)
    with pytest.raises(InsufficientTokens):
        await economy.charge(payer, amount=1000, character_id="nobody", lenient=True)
    await clean(economy.db)


async def test_a_users_own_key_may_not_pay_less_than_the_price(economy):
    payer = await economy.account("payer", credits=1000)
    await economy.model("dear", credit_cost=50)
    for order in ({"model_id": "dear"}, {"operation": "document_upload"}, {"operation": "chat", "model_id": "dear"}):
        with pytest.raises(Forbidden, match="below the price"):
            await economy.charge(payer, amount=49, at_price=True, **order)
    assert (await economy.charge(payer, amount=50, at_price=True, model_id="dear")).receipt.amount == 50
    assert (await economy.charge(payer, amount=51, at_price=True, model_id="dear")).receipt.amount == 51
    with pytest.raises(Forbidden):
        await economy.charge(payer, amount=499, at_price=True, operation="document_upload", quantity=2)
    # What has no price has none to lie below; the platform's key names what it likes.
    assert (await economy.charge(payer, amount=1, at_price=True)).receipt.amount == 1
    assert (await economy.charge(payer, amount=1, model_id="dear")).receipt.amount == 1


async def test_a_fallback_holds_where_nothing_has_a_price(economy):
    payer = await economy.account("payer", credits=1000)
    await economy.model("dear", credit_cost=50)
    await economy.model("plain")

    async def amount(**order):
        receipt = (await economy.charge(payer, fallback=9, **order)).receipt
        return receipt.amount, receipt.rate_card_version

    assert await amount() == (9, None)
    assert await amount(model_id="plain") == (9, None)
    assert await amount(model_id="dear") == (50, 1)
    assert await amount(amount=3) == (3, None)
    assert (await amount(operation="chat"))[0] == 1


async def test_nothing_costs_nothing_and_needs_no_wallet(economy):
    payer = await economy.account("payer", "organization")
    receipt = (await economy.charge(payer, operation="avatar_upload")).receipt
    assert (receipt.amount, receipt.balance, receipt.grants) == (0, 0, ())
    hold = await economy.hold(payer, operation="avatar_upload")
    assert (hold.answer["amount"], hold.answer["available"]) == (0, 0)
    receipt = (await economy.capture(payer, hold, 0)).receipt
    assert (receipt.amount, receipt.balance) == (0, 0)
    await economy.void(payer, await economy.hold(payer, operation="avatar_upload"))
    await clean(economy.db)


async def test_the_rest_of_a_receipt(economy):
    payer = await economy.account("payer", credits=10)
    receipt = (
        await economy.charge(
            payer, operation="chat", usage_type="other", upstream_model="gpt-x", provider="default",
            cost_nanos=123, occurred_at="2024-02-29T23:59:60+01:00".replace(":60+", ":59+"), metadata="[1, null]",
        )
    ).receipt  # fmt: skip
    assert (receipt.usage_type, receipt.upstream_model, receipt.provider, receipt.cost_nano_usd) == (
        "other", "gpt-x", "default", 123,
    )  # fmt: skip
    assert receipt.occurred_at == datetime(2024, 2, 29, 22, 59, 59, tzinfo=UTC)
    assert receipt.created_at > receipt.occurred_at
    assert receipt.metadata == [1, None]


async def test_credit_types_are_apart(economy):
    payer = await economy.account("payer", "organization", plan="pro-org")
    await economy.charge(payer, operation="generate_lead")
    await economy.charge(payer, operation="forecast")
    left = {code: await economy.balance(payer, code) for code in ("lead_generation", "goal_generation", "forecast")}
    assert left == {"lead_generation": 45, "goal_generation": 20, "forecast": 26}
    with pytest.raises(InsufficientTokens) as refused:
        await economy.charge(payer, amount=46, credit_type="lead_generation")
    assert refused.value.available == 45
    await clean(economy.db)
