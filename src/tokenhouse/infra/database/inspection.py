"""What a database is like, for those who ask before they trust it. Nothing is changed."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from tokenhouse.infra.database.boot import APP, OWNER, WORKER
from tokenhouse.infra.database.embedded import EmbeddedServer
from tokenhouse.infra.database.migrate import MIGRATIONS, Schema, schema_of
from tokenhouse.infra.database.process import StartError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")


@dataclass(frozen=True, slots=True)
class RoleFacts:
    """A login role: what it may do beyond its part, in words; empty where all is well."""

    name: str
    powers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """A database as it is. ``roles`` leaves out those that are not made yet."""

    version: int
    version_text: str
    durability: dict[str, str]
    checksums: bool
    max_connections: int
    encrypted_transport: bool | None
    roles: tuple[RoleFacts, ...]
    skew_seconds: float
    schema: Schema


def examine(data_dir: Path, database_url: str | None, database: str = "tokenhouse") -> DatabaseFacts | None:
    """Look at the database as its administrator; None where it was not made yet.

    The embedded server is started for as long as it takes. Raises StartError where nothing can be reached.
    """
    with _administering(data_dir, database_url, database) as connection:
        return None if connection is None else _facts(connection)


@contextmanager
def _administering(data_dir: Path, database_url: str | None, database: str) -> Iterator[psycopg.Connection[Any] | None]:
    if database_url is not None:
        with _connect(database_url) as connection:
            yield connection
        return
    server = EmbeddedServer(data_dir)
    if not (server.folder / "PG_VERSION").exists():
        yield None
        return
    server.start()
    try:
        with _connect(server.conninfo("postgres")) as connection:
            row = connection.execute("select from pg_database where datname = %s", [database]).fetchone()
        if row is None:
            yield None
            return
        with _connect(server.conninfo(database)) as connection:
            yield connection
    finally:
        server.release()


def _connect(conninfo: str) -> psycopg.Connection[Any]:
    try:
        return psycopg.connect(conninfo, autocommit=True, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise StartError(f"The database cannot be reached: {str(error).strip()}") from error


def _facts(connection: psycopg.Connection[Any]) -> DatabaseFacts:
    settings = dict(
        connection.execute(
            "select name, setting from pg_settings where name = any(%s)",
            [[*DURABILITY, "server_version", "data_checksums", "max_connections"]],
        ).fetchall()
    )
    before = time.time()
    (clock,) = connection.execute("select extract(epoch from clock_timestamp())::float8").fetchone() or (0.0,)
    skew = clock - (before + time.time()) / 2
    over_network = bool(connection.info.hostaddr) and not connection.info.hostaddr.startswith("127.")
    return DatabaseFacts(
        version=connection.info.server_version // 10_000,
        version_text=settings.pop("server_version"),
        checksums=settings.pop("data_checksums") == "on",
        max_connections=int(settings.pop("max_connections")),
        durability=settings,
        encrypted_transport=connection.pgconn.ssl_in_use if over_network else None,
        roles=tuple(_roles(connection)),
        skew_seconds=skew,
        schema=schema_of(connection, MIGRATIONS),
    )


def _roles(connection: psycopg.Connection[Any]) -> Iterator[RoleFacts]:
    rows = connection.execute(
        "select r.rolname, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolcreatedb, r.rolreplication,"
        " r.rolname <> %s and coalesce(pg_has_role(r.oid, o.oid, 'member'), false)"
        " from pg_roles r left join pg_roles o on o.rolname = %s"
        " where r.rolname = any(%s) order by r.rolname",
        [OWNER, OWNER, [OWNER, APP, WORKER]],
    )
    words = ("superuser", "bypassrls", "createrole", "createdb", "replication", f"member of {OWNER}")
    for name, *powers in rows:
        yield RoleFacts(name, tuple(word for word, has in zip(words, powers, strict=True) if has))
