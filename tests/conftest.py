"""A real PostgreSQL for every test that asks for one: a server a worker process, a fresh database a test.

TOKENHOUSE_TEST_POSTGRES chooses 18 (default, by Unix socket) or 16 (by TCP with a password, standing for an
external server); TOKENHOUSE_TEST_BUCKETS the number of buckets (default 1).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import pytest_asyncio
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tokenhouse.infra.database.boot import Booted, grant_database, prepare_embedded
from tokenhouse.infra.database.embedded import EmbeddedServer
from tokenhouse.infra.database.pool import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

VERSION = int(os.environ.get("TOKENHOUSE_TEST_POSTGRES", "18"))
BUCKETS = int(os.environ.get("TOKENHOUSE_TEST_BUCKETS", "1"))
_TEMPLATE = "tokenhouse_template"
_SMALL = {"shared_buffers": "64MB", "min_wal_size": "80MB", "max_wal_size": "512MB"}


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedServer]:
    """The test session's own server."""
    folder = Path(tempfile.mkdtemp(prefix="th-test-"))
    server = EmbeddedServer(folder, VERSION, tcp=VERSION != 18, settings=_SMALL)
    try:
        server.start()
        yield server
    finally:
        server.release()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template(postgres: EmbeddedServer) -> Booted:
    """A migrated database that each test's own is copied from."""
    return prepare_embedded(postgres, BUCKETS, _TEMPLATE)


@pytest.fixture
def booted(postgres: EmbeddedServer, template: Booted) -> Iterator[Booted]:
    """A fresh migrated database, dropped after the test."""
    name = f"t_{uuid.uuid4().hex[:16]}"
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(_TEMPLATE))
        )
    try:
        with psycopg.connect(postgres.conninfo(name), autocommit=True) as connection:
            grant_database(connection)  # a copy does not inherit the database's own grants
        yield replace(
            template,
            app_conninfo=make_conninfo(template.app_conninfo, dbname=name),
            worker_conninfo=make_conninfo(template.worker_conninfo, dbname=name),
        )
    finally:
        with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def admin(postgres: EmbeddedServer, booted: Booted) -> Iterator[psycopg.Connection]:
    """The superuser on the test's database, in autocommit: for setting up and looking, never for serving."""
    name = psycopg.conninfo.conninfo_to_dict(booted.app_conninfo)["dbname"]
    with psycopg.connect(postgres.conninfo(str(name)), autocommit=True) as connection:
        yield connection


@pytest_asyncio.fixture
async def db(booted: Booted) -> AsyncIterator[Database]:
    """The service's pool (th_app)."""
    async with Database(booted.app_conninfo, booted.signer) as database:
        yield database


@pytest_asyncio.fixture
async def worker_db(booted: Booted) -> AsyncIterator[Database]:
    """The jobs' and the command line's pool (th_worker)."""
    async with Database(booted.worker_conninfo, booted.signer) as database:
        yield database
