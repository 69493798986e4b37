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
_BATCH: dict[str, Any] = {
    "id": "01980f7c-2b3c-7a10-8c4d-6e5f4a3b2c10",
    "format": "pain.001",
    "currency": "EUR",
    "rate": "0.92",
    "execution_date": "2030-02-01",
    "payouts_count": 1,
    "total": "23.00",
    "total_nano_usd": 25_000_000_000,
    "total_usd": "25.00",
    "created_by": "platform",
    "created_at": _AT,
    "has_file": True,
}

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
    "PayoutBatchSum": _BATCH,
    "PayoutBatch": {
        **_BATCH,
        "payouts": [
            {
                "id": _PAYOUT["id"],
                "account_id": "c-7",
                "amount_nano_usd": 25_000_000_000,
                "amount_usd": "25.00",
                "amount": "23.00",
                "reference": "01980f7c2b3c7a108c4d6e5f4a3b2c1d",
                "state": "processing",
            }
        ],
        "skipped": [{"id": "01980f7c-2b3c-7a10-8c4d-6e5f4a3b2c1e", "code": "no_iban"}],
    },
    "Statement": {
        "account_id": "c-7",
        "month": "2030-01",
        "time_zone": "Europe/Berlin",
        "starts_at": "2029-12-31T23:00:00Z",
        "ends_at": "2030-01-31T23:00:00Z",
        "ended": True,
        "opening_nano_usd": 30_000_000_000,
        "opening_usd": "30.00",
        "closing_nano_usd": 17_500_000_000,
        "closing_usd": "17.50",
        "totals": [
            {"kind": "earning", "nano_usd": 12_500_000_000, "usd": "12.50"},
            {"kind": "payout", "nano_usd": -25_000_000_000, "usd": "-25.00"},
        ],
        "by_model": True,
        "message": None,
        "data": [
            {
                "date": "2030-01-05",
                "kind": "earning",
                "model_id": "m-1",
                "payout_id": None,
                "uses": 1250,
                "credits": 125_000,
                "nano_usd": 12_500_000_000,
                "usd": "12.50",
            },
            {
                "date": "2030-01-31",
                "kind": "payout",
                "model_id": None,
                "payout_id": _PAYOUT["id"],
                "uses": 1,
                "credits": 0,
                "nano_usd": -25_000_000_000,
                "usd": "-25.00",
            },
        ],
    },
}
