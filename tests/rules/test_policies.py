"""The shipped policies, figure by figure: tiers at their edges, types, half-even at the end."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenhouse.domain.catalog import parse, read_source
from tokenhouse.domain.catalog.types import USAGE_TYPES, EarningsPolicy
from tokenhouse.domain.earnings.policies import formula_of

SHIPPED = parse(read_source().text).policies
FLAT, DYNAMIC = formula_of(SHIPPED["flat"]), formula_of(SHIPPED["dynamic"])


@pytest.mark.parametrize(
    ("credit_sum", "nanos"), [(0, 0), (1, 100_000), (10, 10**6), (10_000, 10**9), (10**15, 10**20)]
)
@pytest.mark.parametrize("usage_type", USAGE_TYPES)
def test_flat_is_a_hundredth_of_a_cent_a_credit(credit_sum, nanos, usage_type):
    assert FLAT.accrue(credit_sum, 10**6, usage_type) == nanos
    assert (FLAT.kind, FLAT.counts_uses) == ("flat", False)


EDGES = [
    (0, "1"), (99, "1"), (100, "1.2"), (101, "1.2"), (999, "1.2"), (1_000, "1.5"), (4_999, "1.5"),
    (5_000, "2"), (9_999, "2"), (10_000, "2.5"), (10**9, "2.5"),
]  # fmt: skip


@pytest.mark.parametrize(("uses", "tier"), EDGES)
@pytest.mark.parametrize(("usage_type", "kind"), [("image_generation", "1"), ("chat", "0.8"), ("other", "0.6")])
def test_dynamic_at_the_edges_of_its_tiers(uses, tier, usage_type, kind):
    whole = (Decimal("0.001") + 777 * Decimal("0.0001")) * Decimal(tier) * Decimal(kind)
    assert DYNAMIC.accrue(777, uses, usage_type) == int((whole * 10**9).quantize(Decimal(1), ROUND_HALF_EVEN))
    assert (DYNAMIC.kind, DYNAMIC.counts_uses) == ("tiered", True)


def policy(**figures):
    return EarningsPolicy(**({"id": "p", "per_use_nanos": 0, "per_credit_nanos": 1} | figures))


@pytest.mark.parametrize(("credit_sum", "nanos"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 2), (6, 3), (7, 4)])
def test_halves_go_to_even(credit_sum, nanos):
    assert formula_of(policy(type_multipliers={"chat": 5_000})).accrue(credit_sum, 0, "chat") == nanos


def test_it_rounds_once_at_the_end():
    # 1 × 1.5 × 0.7 = 1.05; rounded twice it would be 2 × 0.7 = 1.4. 3 × 1.5 × 0.7 = 3.15.
    once = formula_of(policy(tiers=((1, 15_000),), type_multipliers={"other": 7_000}))
    assert [once.accrue(n, 1, "other") for n in (1, 3, 5, 10)] == [1, 3, 5, 10]
    assert once.accrue(10, 0, "chat") == 10


def test_types_that_are_not_named_count_once():
    half = formula_of(policy(type_multipliers={"chat": 5_000}))
    assert (half.accrue(4, 0, "other"), half.accrue(4, 0, "chat"), half.counts_uses) == (4, 2, False)


@given(st.integers(0, 10**15), st.integers(0, 10**12), st.sampled_from(USAGE_TYPES), st.data())
def test_tiered_is_the_exact_formula(credit_sum, uses, usage_type, data):
    per_use, per_credit = data.draw(st.integers(0, 10**12)), data.draw(st.integers(0, 10**12))
    tiers = data.draw(st.dictionaries(st.integers(1, 10**12), st.integers(0, 10**6), min_size=1, max_size=6))
    types = data.draw(st.dictionaries(st.sampled_from(USAGE_TYPES), st.integers(0, 10**6)))
    made = formula_of(
        policy(
            per_use_nanos=per_use,
            per_credit_nanos=per_credit,
            tiers=tuple(sorted(tiers.items())),
            type_multipliers=types,
        )
    )
    tier = tiers[max(reached)] if (reached := [edge for edge in tiers if edge <= uses]) else 10_000
    exact = (per_use + credit_sum * per_credit) * tier * types.get(usage_type, 10_000)
    twice = 2 * made.accrue(credit_sum, uses, usage_type) * 10**8
    assert abs(twice - 2 * exact) <= 10**8


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match=r"no kind 'bold'.*flat, tiered"):
        formula_of(policy(kind="bold"))


def test_a_kind_that_does_not_fit_its_figures_is_refused():
    with pytest.raises(ValueError, match="kind flat has no tiers"):
        formula_of(policy(kind="flat", tiers=((1, 1),)))
    assert formula_of(policy(kind="tiered")).accrue(7, 0, "chat") == 7
