"""The verbs of those who sign in: passwords, links by mail, roles on the platform. All need the platform's token."""

import secrets

from tokenhouse.domain.access import signing
from tokenhouse.domain.access.acts import Act, By
from tokenhouse.domain.access.audit import record
from tokenhouse.domain.access.passwords import Passwords
from tokenhouse.domain.access.service import create_account
from tokenhouse.domain.access.sessions import open_session
from tokenhouse.domain.access.types import (
    PLATFORM_ROLES,
    Account,
    Credential,
    LinkFound,
    NewAccount,
    PlatformRole,
    Purpose,
    SessionLimits,
    SignedIn,
    Visitor,
)
from tokenhouse.infra.database import PLATFORM, Database, Tx, load_queries
from tokenhouse.infra.kernel.errors import Conflict, NotFound, ValidationFailed

VERIFY_SECONDS = 3 * 86_400
RESET_SECONDS = 3_600
LINKS_AN_HOUR = 5

_Q = load_queries(__file__)
_OF_EMAIL = _Q.rows("credential_of_email", Credential)
_OF_ACCOUNT = _Q.rows("credential_of_account", Credential)
_ADD_CREDENTIAL = _Q.rows("add_credential", bool)
_SET_PASSWORD = _Q.rows("set_password", bool)
_CHANGE_PASSWORD = _Q.rows("change_password", bool)
_REHASH = _Q.nothing("rehash")
_SET_PLATFORM_ROLE = _Q.rows("set_platform_role", bool)
_SET_DISABLED = _Q.rows("set_disabled", bool)
_ISSUE_TOKEN = _Q.rows("issue_token", bool)
_LINK = _Q.rows("link", LinkFound)
_CONFIRM_EMAIL = _Q.rows("confirm_email", int)
_RESET_PASSWORD = _Q.rows("reset_password", int)


async def find_credential(tx: Tx, email: str) -> Credential | None:
    """Return how the person of an e-mail signs in, if there is one. ValidationFailed: it is no e-mail."""
    return await tx.first(_OF_EMAIL, email=signing.check_email(email))


async def credential_of(tx: Tx, account_id: int) -> Credential | None:
    """Return how the person of an account signs in, if they do."""
    return await tx.first(_OF_ACCOUNT, account_id=account_id)


async def sign_up(tx: Tx, name: str, email: str, hashed: str) -> Account:
    """Make an account of kind user whose person signs in by that e-mail and password, not verified yet.

    Conflict (already_exists): somebody signs in by that e-mail; the transaction is then lost.
    """
    address = signing.check_email(email)
    account = await create_account(tx, NewAccount("user", name, email=address))
    await add_credential(tx, account, address, hashed, verified=False)
    return account


async def add_credential(tx: Tx, account: Account, email: str, hashed: str | None, *, verified: bool) -> None:
    """Let the person of an account sign in by an e-mail. Conflict: somebody does so already, or they by another."""
    if account.kind != "user":
        raise ValidationFailed.of("id", f"{account.external_id!r} is an organization; only people sign in")
    address = signing.check_email(email)
    if not await tx.one(_ADD_CREDENTIAL, account_id=account.id, email=address, hash=hashed, verified=verified):
        raise Conflict("Somebody signs in by that e-mail already. Choose another.", code="already_exists")


async def issue_link(tx: Tx, account_id: int, purpose: Purpose) -> str | None:
    """Make the token of a link to be mailed, and return it; only its digest is kept.

    It lives three days to verify an e-mail, an hour to reset a password. None: five of the kind were made within the
    last hour, which live; whoever asks for more fills somebody's mailbox.
    """
    token = signing.token_of(secrets.token_bytes(32))
    seconds = VERIFY_SECONDS if purpose == "verify" else RESET_SECONDS
    digest = signing.token_digest(token)
    issued = await tx.one(
        _ISSUE_TOKEN, digest=digest, account_id=account_id, purpose=purpose, seconds=seconds, most=LINKS_AN_HOUR
    )
    return token if issued else None


async def find_link(tx: Tx, token: str, purpose: Purpose) -> LinkFound | None:
    """Return whom a link belongs to, if it can still be used."""
    if not signing.looks_like_a_token(token):
        return None
    return await tx.first(_LINK, digest=signing.token_digest(token), purpose=purpose)


async def request_reset(tx: Tx, email: str) -> tuple[Credential, str] | None:
    """Make a link to set a new password: whose it is and its token.

    None: nobody signs in by that e-mail, or enough links were made lately.
    """
    found = await find_credential(tx, email)
    if found is None or found.disabled:
        return None
    token = await issue_link(tx, found.account_id, "reset")
    return None if token is None else (found, token)


