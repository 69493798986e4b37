"""Who may act for an account: its keys, and the members of an organization."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Response
from pydantic import ConfigDict, Field

from tokenhouse.domain import access, ledger
from tokenhouse.domain.access.rules import manages, require_may_give
from tokenhouse.domain.access.types import SCOPES, Account, Act, ApiKeyView, Identity
from tokenhouse.entrypoints.api.call import Call, uuid_of
from tokenhouse.entrypoints.api.reference import READ, WRITE, created, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, router
from tokenhouse.entrypoints.api.types import Answer, Body, Id, Instant, Name
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import Forbidden, NotFound, ValidationFailed

routes = router("Access")

_RANK = {"member": 0, "admin": 1, "owner": 2}


class KeyBody(Body):
    """A key to be made."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "backend", "scopes": ["charges:write"]}]})

    name: Name = "key"
    scopes: Annotated[list[Annotated[str, Field(max_length=64)]], Field(max_length=20)] | None = None
    """Some of charges:write, wallets:read, market:write, usage:write, audit:read, admin.

    Left out: what the account may do.
    """
    expires_at: Instant | None = None


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


class NewKeyOut(KeyOut):
    """A new key, with its secret this once."""

    key: str = Field(description="The secret. Keep it: it is shown nowhere again.")


class MemberBody(Body):
    """Who becomes a member, as what."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user_id": "u-42", "role": "member"}]})

    user_id: Id
    role: Literal["member", "admin", "owner"]
    """A member uses the organization's credits; admins and owners also see to its keys and members."""


class MemberOut(Answer):
    """A user in an organization."""

    organization_id: str
    user_id: str
    name: str | None
    role: str
    created_at: datetime | None = None


async def _managed(call: Call, account_id: str) -> Identity:
    """Find an account whose access the caller may change."""
    identity = await call.account(account_id, *SCOPES)
    if not manages(call.authority, account_id):
        raise Forbidden("Only the account itself, an organization's admins and the platform may do this.")
    return identity


def _key_json(key: ApiKeyView) -> dict[str, Any]:
    return {
        "id": str(key.id),
        "name": key.name,
        "hint": key.hint,
        "scopes": key.scopes,
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
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
    identity = await _managed(call, account_id)
    require_may_give(call.authority, body.scopes)
    async with call.runtime.database.transaction(PLATFORM) as tx:
        if body.expires_at is not None and body.expires_at <= await ledger.now(tx):
            raise ValidationFailed.of("expires_at", "lies in the past; leave it out for a key without an end")
        key, secret = await access.create_key(
            tx, identity.id, body.name, body.scopes, body.expires_at, live=call.runtime.live
        )
        act = Act("key.create", "key", str(key.id), identity.id, after=_key_json(key))
        await access.record(tx, call.by(), act)
    return answer({**_key_json(key), "key": secret}, 201)


@routes.get(
    "/v1/accounts/{account_id}/api-keys",
    operation_id="api_keys_list",
    summary="List keys",
    responses={**found(KeyOut, description="All of them, revoked ones too.", listed=True), **READ},
)
async def api_keys_list(call: TheCall, account_id: str) -> Response:
    """List the account's keys, the newest first, without their secrets."""
    identity = await _managed(call, account_id)
    async with call.runtime.database.read(PLATFORM) as tx:
        keys = await access.list_keys(tx, identity.id)
    return answer(page([_key_json(key) for key in keys], None))


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
    identity = await _managed(call, account_id)
    number = uuid_of(key_id, "key")
    async with call.runtime.database.transaction(PLATFORM) as tx:
        if not await access.revoke_key(tx, identity.id, number):
            raise NotFound("This account has no such key, or it was revoked before.")
        await access.record(tx, call.by(), Act("key.revoke", "key", str(number), identity.id, before={"live": True}))
    return Response(status_code=204)


@routes.post(
    "/v1/accounts/{account_id}/members",
    operation_id="members_set",
    summary="Add a member",
    status_code=201,
    responses={**created(MemberOut, description="Added, or the role changed."), **WRITE},
)
async def members_set(call: TheCall, account_id: str, body: MemberBody) -> Response:
    """Make a user a member of an organization, or change the role there.

    Whom to add is the platform's to say; an organization's admins change the roles of its members, up to their own.
    """
    await _managed(call, account_id)
    async with call.runtime.database.transaction(PLATFORM) as tx:
        accounts = await access.find_accounts(tx, [account_id, body.user_id])
        user = accounts.get(body.user_id)
        organization = accounts[account_id]
        roles = {member.user_id: member.role for member in await access.members_of(tx, organization.id)}
        if not call.platform:
            _may_set(call, organization, roles.get(body.user_id), body)
        if user is None:
            raise NotFound(f"There is no account {body.user_id!r}. Create it with POST /v1/accounts.")
        await access.set_member(tx, organization, user, body.role)
        target = f"{organization.id}/{user.id}"
        act = Act("member.set", "member", target, user.id, roles.get(body.user_id), body.role)
        await access.record(tx, call.by(), act)
    return answer({"organization_id": account_id, "user_id": body.user_id, "name": user.name, "role": body.role}, 201)


def _may_set(call: Call, organization: Account, now: str | None, body: MemberBody) -> None:
    """Refuse an organization's own admins what is the platform's or their owner's. now: the role so far."""
    if now is None:
        raise NotFound("The organization has no such member. The platform adds members.")
    membership = call.authority.organizations.get(organization.external_id)
    own = _RANK[membership.role] if membership else _RANK["owner"]
    if max(_RANK[now], _RANK[body.role]) > own:
        raise Forbidden("Only an owner changes owners.")


@routes.get(
    "/v1/accounts/{account_id}/members",
    operation_id="members_list",
    summary="List members",
    responses={**found(MemberOut, description="All of them.", listed=True), **READ},
)
async def members_list(call: TheCall, account_id: str) -> Response:
    """List the members of an organization, the first first. For its admins and the platform."""
    identity = await _managed(call, account_id)
    async with call.runtime.database.read(PLATFORM) as tx:
        members = await access.members_of(tx, identity.id)
    data = [
        {
            "organization_id": account_id,
            "user_id": member.user_id,
            "name": member.name,
            "role": member.role,
            "created_at": member.created_at,
        }
        for member in members
    ]
    return answer(page(data, None))
