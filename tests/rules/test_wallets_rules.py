"""Burn order, lapses and allowances as pure rules: nothing is made, nothing is lost, nothing held is taken."""

from datetime import UTC, datetime, timedelta

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from tokenhouse.domain.catalog.types import Plan
from tokenhouse.domain.wallets.rules import allowance_left, burn, burn_order, change_plan, give_back, lapse, settle
from tokenhouse.domain.wallets.types import Enrolment, Lot, Wallet

NOW = datetime(2024, 5, 17, 12, tzinfo=UTC)
ASSETS = {"general": 1, "forecast": 2}

expiries = st.none() | st.integers(-10, 10).map(lambda days: (NOW + timedelta(days=days)).timestamp())
facts = st.tuples(st.integers(1, 1000), expiries, st.integers(0, 3))


def lots_of(given_facts, first=1):
    return [
        Lot(number, amount, "top_up", priority, expires)
        for number, (amount, expires, priority) in enumerate(given_facts, first)
    ]


def wallet_of(given_facts, held, asset=1, first=1):
    lots = lots_of(given_facts, first)
    balance = sum(lot.remaining for lot in lots)
    wallet = Wallet(7, asset, 70 + asset, balance, min(held, balance), due=False)
    wallet.lots.extend(lots)
    return wallet


def plan(interval="month", *, rollover=False, **allowances):
    return Plan("p", "P", None, interval, allowances, rollover)


def enrolment(anchor, start, end, zone="UTC"):
    return Enrolment(7, "p", anchor, start, end, zone)


# ---- burn and give back ----


@given(st.lists(facts, min_size=1, max_size=12), st.data())
def test_a_burn_takes_exactly_that_in_order(given_facts, data):
    lots = lots_of(given_facts)
    amount = data.draw(st.integers(0, sum(lot.remaining for lot in lots)))
    parts = burn(data.draw(st.permutations(lots)), amount)
    assert sum(part for _, part in parts) == amount
    assert all(0 < part <= lot.remaining for lot, part in parts)
    # It takes the first of the order whole, and of the last what it needs; by the words, not by the key of the code.
    order = sorted(lots, key=lambda lot: (lot.expires is None, lot.expires or 0, lot.priority, lot.id))
    assert [lot.id for lot, _ in parts] == [lot.id for lot in order[: len(parts)]]
    assert all(part == lot.remaining for lot, part in parts[:-1])


def test_a_burn_of_more_than_there_is_is_a_fault_of_ours():
    with pytest.raises(AssertionError, match="lack 1 of the 11"):
        burn(lots_of([(10, None, 0)]), 11)
    assert burn([], 0) == []


@given(st.lists(facts, min_size=1, max_size=12), st.data())
def test_what_comes_back_in_parts_is_what_comes_back_at_once(given_facts, data):
    lots = lots_of(given_facts)
    amount = data.draw(st.integers(1, sum(lot.remaining for lot in lots)))
    taken = [(lot.id, part) for lot, part in burn(lots, amount)]
    total = data.draw(st.integers(1, amount))
    first = data.draw(st.integers(0, total))
    left = dict(taken)
    back: dict[int, int] = {}
    for part in (first, total - first):
        for lot, given_back in give_back(list(left.items()), part):
            left[lot] -= given_back
            back[lot] = back.get(lot, 0) + given_back
    assert back == dict(give_back(taken, total))
    assert sum(back.values()) == total
    # What stays burned is what burns first.
    assert [lot for lot, part in left.items() if part] == [lot for lot, _ in taken][
        : sum(1 for part in left.values() if part)
    ]
    with pytest.raises(AssertionError):
        give_back(taken, amount + 1)


# ---- what time does ----


def check_lapses(settlement, wallets, at, replaced=()):
    """No more lapses than is there and free; of what is neither over nor replaced, nothing."""
    for wallet in wallets:
        new = sum(one.amount for one in settlement.allowances if one.asset_id == wallet.asset_id)
        mine = [one for one in settlement.lapses if one.wallet is wallet]
        lapsed = sum(one.amount for one in mine)
        assert wallet.balance + new - lapsed >= wallet.held
        over = [lot for lot in wallet.lots if (lot.expires and lot.expires <= at.timestamp()) or lot.id in replaced]
        assert {one.lot.id for one in mine} <= {lot.id for lot in over}
        assert all(0 < one.amount <= one.lot.remaining for one in mine)
        # All that is over and free lapses; the rest is looked at again within a minute.
        everything = sum(lot.remaining for lot in over)
        assert lapsed == min(everything, wallet.available + new)
        due = settlement.due[wallet.asset_id]
        if lapsed < everything:
            assert due <= at + timedelta(minutes=1)
        assert due is None or due > at