async def verify_email(tx: Tx, token: str, visitor: Visitor) -> bool:
    """Note that a mail arrived where it was sent, which uses the link up. False: the link does not live."""
    if not signing.looks_like_a_token(token):
        return False
    who = await tx.first(_CONFIRM_EMAIL, digest=signing.token_digest(token))
    if who is None:
        return False
    act = Act("email.confirm", "account", str(who), who, after={"verified": True})
    await record(tx, By("api", who, address=visitor.address), act)
    return True


async def reset_password(tx: Tx, token: str, hashed: str) -> bool:
    """Set a new password by a mailed link, which is used up, and end every session. False: the link does not live."""
    if not signing.looks_like_a_token(token):
        return False
    return await tx.first(_RESET_PASSWORD, digest=signing.token_digest(token), hash=hashed) is not None


async def set_password(tx: Tx, account_id: int, hashed: str) -> None:
    """Set a password in the platform's name, and end every session. NotFound: the account does not sign in."""
    if not await tx.one(_SET_PASSWORD, account_id=account_id, hash=hashed, but=None):
        raise NotFound("The account does not sign in yet: give it an e-mail.")


async def sign_in(
    database: Database,
    passwords: Passwords,
    email: str,
    password: str,
    visitor: Visitor,
    limits: SessionLimits,
    *,
    instead: str | None = None,
    unverified: bool = False,
) -> SignedIn | None:
    """Open a session for the person of an e-mail and a password. None: they are not right, or shut out.

    It takes the same time whatever is wrong. instead: the token that the browser had, whose session ends. unverified:
    whether somebody may sign in whose e-mail is not verified; else none is opened for them.
    """
    async with database.read(PLATFORM) as tx:
        try:
            found = await find_credential(tx, email)
        except ValidationFailed:
            found = None
    right = await passwords.fits(found.hash if found else None, password)
    if found is None or not right or found.disabled or found.hash is None:
        async with database.transaction(PLATFORM) as tx:
            who = found.account_id if found else None
            act = Act("sign_in.refuse", "account" if who else "sign_in", str(who or "unknown"), who)
            await record(tx, By("api", address=visitor.address), act)
        return None
    if not (found.verified or unverified):
        return SignedIn(found, None)
    newer = None
    if passwords.is_old(found.hash):
        newer = await passwords.hash(signing.as_typed(password))
    async with database.transaction(PLATFORM) as tx:
        if newer is not None:
            await tx.run(_REHASH, account_id=found.account_id, old=found.hash, new=newer)
        token = await open_session(tx, found.account_id, visitor, limits, instead=instead)
    return None if token is None else SignedIn(found, token)


async def change_password(
    database: Database,
    passwords: Passwords,
    account_id: int,
    old: str,
    new: str,
    visitor: Visitor,
    limits: SessionLimits,
) -> str:
    """Change a person's own password: every session of theirs ends, and the token of a new one comes back.

    ValidationFailed: the old password is wrong (field `old_password`; that is recorded), or the new one is none
    (`password`). NotFound: the account does not sign in by a password. Conflict: another was set this very moment.
    """
    async with database.read(PLATFORM) as tx:
        found = await credential_of(tx, account_id)
    if found is None or found.disabled or found.hash is None:
        raise NotFound("The account does not sign in by a password. Set one by the link that /reset mails.")
    wanted = signing.check_password(new, found.email)
    by = By("api", account_id, address=visitor.address)
    if not await passwords.fits(found.hash, old):
        async with database.transaction(PLATFORM) as tx:
            await record(tx, by, Act("password.refuse", "account", str(account_id), account_id))
        raise ValidationFailed.of("old_password", "is not the present one")
    hashed = await passwords.hash(wanted)
    async with database.transaction(PLATFORM) as tx:
        # Only in place of the one that was checked: a link used meanwhile, against whoever knows the old one, stands.
        if not await tx.one(_CHANGE_PASSWORD, account_id=account_id, old=found.hash, new=hashed):
            raise Conflict("The password was changed elsewhere this very moment. Sign in with the new one.")
        await record(tx, by, Act("password.set", "account", str(account_id), account_id))
        token = await open_session(tx, account_id, visitor, limits)
    if token is None:
        raise NotFound("The account does not sign in.")
    return token


async def set_platform_role(tx: Tx, account_id: int, role: PlatformRole | None) -> None:
    """Say what a person is to the platform (None: nothing), and end their sessions. NotFound: they do not sign in."""
    if role is not None and role not in PLATFORM_ROLES:
        raise ValidationFailed.of("role", f"must be one of {', '.join(PLATFORM_ROLES)}")
    if not await tx.one(_SET_PLATFORM_ROLE, account_id=account_id, role=role):
        raise NotFound("The account does not sign in yet: set a password and an e-mail first.")


async def disable(tx: Tx, account_id: int, *, disabled: bool = True) -> None:
    """Shut a person out, or let them in again; their sessions end. NotFound: they do not sign in."""
    if not await tx.one(_SET_DISABLED, account_id=account_id, disabled=disabled):
        raise NotFound("The account does not sign in.")
