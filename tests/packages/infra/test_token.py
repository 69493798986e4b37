"""access.scope() believes only tokens that we signed and that have not expired, and never raises."""

import hashlib
import hmac
import time

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tokenhouse.infra.database.token import PLATFORM, Actor, Signer, pads


def signed(key: bytes, body: str) -> str:
    return f"{body}.{hmac.new(key, body.encode(), hashlib.sha256).hexdigest()}"


@pytest.fixture(scope="module")
def app(template):
    with psycopg.connect(template.app_conninfo, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def owner(postgres, template):
    """The superuser as th_owner: as which the doors run."""
    name = psycopg.conninfo.conninfo_to_dict(template.app_conninfo)["dbname"]
    with psycopg.connect(postgres.conninfo(name), autocommit=True) as connection:
        connection.execute("set role th_owner")
        yield connection


def scope(connection, token):
    with connection.transaction():
        connection.execute("select set_config('tokenhouse.token', %s, true)", [token])
        return connection.execute("select access.scope()").fetchone()[0]


def test_actor_refuses_nonsense():
    for accounts in ((), (-1,), (0, 5)):
        with pytest.raises(ValueError, match="actor"):
            Actor(accounts)
    with pytest.raises(ValueError, match="32"):
        Signer(b"short")


def test_pads_are_those_of_hmac():
    key = bytes(range(32))
    inner, outer = pads(key)
    by_hand = hashlib.sha256(outer + hashlib.sha256(inner + b"x").digest()).hexdigest()
    assert by_hand == hmac.new(key, b"x", hashlib.sha256).hexdigest()


def test_own_tokens_are_believed(app, template):
    assert scope(app, template.signer.sign(Actor((7, 8, 2**62)))) == [7, 8, 2**62]
    assert scope(app, template.signer.sign(PLATFORM)) == [0]
    many = tuple(range(1, 2001))
    assert scope(app, template.signer.sign(Actor(many))) == list(many)


def test_absent_token_is_nobody(app):
    assert app.execute("select access.scope()").fetchone()[0] is None
    assert scope(app, "") is None


def test_token_ends_with_its_transaction(app, template):
    scope(app, template.signer.sign(PLATFORM))
    assert app.execute("select access.scope()").fetchone()[0] is None


def test_forgeries_are_nobody(app, template):
    now = int(time.time()) + 60
    good = template.signer.sign(Actor((7,)))
    expiry, _, mac = good.split(".")
    forged = [
        f"{expiry}.8.{mac}",
        f"{expiry}.7,8.{mac}",
        f"{int(expiry) + 1}.7.{mac}",
        good + " ",
        good + ".x",
        good.upper().replace(mac, mac.upper()) if mac.upper() != mac else good + "x",
        good[:-1],
        signed(b"x" * 32, f"{now}.8"),
        signed(b"", f"{now}.8"),
        f"{now}.8.",
        f"{now}.8",
        "..",
        ".",
        "0",
        "a.b.c",
        f"{10**40}.{10**40}.{mac}",
        f"-1.-1.{mac}",
        f"{now}.{{0}}.{mac}",
        "é.☃.\U0001f4a3",
    ]
    for token in forged:
        assert scope(app, token) is None, token


def test_expired_is_nobody(app, template):
    assert scope(app, template.signer.sign(Actor((7,)), ttl_seconds=-1)) is None
    assert scope(app, template.signer.sign(Actor((7,)), ttl_seconds=1, skew_seconds=-3600)) is None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    token=st.text(st.characters(codec="utf-8", exclude_characters="\0"))
    | st.from_regex(r"[0-9]{0,30}\.[0-9,]{0,30}\.[0-9a-f]{0,64}", fullmatch=True)
)
def test_garbage_never_raises(app, token):
    assert scope(app, token) is None


def test_the_key_is_out_of_reach(app):
    for statement in (
        "select * from access.secret",
        "set role th_owner",
        "create or replace function access.scope() returns bigint[] language sql as $$ select '{0}' $$",
        "create table public.x (i int)",
        "create temp table x (i int)",
        "create schema x",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement)


@pytest.mark.parametrize(
    ("actor", "call", "allowed"),
    [
        (PLATFORM, "access.require_platform()", True),
        (Actor((7,)), "access.require_platform()", False),
        (None, "access.require_platform()", False),
        (PLATFORM, "access.require_accounts('{1,2}')", True),
        (Actor((7, 8)), "access.require_accounts('{7,8}')", True),
        (Actor((7, 8)), "access.require_accounts('{8}')", True),
        (Actor((7, 8)), "access.require_accounts('{}')", True),
        (Actor((7, 8)), "access.require_accounts('{7,9}')", False),
        (Actor((7, 8)), "access.require_accounts('{0}')", False),
        (Actor((7, 8)), "access.require_accounts('{7,null}')", False),
        (PLATFORM, "access.require_accounts('{null}')", False),
        (PLATFORM, "access.require_accounts(null)", False),
        (None, "access.require_accounts('{7}')", False),
        (None, "access.require_accounts('{}')", False),
    ],
)
def test_requirements(owner, template, actor, call, allowed):
    # Behind the doors: only they, who run as the owner, may ask.
    token = "" if actor is None else template.signer.sign(actor)
    with owner.transaction():
        owner.execute("select set_config('tokenhouse.token', %s, true)", [token])
        if allowed:
            owner.execute(f"select {call}")
        else:
            with pytest.raises(psycopg.Error) as refused, owner.transaction():
                owner.execute(f"select {call}")
            assert refused.value.sqlstate == "TH403"
