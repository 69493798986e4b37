"""The views with the sources' names: every query that the sources print, run by a tenant, tells that tenant's truth."""

from decimal import Decimal
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio
from psycopg.rows import dict_row

from economy import Economy, party, tenant
from tokenhouse.domain import metering
from tokenhouse.domain.ledger.types import Command
from tokenhouse.infra.database import PLATFORM, Database

VIEWS = (
    "models", "characters", "model_creator_earnings", "model_earnings", "user_models", "model_usage_logs",
    "model_analytics", "earnings_transactions", "token_transactions", "token_usage", "usage_limits", "ai_tokens",
    "ai_token_usage_log",
)  # fmt: skip

COLUMNS = {
    "model_usage_logs": "id user_id model_id usage_type tokens_consumed earnings_generated metadata created_at",
    "model_creator_earnings": "id model_id creator_id total_usage_count total_tokens_consumed total_earnings "
    "last_usage_at created_at updated_at",
    "models": "id name category description features token_cost price is_premium is_active monetization_enabled "
    "character_id creator_id",
    "characters": "id name image model_id",
    "user_models": "user_id model_id purchased_at",
    "token_transactions": "id user_id type amount balance_after created_at",
    "earnings_transactions": "id creator_id amount status created_at",
    "model_analytics": "model_id date",
    "model_earnings": "user_id model_id",
    "usage_limits": "user_id tokens_used tokens_limit plan_type period_start period_end",
    "token_usage": "user_id tokens_used model_used operation_type created_at",
    "ai_tokens": "organization_id token_type balance total_allocated total_used refresh_date last_used_at "
    "created_at updated_at",
    "ai_token_usage_log": "organization_id user_id token_type feature_used tokens_deducted remaining_balance "
    "metadata created_at",
}

# As the first source prints them, its placeholders filled in.
MODEL_EARNINGS = """
SELECT
  mce.*,
  m.name as model_name,
  c.name as character_name,
  c.image as character_image
FROM model_creator_earnings mce
JOIN models m ON mce.model_id = m.id
LEFT JOIN characters c ON m.character_id = c.id
WHERE mce.creator_id IN (
  SELECT user_id FROM user_models WHERE user_id = 'ann'
);
"""
TOTALS = """
SELECT
  SUM(total_tokens_consumed) as total_tokens,
  SUM(total_earnings) as total_earnings,
  COUNT(DISTINCT model_id) as models_count
FROM model_creator_earnings
WHERE creator_id IN (
  SELECT user_id FROM user_models WHERE user_id = 'ann'
);
"""
RECENT_USE = """
SELECT * FROM model_usage_logs
WHERE model_id = 'x'
ORDER BY created_at DESC
LIMIT 5;
"""
OWNER_EARNINGS = """
SELECT
  mce.total_tokens_consumed,
  mce.total_earnings,
  m.name as model_name
FROM model_creator_earnings mce
JOIN models m ON mce.model_id = m.id
WHERE mce.creator_id = 'ann';
"""
RECENT_TRANSACTIONS = """
SELECT * FROM token_transactions
WHERE user_id = 'bob'
AND type = 'usage'
ORDER BY created_at DESC
LIMIT 10;
"""
MODEL_OF_CHARACTER = "SELECT * FROM models WHERE character_id = 'emma';"
WHO_OWNS = "SELECT * FROM user_models WHERE model_id = 'x';"
# The fourth source's.
ORGANIZATION_TOKENS = "SELECT * FROM ai_tokens WHERE organization_id = 'firm';"


@pytest_asyncio.fixture
async def eco(db: Database) -> Economy:
    return await Economy.found(db)


async def ask(eco: Economy, actor, query: str) -> list[dict]:
    async with eco.db.read(actor) as tx:
        cursor = tx.connection.cursor(row_factory=dict_row)
        await cursor.execute(query)
        return await cursor.fetchall()


async def count(eco: Economy, actor, view: str) -> int:
    (row,) = await ask(eco, actor, f"select count(*) as n from {view}")
    return row["n"]


async def scenario(eco: Economy):
    """The first source's first scenario: B sends ten messages to the character of A's model."""
    ann, bob = await eco.account("ann", credits=1000), await eco.account("bob", credits=100)
    await eco.model("x", ann, name="Premium X", category="Realistic", price_credits=300, credit_cost=1)
    await eco.character("emma", "x", name="Emma", image_url="https://img.example/emma.png")
    for _ in range(10):
        await eco.charge(bob, operation="chat", character_id="emma", amount=1, metadata='{"secret": "bob"}')
    return ann, bob


async def reverse(eco: Economy, payer, charge_id: str, amount: int | None = None) -> None:
    command = Command(party(payer), uuid4().hex, "00" * 16)
    await metering.reverse(eco.db, eco.terms, command, UUID(charge_id), amount, "test", maturity_days=14)


