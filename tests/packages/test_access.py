"""Accounts, members, keys, and who may do what."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest

from tokenhouse.domain import access
from tokenhouse.domain.access import rules
from tokenhouse.domain.access.types import (
    Account,
    AccountChanges,
    Authority,
    Identity,
    Membership,
    NewAccount,
)
from tokenhouse.infra.database import PLATFORM, Actor, Database, sqlstate
from tokenhouse.infra.kernel.errors import Conflict, Forbidden, NotFound, ValidationFailed
from tokenhouse.infra.kernel.ids import is_external_id


async def make(db: Database, external_id: str | None = None, kind="user", **more) -> Account:
    async with db.transaction(PLATFORM) as tx:
        return await access.create_account(tx, NewAccount(kind, more.pop("name", "Someone"), external_id, **more))


async def key(db: Database, account: Account | None, *scopes: str, expires_at=None):
    async with db.transaction(PLATFORM) as tx:
        account_id = account.id if account else None
        return await access.create_key(tx, account_id, "k", scopes or None, expires_at, live=False)


async def find(db: Database, *secrets: str):
    async with db.read(PLATFORM) as tx:
        found = await access.find_keys(tx, [rules.digest_of(secret) for secret in secrets])
    return [found.get(rules.digest_of(secret)) for secret in secrets]


# ---- accounts ----


async def test_an_account_comes_back_as_made(db):
    made = await make(db, "ann", email="ann@example.org", time_zone="Europe/Berlin", name="Ann")
    async with db.read(PLATFORM) as tx:
        buckets = (await access.deployment(tx)).buckets
        assert await access.find_account(tx, "ann") == made
        assert await access.find_account(tx, "nobody") is None
        assert await access.find_accounts(tx, ["ann", "nobody", "ann"]) == {"ann": made}
    assert (made.external_id, made.kind, made.name, made.email, made.time_zone) == (
        "ann", "user", "Ann", "ann@example.org", "Europe/Berlin",
    )  # fmt: skip
    assert made.bucket == made.id % buckets


async def test_an_id_is_made_where_none_is_given(db):
    one, two = await make(db), await make(db)
    assert is_external_id(one.external_id)
    assert one.external_id < two.external_id


async def test_an_id_is_taken_once(db):
    await make(db, "ann")
    with pytest.raises(Conflict) as refused:
        await make(db, "ann")
    assert refused.value.code == "already_exists"


@pytest.mark.parametrize("bad", ["", "a b", "ä", "x" * 129, "a\n", "a/b"])
async def test_ids_that_are_none(db, bad):
    with pytest.raises(ValidationFailed):
        await make(db, bad)


async def test_changes(db):
    await make(db, "ann", email="ann@example.org", name="Ann")
    async with db.transaction(PLATFORM) as tx:
        changed = await access.update_account(tx, "ann", AccountChanges(name="Anna"))
        assert (changed.name, changed.email, changed.time_zone) == ("Anna", "ann@example.org", "UTC")
        changed = await access.update_account(tx, "ann", AccountChanges(email="", time_zone="Asia/Tokyo"))
        assert (changed.name, changed.email, changed.time_zone) == ("Anna", None, "Asia/Tokyo")
        with pytest.raises(NotFound):
            await access.update_account(tx, "nobody", AccountChanges(name="x"))
        with pytest.raises(ValidationFailed):
            await access.update_account(tx, "ann", AccountChanges(time_zone="Mars/Olympus"))


async def test_only_the_platform_changes_who_is_here(db):
    ann = await make(db, "ann")
    for actor in (Actor((ann.id,)), Actor((ann.id,), teller=True)):
        with pytest.raises(psycopg.Error) as refused:
            async with db.transaction(actor) as tx:
                await access.create_account(tx, NewAccount("user", "x", "bob"))
        assert sqlstate(refused.value) == "TH403"
        with pytest.raises(psycopg.Error) as refused:
            async with db.transaction(actor) as tx:
                await access.create_key(tx, ann.id, "k", ["admin"], live=True)
        assert sqlstate(refused.value) == "TH403"


async def test_a_tenant_sees_itself_alone(db):
    ann, bob = await make(db, "ann"), await make(db, "bob")
    await key(db, ann)
    await key(db, bob)
    await key(db, None)
    async with db.read(Actor((ann.id,))) as tx:
        assert await access.find_accounts(tx, ["ann", "bob"]) == {"ann": ann}
        assert len(await access.list_keys(tx, ann.id)) == 1
        assert await access.list_keys(tx, bob.id) == []
        assert await access.list_keys(tx, None) == []


# ---- members ----


async def test_members(db):
    org, ann, bob = await make(db, "org", "organization"), await make(db, "ann"), await make(db, "bob")
    async with db.transaction(PLATFORM) as tx:
        await access.set_member(tx, org, ann, "member")
        await access.set_member(tx, org, bob, "owner")
        await access.set_member(tx, org, ann, "admin")
        members = await access.members_of(tx, org.id)
        assert [(m.organization_id, m.user_id, m.role) for m in members] == [
            ("org", "ann", "admin"), ("org", "bob", "owner"),
        ]  # fmt: skip
        assert await access.organizations_of(tx, ann.id) == {org.id: "admin"}
        assert await access.organizations_of(tx, org.id) == {}
        for organization, user, role in ((ann, bob, "member"), (org, org, "member"), (org, ann, "king")):
            with pytest.raises(ValidationFailed):
                await access.set_member(tx, organization, user, role)


# ---- keys ----


async def test_a_key_is_found_by_its_secret_alone(db, admin):
    org, ann = await make(db, "org", "organization"), await make(db, "ann")
    async with db.transaction(PLATFORM) as tx:
        await access.set_member(tx, org, ann, "admin")
    view, secret = await key(db, ann, "wallets:read", "charges:write")
    other, platform = await key(db, None)
    assert secret.startswith(f"th_test_{view.id.hex}_")
    assert rules.looks_like_a_secret(secret)
    assert view.hint == secret[-4:]
    assert view.scopes == ["charges:write", "wallets:read"]
    changed = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    found = await find(db, secret, platform, changed, secret[:-1], secret.swapcase())
    assert found[2:] == [None, None, None]
    mine, its = found[0], found[1]
    assert rules.authority_of(mine) == Authority(
        Identity(ann.id, ann.bucket, "ann", "user"),
        frozenset({"charges:write", "wallets:read"}),
        {"org": Membership(org.id, org.bucket, "admin")},
        view.id,
    )
    assert rules.authority_of(its) == Authority(None, None, {}, other.id)
    kept = str(admin.execute("select k::text from access.api_key k").fetchall())
    assert secret not in kept
    assert secret[41:-4] not in kept


async def test_a_key_ends_when_it_is_revoked_or_expires(db, admin):
    ann, bob = await make(db, "ann"), await make(db, "bob")
    view, secret = await key(db, ann)
    _, short = await key(db, ann, expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert None not in await find(db, secret, short)
    async with db.transaction(PLATFORM) as tx:
        assert not await access.revoke_key(tx, bob.id, view.id)
        assert not await access.revoke_key(tx, None, view.id)
        assert not await access.revoke_key(tx, ann.id, uuid4())
        assert await access.revoke_key(tx, ann.id, view.id)
        assert not await access.revoke_key(tx, ann.id, view.id)
    admin.execute("update access.api_key set expires_at = clock_timestamp() where expires_at is not null")
    assert await find(db, secret, short) == [None, None]
    async with db.read(PLATFORM) as tx:
        listed = await access.list_keys(tx, ann.id)
    assert [entry.revoked_at is None for entry in listed] == [True, False]


async def test_a_platform_key_can_be_revoked(db):
    view, secret = await key(db, None)
    async with db.transaction(PLATFORM) as tx:
        assert await access.revoke_key(tx, None, view.id)
    assert await find(db, secret) == [None]


async def test_last_use_is_noted_once_a_minute(db):
    ann = await make(db, "ann")
    _, secret = await key(db, ann)
    (found,) = await find(db, secret)
    assert found.stale
    async with db.transaction(PLATFORM) as tx:
        await access.touch_keys(tx, [found.id])
        (first,) = await access.list_keys(tx, ann.id)
        await access.touch_keys(tx, [found.id])
        (second,) = await access.list_keys(tx, ann.id)
    assert first.last_used_at is not None
    assert second.last_used_at == first.last_used_at
    (found,) = await find(db, secret)
    assert not found.stale


async def test_keys_that_are_none(db):
    with pytest.raises(ValidationFailed):
        await key(db, None, expires_at=datetime.now(UTC) - timedelta(seconds=1))
    with pytest.raises(ValidationFailed):
        await key(db, None, "everything")
    with pytest.raises(ValidationFailed):
        rules.check_scopes([])


# ---- who may do what ----

ANN = Identity(1, 0, "ann", "user")
CLUB = {"club": Membership(9, 0, "member"), "firm": Membership(8, 0, "admin")}


@pytest.mark.parametrize(
    ("authority", "allowed"),
    [
        (Authority(None), {"charges:write", "wallets:read", "market:write", "usage:write", "admin"}),
        (Authority(None, frozenset({"wallets:read"})), {"wallets:read"}),
        (Authority(ANN), {"charges:write", "wallets:read", "market:write"}),
        (Authority(ANN, frozenset({"charges:write"})), {"charges:write"}),
        (Authority(ANN, frozenset({"usage:write"})), {"usage:write"}),
        (Authority(ANN, frozenset({"admin"})),
         {"charges:write", "wallets:read", "market:write", "usage:write", "admin"}),
    ],
)  # fmt: skip
def test_scopes(authority, allowed):
    scopes = ("charges:write", "wallets:read", "market:write", "usage:write", "admin")
    assert {scope for scope in scopes if rules.may(authority, scope)} == allowed
    for scope in scopes:
        if scope in allowed:
            rules.require(authority, scope)
        else:
            with pytest.raises(Forbidden):
                rules.require(authority, scope)


@pytest.mark.parametrize(
    ("authority", "acts", "manages"),
    [
        (Authority(None), {"ann", "bob", "club", "firm"}, {"ann", "bob", "club", "firm"}),
        (Authority(None, frozenset({"wallets:read"})), {"ann", "bob", "club", "firm"}, set()),
        (Authority(ANN, None, CLUB), {"ann", "club", "firm"}, {"ann", "firm"}),
        (Authority(ANN, frozenset({"wallets:read"}), CLUB), {"ann", "club", "firm"}, set()),
        (
            Authority(ANN, frozenset({"admin"})),
            {"ann", "bob", "club", "firm"},
            {"ann", "bob", "club", "firm"},
        ),
    ],
)
def test_whose_accounts(authority, acts, manages):
    names = ("ann", "bob", "club", "firm")
    assert {name for name in names if rules.acts_for(authority, name)} == acts
    assert {name for name in names if rules.manages(authority, name)} == manages


PEOPLE = {
    "platform": Authority(None),
    "owner": Authority(ANN, None, {"firm": Membership(8, 0, "owner")}),
    "admin": Authority(ANN, None, {"firm": Membership(8, 0, "admin")}),
    "its own key": Authority(Identity(8, 0, "firm", "organization")),
}
STEPS = [(now, wanted) for now in (None, "member", "admin", "owner") for wanted in (None, "member", "admin", "owner")]


@pytest.mark.parametrize("who", PEOPLE)
def test_nobody_gives_or_takes_a_role_above_their_own(who):
    for now, wanted in STEPS:
        allowed = who in ("platform", "owner") or "owner" not in (now, wanted)
        assert rules.may_set_role(PEOPLE[who], "firm", now, wanted) == allowed, (now, wanted)


@pytest.mark.parametrize("scope", ["admin", "usage:write"])
def test_only_the_platform_gives_what_is_the_platforms(scope):
    rules.require_may_give(Authority(None), [scope])
    rules.require_may_give(Authority(ANN), ["charges:write", "market:write"])
    rules.require_may_give(Authority(ANN), None)
    for authority in (Authority(ANN), Authority(None, frozenset({"wallets:read"}))):
        with pytest.raises(Forbidden):
            rules.require_may_give(authority, ["wallets:read", scope])


# ---- the cache of identities ----


async def test_identities_are_asked_for_once(db, monkeypatch):
    ann, bob = await make(db, "ann"), await make(db, "bob")
    asked = []
    read = db.read
    monkeypatch.setattr(db, "read", lambda actor: asked.append(actor) or read(actor))
    known = access.Identities(db, most=2)
    assert await known.find_all(["ann", "bob", "carl"]) == {
        "ann": Identity(ann.id, ann.bucket, "ann", "user"),
        "bob": Identity(bob.id, bob.bucket, "bob", "user"),
    }
    assert asked == [PLATFORM]
    assert (await known.find("ann")).id == ann.id
    assert asked == [PLATFORM]


async def test_an_unknown_identity_is_not_remembered(db):
    known = access.Identities(db)
    assert await known.find("late") is None
    late = await make(db, "late")
    assert (await known.find("late")).id == late.id
    known.forget("late")
    assert known.known("late") is None


async def test_identities_keep_those_in_use(db):
    for name in ("a", "b", "c"):
        await make(db, name)
    known = access.Identities(db, most=2)
    await known.find_all(["a"])
    await known.find_all(["b"])
    await known.find("a")
    await known.find("c")
    assert known.known("b") is None
    assert known.known("a") is not None
