"""The verbs of access: accounts, members, keys. Those that change who is here need the platform's token."""

import secrets
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

from tokenhouse.domain.access import rules
from tokenhouse.domain.access.types import (
    ROLES,
    Account,
    AccountChanges,
    ApiKeyView,
    Deployment,
    Hits,
    HitsAsked,
    Identity,
    IdentityRow,
    KeyFound,
    KeyOwner,
    Kind,
    Member,
    MemberOf,
    NewAccount,
    Role,
    Rotated,
)
from tokenhouse.infra.database import PLATFORM, Database, Tx, arrays, load_queries, sqlstate
from tokenhouse.infra.kernel.errors import Conflict, NotFound, ValidationFailed
from tokenhouse.infra.kernel.ids import new_id, uuid7

_Q = load_queries(__file__)
_DEPLOYMENT = _Q.rows("deployment", Deployment)
_CREATE_ACCOUNT = _Q.rows("create_account", int)
_LOCK_ACCOUNT = _Q.nothing("lock_account")
_UPDATE_ACCOUNT = _Q.nothing("update_account")
_ACCOUNTS = _Q.rows("accounts", Account)
_ACCOUNTS_BY_NUMBER = _Q.rows("accounts_by_number", Account)
_ACCOUNT_PAGE = _Q.rows("account_page", Account)
_IDENTITIES = _Q.rows("identities", IdentityRow)
_SET_MEMBER = _Q.nothing("set_member")
_REMOVE_MEMBER = _Q.rows("remove_member", bool)
_MEMBERS_OF = _Q.rows("members_of", Member)
_ORGANIZATIONS_OF = _Q.rows("organizations_of", MemberOf)
_CREATE_KEY = _Q.rows("create_key", datetime)
_KEYS_OF = _Q.rows("keys_of", ApiKeyView)
_KEY_BY_ID = _Q.rows("key_by_id", KeyOwner)
_ROTATE_KEY = _Q.rows("rotate_key", Rotated)
_REVOKE_KEY = _Q.rows("revoke_key", bool)
_FOUND_KEYS = _Q.rows("found_keys", KeyFound)
_TOUCH_KEYS = _Q.nothing("touch_keys")
_LIMIT_KEY = _Q.nothing("limit_key")
_TAKE_HITS = _Q.rows("take_hits", Hits)
_SWEEP_RATE_WINDOWS = _Q.rows("sweep_rate_windows", int)

_ERASED_LATELY = _Q.rows("erased_lately", int)

_TAKEN = "23505"
_REFUSED = "TH409"
_MOST_IDENTITIES = 200_000


async def deployment(tx: Tx) -> Deployment:
    """Return what was fixed when the database was made."""
    return await tx.one(_DEPLOYMENT)


async def create_account(tx: Tx, new: NewAccount) -> Account:
    """Make an account. Conflict (already_exists): the id is taken; the transaction is then lost.

    ValidationFailed: no id as ids are, no such time zone.
    """
    external_id = new_id() if new.external_id is None else rules.check_external_id(new.external_id)
    rules.check_time_zone(new.time_zone)
    try:
        await tx.one(
            _CREATE_ACCOUNT,
            external_id=external_id,
            kind=new.kind,
            name=new.name,
            email=new.email,
            time_zone=new.time_zone,
        )
    except Exception as error:
        if sqlstate(error) == _TAKEN:
            raise Conflict(
                f"There is an account {external_id!r} already. Change it with PATCH, or choose another id.",
                code="already_exists",
            ) from error
        raise
    return await _account(tx, external_id)


async def lock_account(tx: Tx, external_id: str) -> Account:
    """Lock who an account is against other changes, and return it as it is now. NotFound. The platform's."""
    account = await _account(tx, external_id)
    await tx.run(_LOCK_ACCOUNT, id=account.id)
    return await _account(tx, external_id)


async def update_account(tx: Tx, external_id: str, changes: AccountChanges) -> Account:
    """Change an account and return it as it is now. NotFound; ValidationFailed: no such time zone."""
    if changes.time_zone is not None:
        rules.check_time_zone(changes.time_zone)
    account = await _account(tx, external_id)
    await tx.run(_UPDATE_ACCOUNT, id=account.id, name=changes.name, email=changes.email, time_zone=changes.time_zone)
    return await _account(tx, external_id)


async def find_account(tx: Tx, external_id: str) -> Account | None:
    """Return the account of that id, if there is one that this transaction may see."""
    return await tx.first(_ACCOUNTS, external_ids=arrays.texts([external_id]))


async def find_accounts(tx: Tx, external_ids: Iterable[str]) -> dict[str, Account]:
    """Return the accounts of those ids, by id, in one query; the ids that are nobody's are left out."""
    rows = await tx.all(_ACCOUNTS, external_ids=arrays.texts(set(external_ids)))
    return {row.external_id: row for row in rows}


