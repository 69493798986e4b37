"""The catalog file: the shipped figures, what is refused, what differs, what is warned of."""

import pytest

from tokenhouse.domain.catalog import parse, read_source
from tokenhouse.domain.catalog.rules import diff, find_operation, quote, warnings
from tokenhouse.domain.catalog.types import GRANT_SOURCES, CatalogInvalid
from tokenhouse.infra.kernel.errors import UnknownReference

SHIPPED = read_source().text
SMALL = """
credit_types = ["general"]

[[operation]]
id = "chat"
credit_type = "general"
price = { message = "1" }

[[plan]]
id = "free"
name = "Free"
price_usd = "0"
interval = "month"
allowances = { general = 10 }
limits = { agents = 1 }

[[top_up]]
id = "pack"
credit_type = "general"
credits = 1000
price_usd = "1.00"

[[earnings_policy]]
id = "flat"
per_use_usd = "0"
per_credit_usd = "0.0001"
tiers = [{ uses = 2, multiplier = "1.1" }]
type_multipliers = { chat = "0.5" }
earn_on = ["top_up"]
"""


@pytest.fixture(scope="module")
def shipped():
    return parse(SHIPPED)


def test_the_shipped_prices_are_the_sources(shipped):
    prices = {item.id: (item.credit_type, quote(item.price)) for item in shipped.operations.values()}
    assert prices == {
        "generate_lead": ("lead_generation", 5),
        "generate_goal": ("goal_generation", 3),
        "analyze_strategy": ("strategy_analysis", 2),
        "forecast": ("forecast", 4),
        "general": ("general", 1),
        "chat": ("general", 1),
        "avatar_generation": ("general", 5_000),
        "avatar_upload": ("general", 0),
        "document_upload": ("general", 250),
    }


def test_the_shipped_plans_are_the_sources(shipped):
    free, pro = shipped.plans["free"], shipped.plans["pro"]
    assert (free.price_nanos, free.allowances, free.interval) == (0, {"general": 250_000}, "month")
    assert (pro.price_nanos, pro.allowances, pro.interval) == (30 * 10**9, {"general": 10_000_000}, "month")
    assert free.limits["agents"] > 0
    assert pro.limits["agents"] == -1
    assert not shipped.plans["starter"].allowances
    kinds = ("lead_generation", "goal_generation", "strategy_analysis", "forecast")
    assert [shipped.plans["pro-org"].allowances[kind] for kind in kinds] == [50, 20, 100, 30]
    assert [shipped.plans["enterprise"].allowances[kind] for kind in kinds] == [500, 200, 1_000, 200]
    assert {shipped.plans[plan].interval for plan in ("starter", "pro-org", "enterprise")} == {"30d"}
    assert shipped.top_ups


def test_the_shipped_policies_are_the_sources(shipped):
    flat, dynamic = shipped.policies["flat"], shipped.policies["dynamic"]
    assert (flat.per_use_nanos, flat.per_credit_nanos, flat.tiers, flat.type_multipliers) == (
        0,
        100_000,
        (),
        {},
    )
    assert (dynamic.per_use_nanos, dynamic.per_credit_nanos) == (1_000_000, 100_000)
    assert dynamic.tiers == ((100, 12_000), (1_000, 15_000), (5_000, 20_000), (10_000, 25_000))
    assert dynamic.type_multipliers == {"image_generation": 10_000, "chat": 8_000, "other": 6_000}
    assert flat.earn_on == dynamic.earn_on == set(GRANT_SOURCES)


def test_a_years_plan_renews_by_month():
    year = parse(SMALL.replace('"month"', '"year"')).plans["free"]
    assert (year.allowance_interval, year.allowance_periods) == ("month", 12)
    thirty = parse(SMALL.replace('"month"', '"30d"')).plans["free"]
    assert (thirty.allowance_interval, thirty.allowance_periods) == ("30d", 1)


def test_missing_and_empty_prices_are_no_price():
    for price in ("", "price = {}"):
        catalog = parse(SMALL.replace('price = { message = "1" }', price))
        assert not catalog.operations["chat"].price.rates


def test_an_unknown_operation_is_told():
    with pytest.raises(UnknownReference, match="chatt"):
        find_operation(parse(SMALL), "chatt")


