"""The members of organizations, and the invitations through which people join them."""

from datetime import datetime
from typing import Annotated, Any, Literal

import structlog
from fastapi import Response
from pydantic import ConfigDict, Field

from tokenhouse.domain import access, alerts
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.access.rules import digest_of, is_oneself, may_set_role
from tokenhouse.domain.access.types import Account, Invitation
from tokenhouse.entrypoints.api.call import uuid_of
from tokenhouse.entrypoints.api.reference import READ, WRITE, created, found, refusals
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, router
from tokenhouse.entrypoints.api.types import Answer, Body, Email, Id
from tokenhouse.entrypoints.api.v1.keys import managed
from tokenhouse.infra.database import PLATFORM, Tx
from tokenhouse.infra.kernel.errors import Conflict, Forbidden, NotFound

routes = router("Access")

Role = Literal["member", "admin", "owner"]

_ABOVE = "Nobody gives or takes a role above their own: only an owner makes or unmakes owners."
_NO_INVITATION = "This invitation is not there, was used, is too old, or went to another address. Ask for a new one."

_log = structlog.stdlib.get_logger("tokenhouse.members")


class MemberBody(Body):
    """Who becomes a member, as what."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"user_id": "u-42", "role": "member"}]})

    user_id: Id
    role: Role
    """A member uses the organization's credits; admins and owners also see to its keys and members."""


class MemberOut(Answer):
    """A user in an organization."""

    organization_id: str
    user_id: str
    name: str | None
    role: str
    created_at: datetime | None = None


class InvitationBody(Body):
    """Whom to invite, as what."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"email": "ada@example.com", "role": "member"}]})

    email: Email
    role: Role
    """At most one's own."""


class InvitationOut(Answer):
    """An open invitation."""

    id: str
    email: str
    role: str
    created_at: datetime
    expires_at: datetime


class NewInvitationOut(InvitationOut):
    """A new invitation; the link goes to the address by mail."""

    link: str | None = Field(description="For platform keys alone, which may send it themselves; else null.")


class AcceptBody(Body):
    """What the link holds."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "pXQ3…"}]})

    token: Annotated[str, Field(min_length=1, max_length=100)]


async def _organization(tx: Tx, account_id: str) -> Account:
    """Find an organization that the caller was found to manage."""
    account = await access.find_account(tx, account_id)
    if account is None:
        raise NotFound("There is no such account, or it is not yours.")
    return account


def _act(name: str, organization_id: int, user_id: int, before: str | None, after: str | None) -> Act:
    """Name what is done to a membership: by both numbers, of the user whom it concerns."""
    return Act(name, "member", f"{organization_id}/{user_id}", user_id, before, after)


async def _roles(tx: Tx, organization: Account) -> dict[str | None, Any]:
    return {member.user_id: member.role for member in await access.members_of(tx, organization.id)}


@routes.post(
    "/v1/accounts/{account_id}/members",
    operation_id="members_set",
    summary="Add a member",
    status_code=201,
    responses={**created(MemberOut, description="Added, or the role changed."), **WRITE},
)
async def members_set(call: TheCall, account_id: str, body: MemberBody) -> Response:
    """Make a user a member of an organization, or change the role there.

    Whom to add is the platform's to say; an organization's admins change the roles of its members, up to their own,
    and invite others. An organization keeps an owner.
    """
    await managed(call, account_id)
    async with call.runtime.database.transaction(PLATFORM) as tx:
        accounts = await access.find_accounts(tx, [account_id, body.user_id])
        user = accounts.get(body.user_id)
        organization = await _organization(tx, account_id)
        now = (await _roles(tx, organization)).get(body.user_id)
        if not call.platform:
            if now is None:
                raise NotFound("The organization has no such member. Invite them, or let the platform add them.")
            if not may_set_role(call.authority, account_id, now, body.role):
                raise Forbidden(_ABOVE)
        if user is None:
            raise NotFound(f"There is no account {body.user_id!r}. Create it with POST /v1/accounts.")
        await access.set_member(tx, organization, user, body.role)
        await access.record(tx, call.by(), _act("member.set", organization.id, user.id, now, body.role))
    return answer({"organization_id": account_id, "user_id": body.user_id, "name": user.name, "role": body.role}, 201)


@routes.get(
    "/v1/accounts/{account_id}/members",
    operation_id="members_list",
    summary="List members",
    responses={**found(MemberOut, description="All of them.", listed=True), **READ},
)
async def members_list(call: TheCall, account_id: str) -> Response:
    """List the members of an organization, the first first. For its admins and the platform."""
    identity = await managed(call, account_id)
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


@routes.delete(
    "/v1/accounts/{account_id}/members/{user_id}",
    operation_id="members_remove",
    summary="Remove a member",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "It ended at once."}, **READ, **refusals(409)},
)
async def members_remove(call: TheCall, account_id: str, user_id: str) -> Response:
    """Take a member out of an organization, at once. For its admins, up to their own role, and for the member.

    The organization's own keys go on: they are its, whoever made them. An organization keeps an owner (409).
    """
    leaving = is_oneself(call.authority, user_id) and account_id in call.authority.organizations
    if not leaving:
        await managed(call, account_id)
    async with call.runtime.database.transaction(PLATFORM) as tx:
        organization = await _organization(tx, account_id)
        now = (await _roles(tx, organization)).get(user_id)
        user = await access.find_account(tx, user_id)
        if now is None or user is None:
            raise NotFound("The organization has no such member.")
        if not leaving and not may_set_role(call.authority, account_id, now, None):
            raise Forbidden(_ABOVE)
        await access.remove_member(tx, organization.id, user.id)
        await access.record(tx, call.by(), _act("member.remove", organization.id, user.id, now, None))
    return Response(status_code=204)


def _invitation_json(invitation: Invitation) -> dict[str, Any]:
    return {
        "id": str(invitation.id),
        "email": invitation.email,
        "role": invitation.role,
        "created_at": invitation.created_at,
        "expires_at": invitation.expires_at,
    }


@routes.post(
    "/v1/accounts/{account_id}/invitations",
    operation_id="invitations_create",
    summary="Invite somebody",
    status_code=201,
    responses={**created(NewInvitationOut, description="Invited."), **WRITE},
)
async def invitations_create(call: TheCall, account_id: str, body: InvitationBody) -> Response:
    """Invite an address to an organization, in a role up to one's own, for seven days.

    Whoever signs in with that address accepts, once. A new invitation of the same address ends the one before.
    """
    await managed(call, account_id)
    if not may_set_role(call.authority, account_id, None, body.role):
        raise Forbidden(_ABOVE)
    if call.runtime.public_url is None:
        raise Conflict("The operator has not set TOKENHOUSE_PUBLIC_URL yet, with which the invitation's link begins.")
    own = call.authority.account
    async with call.runtime.database.transaction(PLATFORM) as tx:
        organization = await _organization(tx, account_id)
        inviter = await access.find_account(tx, own.external_id) if own is not None else None
        invitation, token = await access.invite(tx, organization, body.email, body.role, own.id if own else None)
        told = _invitation_json(invitation)
        act = Act("invitation.create", "invitation", str(invitation.id), organization.id, after=told)
        await access.record(tx, call.by(), act)
        link = f"{call.runtime.public_url}/invitations/{token}"
        values = {
            "link": link,
            "name": invitation.email,
            "organization": organization.name,
            "inviter": inviter.name if inviter is not None else organization.name,
        }
        await alerts.send(tx, to=invitation.email, template="invitation", values=values)
    return answer({**_invitation_json(invitation), "link": link if call.platform else None}, 201)


@routes.get(
    "/v1/accounts/{account_id}/invitations",
    operation_id="invitations_list",
    summary="List invitations",
    responses={**found(InvitationOut, description="Those that are open.", listed=True), **READ},
)
async def invitations_list(call: TheCall, account_id: str) -> Response:
    """List an organization's open invitations, the newest first. For its admins and the platform."""
    identity = await managed(call, account_id)
    async with call.runtime.database.read(PLATFORM) as tx:
        rows = await access.invitations_of(tx, identity.id)
    return answer(page([_invitation_json(row) for row in rows], None))


