"""People: signing up, links by mail, passwords, roles; and what nobody learns on the way."""

import asyncio
import logging
import statistics
import time

import psycopg
import pytest
from argon2 import PasswordHasher

from economy import Economy, source
from tokenhouse.domain import access
from tokenhouse.domain.access import Passwords
from tokenhouse.domain.access.types import NewAccount, SessionLimits, Visitor
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import Conflict, NotFound, Unavailable, ValidationFailed

RIGHT = "correct horse battery"
CANARY = "canary-5b1f0c-password"
LIMITS = SessionLimits(3600, 86_400)
QUICK = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
HERE = Visitor("192.0.2.7", "a browser")


@pytest.fixture
def passwords():
    return Passwords(QUICK)


@pytest.fixture
def person(db, passwords):
    """Makes a person who signs in with RIGHT."""

    async def make(email="ada@example.com", *, verified=True, password=RIGHT):
        hashed = await passwords.hash(password)
        async with db.transaction(PLATFORM) as tx:
            account = await access.create_account(tx, NewAccount("user", "Ada"))
            await access.add_credential(tx, account, email, hashed, verified=verified)
        return account

    return make


async def signed(db, passwords, password=RIGHT, email="ada@example.com", **more):
    return await access.sign_in(db, passwords, email, password, HERE, LIMITS, **more)


async def in_tx(db, verb, *arguments, **more):
    async with db.transaction(PLATFORM) as tx:
        return await verb(tx, *arguments, **more)


async def live(db, account):
    async with db.read(PLATFORM) as tx:
        return len(await access.list_sessions(tx, account.id, LIMITS))


# ---- signing up ----


async def test_signing_up_makes_a_user_who_is_not_verified(db, passwords):
    hashed = await passwords.hash(RIGHT)
    account = await in_tx(db, access.sign_up, "Ada", " Ada@Example.com", hashed)
    assert (account.kind, account.email) == ("user", "ada@example.com")
    found = await in_tx(db, access.find_credential, "ADA@example.com")
    assert (found.account_id, found.verified, found.disabled, found.platform_role) == (account.id, False, False, None)
    with pytest.raises(Conflict):
        await in_tx(db, access.sign_up, "Eve", "ada@EXAMPLE.com", hashed)
    assert await in_tx(db, access.find_credential, "eve@example.com") is None
    async with db.read(PLATFORM) as tx:
        assert [one.name for one in await access.list_accounts(tx)] == ["Ada"]  # nothing is left of the other


async def test_organizations_do_not_sign_in(db):
    async with db.transaction(PLATFORM) as tx:
        organization = await access.create_account(tx, NewAccount("organization", "Birch"))
        with pytest.raises(ValidationFailed):
            await access.add_credential(tx, organization, "birch@example.com", None, verified=True)


async def test_an_account_signs_in_by_one_email(db, person):
    ada = await person()
    with pytest.raises(Conflict):
        await in_tx(db, access.add_credential, ada, "other@example.com", None, verified=True)


# ---- signing in ----


async def test_the_right_password_opens_a_session(db, passwords, person):
    ada = await person()
    done = await signed(db, passwords, email=" ADA@example.com ")
    assert done.credential.account_id == ada.id
    assert await live(db, ada) == 1


async def test_whatever_is_wrong_is_told_the_same(db, passwords, person):
    await person()
    shut = await person("shut@example.com")
    without = await person("without@example.com")
    await in_tx(db, access.disable, shut.id)
    async with db.transaction(PLATFORM) as tx:  # invited, and never set one
        account = await access.create_account(tx, NewAccount("user", "Nils"))
        await access.add_credential(tx, account, "nils@example.com", None, verified=True)
    for email, password in (
        ("ada@example.com", "wrong horse battery"), ("nobody@example.com", RIGHT), ("no e-mail", RIGHT),
        ("shut@example.com", RIGHT), ("nils@example.com", RIGHT), ("nils@example.com", ""), ("ada@example.com", ""),
        ("ada@example.com", RIGHT + "x" * 400),
    ):  # fmt: skip
        assert await signed(db, passwords, password, email) is None, (email, password)
    assert await live(db, without) == 0


