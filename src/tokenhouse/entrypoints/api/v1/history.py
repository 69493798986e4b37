"""The history of an account: one log of its uses, its earnings and all else that moved its balances."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field

from tokenhouse.domain import insights, market
from tokenhouse.domain.insights import Line, Place, Wanted
from tokenhouse.entrypoints.api.call import party_of
from tokenhouse.entrypoints.api.cursor import cursor_of, place_after
from tokenhouse.entrypoints.api.reference import LIST, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, router
from tokenhouse.entrypoints.api.types import Answer, Instant
from tokenhouse.entrypoints.api.v1.charges import refuse_nul
from tokenhouse.infra.database import Actor, Tx
from tokenhouse.infra.kernel.errors import ValidationFailed
from tokenhouse.infra.kernel.money import MAX_NANOS, usd_text

routes = router("History")

_MOST_KINDS = 20


class LineOut(Answer):
    """One movement of a balance: of credits, or of dollars earned."""

    id: str = Field(description="The record that it is of; one may have several lines.")
    line: int = Field(description="Which of them this is.")
    kind: str = Field(
        description="usage, report (a use that took no credits), earning, reversal, grant, allowance, expiry, "
        "purchase, payout and others to come."
    )
    credit_type: str | None
    credits: int | None = Field(description="What it did to the wallet; below zero where credits left it.")
    balance: int | None = Field(description="The wallet's balance after a use.")
    nano_usd: int | None = Field(description="What it did to the earnings; below zero where they were taken back.")
    usd: str | None
    used: int | None = Field(description="Credits of the use that was charged or that earned.")
    charge_id: str | None = Field(description="The use that it is about.")
    model_id: str | None
    character_id: str | None
    operation: str | None
    usage_type: str | None
    user_id: str | None = Field(description="The label that the app gave the payer; of earnings, a pseudonym.")
    note: str | None = Field(description="A grant's note or source, a reversal's reason.")
    reversed: int | None = Field(description="Of a use: credits given back since.")
    occurred_at: datetime
    created_at: datetime


@routes.get(
    "/v1/history",
    operation_id="history_list",
    summary="Read the history",
    responses={**found(LineOut, listed=True), **LIST},
)
async def history_list(
    call: TheCall,
    account_id: Annotated[str, Query(description="Whose history.")],
    kind: Annotated[
        str | None, Query(max_length=200, description="Kinds of lines, such as `usage,reversal`; left out: all.")
    ] = None,
    model_id: Annotated[str | None, Query(max_length=128)] = None,
    operation: Annotated[str | None, Query(max_length=128)] = None,
    user_id: Annotated[str | None, Query(max_length=128, description="As the lines show it.")] = None,
    q: Annotated[
        str | None, Query(min_length=1, max_length=100, description="Stands anywhere in a line, in whatever case.")
    ] = None,
    since: Annotated[Instant | None, Query(alias="from", description="Happened at this time or later.")] = None,
    until: Annotated[Instant | None, Query(alias="to", description="Happened before this time.")] = None,
    min_amount: Annotated[
        int | None, Query(ge=0, le=MAX_NANOS, description="At least so many credits; of dollars, nano-dollars.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List what moved an account's balances, the newest record first.

    The credits of all lines sum to the wallets' balances, the dollars to what is accrued and not paid out. With filters
    a page may hold fewer lines than `limit`, even none, and have more behind it: follow `next_cursor`.
    """
    identity = await call.account(account_id, "wallets:read")
    after = place_after(cursor)
    place = None if after is None else Place(*after)
    kinds = kinds_of(kind)
    refuse_nul(user_id=user_id, q=q)
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        wanted = await wanted_of(tx, model_id=model_id, operation=operation, user_id=user_id, since=since, until=until)
        if wanted is None:
            return answer(page([], None))
        wanted = replace(wanted, kinds=kinds, text=q, least=min_amount or None)
        got = await insights.history_of(tx, party_of(identity), wanted, after=place, most=limit)
    following = None if got.following is None else cursor_of(f"{got.following.id}.{got.following.leg}")
    return answer(page([_told(line) for line in got.lines], following))


def kinds_of(text: str | None) -> tuple[str, ...] | None:
    """Read a list of kinds. ValidationFailed: one is no word."""
    if text is None:
        return None
    kinds = tuple(one.strip() for one in text.split(","))
    if len(kinds) > _MOST_KINDS or not all(one.isascii() and one.replace("_", "").isalpha() for one in kinds):
        raise ValidationFailed.of("kind", "lists kinds of lines with commas between them, such as usage,reversal")
    return kinds


async def wanted_of(
    tx: Tx,
    *,
    model_id: str | None,
    operation: str | None,
    user_id: str | None,
    since: datetime | None,
    until: datetime | None,
) -> Wanted | None:
    """Read the filters that lists and exports share; None where nothing can match, for there is no such model.

    ValidationFailed: the times are the wrong way round, or a text holds NUL.
    """
    refuse_nul(model_id=model_id, operation=operation, user_id=user_id)
    if since is not None and until is not None and since > until:
        raise ValidationFailed.of("from", "lies after `to`; swap them")
    model = None
    if model_id is not None:
        found_model = await market.find_model(tx, model_id, archived=True)
        if found_model is None:
            return None
        model = found_model.id
    return Wanted(model=model, operation=operation, user=user_id, since=since, until=until)


def _told(line: Line) -> dict[str, Any]:
    return {
        "id": str(line.id),
        "line": line.leg,
        "kind": line.kind,
        "credit_type": line.credit_type,
        "credits": line.credits,
        "balance": line.balance,
        "nano_usd": line.nanos,
        "usd": None if line.nanos is None else usd_text(line.nanos),
        "used": line.used,
        "charge_id": None if line.charge_id is None else str(line.charge_id),
        "model_id": line.model_id,
        "character_id": line.character_id,
        "operation": line.operation,
        "usage_type": line.usage_type,
        "user_id": line.user_id,
        "note": line.note,
        "reversed": line.reversed,
        "occurred_at": line.occurred_at,
        "created_at": line.created_at,
    }
