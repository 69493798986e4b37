"""Figures, histories, forecasts and exports, for the reference."""

from typing import Any

_AT = "2030-01-31T12:00:00Z"

EXAMPLES: dict[str, dict[str, Any]] = {
    "EarningsForecast": {
        "account_id": "c-7",
        "state": "ready",
        "days": 120,
        "as_of": "2030-01-30",
        "method": "ets(A,N,A)",
        "made_at": _AT,
        "forecasts": [
            {
                "days": 30,
                "mean_nano_usd": 41_250_000_000,
                "mean_usd": "41.25",
                "low_nano_usd": 36_000_000_000,
                "low_usd": "36.00",
                "high_nano_usd": 46_500_000_000,
                "high_usd": "46.50",
            }
        ],
    },
    "RunOuts": {
        "account_id": "u-42",
        "time_zone": "Europe/Berlin",
        "data": [
            {
                "credit_type": "general",
                "available": 12_000,
                "runs_out_on": "2030-02-21",
                "reason": "runs_out",
                "burned": 15_960,
                "days": 28,
                "burned_per_day": "570",
            }
        ],
    },
    "ExportJob": {
        "id": "01980f7d-0c1e-7a55-b1c2-6d7e8f901234",
        "account_id": "u-42",
        "kind": "usage",
        "format": "xlsx",
        "state": "running",
        "rows": 120_000,
        "total": 400_000,
        "progress": 0.3,
        "bytes": None,
        "href": None,
        "trouble": None,
        "requested_at": _AT,
        "ended_at": None,
    },
    "Line": {
        "id": "01980f7a-6f0b-7c11-9d0e-5a3c2f1b7e42",
        "line": 0,
        "kind": "usage",
        "credit_type": "general",
        "credits": -5,
        "balance": 249_995,
        "nano_usd": None,
        "usd": None,
        "used": 5,
        "charge_id": "01980f7a-6f0b-7c11-9d0e-5a3c2f1b7e42",
        "model_id": "m-1",
        "character_id": None,
        "operation": "chat",
        "usage_type": "chat",
        "user_id": None,
        "note": None,
        "reversed": None,
        "occurred_at": _AT,
        "created_at": _AT,
    },
}