async def test_who_is_shut_out_is_told_nothing_however_they_try(db, passwords, person, admin):
    """Each check holds by itself: shut out behind the verb's back, they have neither a session nor a hint."""
    ada = await person(verified=False)
    token = (await signed(db, passwords, unverified=True)).token
    admin.execute("update access.credential set disabled_at = clock_timestamp()")
    assert await signed(db, passwords) is None  # not: confirm your e-mail first
    assert await signed(db, passwords, unverified=True) is None
    assert await access.Sessions(db, LIMITS).find(token) is None
    assert await live(db, ada) == 1


async def test_an_unknown_email_takes_as_long_as_a_wrong_password(db, person):
    """Within a third; the hash takes nearly all of the time, and is worked out in both cases."""
    slow = Passwords(PasswordHasher(time_cost=2, memory_cost=32 * 1024, parallelism=1))
    hashed = await slow.hash(RIGHT)
    ada = await person()
    await in_tx(db, access.set_password, ada.id, hashed)

    async def seconds(email):
        took = []
        for _ in range(7):
            began = time.perf_counter()
            assert await access.sign_in(db, slow, email, "wrong horse battery", HERE, LIMITS) is None
            took.append(time.perf_counter() - began)
        return statistics.median(took)

    known, unknown = await seconds("ada@example.com"), await seconds("nobody@example.com")
    assert known > 0.01
    assert 2 / 3 < unknown / known < 3 / 2


async def test_hashing_leaves_the_loop_free_and_is_capped():
    at_once = most = 0

    class Counted(PasswordHasher):
        def hash(self, password):
            nonlocal at_once, most
            at_once += 1
            most = max(most, at_once)
            try:
                return super().hash(password)
            finally:
                at_once -= 1

    slow = Passwords(Counted(time_cost=3, memory_cost=32 * 1024, parallelism=1))
    work = asyncio.gather(*(slow.hash(RIGHT) for _ in range(6)))
    gaps, before = [], time.perf_counter()
    while not work.done():
        await asyncio.sleep(0.001)
        gaps.append(time.perf_counter() - before)
        before = time.perf_counter()
    await work
    assert most == 2
    assert len(gaps) > 10
    assert statistics.median(gaps) < 0.02


async def test_a_hash_of_older_parameters_is_renewed(db, passwords, person, admin):
    ada = await person()
    old = admin.execute("select hash from access.credential where account_id = %s", [ada.id]).fetchone()[0]
    newer = Passwords(PasswordHasher(time_cost=2, memory_cost=1024, parallelism=1))
    assert await signed(db, newer, "wrong horse battery") is None
    assert admin.execute("select hash from access.credential").fetchone()[0] == old
    assert await signed(db, newer) is not None
    renewed = admin.execute("select hash from access.credential").fetchone()[0]
    assert ",t=2," in renewed
    assert await signed(db, newer) is not None
    assert admin.execute("select hash from access.credential").fetchone()[0] == renewed
    assert await live(db, ada) == 2  # it is the same password: no session ended


async def test_who_is_not_verified_signs_in_only_where_that_is_allowed(db, passwords, person):
    ada = await person(verified=False)
    assert await signed(db, passwords, "wrong horse battery") is None
    refused = await signed(db, passwords)
    assert (refused.credential.account_id, refused.token) == (ada.id, None)
    assert await live(db, ada) == 0
    assert (await signed(db, passwords, unverified=True)).token


# ---- links by mail ----


async def test_a_link_verifies_an_email(db, admin, person):
    ada = await person(verified=False)
    token = await in_tx(db, access.issue_link, ada.id, "verify")
    assert not await in_tx(db, access.verify_email, token[:-1] + ("A" if token[-1] != "A" else "B"), HERE)
    assert not await in_tx(db, access.verify_email, "rubbish", HERE)
    assert await in_tx(db, access.find_link, token, "reset") is None  # for that purpose alone
    assert not await in_tx(db, access.reset_password, token, "hash")
    assert await in_tx(db, access.verify_email, token, HERE)
    assert (await in_tx(db, access.find_credential, "ada@example.com")).verified
    assert not await in_tx(db, access.verify_email, token, HERE)  # once
    acts = admin.execute(
        "select a.act, a.actor_id, a.account_id, p.address from access.audit a "
        "join access.audit_private p on p.audit_id = a.id"
    ).fetchall()
    assert acts == [("email.confirm", ada.id, ada.id, "192.0.2.7")]


