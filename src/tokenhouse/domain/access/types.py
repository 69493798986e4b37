"""Who is here: accounts, members, keys; and on whose behalf a caller acts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal, NamedTuple, get_args
from uuid import UUID

Kind = Literal["user", "organization"]
Role = Literal["member", "admin", "owner"]
Scope = Literal["charges:write", "wallets:read", "market:write", "usage:write", "audit:read", "admin"]
PlatformRole = Literal["admin", "support", "auditor"]
Purpose = Literal["verify", "reset"]

ROLES: tuple[Role, ...] = get_args(Role)
SCOPES: tuple[Scope, ...] = get_args(Scope)
PLATFORM_ROLES: tuple[PlatformRole, ...] = get_args(PlatformRole)


@dataclass(frozen=True, slots=True)
class Deployment:
    """What was fixed when the database was made. buckets: an account's bucket is its number modulo this."""

    buckets: int


@dataclass(frozen=True, slots=True)
class Account:
    """A user or an organization. `external_id` is the app's own id; id and bucket never change."""

    id: int
    bucket: int
    external_id: str
    kind: Kind
    name: str
    email: str | None
    time_zone: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be made. external_id: None to have one made; time_zone: an IANA name."""

    kind: Kind
    name: str
    external_id: str | None = None
    email: str | None = None
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class AccountChanges:
    """What to change of an account; None leaves it as it is, an empty e-mail takes it away."""

    name: str | None = None
    email: str | None = None
    time_zone: str | None = None


class Identity(NamedTuple):
    """What never changes of an account, short enough to be kept for every account in use."""

    id: int
    bucket: int
    external_id: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """An identity as its tables hold it."""

    id: int
    bucket: int
    external_id: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Member:
    """A user in an organization. `user_id` and `organization_id` are the app's ids, None where erased."""

    organization_id: str | None
    user_id: str | None
    name: str | None
    role: Role
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MemberOf:
    """The number of an organization and the role in it."""

    organization_id: int
    role: Role


class Membership(NamedTuple):
    """An organization that a user belongs to: its number, its bucket, the user's role."""

    id: int
    bucket: int
    role: Role


@dataclass(frozen=True, slots=True)
class Authority:
    """On whose behalf a caller acts, and what for.

    account: None for the platform. scopes: None for all that the account itself may do. organizations: by the
    app's id, those that the account is a member of. key_id: the key that was shown, None for a session.
    rate_limit_per_minute: the key's own limit, None where it has none. session_id: the session that it came by, None
    for a key.
    """

    account: Identity | None
    scopes: frozenset[str] | None = None
    organizations: Mapping[str, Membership] = field(default_factory=lambda: MappingProxyType({}))
    key_id: UUID | None = None
    rate_limit_per_minute: int | None = None
    session_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class KeyFound:
    """A live key as its digest found it.

    account_id: None for a platform key. stale: its last use is to be noted (`touch_keys`). memberships: the
    app's id of each organization → [number, bucket, role].
    """

    digest: bytes
    id: UUID
    account_id: int | None
    external_id: str | None
    bucket: int | None
    kind: Kind | None
    scopes: list[str] | None
    expires_at: datetime | None
    stale: bool
    memberships: dict[str, list[object]] | None
    rate_limit_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class ApiKeyView:
    """A key as it is listed: never its secret.

    hint: the secret's last four characters. replaced_by: the key that a rotation put in its place.
    """

    id: UUID
    name: str
    hint: str
    scopes: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    replaced_by: UUID | None = None
    rate_limit_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class KeyOwner:
    """Whose a key is, live or not; account_id and external_id are None for the platform's."""

    id: UUID
    account_id: int | None
    external_id: str | None
    name: str
    scopes: list[str] | None
    expires_at: datetime | None
    rate_limit_per_minute: int | None


@dataclass(frozen=True, slots=True)
class Rotated:
    """What became of a rotation. outcome: rotated; ended (no live key); replaced (rotated before)."""

    outcome: Literal["rotated", "ended", "replaced"]
    made_at: datetime
    old_ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Invited:
    """When an invitation was made and when it ends; None where too many are open."""

    made_at: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class Invitation:
    """An open invitation to an organization. Its token is kept nowhere."""

    id: UUID
    email: str
    role: Role
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class InvitedTo:
    """An invitation that an address of a person has, as the person sees it; organization: the app's id."""

    organization: str
    role: Role
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Accepted:
    """The organization's number and the role there of who accepted; None where there was nothing to accept."""

    organization_id: int | None
    role: Role | None


@dataclass(frozen=True, slots=True)
class Credential:
    """How a person signs in. email: as it is matched. hash: None where no password was ever set."""

    account_id: int
    bucket: int
    external_id: str
    name: str
    email: str
    hash: str | None
    verified: bool
    disabled: bool
    platform_role: PlatformRole | None


class SignedIn(NamedTuple):
    """What came of the right e-mail and password. token: of the new session; None: the e-mail is to be verified."""

    credential: Credential
    token: str | None


class SessionLimits(NamedTuple):
    """How long a session lives: without being used, and at all. Seconds."""

    idle_seconds: int
    max_seconds: int


class Visitor(NamedTuple):
    """Where a request came from: the caller's address and what its browser calls itself, as far as told."""

    address: str | None = None
    user_agent: str | None = None


@dataclass(frozen=True, slots=True)
class SessionFound:
    """A live session as its digest found it.

    stale: its last use is to be noted. memberships: the app's id of each organization → [number, bucket, role].
    """

    digest: bytes
    id: UUID
    account_id: int
    bucket: int
    external_id: str
    kind: Kind
    name: str
    email: str
    verified: bool
    platform_role: PlatformRole | None
    stale: bool
    memberships: dict[str, list[object]] | None


@dataclass(frozen=True, slots=True)
class SessionView:
    """A live session as its person sees it listed: never its token."""

    id: UUID
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    address: str | None
    user_agent: str | None


@dataclass(frozen=True, slots=True)
class LinkFound:
    """Whom a mailed link that lives belongs to."""

    account_id: int
    email: str
    name: str


class HitsAsked(NamedTuple):
    """So many hits wanted on a limit: at most `most` in any `seconds`."""

    key: str
    most: int
    seconds: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Hits:
    """What became of hits on a limit.

    granted: how many of them are allowed. used: how many the window holds now. frees_seconds: until the oldest of
    these leaves it.
    """

    key: str
    granted: int
    used: int
    frees_seconds: float


@dataclass(frozen=True, slots=True)
class External:
    """A person of a provider of OpenID Connect who is tied to an account."""

    issuer: str
    subject: str
    created_at: datetime
