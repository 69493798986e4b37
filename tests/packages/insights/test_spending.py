"""The platform's figures equal the raw records at any moment: credits, their worth, earnings, cost and margin."""

import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest

from economy import Economy, source
from tokenhouse.domain import insights, metering
from tokenhouse.domain.metering import UpstreamPrice
from tokenhouse.infra.database import PLATFORM

TERMS = """
[[operation]]
id = "llm"
credit_type = "general"
price = { input_token = "0.01", cached_input_token = "0.005", output_token = "0.03" }

[[plan]]
id = "paid"
name = "Paid"
price_usd = "10.00"
interval = "month"
allowances = { general = 3000, forecast = 300 }

[[plan]]
id = "annual"
name = "A year"
price_usd = "100.00"
interval = "year"
allowances = { general = 7000 }

[[plan]]
id = "none"
name = "Nothing"
interval = "month"
allowances = {}

[[top_up]]
id = "small"
credit_type = "general"
credits = 700
price_usd = "1.00"
"""
ATTOS = 10**18
# What a credit is worth, in 10^-18 dollars: an annual payment brings twelve allowances; of packs the cheapest counts.
WORTH = {
    "paid": ATTOS * 10 // 3300,
    "annual": ATTOS * 100 // (12 * 7000),
    "none": 0,
    "top_up": ATTOS * 5 // 1_000_000,
}
LLM = {"input_token": 120, "cached_input_token": 40, "output_token": 30}
LLM_NANOS = round(Fraction(120 * 2_000_000_000 + 40 * 500_000_001 + 30 * 8_000_000_000, 10**6))
TABLE = UpstreamPrice("acme", "large-1", datetime(2020, 1, 1, tzinfo=UTC), 2_000_000_000, 500_000_001, 8_000_000_000)


@pytest.fixture
async def economy(db):
    made = await Economy.found(db, source(TERMS))
    async with db.transaction(PLATFORM) as tx:
        await metering.import_prices(tx, [TABLE])
    yield made
    await made.till.close()


async def roll(db, *, anew=False):
    await (insights.rebuild(db) if anew else insights.roll(db))


class Oracle:
    """What was done, use by use, as the test did it; what lots are of which plan is noted when they are made."""

    def __init__(self, admin):
        self.admin = admin
        self.lots = {}
        self.plans = {}

    def note_plan(self, account, plan):
        self.plans[account.id] = plan
        self.note_lots()

    def note_lots(self):
        rows = self.admin.execute("select account_id, id, source from wallets.lot").fetchall()
        for account, lot, source_ in rows:
            worth = self.plans.get(account) if source_ == "allowance" else source_
            self.lots.setdefault(lot, WORTH.get(worth, 0))

    def records(self):
        """(use, sign, whole, credits, earned, revenue) of every use and reversal, straight from the tables."""
        moved = defaultdict(int)
        for entry, lot, amount in self.admin.execute(
            "select entry_id, lot_id, amount from ledger.transfer where lot_id is not null"
        ):
            moved[entry] += amount * self.lots[lot]
        uses = self.admin.execute(
            "select u.id, u.kind, u.amount, u.nanos, u.cost_nanos, u.operation, m.external_id, i.external_id, a.kind, "
            "       u.usage_type, s.code, u.upstream_model, u.provider, u.occurred_at, u.metadata ->> 'plan' "
            "from metering.usage u left join market.model m on m.id = u.model_id "
            "join access.account a on a.id = u.account_id join access.identity i on i.account_id = u.account_id "
            "join ledger.asset s on s.id = u.asset_id"
        ).fetchall()
        back = defaultdict(list)
        for use, entry, amount, nanos, whole in self.admin.execute(
            "select usage_id, id, amount, nanos, whole from metering.reversal"
        ):
            back[use].append((entry, amount, nanos, whole))
        for row in uses:
            use, kind, amount, nanos, cost = row[:5]
            whole = any(one[3] for one in back[use])
            if cost is None and row[11] == "large-1":
                cost = LLM_NANOS
            counted = kind != "report" and not whole
            yield (
                row,
                {
                    "uses": int(counted),
                    "credits": amount - sum(one[1] for one in back[use]),
                    "earnings": nanos - sum(one[2] for one in back[use]),
                    "revenue": moved[use] - sum(moved[one[0]] for one in back[use]),
                    "cost": cost or 0,
                    "costed": int(counted and cost is not None),
                },
            )

    def by(self, by, first, last):
        found = defaultdict(lambda: defaultdict(int))
        for row, figures in self.records():
            (_, _, _, _, _, operation, model, account, kind, usage_type, code, upstream, provider, at, plan) = row
            if not first <= at.astimezone(UTC).date() <= last:
                continue
            key = {
                "all": "", "operation": operation, "model": model, "plan": plan, "account": account,
                "organization": account if kind == "organization" else "-",
                "user": account if kind == "user" else "-", "usage_type": usage_type, "credit_type": code,
                "upstream": upstream and (f"{provider}/{upstream}" if provider else upstream),
            }[by]  # fmt: skip
            if key != "-":
                for name, value in figures.items():
                    found[key][name] += value
        return {
            key: {**values, "revenue": round(Fraction(values["revenue"], 10**9))}
            for key, values in found.items()
            if any(values.values())
        }


