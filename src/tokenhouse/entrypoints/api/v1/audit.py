"""The audit record: who did what, to be read by the platform and by auditors."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import Field

from tokenhouse.domain import access
from tokenhouse.domain.access.acts import ACTS, ActView
from tokenhouse.entrypoints.api.call import Call
from tokenhouse.entrypoints.api.cursor import cursor_of, number_after
from tokenhouse.entrypoints.api.reference import LIST, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, router
from tokenhouse.entrypoints.api.types import Answer, Instant
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import ValidationFailed

routes = router("Audit")


class ActOut(Answer):
    """An act as it was recorded. Accounts are given by the app's ids, and by numbers, which stay when one is erased."""

    id: str
    at: datetime
    via: str = Field(description="api, cli (a command) or service (by itself).")
    act: str = Field(description="What was done, such as plan.change.")
    actor: str | None = Field(description="The account that did it; null: the platform's own key, a command, erased.")
    actor_number: int | None
    key_id: str | None
    session_id: str | None
    target: str | None = Field(description="What it was done to, as kind:id; null where that account was erased.")
    account: str | None = Field(description="The account that it concerns.")
    account_number: int | None
    before: str | None = Field(description="SHA-256 of a salt and of what it was before, in hex; null: it was not.")
    after: str | None = Field(description="The same of what it is since; null: it is no more.")
    request_id: str | None
    address: str | None = Field(description="Where the caller was; null where unknown, or erased.")


def act_json(act: ActView) -> dict[str, Any]:
    """Give an act ready to be written as JSON."""
    return {
        "id": str(act.id),
        "at": act.at,
        "via": act.via,
        "act": act.act,
        "actor": act.actor,
        "actor_number": act.actor_number,
        "key_id": act.key_id and str(act.key_id),
        "session_id": act.session_id and str(act.session_id),
        "target": None if act.target is None else f"{act.target_kind}:{act.target}",
        "account": act.account,
        "account_number": act.account_number,
        "before": act.before,
        "after": act.after,
        "request_id": act.request_id,
        "address": act.address,
    }


@routes.get(
    "/v1/audit",
    operation_id="audit_list",
    summary="Read the audit record",
    responses={**found(ActOut, listed=True), **LIST},
)
async def audit_list(
    call: TheCall,
    actor: Annotated[str | None, Query(max_length=128, description="The id of the account that acted.")] = None,
    act: Annotated[str | None, Query(max_length=64, description="One of the acts, such as plan.change.")] = None,
    target: Annotated[
        str | None, Query(max_length=250, description="account:u-42, model:m-1, key:…; or a kind.")
    ] = None,
    since: Annotated[Instant | None, Query(alias="from", description="Recorded at or after.")] = None,
    until: Annotated[Instant | None, Query(alias="to", description="Recorded before.")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List administrative and security acts, the newest first. For the platform, and for keys with `audit:read`.

    Charges, holds and purchases are no acts: their record is the ledger.
    """
    call.require("audit:read")
    if act is not None and act not in ACTS:
        raise ValidationFailed.of("act", f"{act[:64]!a} is none; acts are {', '.join(ACTS)}")
    if since is not None and until is not None and since > until:
        raise ValidationFailed.of("from", "lies after `to`; swap them")
    kind, target_id = await _target(call, target)
    actor_id = None if actor is None else (await call.existing(actor)).id
    before = number_after(cursor)
    async with call.runtime.database.read(PLATFORM) as tx:
        rows = await access.list_acts(
            tx,
            actor_id=actor_id,
            act=act,
            target_kind=kind,
            target_id=target_id,
            since=since,
            until=until,
            before=before,
            most=limit + 1,
        )
    following = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return answer(page([act_json(row) for row in rows[:limit]], following))


async def _target(call: Call, target: str | None) -> tuple[str | None, str | None]:
    """Read what an act was done to: a kind, and its id where one is given; an account's becomes its number."""
    if target is None:
        return None, None
    if "\0" in target:
        raise ValidationFailed.of("target", "holds the character NUL; take it out")
    kind, colon, name = target.partition(":")
    if not colon:
        return kind, None
    return kind, str((await call.existing(name)).id) if kind == "account" else name
