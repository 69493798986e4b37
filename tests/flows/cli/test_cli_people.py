"""Who signs in, from the command line: the first admin, a forgotten password, and the demo's four."""

import asyncio
import http.client
import json
import re
import signal
from pathlib import Path
from urllib.parse import urlencode

import pytest

from service import until
from tokenhouse.domain.access import Passwords
from tokenhouse.entrypoints.cli.demo import days
from tokenhouse.infra.kernel.errors import Conflict, NotFound, ValidationFailed

SHIPPED = Path(__file__).parents[3] / "src/tokenhouse/domain/catalog/catalog.toml"
RIGHT = "correct horse battery"
DEMO = {"demo-admin": "admin", "demo-creator": None, "demo-user": None, "demo-new": None}


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(days, "DAYS", 1)


def people(admin):
    """The account's id → (e-mail, hash, verified, platform role)."""
    rows = admin.execute(
        "select i.external_id, c.email, c.hash, c.verified_at is not null, c.platform_role "
        "from access.credential c join access.identity i using (account_id)"
    )
    return {name: tuple(more) for name, *more in rows}


def fits(hashed, password):
    return asyncio.run(Passwords().fits(hashed, password))


def test_the_first_admin(cli, admin):
    cli("catalog", "apply", str(SHIPPED))
    cli("accounts", "create", "ada", "--email", "Ada@Example.com")
    assert isinstance(cli("accounts", "set-role", "ada", "admin", status=1), NotFound)
    cli("accounts", "set-password", "ada", stdin=f"{RIGHT}\n")
    cli("accounts", "set-role", "ada", "admin")
    email, hashed, verified, role = people(admin)["ada"]
    assert (email, verified, role) == ("ada@example.com", True, "admin")
    assert fits(hashed, RIGHT)
    done = cli("accounts", "set-password", "ada", stdin="another horse battery\n")
    assert fits(people(admin)["ada"][1], "another horse battery")
    assert "horse" not in done.stdout + done.stderr
    cli("accounts", "set-role", "ada", "none")
    assert people(admin)["ada"][3] is None
    cli("accounts", "disable", "ada")
    shut = "select disabled_at is not null from access.credential"
    assert admin.execute(shut).fetchone() == (True,)
    cli("accounts", "disable", "ada", "--undo")
    assert admin.execute(shut).fetchone() == (False,)


def test_what_cannot_be(cli, admin):
    cli("catalog", "apply", str(SHIPPED))
    cli("accounts", "create", "ada", "--email", "ada@example.com")
    cli("accounts", "create", "bob")
    cli("accounts", "create", "birch", "--kind", "organization", "--email", "birch@example.com")
    cli("accounts", "set-password", "ada", stdin=f"{RIGHT}\n")
    for arguments, password, refused in (
        (("nobody",), RIGHT, NotFound),
        (("bob",), RIGHT, ValidationFailed),  # no e-mail to sign in by
        (("bob", "--email", "ADA@example.com"), RIGHT, Conflict),
        (("birch",), RIGHT, ValidationFailed),
        (("bob", "--email", "bob@example.com"), "short", ValidationFailed),
        (("bob", "--email", "bob@example.com"), "bob@example.com", ValidationFailed),
        (("ada", "--email", "other@example.com"), RIGHT, ValidationFailed),
        (("bob", "--email", "bob@example.com"), "", ValidationFailed),
    ):
        error = cli("accounts", "set-password", *arguments, stdin=f"{password}\n", status=1)
        assert isinstance(error, refused), arguments
    assert people(admin).keys() == {"ada"}
    cli("accounts", "set-role", "ada", "king", status=2)


def test_the_demos_four_sign_in(cli, admin, monkeypatch, short):
    told = cli("demo", "--end-day", "2026-03-31").stderr
    (password,) = re.findall(r"^  (\S+)$", told, re.MULTILINE)
    made = people(admin)
    assert {name: role for name, (_, _, _, role) in made.items()} == DEMO
    assert all(email == f"{name.removeprefix('demo-')}@example.com" for name, (email, *_) in made.items())
    assert all(verified and fits(hashed, password) for _, hashed, verified, _ in made.values())
    # Again: nothing is told, and whoever chose another password keeps it.
    cli("accounts", "set-password", "demo-user", stdin=f"{RIGHT}\n")
    kept = people(admin)
    again = cli("demo", "--end-day", "2026-03-31").stderr
    assert "shown once" not in again
    assert people(admin) == kept
    # The password of the settings becomes everybody's, however short, and is told to nobody.
    monkeypatch.setenv("TOKENHOUSE_DEMO_PASSWORD", "s3cret")
    again = cli("demo", "--end-day", "2026-03-31").stderr
    assert "s3cret" not in again
    set_anew = people(admin)
    assert all(fits(hashed, "s3cret") for _, hashed, _, _ in set_anew.values())
    cli("demo", "--end-day", "2026-03-31")
    assert people(admin) == set_anew  # and sessions live on


def test_up_tells_the_password_and_one_signs_in(service):
    service.start("up")
    until(lambda: "shown once" in service.said(), 60, service.said)
    until(lambda: re.search(r"^  (\S{16})$", service.said(), re.MULTILINE), 10, service.said)
    password = re.search(r"^  (\S{16})$", service.said(), re.MULTILINE)[1]
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    form = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"http://127.0.0.1:{service.port}"}
    connection.request("POST", "/login", urlencode({"email": "admin@example.com", "password": password}), form)
    answer = connection.getresponse()
    answer.read()
    assert (answer.status, answer.getheader("location")) == (303, "/")
    cookie = answer.getheader("set-cookie").partition(";")[0]
    connection.request("GET", "/v1/accounts/demo-user/wallets", headers={"Cookie": cookie})
    answer = connection.getresponse()
    assert (answer.status, bool(json.loads(answer.read()))) == (200, True)
    connection.close()
    service.signal(signal.SIGTERM, group=True)
    assert service.process.wait(25) == 0, service.said()