WRONG = {
    "no TOML": ("credit_types", "credit_types =", "is not TOML"),
    "unknown unit": ('message = "1"', 'word = "1"', "'word' is no unit; units are call"),
    "negative price": ('message = "1"', 'message = "-1"', "below 0"),
    "a number for a price": ('message = "1"', "message = 1", "decimal string"),
    "a float for a price": ('message = "1"', "message = 0.1", "decimal string"),
    "ten places": ('message = "1"', 'message = "0.0000000001"', "more than 9 decimal places"),
    "unknown credit type": (
        'credit_type = "general"\nprice',
        'credit_type = "gold"\nprice',
        "'gold' is not in credit_types",
    ),
    "unknown allowance": ("{ general = 10 }", "{ gold = 10 }", "'gold' is not in credit_types"),
    "negative allowance": ("{ general = 10 }", "{ general = -10 }", "whole number from 0"),
    "a flag for an allowance": ("{ general = 10 }", "{ general = true }", "whole number from 0"),
    "negative limit": ("agents = 1", "agents = -2", "whole number from -1"),
    "unknown interval": ('"month"', '"week"', "one of month, year, 30d"),
    "negative plan": ('price_usd = "0"', 'price_usd = "-1"', "0 or more"),
    "a float plan": ('price_usd = "0"', "price_usd = 9.99", 'such as "30.00"'),
    "ten places of a plan": ('price_usd = "0"', 'price_usd = "0.0000000001"', "more than 9"),
    "an empty pack": ("credits = 1000", "credits = 0", "whole number from 1"),
    "an id with a space": ('id = "chat"', 'id = "a chat"', "1-128 characters"),
    "no id": ('id = "chat"\n', "", "operation number 1, line 4, id: is missing"),
    "no name": ('name = "Free"\n', "", "plan free, line 9, name: is missing"),
    "a misspelt field": ("interval =", "intervall =", "intervall: is no field here"),
    "a misspelt heading": ("[[top_up]]", "[[topup]]", "topup: is no field here"),
    "a table for a list": ("[[top_up]]", "[top_up]", "[[top_up]]"),
    "a multiplier that is a number": ('"1.1"', "1.1", "decimal string"),
    "a negative multiplier": ('"1.1"', '"-1.1"', "decimal string"),
    "five places of a multiplier": ('"1.1"', '"1.10001"', "more than 4"),
    "a tier from no uses": ("uses = 2", "uses = 0", "whole number from 1"),
    "an unknown usage type": ('chat = "0.5"', 'video = "0.5"', "one of image_generation, chat, other"),
    "an unknown source": ('["top_up"]', '["theft"]', "'theft' is no source of credits"),
    "no general": ('["general"]', '["gold"]', "must hold 'general'"),
    "a type twice": ('["general"]', '["general", "general"]', "once"),
    "dollars as a type": ('["general"]', '["general", "USD"]', "must begin with a-z"),
    "no default policy": ('id = "flat"', 'id = "flatter"', '"flat" is missing'),
    "bulk that does not ascend": (
        'price = { message = "1" }',
        'price = { message = "1" }\nbulk = [{ from = 5, discount_bps = 1 }, { from = 5, discount_bps = 2 }]',
        "must ascend",
    ),
    "a discount over all": (
        'price = { message = "1" }',
        'price = { message = "1" }\nbulk = [{ from = 5, discount_bps = 10001 }]',
        "from 0 to 10000",
    ),
    "bulk with another field": (
        'price = { message = "1" }',
        'price = { message = "1" }\nbulk = [{ at = 5, discount_bps = 1 }]',
        "from and discount_bps",
    ),
    "tiers of another unit": (
        'price = { message = "1" }',
        'price = { message = "1" }\ntiers = [{ from = 5, price = { call = "1" } }]',
        "must price message",
    ),
    "uses that do not ascend": (
        "tiers = [",
        'tiers = [{ uses = 2, multiplier = "1" }, ',
        "uses must ascend",
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_slip_of_the_pen_is_told(old, new, message):
    assert old in SMALL
    with pytest.raises(CatalogInvalid) as caught:
        parse(SMALL.replace(old, new, 1), "mine.toml")
    assert message in caught.value.detail
    assert "mine.toml" in caught.value.detail


@pytest.mark.parametrize("kind", ["operation", "plan", "top_up", "earnings_policy"])
def test_an_id_stands_once(kind):
    start = SMALL.index(f"[[{kind}]]")
    block = SMALL[start:].split("\n\n", maxsplit=1)[0]
    with pytest.raises(CatalogInvalid, match="stands twice"):
        parse(f"{SMALL}\n{block}\n")


def test_a_variant_sells_one_thing():
    text = SMALL.replace("credits = 1000", "credits = 1000\nlemonsqueezy_variant = 7")
    text = text.replace('name = "Free"', 'name = "Free"\nlemonsqueezy_variant = 7')
    with pytest.raises(CatalogInvalid, match="7 stands twice"):
        parse(text)


def test_all_problems_are_told_at_once_with_their_lines():
    text = SMALL.replace('"1"', '"-1"', 1).replace('"month"', '"week"').replace("credits = 1000", "credits = 0")
    with pytest.raises(CatalogInvalid) as caught:
        parse(text)
    assert [problem["field"] for problem in caught.value.errors] == [
        "operation chat, line 4, price",
        "plan free, line 9, interval",
        "top_up pack, line 17, credits",
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(CatalogInvalid, match=r"missing\.toml"):
        read_source(tmp_path / "missing.toml")
    (tmp_path / "latin.toml").write_bytes(b"# \xff")
    with pytest.raises(CatalogInvalid, match="UTF-8"):
        read_source(tmp_path / "latin.toml")


def test_the_same_catalog_has_no_differences(shipped):
    assert diff(shipped, parse(SHIPPED + "\n# a comment\n")) == []
    respelt = SHIPPED.replace('call = "3"', 'call = "3.00"').replace('"2.0"', '"2"')
    assert diff(shipped, parse(respelt)) == []


def test_everything_is_new_at_first(shipped):
    changes = diff(None, shipped)
    assert {change.sort for change in changes} == {"added"}
    assert len(changes) == 5 + 9 + 5 + 1 + 2


def test_differences_are_said_in_words():
    old = parse(SMALL)
    new = parse(
        SMALL.replace('message = "1"', 'message = "2"')
        .replace("general = 10", "general = 20")
        .replace('chat = "0.5"', 'chat = "0.25"')
        .replace('[[top_up]]\nid = "pack"', '[[top_up]]\nid = "bundle"')
        .replace('["general"]', '["general", "gold"]')
    )
    assert [(change.kind, change.id, change.sort, change.text) for change in diff(old, new)] == [
        ("credit_type", "gold", "added", "credit type gold: new"),
        ("operation", "chat", "changed", "operation chat: price 1 per message -> price 2 per message"),
        ("plan", "free", "changed", "plan free: allowances general 10 -> allowances general 20"),
        ("top_up", "bundle", "added", "top up bundle: new; credit_type general; credits 1,000; price $1.00"),
        ("top_up", "pack", "removed", "top up pack: withdrawn"),
        (
            "earnings_policy",
            "flat",
            "changed",
            "earnings policy flat: type_multipliers chat x0.5 -> type_multipliers chat x0.25",
        ),
    ]
    assert [change.sort for change in diff(new, old)].count("removed") == 2


def test_the_shipped_warnings_do_the_sum(shipped):
    texts = {warning.code: warning.text for warning in reversed(warnings(shipped))}
    assert texts["earning_above_price"] == (
        "pro sells 10,000,000 credits for $30.00 = $0.000003 a credit; the flat policy pays up to $0.0001: "
        "$1,000.00 of earnings may stand against $30.00"
    )
    assert "free gives 250,000 credits for nothing" in texts["earning_on_free_credits"]


def test_no_warning_where_credits_cost_more_than_they_earn():
    assert [warning.code for warning in warnings(parse(SMALL))] == []
    dear = SMALL.replace('per_credit_usd = "0.0001"', 'per_credit_usd = "0.000909091"')
    assert [warning.code for warning in warnings(parse(dear))] == ["earning_above_price"]
    edge = SMALL.replace('per_credit_usd = "0.0001"', 'per_credit_usd = "0.000909090"')
    assert warnings(parse(edge)) == []


def test_only_sources_that_earn_are_warned_of():
    free = SMALL.replace('earn_on = ["top_up"]', 'earn_on = ["allowance"]')
    assert [warning.code for warning in warnings(parse(free))] == ["earning_on_free_credits"]
    none = SMALL.replace('earn_on = ["top_up"]', "earn_on = []")
    assert warnings(parse(none)) == []


def test_an_operation_without_price_is_warned_of():
    text = SMALL.replace('price = { message = "1" }', "price = {}")
    assert [warning.code for warning in warnings(parse(text))] == ["operation_unpriced"]
