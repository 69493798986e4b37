"""Who may do what, and what a key looks like: pure."""

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import cast
from uuid import UUID

from tokenhouse.domain.access.types import SCOPES, Authority, Identity, KeyFound, Membership, Role
from tokenhouse.infra.kernel.errors import Forbidden, ValidationFailed
from tokenhouse.infra.kernel.ids import is_external_id
from tokenhouse.infra.kernel.periods import is_time_zone

PLATFORM_SCOPES = frozenset({"admin", "usage:write", "audit:read"})
"""What only the platform can give: to act for anyone, to make earnings out of a report, to read the audit."""

HINT_CHARACTERS = 4

_SECRET = re.compile(r"th_(?:live|test)_[0-9a-f]{32}_[A-Za-z0-9_-]{43}", re.ASCII)
_MANAGERS = frozenset({"admin", "owner"})
_RANK: dict[Role | None, int] = {None: -1, "member": 0, "admin": 1, "owner": 2}


def may(authority: Authority, scope: str) -> bool:
    """Whether the authority covers a scope; on which accounts is another question (`acts_for`).

    A platform key without scopes covers all; an account's key or session without scopes covers what the
    account itself may do; `admin` covers everything.
    """
    if authority.scopes is not None:
        return scope in authority.scopes or "admin" in authority.scopes
    return authority.account is None or scope not in PLATFORM_SCOPES


def require(authority: Authority, scope: str) -> None:
    """Refuse with Forbidden (403) what `may` does not allow."""
    if not may(authority, scope):
        raise Forbidden(f"This key or session lacks the scope {scope}. Use one that has it.")


def acts_for_anyone(authority: Authority) -> bool:
    """Whether it is the platform's: for any account, as far as its scopes go."""
    return authority.account is None or (authority.scopes is not None and "admin" in authority.scopes)


def acts_for(authority: Authority, external_id: str) -> bool:
    """Whether it may act for the account of that id: anyone's, its own, an organization's that it is in."""
    if acts_for_anyone(authority):
        return True
    own = authority.account is not None and authority.account.external_id == external_id
    return own or external_id in authority.organizations


def manages(authority: Authority, external_id: str) -> bool:
    """Whether it may change who has access to that account: its keys and its members.

    A key with scopes never may, unless `admin` is among them: it would reach beyond them by a key of its own
    making.
    """
    if authority.scopes is not None and "admin" not in authority.scopes:
        return False
    if acts_for_anyone(authority):
        return True
    if authority.account is not None and authority.account.external_id == external_id:
        return True
    membership = authority.organizations.get(external_id)
    return membership is not None and membership.role in _MANAGERS


def may_set_role(authority: Authority, external_id: str, now: Role | None, wanted: Role | None) -> bool:
    """Whether it may take a member of an organization from one role to another; None: no member.

    Nobody gives or takes a role above their own. The organization's own key counts as an admin: an admin can
    make one. Whether it manages the organization at all is another question (`manages`).
    """
    if acts_for_anyone(authority):
        return True
    membership = authority.organizations.get(external_id)
    own = _RANK[membership.role] if membership is not None else _RANK["admin"]
    return max(_RANK[now], _RANK[wanted]) <= own


def is_oneself(authority: Authority, external_id: str) -> bool:
    """Whether it is that account itself, with all of its rights."""
    full = authority.scopes is None or "admin" in authority.scopes
    return full and authority.account is not None and authority.account.external_id == external_id


def invitation_token(random: bytes) -> str:
    """Write the token of an invitation's link: 32 random bytes."""
    if len(random) != 32:
        raise ValueError("a token takes 32 random bytes")
    return urlsafe_b64encode(random).rstrip(b"=").decode()


def opaque_id(random: UUID) -> str:
    """Give the id that an account has once its person is erased."""
    return f"erased-{random.hex}"


def check_scopes(scopes: Iterable[str] | None) -> list[str] | None:
    """Give the scopes of a new key, each once, in their usual order. ValidationFailed names what is none."""
    if scopes is None:
        return None
    wanted = set(scopes)
    for unknown in sorted(wanted - set(SCOPES)):
        raise ValidationFailed.of("scopes", f"{unknown[:64]!r} is none; scopes are {', '.join(SCOPES)}")
    if not wanted:
        raise ValidationFailed.of("scopes", "is empty; leave it out for all that the account itself may do")
    return [scope for scope in SCOPES if scope in wanted]


def require_may_give(authority: Authority, scopes: Iterable[str] | None) -> None:
    """Refuse with Forbidden a new key that reaches further than its maker may give."""
    platform = acts_for_anyone(authority) and may(authority, "admin")
    if not platform and (beyond := PLATFORM_SCOPES & set(scopes or ())):
        raise Forbidden(f"Only a platform key can give {', '.join(sorted(beyond))}. Leave it out.")


def check_external_id(external_id: str, field: str = "id") -> str:
    """Give back an id that may be one; ValidationFailed otherwise."""
    if not is_external_id(external_id):
        raise ValidationFailed.of(field, "must be 1-128 characters of A-Z a-z 0-9 . _ : @ -")
    return external_id


def check_time_zone(name: str) -> str:
    """Give back the name of a time zone; ValidationFailed where there is none of that name."""
    if not is_time_zone(name):
        raise ValidationFailed.of("time_zone", f"{name[:64]!r} is no IANA time zone such as Europe/Berlin")
    return name


def secret_of(key_id: UUID, random: bytes, *, live: bool) -> str:
    """Write a key's secret: `th_live_` (`th_test_` in development), the key's id, 32 random bytes."""
    if len(random) != 32:
        raise ValueError("a secret takes 32 random bytes")
    return f"th_{'live' if live else 'test'}_{key_id.hex}_{urlsafe_b64encode(random).rstrip(b'=').decode()}"


def looks_like_a_secret(text: str) -> bool:
    """Whether it is worth looking up."""
    return _SECRET.fullmatch(text) is not None


def digest_of(secret: str) -> bytes:
    """Give what is kept of a secret: its SHA-256. A slow hash adds nothing to 256 random bits."""
    return hashlib.sha256(secret.encode()).digest()


def digest_of_state(salt: bytes, state: object) -> bytes | None:
    """Give the SHA-256 of a salt and of the canonical JSON of what something is; None of nothing.

    Keys sorted, no spaces, ASCII; times and ids as text. Without the salt nobody can guess what it is of.
    """
    if state is None:
        return None
    text = json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False, default=str)
    return hashlib.sha256(salt + text.encode()).digest()


def authority_of(found: KeyFound) -> Authority:
    """Say on whose behalf a key acts."""
    account = None
    if found.account_id is not None and found.bucket is not None and found.kind is not None:
        account = Identity(found.account_id, found.bucket, found.external_id or "", found.kind)
    scopes = None if found.scopes is None else frozenset(found.scopes)
    return Authority(account, scopes, organizations_in(found.memberships), found.id, found.rate_limit_per_minute)


def organizations_in(memberships: Mapping[str, Sequence[object]] | None) -> Mapping[str, Membership]:
    """Read the memberships that a key or a session was found with."""
    return MappingProxyType(
        {
            name: Membership(cast("int", number), cast("int", bucket), cast("Role", role))
            for name, (number, bucket, role) in (memberships or {}).items()
        }
    )
