"""One answer of each kind, for the reference: the same few people throughout."""

from typing import Any

_AT = "2030-01-31T12:00:00Z"
_LATER = "2030-02-28T12:00:00Z"
_CHARGE = "01980f7a-6f0b-7c11-9d0e-5a3c2f1b7e42"
_HOLD = "01980f7b-10aa-7d02-8f6e-2b1c9d8e7f60"

_RECEIPT: dict[str, Any] = {
    "id": _CHARGE,
    "account_id": "u-42",
    "user_id": None,
    "credit_type": "general",
    "amount": 5,
    "balance": 249_995,
    "operation": "chat",
    "rate_card_version": None,
    "model_id": "m-1",
    "character_id": None,
    "usage_type": "chat",
    "hold_id": None,
    "grants": [{"id": "17", "amount": 5}],
    "earnings": [{"account_id": "c-7", "model_id": "m-1", "nano_usd": 500_000, "usd": "0.0005"}],
    "quantity": None,
    "upstream_model": None,
    "provider": None,
    "cost_nano_usd": None,
    "cost_usd": None,
    "metadata": {"conversation": "c-7"},
    "occurred_at": _AT,
    "created_at": _AT,
}
_SHORT = {
    "type": "/docs/errors#insufficient_tokens",
    "title": "Insufficient tokens",
    "status": 402,
    "detail": "This needs 5,000 tokens and 2,000 are available.",
    "code": "insufficient_tokens",
    "required": 5_000,
    "available": 2_000,
    "upgrade_url": "/plans",
}
_GRANT: dict[str, Any] = {
    "id": "17",
    "credit_type": "general",
    "source": "top_up",
    "amount": 1_000,
    "priority": 100,
    "expires_at": None,
    "note": None,
    "created_at": _AT,
}
_MODEL: dict[str, Any] = {
    "id": "m-1",
    "name": "Emma",
    "category": "Realistic",
    "description": None,
    "features": ["pictures"],
    "credit_cost": 1,
    "pricing": {"call": "1"},
    "pricing_version": 1,
    "upstream_model": None,
    "provider": None,
    "price_credits": 5_000,
    "premium": True,
    "active": True,
    "monetized": True,
    "creator_id": "c-7",
    "ownership": "exclusive",
    "creator_share_bps": 2_000,
    "earnings_policy": None,
    "character_id": "emma",
    "character_name": "Emma",
    "character_image": None,
    "created_at": _AT,
    "updated_at": _AT,
}
_KEY: dict[str, Any] = {
    "id": "01980f7c-2b1c-7e03-9a4d-6c5b4a392817",
    "name": "backend",
    "hint": "k3Qw",
    "scopes": ["charges:write"],
    "created_at": _AT,
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": None,
}
_MEMBER = {"organization_id": "org-1", "user_id": "u-42", "name": "Ada", "role": "member", "created_at": _AT}
_SOLD = {
    "id": "m-1",
    "name": "Emma",
    "category": "Realistic",
    "price": 5_000,
    "description": None,
    "features": ["pictures"],
    "tokenCost": 1,
    "premium": True,
    "active": True,
    "owned": True,
}
_SUMS = {"accrued": 2_500_000, "maturing": 500_000, "payable": 2_000_000, "in_payout": 0, "paid": 0}
_DOLLARS = {"accrued": "0.0025", "maturing": "0.0005", "payable": "0.002", "in_payout": "0.00", "paid": "0.00"}

