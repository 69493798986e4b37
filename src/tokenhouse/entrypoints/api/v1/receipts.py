"""A receipt on the wire: what one charge did."""

from datetime import datetime
from typing import Any

from pydantic import Field

from tokenhouse.domain.metering import receipt_of
from tokenhouse.domain.metering.types import Receipt, ReceiptRow
from tokenhouse.entrypoints.api.types import Answer
from tokenhouse.infra.kernel.money import usd_text


class BurnedOut(Answer):
    """Credits taken from one grant."""

    id: str = Field(description="The grant.")
    amount: int


class ShareOut(Answer):
    """What one earner got of a use."""

    account_id: str
    model_id: str
    nano_usd: int = Field(description="Nano-dollars: 1 000 000 000 are one dollar.")
    usd: str = Field(description="The same in dollars, as an exact decimal.")


class ReceiptOut(Answer):
    """What one charge did: what was taken, from which grants, at which price, and who earned by it."""

    id: str
    account_id: str
    user_id: str | None = None
    credit_type: str
    amount: int = Field(description="Credits taken.")
    balance: int = Field(description="Credits that were left after it, held ones included.")
    operation: str | None
    rate_card_version: int | None = Field(description="Version of the price; null where the amount was named.")
    model_id: str | None = None
    character_id: str | None = None
    usage_type: str
    hold_id: str | None = None
    grants: list[BurnedOut]
    earnings: list[ShareOut]
    earnings_reason: str | None = Field(
        None,
        description="Only where nothing was earned: self_use, no_model, no_owner, not_monetized, unpaid_source "
        "or overflow.",
    )
    quantity: int | dict[str, int] | None = None
    upstream_model: str | None = None
    provider: str | None = None
    cost_nano_usd: int | None = None
    cost_usd: str | None = None
    metadata: dict[str, Any] | None = None
    occurred_at: datetime
    created_at: datetime


class ReceiptRowOut(ReceiptOut):
    """A receipt with what later became of it."""

    kind: str = Field(description="charge or capture.")
    reversed: int = Field(description="Credits given back since.")


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    """Give a receipt ready to be written as JSON."""
    cost = receipt.cost_nano_usd
    told: dict[str, Any] = {
        "id": receipt.id,
        "account_id": receipt.account_id,
        "user_id": receipt.user_id,
        "credit_type": receipt.credit_type,
        "amount": receipt.amount,
        "balance": receipt.balance,
        "operation": receipt.operation,
        "rate_card_version": receipt.rate_card_version,
        "model_id": receipt.model_id,
        "character_id": receipt.character_id,
        "usage_type": receipt.usage_type,
        "hold_id": receipt.hold_id,
        "grants": [{"id": str(grant.grant_id), "amount": grant.amount} for grant in receipt.grants],
        "earnings": [
            {
                "account_id": share.account_id,
                "model_id": share.model_id,
                "nano_usd": share.nanos,
                "usd": usd_text(share.nanos),
            }
            for share in receipt.earnings
        ],
        "quantity": receipt.quantity,
        "upstream_model": receipt.upstream_model,
        "provider": receipt.provider,
        "cost_nano_usd": cost,
        "cost_usd": None if cost is None else usd_text(cost),
        "metadata": receipt.metadata,
        "occurred_at": receipt.occurred_at,
        "created_at": receipt.created_at,
    }
    if receipt.earnings_reason is not None:
        told["earnings_reason"] = receipt.earnings_reason
    return told


def row_json(row: ReceiptRow) -> dict[str, Any]:
    """Give a stored receipt ready to be written as JSON."""
    return {**receipt_json(receipt_of(row)), "kind": row.kind, "reversed": row.reversed}