async def test_the_owner_sees_ten_uses(eco):
    ann, _ = await scenario(eco)
    me = tenant(ann)
    assert await count(eco, me, "model_usage_logs where model_id = 'x'") == 10
    (row,) = await ask(eco, me, MODEL_EARNINGS)
    assert (row["model_id"], row["creator_id"], row["model_name"]) == ("x", "ann", "Premium X")
    assert (row["character_name"], row["character_image"]) == ("Emma", "https://img.example/emma.png")
    assert (row["total_usage_count"], row["total_tokens_consumed"]) == (10, 10)
    assert row["total_earnings"] == Decimal("0.0010")
    assert await ask(eco, me, TOTALS) == [{"total_tokens": 10, "total_earnings": Decimal("0.0010"), "models_count": 1}]
    assert await ask(eco, me, OWNER_EARNINGS) == [
        {"total_tokens_consumed": 10, "total_earnings": Decimal("0.0010"), "model_name": "Premium X"}
    ]
    (model,) = await ask(eco, me, MODEL_OF_CHARACTER)
    assert (model["id"], model["token_cost"], model["price"], model["is_premium"]) == ("x", 1, 300, True)
    (owned,) = await ask(eco, me, WHO_OWNS)
    assert (owned["user_id"], owned["price_paid"], owned["usage_count"]) == ("ann", 300, 10)
    assert owned["total_earnings"] == Decimal("0.001")


async def test_the_owner_does_not_learn_who_paid(eco):
    ann, bob = await scenario(eco)
    carl = await eco.account("carl", credits=10)
    await eco.charge(carl, character_id="emma", amount=5, usage_type="image_generation")
    rows = await ask(eco, tenant(ann), RECENT_USE)
    assert len(rows) == 5
    newest = rows[0]
    assert (newest["usage_type"], newest["tokens_consumed"]) == ("image_generation", 5)
    assert newest["earnings_generated"] == Decimal("0.0005")
    shown = {row["user_id"] for row in await ask(eco, tenant(ann), "select * from model_usage_logs")}
    assert len(shown) == 2
    assert all(len(name) == 12 for name in shown)
    everything = str([await ask(eco, tenant(ann), f"select * from {view}") for view in VIEWS])
    assert "bob" not in everything
    assert "secret" not in everything
    # The same person looks the same again to this owner, and different to another.
    again = {row["user_id"] for row in await ask(eco, tenant(ann), "select * from model_usage_logs")}
    assert again == shown
    other = await eco.account("other", credits=10)
    await eco.model("y", other)
    await eco.charge(bob, model_id="y", amount=1)
    (row,) = await ask(eco, tenant(other), "select * from model_usage_logs")
    assert row["user_id"] not in shown


async def test_who_pays_sees_its_own(eco):
    _, bob = await scenario(eco)
    me = tenant(bob)
    rows = await ask(eco, me, RECENT_USE)
    assert {(row["user_id"], row["tokens_consumed"], row["metadata"]["secret"]) for row in rows} == {("bob", 1, "bob")}
    rows = await ask(eco, me, RECENT_TRANSACTIONS)
    assert [(row["amount"], row["balance_after"]) for row in rows] == [(-1, n) for n in range(90, 100)]
    used = await ask(eco, me, "select * from token_usage")
    assert [(row["user_id"], row["tokens_used"], row["model_used"], row["operation_type"]) for row in used] == [
        ("bob", 1, "x", "chat")
    ] * 10
    for view in ("model_creator_earnings", "model_earnings", "model_analytics", "user_models"):
        assert await count(eco, me, view) == 0


async def test_the_platform_sees_all_with_names(eco):
    ann, bob = await scenario(eco)
    rows = await ask(eco, PLATFORM, "select * from model_usage_logs")
    assert [(row["user_id"], row["model_id"], row["metadata"]) for row in rows] == [
        ("bob", "x", {"secret": "bob"})
    ] * 10
    (row,) = await ask(eco, PLATFORM, "select * from model_creator_earnings")
    assert (row["creator_id"], row["total_usage_count"]) == ("ann", 10)
    (row,) = await ask(eco, PLATFORM, "select * from model_analytics")
    assert (row["usage_count"], row["tokens_consumed"], row["unique_users"]) == (10, 10, 1)
    assert row["earnings_generated"] == Decimal("0.001")
    # Whoever stands for both sees each use once.
    assert await count(eco, tenant(ann, bob), "model_usage_logs") == 10


async def test_a_stranger_sees_the_offers_alone(eco):
    await scenario(eco)
    stranger = await eco.account("stranger")
    seen = {view: await count(eco, tenant(stranger), view) for view in VIEWS}
    assert {view: n for view, n in seen.items() if n} == {
        "models": 1, "characters": 1, "token_transactions": 1, "usage_limits": 1,
    }  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