async def test_a_link_resets_a_password_once_and_ends_every_session(db, passwords, person):
    ada, bob = await person(verified=False), await person("bob@example.com")
    for _ in range(3):
        await signed(db, passwords, unverified=True)
    await signed(db, passwords, email="bob@example.com")
    found, token = await in_tx(db, access.request_reset, "Ada@example.com")
    _, second = await in_tx(db, access.request_reset, "ada@example.com")
    assert found.account_id == ada.id
    assert (await in_tx(db, access.find_link, token, "reset")).email == "ada@example.com"
    new = await passwords.hash("another horse battery")
    assert await in_tx(db, access.reset_password, token, new)
    assert await live(db, ada) == 0
    assert await live(db, bob) == 1
    assert await signed(db, passwords) is None
    assert (await signed(db, passwords, "another horse battery")).token  # the mail proved the e-mail, too
    for dead in (token, second):
        assert await in_tx(db, access.find_link, dead, "reset") is None
        assert not await in_tx(db, access.reset_password, dead, await passwords.hash(RIGHT))
    assert (await signed(db, passwords, "another horse battery")).token


async def test_one_of_two_who_use_a_link_at_once_gets_through(db, passwords, person):
    await person()
    _, token = await in_tx(db, access.request_reset, "ada@example.com")
    hashes = [await passwords.hash(f"password number {n}") for n in range(8)]
    done = await asyncio.gather(*(in_tx(db, access.reset_password, token, one) for one in hashes))
    assert sorted(done) == [False] * 7 + [True]
    assert await signed(db, passwords, f"password number {done.index(True)}")


async def test_links_grow_old(db, person, admin):
    ada = await person(verified=False)
    verify = await in_tx(db, access.issue_link, ada.id, "verify")
    _, reset = await in_tx(db, access.request_reset, "ada@example.com")
    lives = dict(
        admin.execute("select purpose, extract(epoch from expires_at - clock_timestamp()) from access.mail_token")
    )
    assert 3 * 86_400 - 60 < lives["verify"] <= 3 * 86_400
    assert 3_540 < lives["reset"] <= 3_600
    admin.execute("update access.mail_token set expires_at = clock_timestamp() - interval '1 second'")
    assert not await in_tx(db, access.verify_email, verify, HERE)
    assert not await in_tx(db, access.reset_password, reset, "hash")
    assert await in_tx(db, access.find_link, reset, "reset") is None


async def test_nobody_gets_no_link(db, person):
    ada = await person()
    assert await in_tx(db, access.request_reset, "nobody@example.com") is None
    _, token = await in_tx(db, access.request_reset, "ada@example.com")
    await in_tx(db, access.disable, ada.id)
    assert await in_tx(db, access.request_reset, "ada@example.com") is None
    assert not await in_tx(db, access.reset_password, token, "hash")


async def test_only_digests_are_kept(db, passwords, person, admin):
    ada = await person()
    session = (await signed(db, passwords)).token
    link = await in_tx(db, access.issue_link, ada.id, "reset")
    for table in ("credential", "session", "mail_token"):
        text = str(admin.execute(f"select to_jsonb(t) from access.{table} t").fetchall())
        assert text.count("account_id") == 1
        for secret in (RIGHT, session, link):
            assert secret not in text
    (hashed,) = admin.execute("select hash from access.credential").fetchone()
    assert hashed.startswith("$argon2id$")


# ---- changes ----


