"""Which uses look odd: each sign alone, and together."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from tokenhouse.domain.metering.oddity import Link, Pair, Thresholds, odd_uses

LIMITS = Thresholds(uses=100, share_percent=60, per_minute=30, minutes=10)
AT = datetime(2030, 1, 31, tzinfo=UTC)


def pair(account=1, model=7, uses=100, nanos=5, of=1000, busy=0, night=0, earners=(9,)):
    return Pair(0, account, model, AT, uses, nanos, of, busy, night, list(earners))


def found(*pairs, links=()):
    return {one.pair.account_id: [reason["sign"] for reason in one.reasons] for one in odd_uses(pairs, links, LIMITS)}


def test_most_of_a_models_many_uses():
    assert found(pair(uses=100, of=166)) == {1: ["share"]}
    assert found(pair(uses=100, of=167)) == {}
    assert found(pair(uses=99, of=99)) == {}


def test_many_a_minute_for_many_minutes():
    assert found(pair(busy=10)) == {1: ["rate"]}
    assert found(pair(busy=9)) == {}


def test_of_those_who_have_to_do_with_an_earner_less_is_enough():
    linked = [Link(1, 9, "referred")]
    assert found(pair(uses=25, of=83), links=linked) == {1: ["share", "linked"]}
    assert found(pair(uses=25, of=84), links=linked) == {}
    assert found(pair(uses=24, of=24), links=linked) == {}
    assert found(pair(uses=25, of=83)) == {}
    assert found(pair(uses=25, of=83), links=[Link(1, 8, "referred")]) == {}  # of another's model


def test_linked_accounts_count_together():
    links = [Link(number, 9, "organization") for number in (1, 2, 3)]
    pairs = [pair(account=number, uses=10, of=60) for number in (1, 2, 3)]
    both = ["share", "linked"]
    assert found(*pairs, links=links) == {1: both, 2: both, 3: both}
    assert found(*pairs, links=links[:2]) == {}
    elsewhere = [pair(account=number, model=number, uses=10, of=60) for number in (1, 2, 3)]
    assert found(*elsewhere, links=links) == {}


def test_night_alone_is_nothing_and_tips_the_scales():
    linked = [Link(1, 9, "same_address")]
    assert found(pair(uses=50, night=50)) == {}
    assert found(pair(uses=50, night=26), links=linked) == {1: ["linked", "night"]}
    assert found(pair(uses=50, night=25), links=linked) == {}
    assert found(pair(uses=24, night=24), links=linked) == {}  # too few


def test_a_reason_says_what_was_found():
    (one,) = odd_uses([pair(uses=120, of=150, busy=11)], [Link(1, 9, "referred")], LIMITS)
    assert one.reasons == [
        {"sign": "share", "uses": 120, "of": 150},
        {"sign": "rate", "minutes": 11, "per_minute_over": 30},
        {"sign": "linked", "earner": 9, "how": "referred"},
    ]


counts = st.integers(0, 300)
any_pair = st.builds(pair, st.integers(1, 4), st.integers(1, 3), counts, counts, counts, counts, counts)


@given(st.lists(any_pair, unique_by=lambda one: (one.account_id, one.model_id)), st.booleans())
def test_what_earned_nothing_is_not_held_and_a_link_never_frees(pairs, linked):
    links = [Link(number, 9, "referred") for number in range(1, 5)] if linked else []
    held = {(one.pair.account_id, one.pair.model_id) for one in odd_uses(pairs, links, LIMITS)}
    alone = {(one.pair.account_id, one.pair.model_id) for one in odd_uses(pairs, [], LIMITS)}
    assert alone <= held
    assert all(one.nanos for one in pairs if (one.account_id, one.model_id) in held)
