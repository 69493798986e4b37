"""Figures of use and earnings, which equal the records at every moment; the history of accounts, exports, forecasts."""

from tokenhouse.domain.insights.exports import (
    EXPORT_CONNECTIONS,
    MOST_AT_ONCE,
    Downloads,
    Job,
    export_of,
    exports_of,
    file_of,
    make_export,
    request_export,
    sweep_exports,
)
from tokenhouse.domain.insights.fitting import HORIZONS, LEAST_DAYS, Fit, fit
from tokenhouse.domain.insights.forecasts import (
    Kept,
    earned_series,
    forecast_of,
    make_forecast,
    request_forecast,
    request_forecasts,
    run_outs,
    time_zone_of,
    today,
    wanted_forecasts,
)
from tokenhouse.domain.insights.history import Line, Page, Place, Wanted, every_line, history_of
from tokenhouse.domain.insights.runout import WINDOW_DAYS, RunOut
from tokenhouse.domain.insights.service import forget, mark, read, rebuild, roll
from tokenhouse.domain.insights.sheets import FORMATS, KINDS_OF, MEDIA_TYPES, Format, Kind
from tokenhouse.domain.insights.verification import verify

__all__ = [
    "EXPORT_CONNECTIONS",
    "FORMATS",
    "HORIZONS",
    "KINDS_OF",
    "LEAST_DAYS",
    "MEDIA_TYPES",
    "MOST_AT_ONCE",
    "WINDOW_DAYS",
    "Downloads",
    "Fit",
    "Format",
    "Job",
    "Kept",
    "Kind",
    "Line",
    "Page",
    "Place",
    "RunOut",
    "Wanted",
    "earned_series",
    "every_line",
    "export_of",
    "exports_of",
    "file_of",
    "fit",
    "forecast_of",
    "forget",
    "history_of",
    "make_export",
    "make_forecast",
    "mark",
    "read",
    "rebuild",
    "request_export",
    "request_forecast",
    "request_forecasts",
    "roll",
    "run_outs",
    "sweep_exports",
    "time_zone_of",
    "today",
    "verify",
    "wanted_forecasts",
]
