"""Reviews, bulk changes and transfers of models, for the reference."""

from typing import Any

from tokenhouse.entrypoints.api.examples.heart import EXAMPLES as HEART

_AT = "2030-01-31T12:00:00Z"

EXAMPLES: dict[str, dict[str, Any]] = {
    "ModelCategory": {"category": "Realistic", "models": 12},
    "ModelOutcomes": {"data": [{"id": "m-1", "status": 200, "model": HEART["Model"], "error": None}]},
    "ModelRefund": {
        "model_id": "m-1",
        "account_id": "u-42",
        "price_credits": 5_000,
        "credit_type": "general",
        "balance": 240_000,
        "reason": "bought by mistake",
        "refunded_at": _AT,
    },
    "ModelReview": {
        "id": "01980f7d-4a1c-7b02-9c6e-1d2e3f4a5b6c",
        "model_id": "m-1",
        "author": "6f1c0a9e2b47",
        "account_id": None,
        "stars": 5,
        "text": "Listens well.",
        "state": "published",
        "created_at": _AT,
        "updated_at": _AT,
    },
    "ModelTransfer": {
        "model_id": "m-1",
        "from_account_id": "u-42",
        "to_account_id": "u-7",
        "transferred_at": _AT,
    },
}
