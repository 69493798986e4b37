"""Statements: a month of an earner's account, as JSON, CSV or PDF."""

import asyncio
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import Field

from tokenhouse.domain import access, metering
from tokenhouse.domain.metering import Month
from tokenhouse.entrypoints.api import statement_files
from tokenhouse.entrypoints.api.reference import LIST, Responses, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, router
from tokenhouse.entrypoints.api.types import Answer
from tokenhouse.infra.database import Actor
from tokenhouse.infra.kernel.errors import NotFound
from tokenhouse.infra.kernel.money import usd_text

routes = router("Payouts")

_MOST = 1000
"""Moves told by model, but in CSV; where there are more, they are summed by day."""


class MoveOut(Answer):
    """What changed the balance on one day."""

    date: date
    kind: str = Field(description="earning, reversal, adjustment, bonus, payout, payout_back.")
    model_id: str | None
    payout_id: UUID | None
    uses: int = Field(description="How many moves are summed here.")
    credits: int
    nano_usd: int
    usd: str


class TotalOut(Answer):
    """What moved of one kind."""

    kind: str
    nano_usd: int
    usd: str


class StatementOut(Answer):
    """A month of an account: opening + all moves = closing."""

    account_id: str
    month: str
    time_zone: str
    starts_at: datetime
    ends_at: datetime
    ended: bool = Field(description="False while the month runs: its figures so far.")
    opening_nano_usd: int
    opening_usd: str
    closing_nano_usd: int
    closing_usd: str
    totals: list[TotalOut]
    by_model: bool = Field(description="False where there were so many moves that they are summed by day.")
    message: str | None = Field(description="What to do where nothing moved.")
    data: list[MoveOut]


_STATEMENT: Responses = found(StatementOut, description="A statement.")
_STATEMENT[200]["content"] = {
    "text/csv": {"schema": {"type": "string"}},
    "application/pdf": {"schema": {"type": "string"}},
}


@routes.get(
    "/v1/accounts/{account_id}/statements",
    operation_id="statements_get",
    summary="Read a month's statement",
    responses={**_STATEMENT, **LIST},
)
async def statements_get(
    call: TheCall,
    account_id: str,
    month: Annotated[str, Query(max_length=10, description="Such as 2026-10, on the account's own calendar.")],
    form: Annotated[Literal["json", "csv", "pdf"], Query(alias="format")] = "json",
) -> Response:
    """Read what was owed at a month's beginning, what moved since, and what was owed at its end.

    A move belongs to the day on which it was recorded. Uses and their reversals are told by day and model; each single
    one is in GET /v1/earnings.
    """
    identity = await call.account(account_id, "wallets:read")
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        account = await access.find_account(tx, account_id)
        if account is None:
            raise NotFound("There is no such account.")
        told = await metering.month(tx, account, month, most=None if form == "csv" else _MOST)
    if form == "json":
        return answer(_statement(account_id, told))
    if form == "csv":
        content = "".join(statement_files.csv_rows(told)).encode()
        return _file(content, "text/csv; charset=utf-8", f"statement-{told.name}.csv")
    content = await asyncio.to_thread(statement_files.pdf, account, told)
    return _file(content, "application/pdf", f"statement-{told.name}.pdf")


def _file(content: bytes, kind: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, headers=headers, media_type=kind)


def _statement(account_id: str, month: Month) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "month": month.name,
        "time_zone": month.time_zone,
        "starts_at": month.starts_at,
        "ends_at": month.ends_at,
        "ended": month.ended,
        "opening_nano_usd": month.opening,
        "opening_usd": usd_text(month.opening),
        "closing_nano_usd": month.closing,
        "closing_usd": usd_text(month.closing),
        "totals": [{"kind": kind, "nano_usd": nanos, "usd": usd_text(nanos)} for kind, nanos in month.totals.items()],
        "by_model": month.by_model,
        "message": None if month.moves else statement_files.NOTHING,
        "data": [
            {
                "date": move.day,
                "kind": move.kind,
                "model_id": move.model_id,
                "payout_id": move.payout_id,
                "uses": move.uses,
                "credits": move.credits,
                "nano_usd": move.nanos,
                "usd": usd_text(move.nanos),
            }
            for move in month.moves
        ],
    }
