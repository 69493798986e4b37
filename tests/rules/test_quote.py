"""What a quantity costs: exact, rounded up once, discounted by quantity."""

from decimal import ROUND_CEILING, Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenhouse.domain.catalog.prices import parse_pricing, price_of, price_text, written_rates
from tokenhouse.domain.catalog.rules import quote
from tokenhouse.domain.catalog.types import MAX_CREDITS, UNITS, UNPRICED
from tokenhouse.infra.kernel.errors import ValidationFailed

LLM = price_of({"input_token": "0.0015", "cached_input_token": "0.00075", "output_token": "0.006"})
CHUNK = price_of({"chunk": "250"})


@pytest.mark.parametrize(
    ("price", "quantity", "credit_sum"),
    [
        ({"call": "3"}, None, 3),
        ({"call": "3"}, 1, 3),
        ({"call": "3"}, 0, 0),
        ({"call": "0"}, None, 0),
        ({"call": "0.5"}, None, 1),
        ({"call": "0.5"}, 3, 2),
        ({"call": "0.000000001"}, 1, 1),
        ({"call": "0.000000001"}, 10**9, 1),
        ({"call": "0.000000001"}, 10**9 + 1, 2),
        ({"chunk": "250"}, 10, 2_500),
        ({"chunk": "250"}, {"chunk": 10}, 2_500),
        ({"call": "1"}, MAX_CREDITS, MAX_CREDITS),
        # 1.5 + 0.3 + 1.2 = 3 exactly: the sum rounds, not its parts.
        ({"input_token": "0.0015", "output_token": "0.006"}, {"input_token": 1_200, "output_token": 200}, 3),
        ({"input_token": "0.0015", "output_token": "0.006"}, {"input_token": 1, "output_token": 1}, 1),
        ({"input_token": "0.0015", "output_token": "0.006"}, {"output_token": 1}, 1),
        ({"input_token": "0.0015", "output_token": "0.006"}, {"input_token": 0, "output_token": 0}, 0),
    ],
)
def test_quote(price, quantity, credit_sum):
    assert quote(price_of(price), quantity) == credit_sum


@pytest.mark.parametrize(
    ("price", "quantity"),
    [
        (LLM, None),
        (LLM, 5),
        (LLM, {}),
        (LLM, {"call": 1}),
        (LLM, {"input_token": 1, "nonsense": 0}),
        (LLM, {"input_token": -1}),
        (LLM, {"input_token": True}),
        (LLM, {"input_token": 1.0}),
        (LLM, {"input_token": MAX_CREDITS + 1}),
        (CHUNK, {"call": 1}),
        (CHUNK, -1),
        (CHUNK, True),
        (CHUNK, MAX_CREDITS + 1),
        (CHUNK, MAX_CREDITS),
    ],
)
def test_a_quantity_that_does_not_fit_is_refused(price, quantity):
    with pytest.raises(ValidationFailed) as caught:
        quote(price, quantity)
    assert caught.value.code == "validation_failed"
    assert caught.value.errors[0]["field"].startswith("quantity")


@pytest.mark.parametrize("quantity", [None, 1, 0, {"call": 1}])
def test_what_has_no_price_is_refused_and_never_free(quantity):
    with pytest.raises(ValidationFailed) as caught:
        quote(UNPRICED, quantity)
    assert (caught.value.status, caught.value.code) == (422, "operation_unpriced")


def test_bulk_discounts_hold_for_the_whole_quantity():
    price = price_of({"call": "3"}, (), [{"from": 100, "discount_bps": 500}, {"from": 1000, "discount_bps": 10_000}])
    assert [quote(price, n) for n in (1, 99, 100, 101, 999, 1000)] == [3, 297, 285, 288, 2848, 0]


def test_tiers_give_other_rates_for_the_whole_quantity():
    tiers = [{"from": 10, "price": {"chunk": "200"}}, {"from": 100, "price": {"chunk": "0.5"}}]
    price = price_of({"chunk": "250"}, tiers, [{"from": 100, "discount_bps": 1_000}])
    assert [quote(price, n) for n in (None, 9, 10, 99, 100, 101)] == [250, 2250, 2000, 19_800, 45, 46]


def test_discounts_count_all_units():
    price = price_of({"input_token": "1", "output_token": "2"}, (), [{"from": 10, "discount_bps": 5_000}])
    assert quote(price, {"input_token": 5, "output_token": 4}) == 13
    assert quote(price, {"input_token": 5, "output_token": 5}) == 8


RATES = st.dictionaries(st.sampled_from(UNITS), st.decimals(0, 10**4, places=9), min_size=1, max_size=7)


@given(RATES, st.data(), st.integers(0, 10_000))
def test_a_quote_is_the_exact_sum_rounded_up(rates, data, discount):
    counts = {unit: data.draw(st.integers(0, 10**7)) for unit in rates}
    written = {unit: f"{rate:f}" for unit, rate in rates.items()}
    price = price_of(written, (), [{"from": 1, "discount_bps": discount}])
    with localcontext() as context:
        context.prec = 80
        exact = sum(rates[unit] * counts[unit] for unit in rates)
        if any(counts.values()):
            exact *= Decimal(10_000 - discount) / 10_000
        assert quote(price, counts) == int(Decimal(exact).to_integral_value(ROUND_CEILING))


@given(st.integers(0, 10**9), st.integers(0, 10**5))
def test_the_short_way_and_the_long_one_agree(whole, quantity):
    price = price_of({"call": str(whole)})
    assert quote(price, quantity) == quote(price, {"call": quantity}) == whole * quantity


@pytest.mark.parametrize(
    ("pricing", "message"),
    [
        ({}, "names no unit"),
        ({"call": "-1"}, "below 0"),
        ({"call": 1}, "decimal string"),
        ({"call": True}, "decimal string"),
        ({"call": "1e3"}, "plain decimal"),
        ({"call": "0.0000000001"}, "more than 9"),
        ({"call": "1" * 17}, "over"),
        ({"tokens": "1"}, "no unit"),
        ("3", "units and their prices"),
        (None, "units and their prices"),
    ],
)
def test_a_models_price_is_read_as_strictly(pricing, message):
    with pytest.raises(ValidationFailed, match=message) as caught:
        parse_pricing(pricing)
    assert caught.value.errors[0]["field"] == "pricing"


def test_a_price_is_written_as_it_is_read():
    assert written_rates(LLM.rates) == {
        "input_token": "0.0015",
        "cached_input_token": "0.00075",
        "output_token": "0.006",
    }
    assert parse_pricing(written_rates(LLM.rates)) == LLM
    price = price_of({"call": "3"}, [{"from": 5, "price": {"call": "2"}}], [{"from": 10, "discount_bps": 250}])
    assert price_text(price) == "3 per call; 2 per call from 5; 2.5 % off from 10"
    assert price_text(UNPRICED) == "no price"