async def accounts_by_number(tx: Tx, ids: Iterable[int]) -> dict[int, Account]:
    """Return the accounts of those numbers, by number, in one query."""
    return {row.id: row for row in await tx.all(_ACCOUNTS_BY_NUMBER, ids=arrays.ints(ids))}


async def list_accounts(
    tx: Tx, *, before: int | None = None, kind: Kind | None = None, most: int = 100
) -> list[Account]:
    """Return accounts, the newest first. before: older than the account of that number."""
    return await tx.all(_ACCOUNT_PAGE, before=before, kind=kind, most=most)


async def set_member(tx: Tx, organization: Account, user: Account, role: Role) -> None:
    """Make a user a member of an organization, or change the role.

    ValidationFailed: no such kind or role. Conflict (last_owner): it would have no owner; the transaction is lost.
    """
    if organization.kind != "organization":
        raise ValidationFailed.of("id", f"{organization.external_id!r} is a user; only organizations have members")
    if user.kind != "user":
        raise ValidationFailed.of("user_id", f"{user.external_id!r} is no user; only users can be members")
    if role not in ROLES:
        raise ValidationFailed.of("role", f"must be one of {', '.join(ROLES)}")
    with _keeping_an_owner():
        await tx.run(_SET_MEMBER, organization_id=organization.id, user_id=user.id, role=role)


async def remove_member(tx: Tx, organization_id: int, user_id: int) -> bool:
    """Take a user out of an organization, at once. False: no member.

    Conflict (last_owner): it would have no owner; the transaction is lost.
    """
    with _keeping_an_owner():
        return await tx.one(_REMOVE_MEMBER, organization_id=organization_id, user_id=user_id)


async def members_of(tx: Tx, organization_id: int) -> list[Member]:
    """Return the members of an organization. Names are seen by the platform and by themselves."""
    return await tx.all(_MEMBERS_OF, organization_id=organization_id)


async def organizations_of(tx: Tx, user_id: int) -> dict[int, Role]:
    """Return the numbers of the organizations that a user is a member of, and the roles there."""
    return {row.organization_id: row.role for row in await tx.all(_ORGANIZATIONS_OF, user_id=user_id)}


async def create_key(
    tx: Tx,
    account_id: int | None,
    name: str,
    scopes: Iterable[str] | None = None,
    expires_at: datetime | None = None,
    *,
    live: bool,
    rate_limit_per_minute: int | None = None,
) -> tuple[ApiKeyView, str]:
    """Make a key and return it with its secret, which is nowhere kept. account_id: None for a platform key.

    rate_limit_per_minute: a limit of its own, at least 1; None for the one that the settings name.
    Who may give which scopes is the caller's to ask (`rules.require_may_give`). ValidationFailed: no such
    scope, or already expired.
    """
    wanted = rules.check_scopes(scopes)
    key_id = uuid7()
    secret = rules.secret_of(key_id, secrets.token_bytes(32), live=live)
    hint = secret[-rules.HINT_CHARACTERS :]
    created_at = await tx.one(
        _CREATE_KEY,
        id=key_id,
        account_id=account_id,
        name=name,
        digest=rules.digest_of(secret),
        hint=hint,
        scopes=None if wanted is None else arrays.texts(wanted),
        expires_at=expires_at,
    )
    if expires_at is not None and expires_at <= created_at:
        raise ValidationFailed.of("expires_at", "lies in the past; leave it out for a key that never expires")
    if rate_limit_per_minute is not None:
        await tx.run(_LIMIT_KEY, id=key_id, per_minute=rate_limit_per_minute)
    view = ApiKeyView(key_id, name, hint, wanted, created_at, expires_at, None, None, None, rate_limit_per_minute)
    return view, secret


async def list_keys(tx: Tx, account_id: int | None) -> list[ApiKeyView]:
    """Return the keys of an account (None: the platform's), revoked ones too, the newest first."""
    return await tx.all(_KEYS_OF, account_id=account_id)


async def revoke_key(tx: Tx, account_id: int | None, key_id: UUID) -> bool:
    """End a key of this account at once. False: it has none of that id that is live."""
    return await tx.one(_REVOKE_KEY, account_id=account_id, id=key_id)


async def key_owner(tx: Tx, key_id: UUID) -> KeyOwner | None:
    """Return whose a key is, live or not."""
    return await tx.first(_KEY_BY_ID, id=key_id)