EXAMPLES: dict[str, dict[str, Any]] = {
    "Account": {
        "id": "u-42",
        "kind": "user",
        "name": "Ada",
        "email": None,
        "plan": "pro",
        "time_zone": "UTC",
        "created_at": _AT,
    },
    "Entitlements": {"plan": "pro", "limits": {"agents": -1}},
    "Wallet": {
        "credit_type": "general",
        "balance": 240_000,
        "held": 5_000,
        "available": 235_000,
        "allocated": 250_000,
        "used": 10_000,
        "refreshes_at": _LATER,
        "last_used_at": _AT,
    },
    "Grant": {**_GRANT, "account_id": "u-42", "balance": 251_000},
    "GrantRow": {**_GRANT, "remaining": 400},
    "Receipt": _RECEIPT,
    "ReceiptRow": {**_RECEIPT, "kind": "charge", "reversed": 0},
    "Reversal": {
        "id": "01980f7d-3c2d-7f04-8b5e-7d6c5b4a3928",
        "charge_id": _CHARGE,
        "account_id": "u-42",
        "credit_type": "general",
        "amount": 5,
        "balance": 250_000,
        "left": 0,
        "earnings_taken_back_nano_usd": 500_000,
        "earnings_taken_back_usd": "0.0005",
        "earnings_lost_nano_usd": 0,
        "earnings_lost_usd": "0.00",
        "reason": "the picture failed",
        "created_at": _AT,
    },
    "Batch": {
        "data": [
            {"status": 201, "replayed": False, "receipt": _RECEIPT},
            {"status": 402, "replayed": False, "error": _SHORT},
        ]
    },
    "Verdict": {"allowed": True, "required": 5_000, "available": 240_000},
    "Hold": {
        "id": _HOLD,
        "account_id": "u-42",
        "credit_type": "general",
        "amount": 5_000,
        "state": "live",
        "expires_at": "2030-01-31T12:15:00Z",
        "available": 235_000,
        "balance": 240_000,
        "created_at": _AT,
    },
    "HoldRow": {
        "id": _HOLD,
        "account_id": "u-42",
        "credit_type": "general",
        "amount": 5_000,
        "state": "captured",
        "captured": 4_200,
        "expires_at": "2030-01-31T12:15:00Z",
        "created_at": _AT,
        "ended_at": "2030-01-31T12:01:30Z",
    },
    "Void": {"id": _HOLD, "state": "voided", "amount": 5_000, "available": 240_000, "balance": 240_000},
    "Model": _MODEL,
    "Character": {"id": "emma", "name": "Emma", "image_url": None, "model_id": "m-1", "created_at": _AT},
    "Purchase": {
        "model_id": "m-1",
        "account_id": "u-42",
        "price_credits": 5_000,
        "credit_type": "general",
        "balance": 235_000,
        "ownership": "exclusive",
        "bought_at": _AT,
    },
    "Earnings": {
        "account_id": "c-7",
        **{f"{name}_nano_usd": nanos for name, nanos in _SUMS.items()},
        **{f"{name}_usd": text for name, text in _DOLLARS.items()},
        "data": [
            {
                "id": _CHARGE,
                "kind": "earning",
                "charge_id": _CHARGE,
                "model_id": "m-1",
                "usage_type": "chat",
                "user_id": "3f9a1c",
                "credits": 5,
                "nano_usd": 500_000,
                "usd": "0.0005",
                "occurred_at": _AT,
                "created_at": _AT,
            }
        ],
        "next_cursor": None,
        "has_more": False,
    },
    "Key": _KEY,
    "NewKey": {**_KEY, "key": "th_live_…"},
    "Member": _MEMBER,
    "Act": {
        "id": "4711",
        "at": _AT,
        "via": "api",
        "act": "plan.change",
        "actor": "u-7",
        "actor_number": 7,
        "key_id": "01980f7c-2b1c-7e03-9a4d-6c5b4a392817",
        "session_id": None,
        "target": "account:u-42",
        "account": "u-42",
        "account_number": 42,
        "before": "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
        "after": "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
        "request_id": "01980f7d-0a1b-7c2d-8e3f-405162738495",
        "address": "192.0.2.7",
    },
    "Deduct": {"success": True, "message": "1 token deducted. 99 remaining.", "newBalance": 99},
    "ModelEarnings": {
        "success": True,
        "totalTokens": 10,
        "totalEarnings": 0.001,
        "modelsCount": 1,
        "models": [
            {
                "modelId": "m-1",
                "modelName": "Emma",
                "modelCategory": "Realistic",
                "characterName": "Emma",
                "characterImage": None,
                "totalUsageCount": 10,
                "totalTokensConsumed": 10,
                "totalEarnings": 0.001,
                "lastUsageAt": _AT,
                "createdAt": _AT,
                "updatedAt": _AT,
            }
        ],
    },
    "Track": {"success": True, "tracked": True, "earnings": 0.1},
    "Balance": {"success": True, "tokensDeducted": 3, "remainingBalance": 197},
    "Stats": {
        "success": True,
        "plan": "enterprise",
        "tokens": [
            {
                "tokenType": "goal_generation",
                "balance": 197,
                "totalAllocated": 200,
                "totalUsed": 3,
                "refreshDate": _LATER,
                "lastUsedAt": _AT,
            }
        ],
    },
    "Models": {"success": True, "models": [_SOLD], "purchasedModels": [_SOLD]},
    "CompatPurchase": {"success": True, "newBalance": 235_000, "model": _SOLD},
    "Status": {"status": "ready"},
}
"""By the name of the schema."""


def page_of(example: dict[str, Any]) -> dict[str, Any]:
    """Show a list with one item."""
    return {"data": [example], "next_cursor": None, "has_more": False}
