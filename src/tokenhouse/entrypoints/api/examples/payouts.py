"""Payouts and statements, for the reference."""

from typing import Any

_AT = "2030-01-31T12:00:00Z"
_PAYOUT: dict[str, Any] = {
    "id": "01980f7c-2b3c-7a10-8c4d-6e5f4a3b2c1d",
    "account_id": "c-7",
    "amount_nano_usd": 25_000_000_000,
    "amount_usd": "25.00",
    "method": "manual",
    "state": "pending",
    "reference": None,
    "reason": None,
    "requested_at": _AT,
    "ended_at": None,
}
_METHOD = {"account_id": "c-7", "method": "manual", "hint": "•••• 2051", "changed_at": _AT}

EXAMPLES: dict[str, dict[str, Any]] = {
    "Payout": _PAYOUT,
    "PayoutDetails": {
        **_PAYOUT,
        "history": [{"state": "pending", "by": "account 12", "reason": None, "at": _AT}],
    },
    "PayoutsBulk": {"data": [{"id": _PAYOUT["id"], "status": 201, "payout": _PAYOUT}]},
    "PayoutMethod": _METHOD,
    "Payee": {**_METHOD, "details": {"name": "Ada Lovelace", "iban": "DE02120300000000202051"}},
    "PayoutSchedule": {
        "account_id": "c-7",
        "every": "month",
        "day": 1,
        "minimum_nano_usd": 10_000_000_000,
        "minimum_usd": "10.00",
        "changed_at": _AT,
    },
}
