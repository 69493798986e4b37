"""Invitations: a person joins an organization through a link that only their mailbox holds."""

import secrets
from uuid import UUID

from tokenhouse.domain.access import rules
from tokenhouse.domain.access.types import ROLES, Accepted, Account, Invitation, Invited, InvitedTo, Role
from tokenhouse.infra.database import Tx, arrays, load_queries
from tokenhouse.infra.kernel.errors import Conflict, ValidationFailed
from tokenhouse.infra.kernel.ids import uuid7

_Q = load_queries(__file__)
_INVITE = _Q.rows("invite", Invited)
_INVITATIONS_OF = _Q.rows("invitations_of", Invitation)
_INVITATIONS_TO = _Q.rows("invitations_to", InvitedTo)
_REVOKE_INVITATION = _Q.rows("revoke_invitation", bool)
_ACCEPT_INVITATION = _Q.rows("accept_invitation", Accepted)
_ACCOUNTS_BY_NUMBER = _Q.rows("accounts_by_number", Account)

TTL_SECONDS = 7 * 86_400
MOST_OPEN = 100


async def invite(
    tx: Tx, organization: Account, email: str, role: Role, invited_by: int | None
) -> tuple[Invitation, str]:
    """Invite an address to an organization: the invitation, and the token of its link, which is nowhere kept.

    An earlier invitation of the same address ends. invited_by: the number of who invites, None for the platform.
    ValidationFailed: no organization, no such role. Conflict (too_many_invitations): 100 are open.
    """
    if organization.kind != "organization":
        raise ValidationFailed.of("id", f"{organization.external_id!r} is a user; only organizations have members")
    if role not in ROLES:
        raise ValidationFailed.of("role", f"must be one of {', '.join(ROLES)}")
    invitation_id, token = uuid7(), rules.invitation_token(secrets.token_bytes(32))
    done = await tx.one(
        _INVITE,
        id=invitation_id,
        organization_id=organization.id,
        email=email,
        role=role,
        digest=rules.digest_of(token),
        invited_by=invited_by,
        ttl_seconds=TTL_SECONDS,
        most=MOST_OPEN,
    )
    made_at, ends_at = done.made_at, done.ends_at
    if made_at is None or ends_at is None:
        raise Conflict(
            f"{MOST_OPEN} invitations are open. Revoke some, or wait until they are accepted.",
            code="too_many_invitations",
        )
    return Invitation(invitation_id, email.lower(), role, made_at, ends_at), token


async def invitations_of(tx: Tx, organization_id: int) -> list[Invitation]:
    """Return the open invitations of an organization, the newest first."""
    return await tx.all(_INVITATIONS_OF, organization_id=organization_id)


async def invitations_to(tx: Tx, account_id: int) -> list[InvitedTo]:
    """Return the invitations that were sent to an address of a person. Needs the platform's token."""
    return await tx.all(_INVITATIONS_TO, account_id=account_id)


async def revoke_invitation(tx: Tx, organization_id: int, invitation_id: UUID) -> bool:
    """Take an invitation back. False: the organization has none of that id."""
    return await tx.one(_REVOKE_INVITATION, organization_id=organization_id, id=invitation_id)


async def accept_invitation(tx: Tx, token_digest: bytes, account_id: int) -> tuple[Account, Role] | None:
    """Accept, once, for the person of that account: the organization and the role there.

    None: the token is unknown, used or too old, or the invitation went to another address. Who is a member already
    keeps the role.
    """
    done = await tx.one(_ACCEPT_INVITATION, digest=token_digest, account_id=account_id)
    if done.organization_id is None or done.role is None:
        return None
    organization = await tx.one(_ACCOUNTS_BY_NUMBER, ids=arrays.ints([done.organization_id]))
    return organization, done.role
