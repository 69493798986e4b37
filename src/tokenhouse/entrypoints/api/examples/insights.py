"""Figures, histories, forecasts and exports, for the reference."""

from typing import Any

_FIGURES: dict[str, Any] = {
    "uses": 1_200,
    "credits": 90_000,
    "earnings_nano_usd": 9_000_000_000,
    "earnings_usd": "9.00",
    "revenue_nano_usd": 270_000_000_000,
    "revenue_usd": "270.00",
    "cost_nano_usd": 41_250_000_000,
    "cost_usd": "41.25",
    "margin_nano_usd": 219_750_000_000,
    "margin_usd": "219.75",
    "uncosted_uses": 12,
    "uncosted_share_bps": 100,
}
_LINE: dict[str, Any] = {"modelId": "m-1", "modelName": "Emma", "earnings": 0.0013, "usage": 4, "tokens": 13}

EXAMPLES: dict[str, dict[str, Any]] = {
    "AtRisk": {
        "account_id": "u-42",
        "kind": "user",
        "name": "Ann",
        "plan": "free",
        "credit_type": "general",
        "allowance": 250_000,
        "used": 230_000,
        "left": 20_000,
        "used_bps": 9_200,
        "refreshes_at": "2030-02-28T12:00:00Z",
    },
    "ModelAnalytics": {
        "success": True,
        "overview": {
            "totalModels": 2,
            "purchasedModels": 1,
            "tokensSpent": 5_000,
            "totalEarnings": 0.0013,
            "totalEarningsTokens": 13,
            "averageEarnings": 0.0013,
            "mostProfitable": _LINE,
            "totalUsage": 4,
        },
        "categories": [{"category": "Realistic", "earnings": 0.0013}],
        "purchased": [
            {
                **_LINE,
                "category": "Realistic",
                "price": 5_000,
                "purchasedAt": "2030-01-01T12:00:00Z",
                "lastUsageAt": "2030-01-31T12:00:00Z",
            }
        ],
        "recentActivity": [
            {
                "modelId": "m-1",
                "modelName": "Emma",
                "usageType": "chat",
                "tokens": 5,
                "earnings": 0.0005,
                "user": "3f9a1c04b7de",
                "createdAt": "2030-01-31T12:00:00Z",
            }
        ],
        "available": [],
    },
    "PlatformFigures": {
        "totals": {"from": "2030-01-02", "to": "2030-01-31", **_FIGURES},
        "before": {"from": "2029-12-03", "to": "2030-01-01", **_FIGURES},
        "purchases": {"count": 3, "credits": 15_000},
        "trend": [{"date": "2030-01-31", **_FIGURES}],
        "by": "operation",
        "data": [{"id": "chat", "name": None, **_FIGURES}],
    },
}
