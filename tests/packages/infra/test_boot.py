"""Boot: roles that may little, one key and one number of buckets for ever, and what it refuses."""

import os
import threading

import psycopg
import pytest

from tokenhouse.infra.database import boot
from tokenhouse.infra.database.boot import check_serving, prepare, prepare_blocking, prepare_embedded
from tokenhouse.infra.database.embedded import EmbeddedServer
from tokenhouse.infra.database.migrate import MIGRATIONS
from tokenhouse.infra.database.process import StartError

UNSAFE = {"shared_buffers": "32MB", "fsync": "off", "full_page_writes": "off"}


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Another server, without our roles and with unsafe settings."""
    server = EmbeddedServer(tmp_path_factory.mktemp("other"), settings=UNSAFE)
    server.start()
    yield server
    server.release()


async def refused(conninfo):
    async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
        with pytest.raises(StartError) as error:
            await check_serving(connection)
    return str(error.value)


def test_roles_may_little(admin):
    rows = admin.execute(
        "select rolname, rolcanlogin from pg_roles where rolname ~ '^th_' and not rolsuper"
        " and not rolbypassrls and not rolcreaterole and not rolcreatedb and not rolreplication"
        " and not rolinherit order by 1"
    ).fetchall()
    assert rows == [("th_app", True), ("th_owner", False), ("th_worker", True)]
    members = admin.execute(
        "select count(*) from pg_auth_members where roleid::regrole::text ~ '^th_' or member::regrole::text ~ '^th_'"
    ).fetchone()
    assert members == (0,)


def test_strangers_stay_out(postgres, booted, admin):
    name = admin.info.dbname
    admin.execute(f"create role stranger_{name} login password 'x'")
    try:
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(postgres.conninfo(name, f"stranger_{name}", "x"))
    finally:
        admin.execute(f"drop role stranger_{name}")


def test_a_second_start_changes_nothing(postgres, template):
    again = prepare_embedded(postgres, 7, "tokenhouse_template")
    assert again.key == template.key
    assert again.buckets == template.buckets
    assert again.app_conninfo == template.app_conninfo
    assert template.key.hex() not in repr(template)
    assert "password" not in repr(template)


async def test_serving_is_checked(postgres, booted, admin):
    for conninfo in (booted.app_conninfo, booted.worker_conninfo):
        async with await psycopg.AsyncConnection.connect(conninfo) as connection:
            await check_serving(connection)
    assert "superuser" in await refused(postgres.conninfo(admin.info.dbname))
    relaxed = psycopg.conninfo.make_conninfo(booted.app_conninfo, options="-c synchronous_commit=off")
    assert "synchronous_commit" in await refused(relaxed)
    name = f"weak_{admin.info.dbname}"
    admin.execute(
        f"create role {name} login bypassrls password 'x'; grant th_owner to {name};"
        f"grant connect on database {admin.info.dbname} to {name};"
        f"grant create on schema ledger to {name};"
        f"set role {name}; create table ledger.mine (n int); reset role"
    )
    try:
        said = await refused(postgres.conninfo(admin.info.dbname, name, "x"))
        for fix in ("nobypassrls", f"revoke th_owner from {name}", "owns tables"):
            assert fix in said
    finally:
        admin.execute(f"drop owned by {name}; drop role {name}")


async def test_unsafe_servers_are_refused(other):
    ready = prepare_embedded(other, 1, "unsafe")
    said = await refused(ready.app_conninfo)
    assert "fsync = on" in said
    assert "full_page_writes = on" in said


async def test_prepare_starts_a_server_of_its_own(tmp_path):
    ready = await prepare(tmp_path, None, 3)
    assert ready.buckets == 3
    with psycopg.connect(ready.app_conninfo) as connection:
        assert connection.info.dbname == "tokenhouse"
    assert ready.server.release()


def test_a_failed_start_stops_the_server(tmp_path):
    (tmp_path / "sql").mkdir()
    (tmp_path / "sql" / "0001_bad.sql").write_text("select 1/0;")
    with pytest.raises(StartError, match="0001_bad"):
        prepare_blocking(tmp_path, None, 1, migrations=tmp_path / "sql")
    assert not EmbeddedServer(tmp_path).alive()


@pytest.fixture
def external(tmp_path):
    """A server reached by TCP, whose administrator is no superuser."""
    server = EmbeddedServer(tmp_path, int(os.environ.get("TOKENHOUSE_TEST_POSTGRES", "16")), tcp=True, settings=UNSAFE)
    server.start()
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("create role boss login createrole password 'secret'")
        connection.execute("create database shop owner boss")
    yield server
    server.release()


def test_an_external_server(external, tmp_path):
    port = psycopg.conninfo.conninfo_to_dict(external.conninfo("shop"))["port"]
    url = f"postgresql://boss:secret@127.0.0.1:{port}/shop?application_name=x"
    first = prepare_blocking(tmp_path / "unused", url, 2)
    second = prepare_blocking(tmp_path / "unused", url, 2)
    assert first == second
    assert first.server is None
    assert not (tmp_path / "unused").exists()
    for conninfo in (first.app_conninfo, first.worker_conninfo):
        with psycopg.connect(conninfo) as connection:
            assert connection.execute("select access.scope()").fetchone() == (None,)
    assert "secret" not in first.app_conninfo
    with psycopg.connect(external.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("alter role th_worker password 'forgotten'")
    prepare_blocking(tmp_path / "unused", url, 2)
    psycopg.connect(first.worker_conninfo).close()
    with psycopg.connect(external.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("alter role th_app superuser")
    with pytest.raises(StartError, match="alter role th_app nosuperuser"):
        prepare_blocking(tmp_path / "unused", url, 2)


def test_administrators_who_cannot_are_told(external, tmp_path):
    port = psycopg.conninfo.conninfo_to_dict(external.conninfo("shop"))["port"]
    with psycopg.connect(external.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("create role clerk login password 'secret'")
    with pytest.raises(StartError, match="CREATEROLE"):
        prepare_blocking(tmp_path, f"postgresql://clerk:secret@127.0.0.1:{port}/shop", 1)
    with pytest.raises(StartError, match="no password"):
        prepare_blocking(tmp_path, f"postgresql://boss@127.0.0.1:{port}/shop", 1)
    with pytest.raises(StartError, match="cannot be reached"):
        prepare_blocking(tmp_path, f"postgresql://boss:wrong@127.0.0.1:{port}/shop", 1)


def test_several_first_starts_at_once(other):
    ready = []
    threads = [
        threading.Thread(target=lambda name=name: ready.append(prepare_embedded(other, 1, name)))
        for name in ("twin_a", "twin_a", "twin_b", "twin_b")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ready) == 4
    assert len({each.key for each in ready}) == 2


def test_passwords_differ_by_role_and_secret():
    made = {boot.role_password(secret, role) for secret in ("a", "b") for role in ("th_app", "th_worker")}
    assert len(made) == 4
    assert MIGRATIONS.is_dir()
