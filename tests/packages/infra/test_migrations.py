"""Migrations: each file once and whole, post-apply files when they change, no step backwards."""

import threading
import uuid

import psycopg
import pytest

from tokenhouse.infra.database.migrate import Migrated, SchemaTooNewError, migrate
from tokenhouse.infra.database.process import StartError

FIRST = """-- A comment; with a semicolon.
create schema shop;
create table shop.item (id int primary key, name text not null);
create function shop.twice(n int) returns int language plpgsql as $$
begin
  -- a body with ; and 'quotes' and $1
  return n * 2;
end
$$;
insert into shop.item values (1, 'semi;colon $$ and 100%');
"""
SECOND = "create view shop.named as select name from shop.item;\n"
AFTER = "create or replace function shop.version() returns int language sql return 1;\n"


@pytest.fixture
def connect(postgres, template):
    """A maker of th_owner's connections to an empty database."""
    name = f"m_{uuid.uuid4().hex[:16]}"
    opened = []
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f"create database {name} owner th_owner")

        def make():
            connection = psycopg.connect(postgres.conninfo(name), autocommit=True)
            opened.append(connection)
            connection.execute("set role th_owner")
            return connection

        yield make
        for connection in opened:
            connection.close()
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "0001_shop.sql").write_text(FIRST)
    (tmp_path / "0002_shop.sql").write_text(SECOND)
    (tmp_path / "post-apply.10_shop.sql").write_text(AFTER)
    return tmp_path


def scalar(connection, text):
    return connection.execute(text).fetchone()[0]


def test_every_file_runs_once(connect, folder):
    connection = connect()
    assert migrate(connection, folder) == Migrated(("0001_shop", "0002_shop"), post_applied=True)
    assert migrate(connection, folder) == Migrated((), post_applied=False)
    assert scalar(connection, "select name from shop.named") == "semi;colon $$ and 100%"
    assert scalar(connection, "select shop.twice(4)") == 8
    assert scalar(connection, "select tableowner from pg_tables where tablename = 'item'") == "th_owner"
    assert scalar(connection, "select count(*) from pg_class where relnamespace = 'public'::regnamespace") == 0
    assert scalar(connection, "show search_path") == '"$user", public'


def test_changed_post_apply_files_run_again(connect, folder):
    connection = connect()
    migrate(connection, folder)
    (folder / "post-apply.10_shop.sql").write_text(AFTER.replace("return 1", "return 2"))
    assert migrate(connection, folder) == Migrated((), post_applied=True)
    assert scalar(connection, "select shop.version()") == 2
    (folder / "post-apply.20_shop.sql").write_text(AFTER.replace("return 1", "return 3"))
    assert migrate(connection, folder).post_applied
    assert scalar(connection, "select shop.version()") == 3
    (folder / "0003_shop.sql").write_text("drop function shop.version();\n")
    assert migrate(connection, folder) == Migrated(("0003_shop",), post_applied=True)
    assert scalar(connection, "select shop.version()") == 3


def test_a_newer_schema_is_refused(connect, folder):
    connection = connect()
    migrate(connection, folder)
    (folder / "0002_shop.sql").unlink()
    with pytest.raises(SchemaTooNewError, match="0002_shop"):
        migrate(connection, folder)


def test_a_failing_file_leaves_nothing_and_is_named(connect, folder):
    connection = connect()
    (folder / "0002_shop.sql").write_text("create table shop.half (id int);\n\nselect * from shop.absent;\n")
    with pytest.raises(StartError, match=r"0002_shop\.sql, line 3: .*shop\.absent"):
        migrate(connection, folder)
    assert scalar(connection, "select to_regclass('shop.half')") is None
    assert scalar(connection, "select to_regclass('shop.item')") is not None
    (folder / "0002_shop.sql").write_text(SECOND)
    assert migrate(connection, folder).applied == ("0002_shop",)


def test_a_failing_post_apply_file_is_tried_again(connect, folder):
    connection = connect()
    (folder / "post-apply.20_shop.sql").write_text("select 1/0;\n")
    with pytest.raises(StartError, match=r"post-apply\.20_shop"):
        migrate(connection, folder)
    assert scalar(connection, "select to_regproc('shop.version')") is None
    (folder / "post-apply.20_shop.sql").unlink()
    assert migrate(connection, folder) == Migrated((), post_applied=True)


def test_names_without_a_schema_are_refused(connect, folder):
    (folder / "0003_shop.sql").write_text("create table stray (id int);\n")
    with pytest.raises(StartError, match="0003_shop"):
        migrate(connect(), folder)


def test_a_file_waits_for_those_it_depends_on(connect, folder):
    (folder / "0000_early.sql").write_text("-- depends: 0002_shop\ncreate view shop.late as table shop.named;\n")
    connection = connect()
    migrate(connection, folder)
    assert scalar(connection, "select count(*) from shop.late") == 1


def test_several_starts_at_once(connect, folder):
    done, connections = [], [connect() for _ in range(4)]
    threads = [
        threading.Thread(target=lambda c=connection: done.append(migrate(c, folder))) for connection in connections
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(len(each.applied) for each in done) == [0, 0, 0, 2]
    assert [each.post_applied for each in done].count(True) == 1


def test_the_real_schema_is_owned_by_th_owner(admin):
    strays = admin.execute(
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname !~ '^(pg_|information_schema)' and c.relowner <> 'th_owner'::regrole"
    ).fetchall()
    assert not strays


def test_doors_of_an_earlier_version_are_taken_down(connect):
    connection = connect()
    migrate(connection)
    connection.execute("create function ledger.post(x integer) returns integer language sql return x")
    kept = scalar(connection, "select count(*) from pg_proc where pronamespace = 'ledger'::regnamespace")
    connection.execute("update infra.post_apply set digest = 'earlier'")
    assert migrate(connection).post_applied
    now = scalar(connection, "select count(*) from pg_proc where pronamespace = 'ledger'::regnamespace")
    assert now == kept - 1
    assert scalar(connection, "select to_regprocedure('ledger.post(integer)') is null")
    assert scalar(connection, "select to_regprocedure('market.raise_version()') is not null")  # made by a migration
