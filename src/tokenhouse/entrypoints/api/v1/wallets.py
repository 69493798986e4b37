"""Wallets: what an account has to spend, and the grants that it is made of."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import ConfigDict, Field

from tokenhouse.domain import access, metering, wallets
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.access.types import Identity
from tokenhouse.domain.wallets.types import Looked, NewGrant, WalletView
from tokenhouse.entrypoints.api.call import Call, party_of
from tokenhouse.entrypoints.api.cursor import cursor_of, number_after
from tokenhouse.entrypoints.api.patience import patiently
from tokenhouse.entrypoints.api.reference import COMMAND, LIST, READ, created, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, replayable, router
from tokenhouse.entrypoints.api.types import Answer, Body, Credits, Instant, Note, Word
from tokenhouse.infra.database import Actor, Tx

routes = router("Wallets")


class WalletOut(Answer):
    """Credits of one type."""

    credit_type: str
    balance: int = Field(description="Credits in the wallet, held ones included.")
    held: int = Field(description="Set aside by holds.")
    available: int = Field(description="What can be spent: balance less held.")
    allocated: int = Field(description="What there was this period: balance and used together.")
    used: int = Field(description="Spent since the period began.")
    refreshes_at: datetime | None = Field(description="When the plan's allowance renews.")
    last_used_at: datetime | None


class GrantBody(Body):
    """Credits to be given."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"credit_type": "general", "amount": 1000, "source": "gift"}]}
    )

    credit_type: Word
    amount: Credits
    source: Literal["top_up", "gift", "refund", "bonus", "promotion", "adjustment"]
    priority: Annotated[int, Field(ge=0, le=1000)] = 100
    """Of grants that expire at the same time, the lower number burns first."""
    expires_at: Instant | None = None
    """When what is left of it lapses; left out: never."""
    note: Note | None = None


class GrantOut(Answer):
    """Credits that were given."""

    id: str
    account_id: str
    credit_type: str
    amount: int
    source: str
    priority: int
    expires_at: datetime | None
    note: str | None
    balance: int = Field(description="Credits in the wallet after it.")
    created_at: datetime


class GrantRowOut(Answer):
    """A grant and what is left of it."""

    id: str
    credit_type: str
    source: str
    amount: int
    remaining: int
    priority: int
    expires_at: datetime | None
    note: str | None
    created_at: datetime


async def looked_at(call: Call, identity: Identity) -> Looked:
    """Read an account's plan and wallets once time has done what is due to them."""
    party = party_of(identity)
    looked = await call.runtime.looks.look(party)
    if looked.due:
        catalog = (await call.runtime.commit.rates()).catalog
        await metering.settle_account(call.runtime.database, catalog, party)
        looked = await call.runtime.looks.look(party)
    return looked


async def wallets_now(call: Call, identity: Identity) -> list[WalletView]:
    """Read an account's wallets once time has done what is due to them."""
    looked = await looked_at(call, identity)
    return wallets.views_of((await call.runtime.commit.rates()).catalog, looked)


@routes.get(
    "/v1/accounts/{account_id}/wallets",
    operation_id="wallets_list",
    summary="Read an account's wallets",
    responses={200: {"model": list[WalletOut], "description": "One for each credit type."}, **READ},
)
async def wallets_list(call: TheCall, account_id: str) -> Response:
    """Read what an account has to spend: a wallet for each credit type, the empty ones too."""
    identity = await call.account(account_id, "wallets:read")
    return answer(
        [
            {
                "credit_type": view.credit_type,
                "balance": view.balance,
                "held": view.held,
                "available": view.available,
                "allocated": view.allocated,
                "used": view.used,
                "refreshes_at": view.refreshes_at,
                "last_used_at": view.last_used_at,
            }
            for view in await wallets_now(call, identity)
        ]
    )


@routes.post(
    "/v1/accounts/{account_id}/grants",
    operation_id="grants_create",
    summary="Grant credits",
    status_code=201,
    responses={**created(GrantOut, description="Given."), **COMMAND},
)
async def grants_create(call: TheCall, account_id: str, body: GrantBody) -> Response:
    """Give an account credits. For platform keys and admins.

    What expires soonest is burned first; then by `priority`, the lower first; then the oldest.
    """
    call.require_key()
    identity = await call.account(account_id, "admin")
    command = call.command(identity, call.body)
    catalog = (await call.runtime.commit.rates()).catalog
    new = NewGrant(body.credit_type, body.amount, body.source, body.priority, body.expires_at, body.note)

    async def give(tx: Tx) -> tuple[dict[str, Any], bool]:
        told, replayed = await wallets.grant(tx, catalog, command, new)
        if not replayed:
            act = Act("grant.create", "grant", str(told["id"]), identity.id, after=told)
            await access.record(tx, call.by(), act)
        return told, replayed

    told, replayed = await patiently(call.runtime.database, Actor((identity.id,), teller=True), give)
    return replayable(told, 201, replayed=replayed)


@routes.get(
    "/v1/accounts/{account_id}/grants",
    operation_id="grants_list",
    summary="List grants",
    responses={**found(GrantRowOut, listed=True), **LIST},
)
async def grants_list(
    call: TheCall,
    account_id: str,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List what an account was given and what is left of it, the newest first."""
    identity = await call.account(account_id, "wallets:read")
    before = number_after(cursor)
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        rows = await wallets.grants_of(tx, party_of(identity), before=before, most=limit + 1)
    data = [
        {
            "id": str(row.id),
            "credit_type": row.credit_type,
            "source": row.source,
            "amount": row.amount,
            "remaining": row.remaining,
            "priority": row.priority,
            "expires_at": row.expires_at,
            "note": row.note,
            "created_at": row.created_at,
        }
        for row in rows[:limit]
    ]
    return answer(page(data, cursor_of(rows[limit - 1].id) if len(rows) > limit else None))
