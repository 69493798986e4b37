"""Figures, histories, forecasts and exports, for the reference."""

from typing import Any

_AT = "2030-01-31T12:00:00Z"
_SUMS: dict[str, Any] = {"uses": 120, "credits": 480, "earnings_nano_usd": 48_000_000, "earnings_usd": "0.048"}
_PERIOD = {
    "from": "2026-06-14T22:00:00Z",
    "to": "2026-07-14T22:00:00Z",
    "previous_from": "2026-05-15T22:00:00Z",
    "time_zone": "Europe/Berlin",
}
_POINT = {"date": "2026-07-14", **_SUMS}
_LINE = {
    "modelId": "m-1",
    "modelName": "Emma",
    "modelCategory": "Realistic",
    "earnings": 0.048,
    "usage": 120,
    "tokens": 480,
}
_TREND = {"date": "2026-07-14", "earnings": 0.048, "usage": 120, "tokens": 480}

EXAMPLES: dict[str, dict[str, Any]] = {
    "CreatorFigures": {
        "account_id": "u-7",
        "model_id": None,
        "period": _PERIOD,
        "totals": {
            **_SUMS,
            "active_models": 1,
            "average_nano_usd": 48_000_000,
            "average_usd": "0.048",
            "users": 31,
            "new_users": 12,
        },
        "previous": {**_SUMS, "users": 24},
        "models": [{**_SUMS, "model_id": "m-1", "name": "Emma", "category": "Realistic", "previous": _SUMS}],
        "trends": {
            "daily": [_POINT],
            "weekly": [{**_POINT, "date": "2026-07-13"}],
            "monthly": [{**_POINT, "date": "2026-07-01"}],
        },
    },
    "PeakHours": {
        "account_id": "u-7",
        "model_id": None,
        "period": _PERIOD,
        "data": [{"weekday": 5, "hour": 21, **_SUMS}],
    },
    "Retention": {
        "account_id": "u-7",
        "model_id": None,
        "interval": "month",
        "data": [{"start": "2026-06-01", "users": 12, "retained": [12, 7]}],
    },
    "CreatorAnalytics": {
        "success": True,
        "summary": {
            "totalEarnings": 0.048,
            "activeModels": 1,
            "totalUsage": 120,
            "totalTokens": 480,
            "averageEarnings": 0.048,
        },
        "models": [_LINE],
        "trends": {
            "daily": [_TREND],
            "weekly": [{**_TREND, "date": "2026-07-13"}],
            "monthly": [{**_TREND, "date": "2026-07-01"}],
        },
        "topModels": [_LINE],
        "recentActivity": [
            {
                "modelId": "m-1",
                "modelName": "Emma",
                "usageType": "chat",
                "tokens": 4,
                "earnings": 0.0004,
                "user": "5f3a9c01d2e4",
                "createdAt": "2026-07-14T12:00:00Z",
            }
        ],
        "transactions": [
            {
                "id": "01980f7d-5a7e-7a10-b2c3-0f1e2d3c4b5a",
                "type": "earning",
                "amount": 0.0004,
                "status": "completed",
                "createdAt": "2026-07-14T12:00:00Z",
            }
        ],
    },
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
