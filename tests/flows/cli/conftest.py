"""Real processes on data of their own, and commands on a test's database."""

import json
import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from typer.testing import CliRunner

from service import COMMAND, Service, environment, make_data
from tokenhouse.entrypoints.cli.app import app
from tokenhouse.entrypoints.cli.output import explain
from tokenhouse.infra.database.boot import grant_database


@pytest.fixture(scope="session")
def made_data():
    """A data folder with a migrated database, stopped; copied for each test."""
    folder = Path(tempfile.mkdtemp(prefix="th-flows-"))
    make_data(folder / "made")
    yield folder / "made"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def service(made_data):
    """A service that is not started yet; ended with its PostgreSQL after the test."""
    folder = Path(tempfile.mkdtemp(prefix="th-flow-"))
    service = Service(made_data, folder)
    try:
        yield service
    finally:
        service.end()
        shutil.rmtree(folder, ignore_errors=True)


class Cli:
    """Runs commands on the test's database: here, or as a process of their own."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder
        self.env = {"TOKENHOUSE_DATABASE_URL": url, "TOKENHOUSE_DATA_DIR": str(folder / "data")}

    def __call__(self, *arguments: str, status: int = 0, stdin: str | None = None):
        done = CliRunner().invoke(app, [*arguments], input=stdin)
        error = done.exception
        if error is not None and not isinstance(error, SystemExit):
            # As `run` does: an expected failure is words and 1.
            assert isinstance(error, Exception)
            assert explain(error), error
            assert status == 1, error
            return error
        assert done.exit_code == status, (done.stdout, done.stderr)
        return done

    def json(self, *arguments: str, status: int = 0):
        return json.loads(self(*arguments, "--json", status=status).stdout)

    def process(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments],
            env=environment(**self.env),
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def cli(postgres, booted, tmp_path, monkeypatch):
    """Commands on the test's database, as an external one."""
    for name in os.environ:
        if name.startswith("TOKENHOUSE_"):
            monkeypatch.delenv(name)
    cli = Cli(postgres.conninfo(str(conninfo_to_dict(booted.app_conninfo)["dbname"])), tmp_path)
    for name, value in cli.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return cli


@pytest.fixture
def other_database(postgres, template):
    """A second database beside the test's own: the superuser's connection string."""
    name = f"t_{uuid.uuid4().hex[:16]}"
    base = str(conninfo_to_dict(template.app_conninfo)["dbname"])
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(base)))
        with psycopg.connect(postgres.conninfo(name), autocommit=True) as own:
            grant_database(own)
        yield postgres.conninfo(name)
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
