"""Forecasts by hindsight: better than the naive ones on seasonal series, honest about what they cannot know."""

import random

import pytest

from tokenhouse.domain.insights.fitting import LEAST_DAYS, fit

WEEK = (1.6, 1.0, 0.9, 1.0, 1.2, 0.6, 0.3)


def series(seed, days, *, level=50.0, growth=0.0, noise=0.15):
    chance = random.Random(seed)
    return [max(0.0, (level + growth * day) * WEEK[day % 7] * chance.gauss(1, noise)) for day in range(days)]


def errors(seed, known, growth):
    """How far off the totals of 30 days are: ours, the last value's, the last week's; whether ours holds the truth."""
    whole = series(seed, known + 30, growth=growth)
    past, truth = whole[:known], sum(whole[known:])
    total = fit(past).totals[0]
    last, week = past[-1] * 30, sum(past[-7:]) / 7 * 30
    return abs(total.mean - truth), abs(last - truth), abs(week - truth), total.low <= truth <= total.high


def test_it_beats_the_naive_forecasts_on_seasonal_series():
    found = [errors(seed, known, growth) for seed in range(5) for known, growth in ((62, 0.0), (103, 0.3))]
    ours, last, week = (sum(one[n] for one in found) / len(found) for n in range(3))
    assert ours < last / 3
    assert ours < week * 0.75
    # 80 of 100 on the long run.
    assert sum(one[3] for one in found) >= 7


def test_a_season_is_seen():
    assert fit(series(1, 84, noise=0.05)).method.endswith(",A)")


def test_too_little_history_is_refused():
    with pytest.raises(ValueError, match="13 days are not enough"):
        fit([1.0] * (LEAST_DAYS - 1))
    assert fit(series(3, LEAST_DAYS)).totals[0].mean > 0


def test_what_never_changed_goes_on():
    found = fit([2.5] * 40)
    assert [(one.mean, one.low, one.high) for one in found.totals] == [(75.0,) * 3, (225.0,) * 3]
    assert {(one.mean, one.high) for one in fit([0.0] * 40).totals} == {(0.0, 0.0)}


def test_one_great_day_is_no_habit():
    values = series(4, 70)
    usual = fit(values).totals[0].mean
    values[35] += 2000
    assert fit(values).totals[0].mean < usual + 2000 * 30 / 70 * 2
    assert fit([0.0] * 60 + [1000.0] + [0.0] * 9).totals[0].high < 5000


def test_nobody_earns_less_than_nothing_and_bounds_are_in_order():
    for values in (series(5, 30), [0.0, -3.0] * 20, [1e-9, 2e-9, 3e-9] * 6, [9e9, 1e9] * 20):
        for one in fit(values).totals:
            assert 0 <= one.low <= one.high
            assert one.low <= one.mean * 1.001
    first, second = fit(series(6, 50)), fit(series(6, 50))
    assert first == second
