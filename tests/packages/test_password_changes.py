"""Changing a password: which sessions end, what is recorded, and what it never undoes."""

import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from tokenhouse.domain import access
from tokenhouse.domain.access import Passwords
from tokenhouse.domain.access.types import NewAccount, SessionLimits, Visitor
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import Conflict, NotFound, ValidationFailed

RIGHT = "correct horse battery"
LIMITS = SessionLimits(3600, 86_400)
QUICK = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
HERE = Visitor("192.0.2.7", "a browser")


@pytest.fixture
def passwords():
    return Passwords(QUICK)


@pytest_asyncio.fixture
async def ada(db, passwords):
    """Somebody who signs in with RIGHT."""
    hashed = await passwords.hash(RIGHT)
    async with db.transaction(PLATFORM) as tx:
        account = await access.create_account(tx, NewAccount("user", "Ada"))
        await access.add_credential(tx, account, "ada@example.com", hashed, verified=True)
    return account


async def signed(db, passwords, password=RIGHT):
    return await access.sign_in(db, passwords, "ada@example.com", password, HERE, LIMITS)


async def live(db, account):
    async with db.read(PLATFORM) as tx:
        return len(await access.list_sessions(tx, account.id, LIMITS))


async def test_changing_a_password_ends_the_other_sessions(db, passwords, ada):
    await signed(db, passwords)
    await signed(db, passwords)

    async def change(old, new):
        return await access.change_password(db, passwords, ada.id, old, new, HERE, LIMITS)

    for old, new, field in (
        ("wrong horse battery", "another horse battery", "old_password"),
        (RIGHT, "short", "password"),
        (RIGHT, "ada@example.com", "password"),
    ):
        with pytest.raises(ValidationFailed) as refused:
            await change(old, new)
        assert refused.value.errors[0]["field"] == field
    assert await live(db, ada) == 2
    token = await change(RIGHT, "another horse battery")
    assert await live(db, ada) == 1
    found = await access.Sessions(db, LIMITS).find(token)
    assert found.account_id == ada.id
    assert await signed(db, passwords) is None
    assert await signed(db, passwords, "another horse battery")


async def test_changing_a_password_is_recorded_and_never_undoes_a_reset(db, admin, passwords, ada):
    """Neither who knows the old one only, nor what was begun before a link was used, sets another."""
    with pytest.raises(ValidationFailed):
        await access.change_password(db, passwords, ada.id, "wrong horse", "another horse battery", HERE, LIMITS)
    await access.change_password(db, passwords, ada.id, RIGHT, "another horse battery", HERE, LIMITS)
    acts = "select act from access.audit where actor_id = %s order by id"
    assert [act for (act,) in admin.execute(acts, [ada.id])] == ["password.refuse", "password.set", "session.open"]

    class Slow(Passwords):
        async def hash(self, password):
            async with db.transaction(PLATFORM) as tx:
                _, token = await access.request_reset(tx, "ada@example.com")
                assert await access.reset_password(tx, token, await super().hash("of the owner"))
            return await super().hash(password)

    with pytest.raises(Conflict):
        await access.change_password(db, Slow(QUICK), ada.id, "another horse battery", "of the intruder", HERE, LIMITS)
    assert await live(db, ada) == 0
    assert await signed(db, passwords, "of the intruder") is None
    assert await signed(db, passwords, "of the owner")
    admin.execute("update access.credential set hash = null")
    with pytest.raises(NotFound):
        await access.change_password(db, passwords, ada.id, "", "another horse battery", HERE, LIMITS)
