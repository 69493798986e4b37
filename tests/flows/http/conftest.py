"""The HTTP face on a real database, served from this process: one for all of its tests."""

import shutil
import uuid
from dataclasses import replace

import httpx2
import psycopg
import pytest
import pytest_asyncio
from playwright.async_api import async_playwright
from psycopg import sql
from psycopg.conninfo import make_conninfo

from http_face import Client, Description, serving
from person import RIGHT, Person
from tokenhouse.domain import access
from tokenhouse.domain.access import Passwords
from tokenhouse.infra.database import PLATFORM, Database
from tokenhouse.infra.database.boot import grant_database


@pytest.fixture(scope="session")
def shared_database(postgres, template):
    """One database for all tests over HTTP: each makes accounts of its own."""
    name = f"t_http_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        copied = sql.SQL("create database {} template tokenhouse_template").format(sql.Identifier(name))
        connection.execute(copied)
    with psycopg.connect(postgres.conninfo(name), autocommit=True) as connection:
        grant_database(connection)
    return replace(
        template,
        app_conninfo=make_conninfo(template.app_conninfo, dbname=name),
        worker_conninfo=make_conninfo(template.worker_conninfo, dbname=name),
        server=None,  # the session's own, which a service must not stop
    )


@pytest_asyncio.fixture(scope="session")
async def face(shared_database):
    """The address of a service that serves from this process."""
    async with serving(shared_database) as base:
        yield base


@pytest_asyncio.fixture(scope="session")
async def client(face):
    """The platform's client; `client.by(key)` and `await client.key_of(account)` are others."""
    async with httpx2.AsyncClient(base_url=face, timeout=30) as http:
        description = Description((await http.get("/openapi.json")).json())
        yield Client(http, description)


@pytest_asyncio.fixture(scope="module")
async def browser():
    """Debian's Chromium."""
    found = shutil.which("chromium")
    assert found, "the page tests need the command chromium (`make chromium`)"
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield started
        await started.close()


@pytest.fixture
def superuser(shared_database, postgres):
    """The superuser on the database of these tests: for making time pass and for looking."""
    name = psycopg.conninfo.conninfo_to_dict(shared_database.app_conninfo)["dbname"]
    with psycopg.connect(postgres.conninfo(str(name)), autocommit=True) as connection:
        yield connection


@pytest_asyncio.fixture(scope="module")
async def own(shared_database):
    """The verbs, beside the service."""
    async with Database(shared_database.app_conninfo, shared_database.signer) as database:
        yield database


@pytest_asyncio.fixture
async def someone(client, own):
    """Makes people who can sign in, as it is done from the command line."""
    made = []
    hashed = await Passwords().hash(RIGHT)

    async def make(role=None, *, verified=True):
        account = await client.account("p", credits_left=100)
        email = f"{uuid.uuid4().hex[:12]}@example.com"
        async with own.transaction(PLATFORM) as tx:
            found = await access.find_account(tx, account)
            await access.add_credential(tx, found, email, hashed, verified=verified)
            if role is not None:
                await access.set_platform_role(tx, found.id, role)
        person = Person(client, account, email)
        made.append(person)
        return person

    yield make
    for person in made:
        await person.http.aclose()
