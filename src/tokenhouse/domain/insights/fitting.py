"""How much is to come, by what came: exponential smoothing of a daily series.

An estimate, in floats; no money is counted here. It runs in a process of its own: the library takes seconds and a
hundred megabytes to load.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

HORIZONS = (30, 90)
LEAST_DAYS = 14
"""Days of history below which there is no forecast."""

SEASON = 7
_SEASONAL_DAYS = 28
_TREND_DAYS = 21
_LOW, _HIGH = 0.1, 0.9
_SIMULATIONS = 2000
_SEED = 20_260_101
_RECENT_DAYS = 28


@dataclass(frozen=True, slots=True)
class Total:
    """What is to come in so many days: the mean, and the bounds that 8 of 10 outcomes lie between."""

    days: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Fit:
    """A forecast: by which method, and the total of each horizon. method: `ets(A,T,S)` or `mean`."""

    method: str
    totals: tuple[Total, ...]


def fit(values: Sequence[float]) -> Fit:
    """Forecast the days after the last of `values`, one a day without a gap, at least LEAST_DAYS of them.

    The models are additive exponential smoothing with or without a trend (21 days) and a season of a week (28
    days); the one of the lowest AICc is simulated. Where none can be fitted: the mean of four weeks.
    """
    if len(values) < LEAST_DAYS:
        raise ValueError(f"{len(values)} days are not enough; it takes {LEAST_DAYS}")
    scale = max(abs(value) for value in values)
    if scale == 0 or max(values) == min(values):
        return Fit("mean", tuple(_clipped(days, *[values[0] * days] * 3) for days in HORIZONS))
    return _smoothed([value / scale for value in values], scale) or _mean(values)


def _smoothed(values: Sequence[float], scale: float) -> Fit | None:
    """Simulate the model that fits best, of figures of about 1; None where none can be fitted."""
    import numpy as np  # noqa: PLC0415 - takes seconds
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel  # noqa: PLC0415 - the same

    best: Any = None
    name = ""
    series = np.asarray(values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of steps on the way: what came of them is judged below
        for trend in (None, "add") if len(values) >= _TREND_DAYS else (None,):
            for season in (None, "add") if len(values) >= _SEASONAL_DAYS else (None,):
                model = ETSModel(
                    series,
                    trend=trend,
                    seasonal=season,
                    seasonal_periods=SEASON if season else None,
                )
                try:
                    result = model.fit(disp=False)
                except (ValueError, ArithmeticError, np.linalg.LinAlgError):
                    continue
                if math.isfinite(result.aicc) and (best is None or result.aicc < best.aicc):
                    best, name = result, f"ets(A,{'A' if trend else 'N'},{'A' if season else 'N'})"
        if best is None:
            return None
        # What is left of the history when the model's own parameters have taken their part.
        free = max(1, len(values) - len(best.params))
        spread = math.sqrt(best.sse / free)
        chance = np.random.RandomState(_SEED)
        shocks = chance.normal(0, spread, (max(HORIZONS), _SIMULATIONS))
        paths = best.simulate(max(HORIZONS), anchor="end", repetitions=_SIMULATIONS, random_errors=shocks)
    # How well level and slope themselves are known: their errors are the same on every day to come.
    level = chance.standard_normal(_SIMULATIONS) * spread / math.sqrt(len(values))
    slope = chance.standard_normal(_SIMULATIONS) * spread * math.sqrt(12 / len(values) ** 3) * (best.trend is not None)
    totals = []
    for days in HORIZONS:
        unknown = days * level + days * (days + len(values)) / 2 * slope
        sums = (paths[:days].sum(axis=0) + unknown) * scale
        low, high = np.quantile(sums, (_LOW, _HIGH))
        totals.append(_clipped(days, float(sums.mean()), float(low), float(high)))
    return Fit(name, tuple(totals)) if all(math.isfinite(one.high) for one in totals) else None


def _mean(values: Sequence[float]) -> Fit:
    """Forecast by the mean and the spread of the last four weeks."""
    recent = values[-_RECENT_DAYS:]
    mean = sum(recent) / len(recent)
    spread = math.sqrt(sum((one - mean) ** 2 for one in recent) / (len(recent) - 1))
    totals = []
    for days in HORIZONS:
        # The spread of a sum of days, and that of the mean itself.
        width = 1.2816 * spread * math.sqrt(days + days * days / len(recent))
        totals.append(_clipped(days, mean * days, mean * days - width, mean * days + width))
    return Fit("mean", tuple(totals))


def _clipped(days: int, mean: float, low: float, high: float) -> Total:
    """Make a total: below nothing nobody earns."""
    return Total(days, max(mean, 0.0), max(low, 0.0), max(high, 0.0))
