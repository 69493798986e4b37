"""Sessions: found by their token at every request, ended by their person, by time, and by the next sign-in."""

import asyncio

import pytest

from tokenhouse.domain import access
from tokenhouse.domain.access import Sessions
from tokenhouse.domain.access.types import NewAccount, SessionLimits, Visitor
from tokenhouse.infra.database import PLATFORM

LIMITS = SessionLimits(3600, 86_400)
HERE = Visitor("192.0.2.7", "a browser")


@pytest.fixture
def person(db):
    """Makes a person, and opens sessions of theirs."""

    async def make(email="ada@example.com"):
        async with db.transaction(PLATFORM) as tx:
            account = await access.create_account(tx, NewAccount("user", email))
            await access.add_credential(tx, account, email, None, verified=True)
        return account

    return make


@pytest.fixture
def sessions(db):
    return Sessions(db, LIMITS)


async def opened(db, account, visitor=HERE, **more):
    async with db.transaction(PLATFORM) as tx:
        return await access.open_session(tx, account.id, visitor, LIMITS, **more)


async def listed(db, account):
    async with db.read(PLATFORM) as tx:
        return await access.list_sessions(tx, account.id, LIMITS)


async def test_a_session_is_found_by_its_token_alone(db, sessions, person):
    ada, bob = await person(), await person("bob@example.com")
    token = await opened(db, ada)
    others = await opened(db, bob)
    assert token != others
    found = await sessions.find(token)
    assert (found.account_id, found.external_id, found.kind, found.email) == (
        ada.id, ada.external_id, "user", "ada@example.com",
    )  # fmt: skip
    assert (found.platform_role, found.verified, found.stale, found.memberships) == (None, True, False, None)
    assert (await sessions.find(others)).account_id == bob.id
    for wrong in (None, "", token[:-1], token + "A", token.swapcase(), "\0", "x" * 43, str(found.id)):
        assert await sessions.find(wrong) is None, wrong


async def test_many_are_found_at_once_in_few_queries(db, sessions, person):
    people = [await person(f"p{n}@example.com") for n in range(12)]
    tokens = [await opened(db, one) for one in people]
    asked = 0
    load = sessions._found._load

    async def counted(digests):
        nonlocal asked
        asked += 1
        return await load(digests)

    sessions._found._load = counted
    found = await asyncio.gather(*(sessions.find(token) for token in tokens * 5))
    assert [one.account_id for one in found] == [one.id for one in people] * 5
    assert asked <= 2


async def test_memberships_come_with_it(db, sessions, person):
    ada = await person()
    async with db.transaction(PLATFORM) as tx:
        organization = await access.create_account(tx, NewAccount("organization", "Birch", "birch"))
        await access.set_member(tx, organization, ada, "admin")
    found = await sessions.find(await opened(db, ada))
    assert found.memberships == {"birch": [organization.id, organization.bucket, "admin"]}


async def test_one_that_was_not_used_ends(db, sessions, person, admin):
    ada = await person()
    token = await opened(db, ada)
    admin.execute("update access.session set seen_at = clock_timestamp() - interval '59 minutes'")
    assert (await sessions.find(token)).stale
    admin.execute("update access.session set seen_at = clock_timestamp() - interval '61 minutes'")
    assert await sessions.find(token) is None
    assert await listed(db, ada) == []


async def test_use_keeps_it_alive_but_not_for_ever(db, sessions, person, admin):
    ada = await person()
    token = await opened(db, ada)
    for _ in range(3):
        admin.execute("update access.session set seen_at = clock_timestamp() - interval '50 minutes'")
        assert await sessions.find(token)
        await sessions.close()  # notes the use, as it does every some seconds
        (seconds,) = admin.execute(
            "select extract(epoch from clock_timestamp() - seen_at) from access.session"
        ).fetchone()
        assert seconds < 10
    admin.execute("update access.session set expires_at = clock_timestamp() - interval '1 second'")
    assert await sessions.find(token) is None


async def test_its_longest_life_is_counted_from_the_beginning(db, person, admin):
    await opened(db, await person())
    (seconds,) = admin.execute("select extract(epoch from expires_at - created_at) from access.session").fetchone()
    assert seconds == LIMITS.max_seconds


