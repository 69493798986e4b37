"""Bonuses, goals, adjustments and reviews of odd use, for the reference."""

from typing import Any

_AT = "2030-01-31T12:00:00Z"
_REVIEW = "01980f7e-1a2b-7c3d-8e4f-5a6b7c8d9e0f"

EXAMPLES: dict[str, dict[str, Any]] = {
    "Referrer": {"account_id": "u-42", "referred_by": "c-7"},
    "Adjustment": {
        "id": "01980f7e-0a1b-7c2d-8e3f-405162738495",
        "account_id": "c-7",
        "amount_nano_usd": 5_000_000_000,
        "amount_usd": "5.00",
        "reason": "For the contest in June",
        "model_id": None,
        "created_at": _AT,
    },
    "Bonus": {
        "id": "01980f7e-0b2c-7d3e-8f40-516273849506",
        "bonus": "first-thousand",
        "rule_version": 4,
        "model_id": "m-1",
        "amount_nano_usd": 25_000_000_000,
        "amount_usd": "25.00",
        "created_at": _AT,
    },
    "Goal": {
        "id": "01980f7e-0c3d-7e4f-8051-627384950617",
        "account_id": "c-7",
        "name": "A camera",
        "amount_nano_usd": 500_000_000_000,
        "amount_usd": "500.00",
        "model_id": None,
        "from": "2030-01-01T00:00:00Z",
        "by": "2030-12-31",
        "state": "open",
        "earned_nano_usd": 125_000_000_000,
        "earned_usd": "125.00",
        "percent": 25,
        "forecast": "2030-05-01",
        "forecast_reason": None,
        "created_at": _AT,
        "updated_at": _AT,
    },
    "Review": {
        "id": _REVIEW,
        "account_id": "u-42",
        "model_id": "m-1",
        "from": "2030-01-30T12:00:00Z",
        "to": _AT,
        "earner_ids": ["c-7"],
        "uses": 812,
        "amount_nano_usd": 81_200_000,
        "amount_usd": "0.0812",
        "reasons": [
            {"sign": "share", "uses": 812, "of": 900},
            {"sign": "linked", "earner_id": "c-7", "how": "same_organization"},
        ],
        "state": "open",
        "reason": None,
        "taken_nano_usd": None,
        "lost_nano_usd": None,
        "opened_at": _AT,
        "ended_at": None,
    },
    "Rejected": {
        "id": _REVIEW,
        "state": "rejected",
        "taken_nano_usd": 81_200_000,
        "taken_usd": "0.0812",
        "lost_nano_usd": 0,
        "lost_usd": "0.00",
        "reason": "Bought from oneself",
    },
}
