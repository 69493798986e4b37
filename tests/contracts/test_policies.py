"""What every earnings policy keeps, whatever files are found: add one, and it is tested on arrival."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenhouse.domain.catalog.types import GRANT_SOURCES, USAGE_TYPES, EarningsPolicy
from tokenhouse.domain.earnings.policies import Formula, formula_of, found

KINDS = sorted(found())
PLAIN = {"per_use_nanos": 7, "per_credit_nanos": 3}
RICH = PLAIN | {
    "tiers": ((1, 11_000), (10, 25_000)),
    "type_multipliers": {"chat": 8_000, "other": 5_000},
}


def formulas(kind: str) -> list[Formula]:
    """The kind over each set of figures that it takes."""
    made = []
    for figures in (PLAIN, RICH):
        policy = EarningsPolicy(id="p", kind=kind, earn_on=frozenset(GRANT_SOURCES), **figures)
        try:
            made.append(formula_of(policy))
        except ValueError:
            continue
    return made


def test_there_are_some():
    assert {"flat", "tiered"} <= set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_its_name_and_figures_are_plain(kind):
    assert kind == found()[kind].KIND
    assert kind.isidentifier()
    made = formulas(kind)
    assert made, "it takes neither plain figures nor tiers and types"
    for formula in made:
        assert dataclasses.is_dataclass(formula.params)
        assert formula.params.__dataclass_params__.frozen
        assert isinstance(formula.counts_uses, bool)
        assert formula_of(formula.policy) == formula


@pytest.mark.parametrize("kind", KINDS)
@given(
    credit_sum=st.integers(0, 10**15),
    uses=st.integers(0, 2**62),
    usage_type=st.sampled_from(USAGE_TYPES),
    more=st.integers(0, 10**6),
)
def test_it_pays_whole_nano_dollars_and_never_less_for_more(kind, credit_sum, uses, usage_type, more):
    for formula in formulas(kind):
        nanos = formula.accrue(credit_sum, uses, usage_type)
        assert type(nanos) is int
        assert nanos >= 0
        assert nanos == formula.accrue(credit_sum, uses, usage_type), "the same question, another answer"
        assert formula.accrue(credit_sum + more, uses, usage_type) >= nanos
        if not formula.counts_uses:
            assert formula.accrue(credit_sum, uses + more, usage_type) == nanos


@pytest.mark.parametrize("kind", KINDS)
def test_it_earns_nothing_where_the_figures_are_nothing(kind):
    for figures in (PLAIN, RICH):
        policy = EarningsPolicy(id="p", kind=kind, **(figures | {"per_use_nanos": 0, "per_credit_nanos": 0}))
        try:
            formula = formula_of(policy)
        except ValueError:
            continue
        assert all(formula.accrue(10**15, uses, usage) == 0 for uses in (0, 10**9) for usage in USAGE_TYPES)


@pytest.mark.parametrize("figures", [PLAIN, RICH])
def test_exactly_one_is_meant_where_no_kind_is_given(figures):
    policy = EarningsPolicy(id="p", **figures)
    assert [module.KIND for module in found().values() if module.fits(policy)] == [formula_of(policy).kind]