async def test_a_revoked_session_is_not_revived_by_its_use(db, sessions, person, admin):
    ada = await person()
    token = await opened(db, ada)
    admin.execute("update access.session set seen_at = clock_timestamp() - interval '5 minutes'")
    found = await sessions.find(token)
    async with db.transaction(PLATFORM) as tx:
        assert await access.end_session(tx, ada.id, found.id)
        assert not await access.end_session(tx, ada.id, found.id)
    assert await sessions.find(token) is None
    await sessions.close()
    (seconds,) = admin.execute("select extract(epoch from clock_timestamp() - seen_at) from access.session").fetchone()
    assert seconds > 200
    assert await sessions.find(token) is None


async def test_signing_in_again_ends_what_the_browser_had(db, sessions, person):
    """Rotation: a token that somebody planted, or read, is worth nothing afterwards."""
    eve, ada = await person("eve@example.com"), await person()
    planted = await opened(db, eve)
    token = await opened(db, ada, instead=planted)
    assert token != planted
    assert await sessions.find(planted) is None
    assert (await sessions.find(token)).account_id == ada.id
    assert await opened(db, ada, instead="x" * 43)  # nobody's
    assert await sessions.find(token)


async def test_ending_one_or_all_touches_nobody_elses(db, sessions, person):
    ada, bob = await person(), await person("bob@example.com")
    tokens = [await opened(db, ada) for _ in range(3)]
    others = await opened(db, bob)
    ids = [one.id for one in await listed(db, ada)]
    async with db.transaction(PLATFORM) as tx:
        assert not await access.end_session(tx, bob.id, ids[0])
        assert await access.end_session(tx, ada.id, (await sessions.find(tokens[0])).id)
        kept = (await sessions.find(tokens[1])).id
        assert await access.end_sessions(tx, ada.id, but=kept) == 1
    assert [await sessions.find(token) is not None for token in tokens] == [False, True, False]
    async with db.transaction(PLATFORM) as tx:
        assert await access.end_sessions(tx, ada.id) == 1
    assert await sessions.find(tokens[1]) is None
    assert await sessions.find(others)


async def test_the_list_shows_where(db, person):
    ada = await person()
    await opened(db, ada, Visitor(None, None))
    await opened(db, ada, Visitor("2001:db8::1", "browser " * 100))
    last, first = await listed(db, ada)
    assert (first.address, first.user_agent) == (None, None)
    assert last.address == "2001:db8::1"
    assert len(last.user_agent) == 200


async def test_nobody_who_is_shut_out_gets_one(db, person):
    ada = await person()
    async with db.transaction(PLATFORM) as tx:
        await access.disable(tx, ada.id)
    assert await opened(db, ada) is None
    assert await listed(db, ada) == []


async def test_what_ended_long_ago_is_forgotten(db, person, admin):
    ada = await person()
    for _ in range(4):
        await opened(db, ada)
    ids = [one.id for one in await listed(db, ada)]
    ago = "update access.session set {} = clock_timestamp() - interval '31 days' where id = %s"
    admin.execute(ago.format("revoked_at"), [ids[0]])
    admin.execute(ago.format("expires_at"), [ids[1]])
    admin.execute("update access.session set revoked_at = clock_timestamp() where id = %s", [ids[2]])
    async with db.transaction(PLATFORM) as tx:
        await access.issue_link(tx, ada.id, "reset")
        await access.issue_link(tx, ada.id, "verify")
    admin.execute(
        "update access.mail_token set expires_at = clock_timestamp() - interval '2 days' where purpose = 'reset'"
    )
    async with db.transaction(PLATFORM) as tx:
        firm = await access.create_account(tx, NewAccount("organization", "Firm"))
        for address in ("over@example.com", "open@example.com"):
            await access.invite(tx, firm, address, "member", None)
    admin.execute(
        "update access.invitation set expires_at = clock_timestamp() - interval '2 days' where email like 'over@%'"
    )
    async with db.transaction(PLATFORM) as tx:
        assert await access.forget_sessions(tx) == 4
        assert await access.forget_sessions(tx) == 0
    assert admin.execute("select email from access.invitation").fetchall() == [("open@example.com",)]
    assert {one for (one,) in admin.execute("select id from access.session")} == set(ids[2:])
