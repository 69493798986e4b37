"""Real processes under attack, and the secrets that no answer and no log line may hold.

TOKENHOUSE_TEST_FUZZ_SECONDS is how long each of the attacks goes on; `make soak` gives them more.
"""

import os
import secrets
import shutil
import tempfile
from pathlib import Path

import pytest

from service import Service, make_data


@pytest.fixture(scope="session")
def fresh_data():
    """A data folder with a migrated database, stopped; copied for each service."""
    folder = Path(tempfile.mkdtemp(prefix="th-hard-"))
    make_data(folder / "made")
    yield folder / "made"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def service(fresh_data):
    """A service that is not started yet; ended with its PostgreSQL after the test."""
    folder = Path(tempfile.mkdtemp(prefix="th-hard-"))
    service = Service(fresh_data, folder)
    try:
        yield service
    finally:
        service.end()
        shutil.rmtree(folder, ignore_errors=True)


SECONDS = float(os.environ.get("TOKENHOUSE_TEST_FUZZ_SECONDS", "12"))


class Target:
    """A service with two workers, an account with a key, and canaries: secrets by name."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.seconds = SECONDS
        password = f"Correct-Horse-{secrets.token_hex(8)}"
        service.more = {"TOKENHOUSE_DEMO_PASSWORD": password, "TOKENHOUSE_LOG_LEVEL": "debug"}
        service.start("serve", "--workers", "2")
        for name, kind in (("u-42", "user"), ("org-1", "organization")):
            assert service.call("POST", "/v1/accounts", {"id": name, "kind": kind, "name": name})[0] == 201
        made = service.call("POST", "/v1/accounts/u-42/api-keys", {"name": "canary"})[1]
        self.key = made["key"]
        self.secrets = {
            "admin key": service.admin_key.encode(),
            "API key": self.key.encode(),
            "password": password.encode(),
            "database's password": (service.data / "postgres.secret").read_bytes().strip(),
        }
        assert all(len(secret) > 16 for secret in self.secrets.values())

    def check_log(self) -> None:
        """Assert that the log holds no secret and no error that nobody foresaw, and that it was written."""
        said = self.service.log.read_bytes()
        assert b'"event": "request"' in said
        assert [name for name, secret in self.secrets.items() if secret in said] == []
        for word in (b"Traceback", b"request failed"):
            assert word not in said, said[said.index(word) - 300 :][:2000].decode(errors="replace")


@pytest.fixture(scope="module")
def target(fresh_data):
    folder = Path(tempfile.mkdtemp(prefix="th-hard-"))
    service = Service(fresh_data, folder)
    try:
        yield Target(service)
    finally:
        service.end()
        shutil.rmtree(folder, ignore_errors=True)
