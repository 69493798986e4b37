"""Who gets what of a use's earnings: not a nano-dollar lost, and the reason when nobody does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenhouse.domain.earnings.rules import earning_credits, earning_reason, split
from tokenhouse.domain.earnings.types import EARNING_REASONS

OWNERS = st.lists(st.integers(1, 50), unique=True, max_size=12)
TOTALS = st.integers(0, 10**20)
SHARES = st.integers(0, 10_000)


@pytest.mark.parametrize(
    ("total", "share", "creator", "owners", "shares"),
    [
        (100, 0, None, [1], [(1, 100)]),
        (100, 0, 9, [1], [(1, 100)]),
        (100, 2_500, 9, [1], [(9, 25), (1, 75)]),
        (101, 2_500, 9, [1], [(9, 25), (1, 76)]),
        (100, 10_000, 9, [1], [(9, 100), (1, 0)]),
        (100, 2_500, None, [1], [(1, 100)]),
        (100, 2_500, 9, [], [(9, 25)]),
        (100, 0, 9, [], []),
        (100, 0, None, [], []),
        (11, 0, None, [3, 1, 2], [(3, 4), (1, 4), (2, 3)]),
        (2, 0, None, [3, 1, 2], [(3, 1), (1, 1), (2, 0)]),
        (0, 0, None, [3, 1], [(3, 0), (1, 0)]),
        (1_300_000, 2_500, 9, [1, 2, 3], [(9, 325_000), (1, 325_000), (2, 325_000), (3, 325_000)]),
        (100, 5_000, 1, [1, 2], [(1, 75), (2, 25)]),
        (101, 5_000, 2, [1, 2], [(2, 75), (1, 26)]),
    ],
)
def test_split(total, share, creator, owners, shares):
    assert split(total, share, creator, owners) == shares


@given(TOTALS, SHARES, st.none() | st.integers(1, 60), OWNERS)
def test_nothing_is_lost_and_nothing_made(total, share, creator, owners):
    shares = split(total, share, creator, owners)
    assert len({earner for earner, _ in shares}) == len(shares)
    assert all(nanos >= 0 for _, nanos in shares)
    paid = sum(nanos for _, nanos in shares)
    if owners:
        assert paid == total
    else:
        assert paid == (total * share // 10_000 if creator is not None else 0)


@given(TOTALS, SHARES, OWNERS.filter(bool))
def test_owners_are_equal_to_the_nano_and_the_earliest_gets_the_odd_one(total, share, owners):
    shares = dict(split(total, share, 99, owners))
    assert shares.get(99, 0) == total * share // 10_000
    parts = [shares[owner] for owner in owners]
    assert max(parts) - min(parts) <= 1
    assert parts == sorted(parts, reverse=True)


@pytest.mark.parametrize(("total", "share"), [(-1, 0), (1, -1), (1, 10_001)])
def test_what_makes_no_sense_is_refused(total, share):
    with pytest.raises(ValueError, match="basis points"):
        split(total, share, 1, [2])


FINE = {
    "self_use": False,
    "has_model": True,
    "has_earner": True,
    "monetized": True,
    "earning_credits": 1,
    "total_nanos": 1,
}
WRONG = {
    "self_use": {"self_use": True},
    "no_model": {"has_model": False},
    "no_owner": {"has_earner": False},
    "not_monetized": {"monetized": False},
    "unpaid_source": {"earning_credits": 0},
    "overflow": {"total_nanos": 2**63},
}


@pytest.mark.parametrize("place", range(len(EARNING_REASONS)))
def test_the_first_reason_that_holds_is_told(place):
    facts = dict(FINE)
    for reason in EARNING_REASONS[place:]:
        facts |= WRONG[reason]
    assert earning_reason(**facts) == EARNING_REASONS[place]
    assert earning_reason(**(FINE | WRONG[EARNING_REASONS[place]])) == EARNING_REASONS[place]


def test_where_it_earns_there_is_no_reason():
    assert earning_reason(**FINE) is None
    assert earning_reason(**(FINE | {"total_nanos": 2**63 - 1})) is None


def test_only_credits_of_sources_that_earn_count():
    burned = [("allowance", 5), ("gift", 7), ("top_up", 11)]
    assert earning_credits(burned, {"allowance", "top_up"}) == 16
    assert earning_credits(burned, frozenset()) == 0