def told(figures):
    return {name: getattr(figures, name) for name in ("uses", "credits", "earnings", "revenue", "cost", "costed")}


async def compare(db, oracle, first, last):
    async with db.read(PLATFORM) as tx:
        for by in insights.BYS:
            rows = await insights.spending_by(tx, by, first, last, most=1000)
            assert {key: told(figures) for key, _, figures in rows} == oracle.by(by, first, last), by
        seen = await insights.overview(tx, first, last)
    whole = oracle.by("all", first, last).get("", dict.fromkeys(told(seen.total), 0))
    assert told(seen.total) == whole
    days = {day: told(figures) for day, figures in seen.days if any(told(figures).values())}
    assert days == {day: oracle.by("all", day, day)[""] for day, _ in seen.days if oracle.by("all", day, day)}
    length = last - first + timedelta(days=1)
    before = oracle.by("all", first - length, last - length).get("", dict.fromkeys(whole, 0))
    assert told(seen.before) == before


@pytest.mark.parametrize("seed", [1, 2])
async def test_figures_equal_the_records(economy, db, admin, seed):
    rng, oracle = random.Random(seed), Oracle(admin)
    now = admin.execute("select clock_timestamp()").fetchone()[0]
    people = []
    for number, (kind, plan) in enumerate(
        [("user", "paid"), ("user", "annual"), ("organization", "paid"), ("user", "none")]
    ):
        people.append(await economy.account(f"p{number}", kind, plan=plan))
        oracle.note_plan(people[-1], plan)
    for account in people:
        await economy.grant(account, 2000, source=rng.choice(["top_up", "gift"]))
        await economy.grant(account, 500, source="top_up")
    await economy.model("m-1", people[0], people[1])
    await economy.model("m-2", people[2], price_credits=0)
    oracle.note_lots()
    done = []
    for step in range(90):
        account = rng.choice(people)
        what = rng.random()
        when = now - timedelta(days=rng.choice([0, 0, 1, 3, 17, 40, 75]), hours=rng.randrange(24))
        more = {"occurred_at": when.isoformat(), "metadata": f'{{"plan": "{oracle.plans[account.id]}"}}'}
        if what < 0.45:
            order = {"amount": rng.randint(1, 30), "model_id": rng.choice(["m-1", "m-2", None])}
            order["cost_nanos"] = rng.choice([None, 0, 7_000_000])
            order["usage_type"] = rng.choice(["chat", "other", None])
        elif what < 0.65:
            model, provider = rng.choice([("large-1", "acme"), ("nobody-knows", None), ("large-1", "acme")])
            order = {"operation": "llm", "quantity": LLM, "upstream_model": model, "provider": provider}
        elif what < 0.75:
            hold = await economy.hold(account, amount=20, operation="chat", model_id="m-1", **more)
            done.append((account, (await economy.capture(account, hold, rng.randint(1, 20))).id))
            continue
        elif what < 0.82:
            await economy.charge(account, "report", amount=9, model_id="m-1", usage_type="other", **more)
            continue
        elif what < 0.94 and done:
            payer, charge = done.pop(rng.randrange(len(done)))
            await economy.reverse(payer, charge, rng.choice([1, None]))
            continue
        elif what < 0.97:
            plan = rng.choice(["paid", "annual", "none"])
            await economy.change_plan(account, plan)
            oracle.note_plan(account, plan)
            continue
        else:
            await roll(db, anew=rng.random() < 0.3)
            await insights.cost_uses(db)
            continue
        done.append((account, (await economy.charge(account, **order, **more)).id))
        if step % 30 == 10:  # as they stand, some in the sums and some not, but for the costs that are looked up later
            await roll(db)
            await insights.cost_uses(db)
            await compare(db, oracle, (now - timedelta(days=29)).date(), now.date())
    await roll(db)
    assert await insights.cost_uses(db) > 0 or not done
    for _ in range(6):
        first = (now - timedelta(days=rng.randrange(90))).date()
        last = min(first + timedelta(days=rng.randrange(80)), now.date())
        await compare(db, oracle, first, last)
    proof = await insights.verify(db)
    assert [one for one in proof.findings if one.count] == []
    await roll(db, anew=True)
    await compare(db, oracle, (now - timedelta(days=80)).date(), now.date())


