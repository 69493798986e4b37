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

_SPENT: dict[str, Any] = {"uses": 12, "credits": 340}
_BEFORE: dict[str, Any] = {
    "uses_before": 31,
    "earnings_before_nano_usd": 3_100_000,
    "earnings_before_usd": "0.0031",
    "growth_bps": 2_903,
}
_USED: dict[str, Any] = {
    "uses": 40,
    "credits": 40,
    "earnings_nano_usd": 4_000_000,
    "earnings_usd": "0.004",
}

EXAMPLES: dict[str, dict[str, Any]] = {
    "AccountSpending": {
        "account_id": "u-42",
        "time_zone": "Europe/Berlin",
        "totals": {"from": "2030-01-02", "to": "2030-01-31", **_SPENT},
        "before": {"from": "2029-12-03", "to": "2030-01-01", **_SPENT},
        "trend": [{"date": "2030-01-31", **_SPENT}],
        "purchases": {"count": 1, "credits": 5_000},
        "by_credit_type": [{"id": "general", "name": None, **_SPENT}],
        "by_operation": [{"id": "chat", "name": None, **_SPENT}],
        "by_model": [{"id": "m-1", "name": "Emma", **_SPENT}],
        "by_usage_type": [{"id": "chat", "name": None, **_SPENT}],
        "by_user": [{"id": None, "name": None, **_SPENT}],
    },
    "AdviceList": {
        "account_id": "c-7",
        "data": [
            {
                "kind": "category_earns_more",
                "title": "Offer a model in Anime",
                "reason": "Anime earned 3.2 times what your category did per model in the last 30 days: $0.32 against "
                "$0.10.",
                "model_id": None,
                "category": "Anime",
                "credit_type": None,
            }
        ],
    },
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
    "Comparison": {
        "from": "2030-01-02",
        "to": "2030-01-31",
        "data": [
            {
                "model_id": "m-1",
                "name": "Emma",
                "category": "Realistic",
                "users": 9,
                **_USED,
                **_BEFORE,
                "trend": [{"date": "2030-01-31", "uses": 4, "credits": 4, "earnings_nano_usd": 400_000}],
            }
        ],
    },
    "CreatorRow": {
        "account_id": "c-7",
        "name": "Cleo",
        "models": 2,
        **_USED,
        **_BEFORE,
        "accrued_nano_usd": 9_000_000,
        "accrued_usd": "0.009",
    },
    "MarketFigures": {
        "from": "2030-01-02",
        "to": "2030-01-31",
        "data": [
            {
                "category": "Realistic",
                "models": 5,
                "models_used": 4,
                **_USED,
                "uses_before": 31,
                "growth_bps": 2_903,
            }
        ],
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