async def rotate_key(tx: Tx, old: KeyOwner, overlap_seconds: int, *, live: bool) -> tuple[ApiKeyView, str, datetime]:
    """Put a new key in the place of an old one: the new one, its secret, and when the old one ends.

    The new key has the old one's name, scopes, account, limit and end. NotFound: the old key is not live. Conflict
    (key_rotated): it has a successor, which is to be rotated instead.
    """
    key_id = uuid7()
    secret = rules.secret_of(key_id, secrets.token_bytes(32), live=live)
    hint = secret[-rules.HINT_CHARACTERS :]
    done = await tx.one(
        _ROTATE_KEY,
        id=old.id,
        new_id=key_id,
        digest=rules.digest_of(secret),
        hint=hint,
        overlap_seconds=overlap_seconds,
    )
    if done.outcome == "replaced":
        raise Conflict(
            "This key was rotated before. Rotate the key that took its place (`replaced_by` in the list of keys).",
            code="key_rotated",
        )
    if done.old_ends_at is None:
        raise NotFound("There is no such key, it has ended, or it is not yours.")
    view = ApiKeyView(
        key_id, old.name, hint, old.scopes, done.made_at, old.expires_at, None, None, None, old.rate_limit_per_minute
    )
    return view, secret, done.old_ends_at


async def find_keys(tx: Tx, digests: Iterable[bytes]) -> dict[bytes, KeyFound]:
    """Return the live keys of those digests, by digest, in one query: neither revoked nor expired now."""
    wanted = arrays.texts(f"\\x{digest.hex()}" for digest in set(digests))
    return {row.digest: row for row in await tx.all(_FOUND_KEYS, digests=wanted)}


async def touch_keys(tx: Tx, key_ids: Iterable[UUID]) -> None:
    """Note that keys were used now; to the minute."""
    await tx.run(_TOUCH_KEYS, ids=arrays.texts(str(key_id) for key_id in key_ids))


@contextmanager
def _keeping_an_owner() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if sqlstate(error) == _REFUSED:
            raise Conflict(
                "An organization keeps an owner. Make another member an owner first.", code="last_owner"
            ) from error
        raise


async def take_hits(database: Database, asked: Sequence[HitsAsked]) -> dict[str, Hits]:
    """Count hits as far as their limits allow; by key, each of which stands in `asked` once.

    In a statement and a transaction of its own: counting must not hold up what moves value, nor be undone with it.
    """
    rows = await database.once(
        PLATFORM,
        _TAKE_HITS,
        keys=arrays.texts(one.key for one in asked),
        most=arrays.ints(one.most for one in asked),
        seconds=arrays.ints(one.seconds for one in asked),
        wanted=arrays.ints(one.wanted for one in asked),
    )
    return {row.key: row for row in rows}


async def sweep_rate_windows(tx: Tx) -> int:
    """Drop windows that nobody hit any more, some thousands at once; return how many."""
    return await tx.one(_SWEEP_RATE_WINDOWS)


async def _account(tx: Tx, external_id: str) -> Account:
    account = await find_account(tx, external_id)
    if account is None:
        raise NotFound(f"There is no account {external_id!r}. Create it with POST /v1/accounts.")
    return account


class Identities:
    """The accounts in use, by the app's id: a bounded cache of what never changes of them.

    An id that is nobody's is looked up each time, for it may be taken any moment. One for the whole process.
    """

    def __init__(self, database: Database, most: int = _MOST_IDENTITIES) -> None:
        self._database = database
        self._most = most
        self._known: OrderedDict[str, Identity] = OrderedDict()

    def known(self, external_id: str) -> Identity | None:
        """Return what is remembered of an account, without asking the database."""
        found = self._known.get(external_id)
        if found is not None:
            self._known.move_to_end(external_id)
        return found

    async def find(self, external_id: str) -> Identity | None:
        """Return the account of that id, if there is one."""
        return self.known(external_id) or (await self.find_all((external_id,))).get(external_id)

    async def find_all(self, external_ids: Iterable[str]) -> dict[str, Identity]:
        """Return the accounts of those ids, by id: from memory, the others in one query."""
        wanted = set(external_ids)
        found = {name: identity for name in wanted if (identity := self.known(name)) is not None}
        if missing := wanted - found.keys():
            async with self._database.read(PLATFORM) as tx:
                rows = await tx.all(_IDENTITIES, external_ids=arrays.texts(missing))
            for row in rows:
                identity = Identity(row.id, row.bucket, row.external_id, row.kind)
                found[row.external_id] = identity
                self._remember(identity)
        return found

    def forget(self, external_id: str) -> None:
        """Drop an account from memory, when its identity was erased."""
        self._known.pop(external_id, None)

    async def forget_erased(self) -> None:
        """Drop from memory whoever was erased by any process in the last hour: the id may be taken anew."""
        async with self._database.read(PLATFORM) as tx:
            erased = set(await tx.all(_ERASED_LATELY))
        if erased:
            for name in [name for name, one in self._known.items() if one.id in erased]:
                del self._known[name]

    def _remember(self, identity: Identity) -> None:
        self._known[identity.external_id] = identity
        self._known.move_to_end(identity.external_id)
        while len(self._known) > self._most:
            self._known.popitem(last=False)
