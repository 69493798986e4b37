"""Advice says what the figures say, and nothing where they do not."""

import pytest

from tokenhouse.domain.insights.advice import Allowance, Facts, OfferedModel, OwnModel, advise

DAY = 86_400


def own(name="m", category="Fantasy", *, monetized=True, uses=0, before=0, nanos=0):
    return OwnModel(name, name.title(), category, monetized, uses, before, nanos)


def offered(name, category, uses=0, nanos=0, *, price=100, buyable=False):
    return OfferedModel(name, name.title(), category, price, uses, nanos, buyable)


def said(*, mine=(), market=(), allowances=()):
    return advise(Facts(30, tuple(mine), tuple(market), tuple(allowances)))


def kinds(advice):
    return [one.kind for one in advice]


def market(category, *nanos):
    return [offered(f"{category}-{n}", category, 1, amount) for n, amount in enumerate(nanos)]


def test_nothing_is_said_of_nothing():
    assert said() == []
    assert said(mine=[own()], market=[offered("m", "Fantasy")]) == []


def test_a_category_that_earns_more():
    cheap, dear = market("Fantasy", 100_000_000, 100_000_000, 100_000_000), market("Anime", 300_000_000, 0, 660_000_000)
    (one,) = said(mine=[own(uses=1, nanos=1)], market=[*cheap, *dear])
    assert (one.kind, one.category) == ("category_earns_more", "Anime")
    assert one.reason == (
        "Anime earned 3.2 times what Fantasy, your best category, did per model in the last 30 days: $0.32 against "
        "$0.10."
    )
    # Not for somebody without models, nor where it is one's own, too little more, or of too few models to speak of.
    assert kinds(said(market=[*cheap, *dear])) == []
    assert kinds(said(mine=[own(category="Anime", uses=1)], market=[*cheap, *dear])) == []
    assert (
        kinds(said(mine=[own(uses=1)], market=[*cheap, *market("Anime", 149_000_000, 149_000_000, 149_000_000)])) == []
    )
    assert kinds(said(mine=[own(uses=1)], market=[*cheap, *market("Anime", 9 * 10**9, 9 * 10**9)])) == []


@pytest.mark.parametrize(
    ("before", "now", "kind", "words"),
    [
        (40, 22, "model_falling", "fell by 45 %: from 40 uses in the 30 days before to 22"),
        (10, 0, "model_falling", "fell by 100 %"),
        (10, 7, "model_falling", "fell by 30 %"),
        (10, 8, None, ""),
        (9, 0, None, ""),
        (10, 14, None, ""),
        (10, 15, "model_rising", "rose by 50 %: from 10 uses"),
        (1000, 30_000, "model_rising", "rose by 2,900 %"),
    ],
)
def test_models_whose_use_changed(before, now, kind, words):
    found = said(mine=[own(uses=now, before=before)])
    assert kinds(found) == ([kind] if kind else [])
    assert all(words in one.reason and one.model_id == "m" for one in found)


def test_a_model_that_may_not_earn():
    (one,) = said(mine=[own(monetized=False, uses=12)])
    assert one.kind == "not_monetized"
    assert "used it 12 times" in one.reason


def test_a_model_that_nobody_uses():
    others = [offered(f"f{n}", "Fantasy", uses) for n, uses in enumerate((4, 4, 2))]
    (one,) = said(mine=[own()], market=[offered("m", "Fantasy"), *others])
    assert one.kind == "model_idle"
    assert "the other 3 models in Fantasy were used 3.3 times on average" in one.reason
    assert said(mine=[own(uses=1)], market=others) == []
    assert said(mine=[own()], market=others[:2]) == []
    assert said(mine=[own()], market=[offered(f"f{n}", "Fantasy") for n in range(3)]) == []


def test_models_worth_buying():
    found = said(market=[
        offered("much", "A", 40, price=450, buyable=True), offered("sold", "A", 90),
        offered("most", "A", 60, buyable=True), offered("few", "A", 9, buyable=True),
        *(offered(f"x{n}", "A", 20) for n in range(5)),
    ])  # fmt: skip
    assert [(one.kind, one.model_id) for one in found] == [("model_to_buy", "most"), ("model_to_buy", "much")]
    assert found[1].reason == (
        "Others used it 40 times in the last 30 days, where half of the models on offer had at most 20 uses; it costs "
        "450 credits."
    )


@pytest.mark.parametrize(
    ("used", "day", "words"),
    [
        (600, 15, "600 of 1,000 general credits of this period (60 %) are used, and 50 % of the period are over: at"),
        (600, 15, "at this rate it takes 120 % of the allowance."),
        (950, 29, "(95 %) are used"),
        (500, 15, None),
        (600, 2, None),  # too early to tell
        (0, 15, None),
    ],
)  # fmt: skip
def test_an_allowance_that_will_not_last(used, day, words):
    found = said(allowances=[Allowance("general", 1000, used, day * DAY, 30 * DAY)])
    assert kinds(found) == (["allowance_short"] if words else [])
    assert all(words in one.reason and one.credit_type == "general" for one in found)


def test_what_matters_most_comes_first_and_not_too_much():
    mine = [own(f"m{n}", uses=0, before=20) for n in range(15)]
    found = said(mine=mine, allowances=[Allowance("general", 10, 10, 15 * DAY, 30 * DAY)])
    assert len(found) == 10
    assert kinds(found)[0] == "allowance_short"
