"""Charges and reversals in parts: they come to the whole, but for what rounding leaves."""

from hypothesis import given
from hypothesis import strategies as st

from tokenhouse.domain.catalog.prices import price_of
from tokenhouse.domain.catalog.rules import quote
from tokenhouse.domain.catalog.types import EarningsPolicy
from tokenhouse.domain.earnings.policies import formula_of
from tokenhouse.domain.earnings.rules import split
from tokenhouse.domain.metering.reversals import take_back

UNITS = ("input_token", "cached_input_token", "output_token")
rates = st.fixed_dictionaries(
    {unit: st.decimals(0, 1000, places=9, allow_nan=False).map(lambda rate: f"{rate:f}") for unit in UNITS}
)
counts = st.fixed_dictionaries({unit: st.integers(0, 10**6) for unit in UNITS})
amounts = st.integers(1, 10**9)


def parts_of(data, amount):
    """Cut an amount in parts."""
    cuts = data.draw(st.lists(st.integers(0, amount), max_size=6).map(sorted))
    return [end - start for start, end in zip([0, *cuts], [*cuts, amount], strict=True) if end > start]


@given(rates, counts, counts)
def test_more_never_costs_less(given_rates, some, more):
    price = price_of(given_rates)
    both = {unit: some[unit] + more[unit] for unit in UNITS}
    whole = quote(price, both)
    assert whole >= quote(price, some)
    # Cut in two it costs the same, or one credit more: each part rounds up.
    assert whole <= quote(price, some) + quote(price, more) <= whole + 1


@given(amounts, st.integers(0, 10**6), st.integers(0, 10_000), st.integers(1, 6), st.data())
def test_a_flat_use_in_parts_earns_the_same(amount, rate, share, owners, data):
    """To the nano-dollar in all; for each earner to within one a part."""
    formula = formula_of(EarningsPolicy("p", 0, rate))
    parts = parts_of(data, amount)

    def earned(credit_sum):
        return dict(split(formula.accrue(credit_sum, 0, "chat"), share, 99, range(1, owners + 1)))

    whole = earned(amount)
    summed = {earner: sum(earned(part).get(earner, 0) for part in parts) for earner in whole}
    assert sum(whole.values()) == sum(summed.values()) == amount * rate
    # The creator's part rounds down each time; what it leaves goes to the owners.
    slack = len(parts) * (2 if share else 1)
    assert all(abs(whole[earner] - summed[earner]) <= slack for earner in whole)
    assert summed.get(99, 0) <= whole.get(99, 0)


@given(amounts, st.integers(0, 10**6), st.integers(1, 30_000), st.integers(0, 30_000), st.data())
def test_a_tiered_use_in_parts_earns_the_same_but_for_rounding(amount, rate, tier, kind, data):
    formula = formula_of(EarningsPolicy("p", 0, rate, ((1, tier),), {"chat": kind}))
    parts = parts_of(data, amount)
    whole = formula.accrue(amount, 5, "chat")
    summed = sum(formula.accrue(part, 5, "chat") for part in parts)
    assert 2 * abs(whole - summed) <= len(parts) + 1


@given(st.dictionaries(st.integers(1, 9), st.integers(0, 10**12), max_size=6), amounts, st.data())
def test_earnings_taken_back_in_parts_are_those_taken_back_at_once(earned, amount, data):
    rich = dict.fromkeys(earned, 10**18)
    taken = dict.fromkeys(earned, 0)
    before = 0
    for part in parts_of(data, amount):
        for one in take_back(earned, amount, before, before + part, rich):
            assert one.taken >= 0
            assert one.lost == 0
            taken[one.earner] += one.taken
        before += part
        at_once = {one.earner: one.taken for one in take_back(earned, amount, 0, before, rich)}
        assert taken == at_once
    assert taken == earned


@given(
    st.dictionaries(st.integers(1, 9), st.integers(0, 10**12), max_size=6),
    st.dictionaries(st.integers(1, 9), st.integers(0, 10**12)), amounts, st.data(),
)  # fmt: skip
def test_nobody_is_taken_below_nothing(earned, balances, amount, data):
    after = data.draw(st.integers(1, amount))
    before = data.draw(st.integers(0, after - 1))
    full = {one.earner: one.taken for one in take_back(earned, amount, before, after, dict.fromkeys(earned, 10**18))}
    for one in take_back(earned, amount, before, after, balances):
        assert 0 <= one.taken <= balances.get(one.earner, 0)
        assert one.lost >= 0
        assert one.taken + one.lost == full[one.earner]
        assert one.lost == 0 or one.taken == balances.get(one.earner, 0)