@given(st.lists(facts, max_size=8), st.integers(0, 5000))
def test_an_account_on_no_plan(given_facts, held):
    wallet = wallet_of(given_facts, held)
    settlement = lapse([wallet], NOW)
    check_lapses(settlement, [wallet], NOW)
    assert (settlement.period, settlement.allowances) == (None, ())


@given(
    st.lists(facts, max_size=6), st.lists(facts, max_size=6), st.integers(0, 5000), st.integers(0, 5000),
    st.integers(-100, 100), st.booleans(), st.sampled_from(["month", "30d", "year"]), st.integers(0, 500),
)  # fmt: skip
def test_a_settlement_never_takes_what_is_held(one, two, held, held_too, days, rollover, interval, allowance):
    wallets = [wallet_of(one, held), wallet_of(two, held_too, 2, 100)]
    anchor = NOW + timedelta(days=days) - timedelta(days=365)
    given_plan = plan(interval, rollover=rollover, general=allowance)
    renews_at = NOW + timedelta(days=days)
    settlement = settle(wallets, enrolment(anchor, anchor, renews_at), given_plan, ASSETS, NOW)
    check_lapses(settlement, wallets, NOW)
    assert (settlement.period is not None) == (renews_at <= NOW)
    if settlement.period is None:
        assert settlement.allowances == ()
    else:
        start, end = settlement.period
        assert start <= NOW < end
        assert all(due <= end for due in settlement.due.values())
        count = len(settlement.allowances)
        assert count == 0 if not allowance else count >= 1 if rollover else count == 1
        assert {one.expires_at for one in settlement.allowances} <= {None if rollover else end}


@given(st.integers(0, 7 * 366 * 86400), st.integers(1, 60), st.integers(0, 40), st.booleans())
def test_asleep_or_awake_comes_to_the_same(seconds, months, days, rollover):
    """Settled once after months, or every week in between: the same period and the same credits."""
    anchor = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    until = anchor + relativedelta(months=months) + timedelta(days=days)
    given_plan = plan(rollover=rollover, general=100)

    def run(steps):
        here = enrolment(anchor, anchor, anchor)
        held: list[Lot] = []
        for at in steps:
            wallet = Wallet(7, 1, 71, sum(lot.remaining for lot in held), 0, due=True)
            wallet.lots.extend(held)
            settlement = settle([wallet], here, given_plan, ASSETS, at)
            gone = {one.lot.id for one in settlement.lapses}
            held = [lot for lot in held if lot.id not in gone]
            held += [
                Lot(len(held) + 1000 * at.toordinal() + place, new.amount, "allowance", 0,
                    new.expires_at and new.expires_at.timestamp())
                for place, new in enumerate(settlement.allowances)
            ]  # fmt: skip
            if settlement.period:
                here = enrolment(anchor, *settlement.period)
        return here, sorted((lot.remaining, lot.expires) for lot in held)

    weeks = [anchor + timedelta(days=7 * number) for number in range((until - anchor).days // 7 + 1)]
    assert run([anchor, until]) == run([*weeks, until])


@pytest.mark.parametrize(("allowance", "used", "left"), [(100, 0, 100), (100, 30, 70), (100, 100, 0), (100, 101, 0)])
def test_what_is_left_of_an_allowance(allowance, used, left):
    assert allowance_left(allowance, used) == left


@given(
    st.lists(facts, min_size=1, max_size=8), st.integers(0, 5000), st.integers(0, 2000), st.integers(0, 2000), st.data()
)
def test_a_change_of_plan(given_facts, held, used, allowance, data):
    wallet = wallet_of(given_facts, held)
    replaced = frozenset(data.draw(st.sets(st.sampled_from([lot.id for lot in wallet.lots]))))
    start = NOW - timedelta(days=10)
    settlement = change_plan(
        [wallet], enrolment(start, start, NOW + timedelta(days=20)), plan(general=allowance), ASSETS, {1: used},
        replaced, NOW,
    )  # fmt: skip
    check_lapses(settlement, [wallet], NOW, replaced)
    assert sum(one.amount for one in settlement.allowances) == max(0, allowance - used)
    assert settlement.period == (start, start + relativedelta(months=1))
    # What a hold keeps of a replaced allowance is over from now on.
    lapsed = {one.lot.id: one.amount for one in settlement.lapses}
    kept = {lot.id for lot in wallet.lots if lapsed.get(lot.id, 0) < lot.remaining and lot.id in replaced}
    over = {lot.id for lot in wallet.lots if lot.expires and lot.expires <= NOW.timestamp()}
    assert {lot.id for _, lot in settlement.ended} == kept - over


@given(st.lists(facts, min_size=2, max_size=10))
def test_the_order_is_total(given_facts):
    lots = lots_of(given_facts)
    assert len({burn_order(lot) for lot in lots}) == len(lots)
