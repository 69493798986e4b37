"""Figures, histories, forecasts and exports, for the reference."""

from typing import Any

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
}
