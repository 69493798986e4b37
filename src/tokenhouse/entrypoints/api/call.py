"""A request as the routes see it: who calls, what was sent, for whom it acts."""

from typing import TYPE_CHECKING, Final
from uuid import UUID

from tokenhouse.domain.access.acts import By
from tokenhouse.domain.access.rules import acts_for, acts_for_anyone, may, require
from tokenhouse.domain.access.types import Account, Authority, Identity
from tokenhouse.domain.ledger.types import Command, Party
from tokenhouse.infra.kernel import strict_json
from tokenhouse.infra.kernel.errors import (
    BadRequest,
    Forbidden,
    IdempotencyKeyInvalid,
    NotFound,
)
from tokenhouse.infra.kernel.ids import is_external_id, new_id

if TYPE_CHECKING:
    from tokenhouse.entrypoints.api.runtime import Runtime

NO_BODY: Final = object()
"""What stands for the body of a request without one."""

SCOPE = "tokenhouse.call"
"""Where the gate puts the call for the routes."""


class Call:
    """One request that came through the gate.

    query: as it was sent. body: parsed, or NO_BODY. key: its Idempotency-Key. user: its X-User-ID, which only the
    platform's keys may name; a user's own key naming itself leaves it None. address: the caller's, "" where there is
    none. page: whether a browser wants a page, also of a refusal. tls: whether it came by TLS. limits: headers that
    tell of the limits that the request was counted on.
    """

    __slots__ = (
        "address", "authority", "body", "key", "limits", "method", "page", "path", "query", "request_id", "runtime",
        "tls", "user",
    )  # fmt: skip

    def __init__(self, runtime: "Runtime", method: str, path: str, request_id: str) -> None:
        self.runtime = runtime
        self.method = method
        self.path = path
        self.query = b""
        self.request_id = request_id
        self.authority: Authority
        self.body: object = NO_BODY
        self.key: str | None = None
        self.user: str | None = None
        self.address = ""
        self.page = False
        self.tls = False
        self.limits: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def compat(self) -> bool:
        """Whether it came by one of the sources' paths."""
        return self.path.startswith("/api/")

    @property
    def platform(self) -> bool:
        """Whether it may act for anyone."""
        return acts_for_anyone(self.authority)

    def by(self) -> By:
        """Say who acts, and whence, for the record."""
        own = self.authority.account
        return By(
            "api",
            own.id if own else None,
            self.authority.key_id,
            self.authority.session_id,
            self.request_id,
            self.address or None,
        )

    def stranger(self) -> NotFound | Forbidden:
        """Refuse another's account: in /v1 as if it were not there, in /api as the sources do."""
        if self.compat:
            return Forbidden("This account is another's. Use a key of its own, or one of the platform.")
        return NotFound("There is no such account, or it is not yours.")

    def require(self, *scopes: str) -> None:
        """Refuse with Forbidden unless the key has one of these scopes."""
        authority = self.authority
        if authority.scopes is None and authority.account is None:
            return
        for scope in scopes:
            if may(authority, scope):
                return
        require(authority, scopes[0])

    def require_admin(self) -> None:
        """Refuse with Forbidden all but the platform's keys and admins."""
        self.require("admin")

    async def account(self, external_id: str, *scopes: str) -> Identity:
        """Find the account that the call acts for, as far as these scopes (one of them) allow it.

        Another's: as `stranger` says; the right one without the scope: Forbidden; nobody's: NotFound.
        """
        if not acts_for(self.authority, external_id):
            raise self.stranger()
        self.require(*scopes)
        return await self.existing(external_id)

    async def existing(self, external_id: str) -> Identity:
        """Find any account. NotFound where there is none."""
        identity = self.runtime.identities.known(external_id)
        if identity is None and is_external_id(external_id):
            identity = await self.runtime.identities.find(external_id)
        if identity is None:
            raise NotFound("There is no such account. Create it with POST /v1/accounts.")
        return identity

    async def caller(self) -> Identity:
        """Find the account that the caller is: a key's own, or the one that the platform names by X-User-ID."""
        if self.user is not None:
            return await self.existing(self.user)
        if self.authority.account is None:
            raise BadRequest("Say for whom: a platform key names the account in the header X-User-ID.")
        return self.authority.account

    def require_key(self) -> None:
        """Refuse a call of /v1 that moves value and has no Idempotency-Key, before anything is looked up for it."""
        if self.key is None and not self.compat:
            raise IdempotencyKeyInvalid(
                "Send an Idempotency-Key with 1 to 255 visible ASCII characters, a new one for each thing to do "
                "and the same one to try that thing again."
            )

    def command(self, identity: Identity, body: object, path: str | None = None) -> Command:
        """Name what this request does to an account. IdempotencyKeyInvalid: /v1 wants a key for it."""
        self.require_key()
        key = self.key
        if key is None:
            # No key of an app can begin with a space.
            key = f" api {new_id()}"
        return Command(party_of(identity), key, strict_json.digest(path or self.path, body).hex())

    def with_key(self, key: str) -> "Call":
        """Give a call like this one under another idempotency key: an item of a bulk."""
        single = Call(self.runtime, self.method, self.path, self.request_id)
        single.authority, single.body, single.user, single.key = self.authority, self.body, self.user, key
        single.address = self.address
        return single

    def known_user(self, external_id: str) -> None:
        """Refuse an X-User-ID that a key which acts for one account only may not name."""
        own = self.authority.account
        if own is None or own.external_id != external_id:
            raise self.stranger()


def party_of(account: Identity | Account) -> Party:
    """Give an account as the ledger knows it."""
    return Party(account.id, account.bucket, account.external_id)


def uuid_of(text: str, what: str) -> UUID:
    """Read the id of one of our records from a path. NotFound where it can be none."""
    try:
        if len(text) == 36:
            return UUID(text)
    except ValueError:
        pass
    raise NotFound(f"There is no such {what}, or it is not yours.")
