"""The keys that act for an account."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Response
from pydantic import ConfigDict, Field

from tokenhouse.domain import access, ledger
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.access.rules import acts_for, manages, require_may_give
from tokenhouse.domain.access.types import SCOPES, ApiKeyView, Identity
from tokenhouse.entrypoints.api.call import Call, uuid_of
from tokenhouse.entrypoints.api.reference import READ, WRITE, created, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, router
from tokenhouse.entrypoints.api.types import Answer, Body, Instant, Name
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import Forbidden, NotFound, ValidationFailed

routes = router("Access")

_MOST_OVERLAP_SECONDS = 7 * 86_400
_NOT_A_MANAGER = "Only the account itself, an organization's admins and the platform may do this."
_NO_KEY = "There is no such key, it has ended, or it is not yours."


class KeyBody(Body):
    """A key to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "backend", "scopes": ["charges:write"]}]})

    name: Name = "key"
    scopes: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=20)] | None = None
    """Some of charges:write, wallets:read, market:write, usage:write, audit:read, admin.

    Left out: what the account may do.
    """
    expires_at: Instant | None = None
    rate_limit_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Requests a minute, for platform keys to give; left out: the limit that the operator set for all keys."""


class KeyOut(Answer):
    """A key as it is listed: never its secret."""

    id: str
    name: str
    hint: str = Field(description="The secret's last four characters.")
    scopes: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str | None = Field(None, description="The key that a rotation put in its place.")
    rate_limit_per_minute: int | None = Field(None, description="The key's own limit; null: the operator's for all.")


class NewKeyOut(KeyOut):
    """A new key, with its secret this once."""

    key: str = Field(description="The secret. Keep it: it is shown nowhere again.")


class RotateBody(Body):
    """How long both keys work."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"overlap_seconds": 3600}]})

    overlap_seconds: Annotated[int, Field(ge=0, le=_MOST_OVERLAP_SECONDS)] = 86_400
    """The old key ends after so many seconds, or when it would have ended anyway; 0: at once."""


class RotatedKeyOut(NewKeyOut):
    """The new key, with its secret this once."""

    replaces: str = Field(description="The old key's id.")
    replaced_ends_at: datetime = Field(description="When the old key ends.")


async def managed(call: Call, account_id: str) -> Identity:
    """Find an account whose access the caller may change. Another's: NotFound; without the role or scope: Forbidden."""
    identity = await call.account(account_id, *SCOPES)
    if not manages(call.authority, account_id):
        raise Forbidden(_NOT_A_MANAGER)
    return identity


def key_json(key: ApiKeyView) -> dict[str, Any]:
    """Give a key ready to be written as JSON."""
    return {
        "id": str(key.id),
        "name": key.name,
        "hint": key.hint,
        "scopes": key.scopes,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "replaced_by": str(key.replaced_by) if key.replaced_by else None,
        "rate_limit_per_minute": key.rate_limit_per_minute,
    }


@routes.post(
    "/v1/accounts/{account_id}/api-keys",
    operation_id="api_keys_create",
    summary="Make a key",
    status_code=201,
    responses={**created(NewKeyOut, description="Made."), **WRITE},
)
async def api_keys_create(call: TheCall, account_id: str, body: KeyBody) -> Response:
    """Make a key that acts for the account. The secret is in this answer and nowhere else.

    `admin` (act for anyone) and `usage:write` (report use that earns) are the platform's to give.
    """
    identity = await managed(call, account_id)
    require_may_give(call.authority, body.scopes)
    if body.rate_limit_per_minute is not None and not call.platform:
        raise Forbidden("Only a platform key gives a key a limit of its own. Leave rate_limit_per_minute out.")
    async with call.runtime.database.transaction(PLATFORM) as tx:
        if body.expires_at is not None and body.expires_at <= await ledger.now(tx):
            raise ValidationFailed.of("expires_at", "lies in the past; leave it out for a key without an end")
        key, secret = await access.create_key(
            tx,
            identity.id,
            body.name,
            body.scopes,
            body.expires_at,
            live=call.runtime.live,
            rate_limit_per_minute=body.rate_limit_per_minute,
        )
        act = Act("key.create", "key", str(key.id), identity.id, after=key_json(key))
        await access.record(tx, call.by(), act)
    return answer({**key_json(key), "key": secret}, 201)


@routes.post(
    "/v1/keys/{key_id}/rotate",
    operation_id="api_keys_rotate",
    summary="Rotate a key",
    status_code=201,
    responses={**created(RotatedKeyOut, description="Made; the old one still works for a while."), **WRITE},
)
async def api_keys_rotate(call: TheCall, key_id: str, body: RotateBody | None = None) -> Response:
    """Make a key of the same account, name, scopes and end in the place of this one, which ends after an overlap.

    Whoever may make the account's keys may rotate them; platform keys are the platform's to rotate. A key is rotated
    once: after that its successor is.
    """
    number = uuid_of(key_id, "key")
    async with call.runtime.database.transaction(PLATFORM) as tx:
        old = await access.key_owner(tx, number)
        if old is None or not (call.platform if old.external_id is None else acts_for(call.authority, old.external_id)):
            raise NotFound(_NO_KEY)
        if old.external_id is None:
            call.require_admin()
        elif not manages(call.authority, old.external_id):
            raise Forbidden(_NOT_A_MANAGER)
        require_may_give(call.authority, old.scopes)
        overlap = (body or RotateBody()).overlap_seconds
        key, secret, ends_at = await access.rotate_key(tx, old, overlap, live=call.runtime.live)
        act = Act("key.rotate", "key", str(old.id), old.account_id, str(old.id), key_json(key))
        await access.record(tx, call.by(), act)
    told = {**key_json(key), "key": secret, "replaces": str(old.id), "replaced_ends_at": ends_at}
    return answer(told, 201)


@routes.get(
    "/v1/accounts/{account_id}/api-keys",
    operation_id="api_keys_list",
    summary="List keys",
    responses={**found(KeyOut, description="All of them, revoked ones too.", listed=True), **READ},
)
async def api_keys_list(call: TheCall, account_id: str) -> Response:
    """List the account's keys, the newest first, without their secrets."""
    identity = await managed(call, account_id)
    async with call.runtime.database.read(PLATFORM) as tx:
        keys = await access.list_keys(tx, identity.id)
    return answer(page([key_json(key) for key in keys], None))


@routes.delete(
    "/v1/accounts/{account_id}/api-keys/{key_id}",
    operation_id="api_keys_revoke",
    summary="Revoke a key",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It ended at once."}, **READ},
)
async def api_keys_revoke(call: TheCall, account_id: str, key_id: str) -> Response:
    """End a key, at once."""
    identity = await managed(call, account_id)
    number = uuid_of(key_id, "key")
    async with call.runtime.database.transaction(PLATFORM) as tx:
        if not await access.revoke_key(tx, identity.id, number):
            raise NotFound("This account has no such key, or it was revoked before.")
        await access.record(tx, call.by(), Act("key.revoke", "key", str(number), identity.id, before={"live": True}))
    return Response(status_code=204)