@routes.delete(
    "/v1/accounts/{account_id}/invitations/{invitation_id}",
    operation_id="invitations_revoke",
    summary="Revoke an invitation",
    status_code=204,
    response_class=Response,
    responses={204: {"description": "Its link ended at once."}, **READ},
)
async def invitations_revoke(call: TheCall, account_id: str, invitation_id: str) -> Response:
    """Take an invitation back."""
    identity = await managed(call, account_id)
    number = uuid_of(invitation_id, "invitation")
    async with call.runtime.database.transaction(PLATFORM) as tx:
        if not await access.revoke_invitation(tx, identity.id, number):
            raise NotFound("There is no such invitation: it was accepted, was revoked, or is too old.")
        act = Act("invitation.revoke", "invitation", str(number), identity.id, before={"open": True})
        await access.record(tx, call.by(), act)
    return Response(status_code=204)


@routes.post(
    "/v1/invitations/accept",
    operation_id="invitations_accept",
    summary="Accept an invitation",
    responses={200: {"model": MemberOut, "description": "A member now."}, **WRITE},
)
async def invitations_accept(call: TheCall, body: AcceptBody) -> Response:
    """Join the organization of an invitation: the person to whose e-mail it was sent, once.

    A platform key names that person by X-User-ID. Who is a member already keeps the role.
    """
    person = await call.caller()
    if call.platform:
        call.require_admin()
    elif not is_oneself(call.authority, person.external_id):
        raise Forbidden("Only the person may accept: use a session, or a key without scopes.")
    async with call.runtime.database.transaction(PLATFORM) as tx:
        accepted = await access.accept_invitation(tx, digest_of(body.token), person.id)
        if accepted is None:
            raise NotFound(_NO_INVITATION)
        organization, role = accepted
        await access.record(tx, call.by(), _act("invitation.accept", organization.id, person.id, None, role))
        user = await access.find_account(tx, person.external_id)
    return answer(
        {
            "organization_id": organization.external_id,
            "user_id": person.external_id,
            "name": user.name if user else None,
            "role": role,
        }
    )