async def test_roles_and_being_shut_out_end_sessions(db, passwords, person):
    ada = await person()
    sessions = access.Sessions(db, LIMITS)
    first = (await signed(db, passwords)).token
    await in_tx(db, access.set_platform_role, ada.id, "support")
    assert await sessions.find(first) is None
    second = (await signed(db, passwords)).token
    assert (await sessions.find(second)).platform_role == "support"
    await in_tx(db, access.disable, ada.id)
    assert await sessions.find(second) is None
    assert await signed(db, passwords) is None
    await in_tx(db, access.disable, ada.id, disabled=False)
    assert await sessions.find(second) is None
    assert (await signed(db, passwords)).token
    with pytest.raises(ValidationFailed):
        await in_tx(db, access.set_platform_role, ada.id, "king")
    stranger = await in_tx(db, access.create_account, NewAccount("user", "Nobody"))
    for verb in (
        lambda tx: access.set_platform_role(tx, stranger.id, "admin"),
        lambda tx: access.disable(tx, stranger.id),
        lambda tx: access.set_password(tx, stranger.id, "hash"),
    ):
        with pytest.raises(NotFound):
            await in_tx(db, verb)


async def test_a_person_is_erased_without_touching_a_record(db, admin, passwords):
    """Nothing refers to the rows with the e-mail, the hash and the addresses; what was used stays."""
    economy = await Economy.found(db, source())
    ada = await economy.account("ada", credits=100)
    await in_tx(db, access.add_credential, ada, "ada@example.com", await passwords.hash(RIGHT), verified=True)
    await signed(db, passwords)
    await economy.charge(ada, amount=9)
    for table in ("session", "mail_token", "credential", "identity"):
        admin.execute(f"delete from access.{table} where account_id = %s", [ada.id])
    assert admin.execute("select count(*) from metering.usage where account_id = %s", [ada.id]).fetchone() == (1,)
    assert admin.execute("select count(*) from access.account where id = %s", [ada.id]).fetchone() == (1,)
    assert await signed(db, passwords) is None
    await economy.till.close()


async def test_a_tenant_sees_nothing_of_it(db, passwords, person, booted):
    """Not even their own hash: what a tenant's SQL may read is not for secrets."""
    ada = await person()
    await signed(db, passwords)
    await in_tx(db, access.issue_link, ada.id, "reset")
    from tokenhouse.infra.database import Actor

    with psycopg.connect(booted.app_conninfo) as connection:
        for actor in (Actor((ada.id,)), Actor((ada.id,), teller=True)):
            connection.execute("select set_config('tokenhouse.token', %s, false)", [booted.signer.sign(actor)])
            for table in ("credential", "session", "mail_token"):
                assert connection.execute(f"select count(*) from access.{table}").fetchone() == (0,)


async def test_a_password_is_in_no_error_and_no_log(db, passwords, person, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    ada = await person(password=CANARY)
    said = []
    for attempt in (
        signed(db, passwords, CANARY + "x"),
        signed(db, passwords, CANARY, "nobody@example.com"),
        signed(db, passwords, CANARY),
        signed(db, passwords, CANARY + "\0\ud800".encode("utf-8", "replace").decode()),
        access.change_password(db, passwords, ada.id, CANARY + "x", CANARY, HERE, LIMITS),
        access.change_password(db, passwords, ada.id, CANARY, CANARY * 20, HERE, LIMITS),
        in_tx(db, access.add_credential, ada, "ada@example.com", CANARY, verified=True),
    ):
        try:
            said.append(repr(await attempt))
        except Exception as error:  # noqa: BLE001 - whatever it says
            said.append(f"{error!r} {error} {error.__cause__!r}")
    said += [caplog.text, *capfd.readouterr()]
    assert CANARY not in "".join(said)


async def test_no_more_wait_for_a_hash_than_can_be_served(monkeypatch):
    """A flood of tries is refused in part; it is neither kept in memory nor does it hold up who comes after it."""
    monkeypatch.setattr("tokenhouse.domain.access.passwords._MOST_WAITING", 5)
    passwords = Passwords(QUICK)
    done = await asyncio.gather(*(passwords.fits(None, "x" * 12) for _ in range(40)), return_exceptions=True)
    assert {type(one) for one in done} == {bool, Unavailable}
    assert 5 <= done.count(False) <= 10
    assert await passwords.fits(await passwords.hash(RIGHT), RIGHT)
