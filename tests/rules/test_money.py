"""Exact money: nothing is lost, and rounding is half-even."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenhouse.infra.kernel import money

NANOS = st.integers(-(10**21), 10**21)


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [
        (1, 2, 0),
        (3, 2, 2),
        (5, 2, 2),
        (7, 2, 4),
        (-1, 2, 0),
        (-3, 2, -2),
        (-5, 2, -2),
        (2, 3, 1),
        (1, 3, 0),
        (0, 7, 0),
    ],
)
def test_half_goes_to_even(numerator, denominator, rounded):
    assert money.round_half_even(numerator, denominator) == rounded


@given(NANOS, st.integers(1, 10**12))
def test_rounding_is_decimals(numerator, denominator):
    assert money.round_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@given(NANOS, st.integers(1, 10**12))
def test_ceiling_is_the_least_that_covers(numerator, denominator):
    up = money.ceil_div(numerator, denominator)
    assert (up - 1) * denominator < numerator <= up * denominator


@pytest.mark.parametrize("denominator", [0, -1])
def test_a_denominator_is_positive(denominator):
    with pytest.raises(ValueError, match="above 0"):
        money.round_half_even(1, denominator)
    with pytest.raises(ValueError, match="above 0"):
        money.ceil_div(1, denominator)


@pytest.mark.parametrize(
    ("nanos", "text"),
    [
        (0, "0.00"),
        (1, "0.000000001"),
        (100_000, "0.0001"),
        (10_000_000, "0.01"),
        (100_000_000, "0.10"),
        (30 * 10**9, "30.00"),
        (30_500_000_000, "30.50"),
        (-1, "-0.000000001"),
        (-1_500_000_000, "-1.50"),
        (-10_000_000, "-0.01"),
        (money.MAX_NANOS, "9223372036.854775807"),
    ],
)
def test_usd_text(nanos, text):
    assert money.usd_text(nanos) == text


@given(NANOS)
def test_text_and_nanos_are_each_others_inverse(nanos):
    assert money.nanos_of_usd(money.usd_text(nanos)) == nanos
    assert money.usd_number(nanos) * money.NANOS == nanos


@pytest.mark.parametrize(
    "text",
    ["", ".", "1.", ".5", "+1", "1e3", "1,5", " 1", "1\n", "NaN", "0x1", "1_000", "٣", "1.0000000001", "--1"],
)
def test_what_is_no_exact_amount_is_refused(text):
    with pytest.raises(ValueError, match="decimal"):
        money.nanos_of_usd(text)


def test_trailing_zeros_are_no_extra_places():
    assert money.nanos_of_usd("1.50000000000000") == 1_500_000_000


@pytest.mark.parametrize(("text", "bps"), [("1", 10_000), ("1.2", 12_000), ("2.5", 25_000), ("0.0001", 1), ("0", 0)])
def test_multipliers(text, bps):
    assert money.bps_of(text) == bps
    assert money.bps_of(money.bps_text(bps)) == bps


def test_a_multiplier_has_four_places():
    with pytest.raises(ValueError, match="more than 4"):
        money.bps_of("1.00001")


@pytest.mark.parametrize(
    ("nanos", "said"), [(10**12, "$1,000.00"), (100_000, "$0.0001"), (-1_234_500_000_000, "-$1,234.50")]
)
def test_said_to_people(nanos, said):
    assert money.usd_said(nanos) == said


@given(st.decimals(-(10**9), 10**9, allow_nan=False, places=12))
def test_decimals_from_outside_round_half_even(amount):
    with localcontext() as context:
        context.prec = 60
        wanted = (amount * money.NANOS).quantize(Decimal(1), ROUND_HALF_EVEN)
    assert money.nanos_of_decimal(amount) == int(wanted)