async def test_without_a_token_there_is_nothing(eco, db, worker_db, view):
    await scenario(eco)
    await eco.account("firm", "organization", plan="pro-org")
    for pool in (db, worker_db):
        async with pool.connection() as connection:
            cursor = await connection.execute(f"select count(*) from {view}")
            assert await cursor.fetchone() == (0,)


@pytest.mark.parametrize("view", VIEWS)
async def test_columns_and_rights(eco, admin, view):
    await scenario(eco)
    rows = await ask(eco, PLATFORM, f"select * from (select 1) one left join {view} on true limit 1")
    assert set(COLUMNS[view].split()) <= set(rows[0])
    owner, options = admin.execute(
        "select pg_get_userbyid(relowner), reloptions from pg_class where oid = %s::regclass", [f"public.{view}"]
    ).fetchone()
    assert (owner, options) == ("th_owner", ["security_invoker=true"])
    for statement in (f"delete from {view}", f"insert into {view} default values"):
        with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectNotInPrerequisiteState)):
            await ask_writing(eco, statement)


async def ask_writing(eco: Economy, statement: str) -> None:
    async with eco.db.transaction(PLATFORM) as tx:
        await tx.connection.execute(statement)


async def test_own_use_is_in_no_log(eco):
    """The second scenario: five messages to one's own character."""
    ann, _ = await scenario(eco)
    for _ in range(5):
        await eco.charge(ann, character_id="emma", amount=1)
    assert await count(eco, tenant(ann), "model_usage_logs") == 10
    assert await count(eco, tenant(ann), "token_usage") == 5
    (row,) = await ask(eco, tenant(ann), OWNER_EARNINGS)
    assert row["total_tokens_consumed"] == 10


async def test_shared_earnings_are_each_owners_own(eco):
    owners = [await eco.account(f"o{number}", credits=10) for number in range(3)]
    maker = await eco.account("maker")
    await eco.model("s", ownership="shared", price_credits=1, creator_id="maker", creator_share_bps=2500, name="S")
    for owner in owners:
        await eco.buy(owner, "s")
    payer = await eco.account("payer", credits=100)
    await eco.charge(payer, model_id="s", amount=13)
    for earner, nanos in zip([maker, *owners], (325_000, 325_000, 325_000, 325_000), strict=True):
        (log,) = await ask(eco, tenant(earner), "select * from model_usage_logs")
        (sum_,) = await ask(eco, tenant(earner), "select * from model_creator_earnings")
        assert log["earnings_generated"] == sum_["total_earnings"] == Decimal(nanos) / 10**9
        assert log["tokens_consumed"] == sum_["total_tokens_consumed"] == 13
    (whole,) = await ask(eco, tenant(payer), "select * from model_usage_logs")
    assert whole["earnings_generated"] == Decimal("0.0013")


async def test_uses_that_earn_nothing_count(eco):
    ann, bob = await eco.account("ann", credits=10), await eco.account("bob", credits=10)
    await eco.model("off", ann, monetized=False)
    await eco.charge(bob, model_id="off", amount=3)
    (row,) = await ask(eco, tenant(ann), "select * from model_usage_logs")
    assert (row["tokens_consumed"], row["earnings_generated"]) == (3, 0)
    (row,) = await ask(eco, tenant(ann), "select * from model_creator_earnings")
    assert (row["total_usage_count"], row["total_earnings"]) == (1, 0)


async def test_a_reversal_corrects_the_figures(eco):
    ann, bob = await eco.account("ann", credits=10), await eco.account("bob", credits=100)
    await eco.model("x", ann)
    whole = await eco.charge(bob, model_id="x", amount=10)
    part = await eco.charge(bob, model_id="x", amount=20)
    await reverse(eco, bob, whole.id)
    await reverse(eco, bob, part.id, 5)
    for actor in (tenant(ann), tenant(bob), PLATFORM):
        (row,) = await ask(eco, actor, "select * from model_usage_logs")
        assert (row["tokens_consumed"], row["earnings_generated"]) == (15, Decimal("0.0015"))
    (row,) = await ask(eco, tenant(ann), "select * from model_creator_earnings")
    assert (row["total_usage_count"], row["total_tokens_consumed"], row["total_earnings"]) == (
        1, 15, Decimal("0.0015"),
    )  # fmt: skip
    (row,) = await ask(eco, tenant(ann), "select * from model_analytics")
    assert (row["usage_count"], row["tokens_consumed"], row["earnings_generated"]) == (1, 15, Decimal("0.0015"))


