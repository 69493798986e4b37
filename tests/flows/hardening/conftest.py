"""Real processes under attack: a service with workers on data of its own, made once for all of these tests."""

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
