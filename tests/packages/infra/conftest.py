"""A session on the test server's own database, for what needs no schema."""

import psycopg
import pytest


@pytest.fixture(scope="module")
def postgres_session(postgres):
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as connection:
        yield connection