async def test_sums_that_are_wrong_are_found(economy, db, admin):
    ann = await economy.account("ann", credits=100)
    await economy.charge(ann, amount=7, cost_nanos=3)
    await roll(db)
    for change, wrong in (
        ("cost = cost + 1 where kind = 'user'", {"spending_of_accounts", "spending_of_kinds"}),
        ("revenue = revenue + 1 where kind = 'plan' and grain = 'day'", {"spending_of_kinds", "spending_of_months"}),
        ("uses = 5 where kind = 'operation' and grain = 'month'", {"spending_of_months"}),
    ):
        admin.execute(f"update insights.spend set {change}")
        assert {one.name for one in (await insights.verify(db)).findings if one.count} == wrong
        await roll(db, anew=True)


async def test_what_is_not_summed_up_yet_counts(economy, db, admin):
    """The same figures before a roll, and after it."""
    oracle = Oracle(admin)
    ann = await economy.account("ann", plan="paid")
    oracle.note_plan(ann, "paid")
    charge = await economy.charge(ann, amount=100, cost_nanos=5_000_000, metadata='{"plan": "paid"}')
    await economy.charge(ann, operation="llm", quantity=LLM, metadata='{"plan": "paid"}')
    await economy.reverse(ann, charge.id, 30)
    day = admin.execute("select (clock_timestamp() at time zone 'UTC')::date").fetchone()[0]
    for again in (None, False, True):
        if again is not None:
            await roll(db, anew=again)
        await compare(db, oracle, day, day)
    async with db.read(PLATFORM) as tx:
        total = (await insights.overview(tx, day, day)).total
    # 70 and ceil(1.2 + 0.2 + 0.9) credits of ten dollars' 3 300; one of two uses says what it cost.
    assert (total.uses, total.credits, total.costed, total.cost) == (2, 73, 1, 5_000_000)
    assert total.revenue == round(Fraction(73 * WORTH["paid"], 10**9)) == 221_212_121
    assert total.margin == 221_212_121 - 5_000_000
    assert (total.uncosted, total.uncosted_bps) == (1, 5000)


async def test_a_cost_becomes_known_when_its_price_does(economy, db, admin):
    ann = await economy.account("ann", credits=1000)
    at = datetime.now(UTC) - timedelta(days=10)
    for when in (at, at + timedelta(days=5)):
        await economy.charge(
            ann,
            operation="llm",
            quantity=LLM,
            upstream_model="New-1",
            provider="Somebody",
            occurred_at=when.isoformat(),
        )
    await economy.charge(ann, operation="llm", quantity=LLM, upstream_model="gpt-4o", provider="openai")
    await roll(db)
    assert await insights.cost_uses(db) == 3
    assert await insights.cost_uses(db) == 0
    day = datetime.now(UTC).date()

    async def total():
        async with db.read(PLATFORM) as tx:
            return (await insights.overview(tx, day - timedelta(days=29), day)).total

    async with db.read(PLATFORM) as tx:
        (missing,) = await metering.missing_prices(tx)
    assert (missing.provider, missing.model, missing.uses) == ("Somebody", "New-1", 2)
    # By the published prices: 120 + 40 input tokens, 40 of them cached, 30 of output.
    gpt = 120 * 2_500 + 40 * 1_250 + 30 * 10_000
    assert (await total()).cost == gpt
    assert (await total()).uncosted == 2
    since = at + timedelta(days=2)
    new = UpstreamPrice("somebody", "new-1", since, 1_000_000_000, 1_000_000_000, 2_000_000_000)
    async with db.transaction(PLATFORM) as tx:
        await metering.import_prices(tx, [new])
    assert await insights.cost_uses(db) == 2
    assert (await total()).cost == gpt + 120_000 + 40_000 + 60_000
    assert (await total()).uncosted == 1  # the one before the price began
    row = admin.execute("select source, version, nanos from metering.cost where version = '2'").fetchone()
    assert row == ("operator", "2", 220_000)


async def test_accounts_near_their_limit(economy, db):
    used = {"a": 3000, "b": 2400, "c": 2399, "d": 0}
    accounts = {}
    for name, amount in used.items():
        accounts[name] = await economy.account(name, plan="paid")
        if amount:
            await economy.charge(accounts[name], amount=amount)
    await economy.grant(accounts["c"], 5000)
    await economy.charge(accounts["d"], amount=290, credit_type="forecast")
    org = await economy.account("org", "organization", plan="paid")
    await economy.charge(org, amount=2800)
    await economy.change_plan(org, "annual")  # 2 800 of 7 000 now
    async with db.read(PLATFORM) as tx:
        found = await insights.at_risk(tx, from_bps=8000)
        assert [(one.account_id, one.credit_type, one.allowance, one.used) for one in found] == [
            ("a", "general", 3000, 3000),
            ("d", "forecast", 300, 290),
            ("b", "general", 3000, 2400),
        ]
        assert await insights.at_risk(tx, from_bps=8000, kind="organization") == []
        (one,) = await insights.at_risk(tx, from_bps=4000, kind="organization")
        assert (one.account_id, one.allowance, one.used, one.plan_id) == ("org", 7000, 2800, "annual")