async def test_transactions_sum_to_the_balance(eco, admin):
    bob = await eco.account("bob")
    await eco.model("m", price_credits=40)
    await eco.grant(bob, 100)
    await eco.grant(bob, 10, source="refund")
    await eco.grant(bob, 7, "forecast", source="gift")
    await eco.buy(bob, "m")
    charge = await eco.charge(bob, amount=250_050)
    await eco.charge(bob, operation="forecast")
    held = await eco.charge(bob, "hold", amount=5)
    assert held.kind == "hold"
    await reverse(eco, bob, charge.id, 100)
    admin.execute("update wallets.lot set expires_at = clock_timestamp() where source = 'allowance'")
    admin.execute("update ledger.account set due_at = clock_timestamp() where asset_id = 1")
    await eco.charge(bob, amount=1)
    rows = await ask(eco, tenant(bob), "select * from token_transactions order by created_at, id")
    assert [(row["token_type"], row["type"], row["amount"]) for row in rows] == [
        ("general", "allowance", 250_000), ("general", "grant", 100), ("general", "refund", 10),
        ("forecast", "grant", 7), ("general", "purchase", -40), ("general", "usage", -250_050),
        ("forecast", "usage", -4), ("general", "refund", 100), ("general", "expiry", -10), ("general", "usage", -1),
    ]  # fmt: skip
    for credit_type in ("general", "forecast"):
        balance = 0
        for row in rows:
            if row["token_type"] == credit_type:
                balance += row["amount"]
                assert row["balance_after"] == balance, row
        assert balance == await eco.balance(bob, credit_type)
    assert len({row["id"] for row in rows}) == len(rows)
    assert {row["user_id"] for row in rows} == {"bob"}


async def test_usage_limits(eco):
    bob = await eco.account("bob")
    (row,) = await ask(eco, tenant(bob), "select * from usage_limits where user_id = 'bob'")
    assert (row["tokens_used"], row["tokens_limit"], row["plan_type"]) == (0, 250_000, "free")
    await eco.charge(bob, operation="avatar_generation", upstream_model="dall-e-2")
    (row,) = await ask(eco, tenant(bob), "select * from usage_limits where user_id = 'bob'")
    assert (row["tokens_used"], row["tokens_limit"]) == (5000, 250_000)
    assert 28 <= (row["period_end"] - row["period_start"]).days <= 31
    (row,) = await ask(eco, tenant(bob), "select * from token_usage")
    assert (row["tokens_used"], row["model_used"], row["operation_type"], row["token_type"]) == (
        5000, "dall-e-2", "avatar_generation", "general",
    )  # fmt: skip


async def test_organizations(eco):
    firm = await eco.account("firm", "organization", plan="pro-org")
    rival = await eco.account("rival", "organization", plan="pro-org")
    await eco.charge(firm, operation="generate_goal", user_label="quinn", metadata='{"quarter": "Q3"}')
    rows = await ask(eco, tenant(firm), ORGANIZATION_TOKENS)
    assert {
        row["token_type"]: (row["balance"], row["total_allocated"], row["total_used"]) for row in rows
    } == {
        "general": (0, 0, 0), "lead_generation": (50, 50, 0), "goal_generation": (17, 20, 3),
        "strategy_analysis": (100, 100, 0), "forecast": (30, 30, 0),
    }  # fmt: skip
    by_type = {row["token_type"]: row for row in rows}
    assert by_type["forecast"]["last_used_at"] is None
    assert by_type["goal_generation"]["last_used_at"] is not None
    assert (by_type["general"]["refresh_date"] - by_type["general"]["created_at"]).days in (29, 30)
    (row,) = await ask(eco, tenant(firm), "select * from ai_token_usage_log where organization_id = 'firm'")
    row.pop("id")
    row.pop("created_at")
    assert row == {
        "organization_id": "firm", "user_id": "quinn", "token_type": "goal_generation",
        "feature_used": "generate_goal", "tokens_deducted": 3, "remaining_balance": 17,
        "metadata": {"quarter": "Q3"},
    }  # fmt: skip
    assert await ask(eco, tenant(rival), ORGANIZATION_TOKENS) == []
    assert await count(eco, tenant(rival), "ai_token_usage_log") == 0
    assert await count(eco, tenant(rival), "ai_tokens") == 5
    (row,) = await ask(eco, tenant(firm), "select * from token_usage")
    assert row["user_id"] == "quinn"


async def test_models_that_are_gone_keep_their_earnings(eco):
    from tokenhouse.domain import market

    ann, _ = await scenario(eco)
    async with eco.db.transaction(PLATFORM) as tx:
        await market.remove_model(tx, "x")
    (row,) = await ask(eco, tenant(ann), OWNER_EARNINGS)
    assert row["total_earnings"] == Decimal("0.001")
    (row,) = await ask(eco, tenant(ann), "select * from models")
    assert not row["is_active"]


async def test_nobody_turns_a_pseudonym_round(eco):
    ann, bob = await scenario(eco)
    for actor in (PLATFORM, tenant(ann)):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await ask(eco, actor, f"select access.pseudonym({ann.id}, {bob.id})")
