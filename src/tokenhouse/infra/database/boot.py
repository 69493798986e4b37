"""From nothing to a database ready to serve: server, database, roles, schema, keys.

Only this module and the migrations use the administrator's connection. The service connects as th_app,
jobs and the command line as th_worker; neither can write a balance or read the key of the tenant tokens.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tokenhouse.infra.database.embedded import EmbeddedServer
from tokenhouse.infra.database.migrate import MIGRATIONS, migrate
from tokenhouse.infra.database.process import StartError
from tokenhouse.infra.database.token import KEY_BYTES, Signer, pads

if TYPE_CHECKING:
    from pathlib import Path

OWNER, APP, WORKER = "th_owner", "th_app", "th_worker"
OLDEST_VERSION = 16
_ROLES_LOCK = 7_205_759_403_792_793


@dataclass(frozen=True, slots=True)
class Booted:
    """A database that is ready: how to connect, the key of its tokens, its number of buckets.

    ``server`` is the embedded server, which the caller releases at the end; None for an external one.
    """

    app_conninfo: str = field(repr=False)
    worker_conninfo: str = field(repr=False)
    key: bytes = field(repr=False)
    buckets: int
    server: EmbeddedServer | None = None

    @property
    def signer(self) -> Signer:
        """A signer with the database's key."""
        return Signer(self.key)


async def prepare(
    data_dir: Path,
    database_url: str | None,
    buckets: int,
    database: str = "tokenhouse",
    version: int = 18,
) -> Booted:
    """Start the embedded server, or use ``database_url`` (an administrator's), and make it ready.

    The administrator is a superuser, or may create roles and owns the database. ``buckets`` counts at the
    very first start only; the database's own number is returned. Raises StartError with what to do.
    """
    return await asyncio.to_thread(prepare_blocking, data_dir, database_url, buckets, database, version)


def prepare_blocking(
    data_dir: Path,
    database_url: str | None,
    buckets: int,
    database: str = "tokenhouse",
    version: int = 18,
    *,
    migrations: Path = MIGRATIONS,
) -> Booted:
    """Do what ``prepare`` says, for callers without an event loop."""
    if database_url is not None:
        return _prepare(database_url, _external_secret(database_url), buckets, migrations, None)
    server = EmbeddedServer(data_dir, version)
    server.start()
    try:
        return prepare_embedded(server, buckets, database, migrations=migrations)
    except BaseException:
        server.release()
        raise


def prepare_embedded(
    server: EmbeddedServer, buckets: int, database: str = "tokenhouse", *, migrations: Path = MIGRATIONS
) -> Booted:
    """Make ``database`` ready on a running embedded server, creating it if it is absent."""
    admin = server.conninfo(database)
    try:
        psycopg.connect(admin).close()
    except psycopg.OperationalError as error:
        if "does not exist" not in str(error):
            raise _unreachable(error) from error
        _create_database(server.conninfo("postgres"), database)
    return _prepare(admin, server.secret(), buckets, migrations, server)


def _create_database(admin: str, database: str) -> None:
    with psycopg.connect(admin, autocommit=True) as connection:
        try:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(database)))
        except (errors.DuplicateDatabase, errors.UniqueViolation):
            return  # another process made it meanwhile


def role_password(secret: str, role: str) -> str:
    """Derive a login role's password from the administrator's, so that nothing more must be stored."""
    return hmac.new(secret.encode(), f"tokenhouse role {role}".encode(), hashlib.sha256).hexdigest()


def grant_database(connection: psycopg.Connection[Any]) -> None:
    """Take the default rights on the connection's database away and give our roles theirs."""
    connection.execute(
        sql.SQL(
            "revoke all on database {db} from public; grant connect on database {db} to {app}, {worker};"
            "grant connect, create on database {db} to {owner};"
            "revoke all on schema public from public; grant usage on schema public to {app}, {worker};"
            "grant usage, create on schema public to {owner}"
        ).format(
            db=sql.Identifier(connection.info.dbname),
            app=sql.Identifier(APP),
            worker=sql.Identifier(WORKER),
            owner=sql.Identifier(OWNER),
        )
    )


async def check_serving(connection: psycopg.AsyncConnection[Any]) -> None:
    """Refuse to serve where row-level security or durability would be void. Raises StartError."""
    cursor = await connection.execute(_SERVING)
    row = await cursor.fetchone()
    if row is None:  # pragma: no cover - the query has always one row
        raise AssertionError
    role, superuser, bypass, member, owns, fsync, commit, pages = row
    refusals = [
        (superuser, f"role {role} is a superuser, whom row-level security does not bind; serve as {APP}"),
        (bypass, f"role {role} has BYPASSRLS; run: alter role {role} nobypassrls"),
        (member, f"role {role} is or may become {OWNER}; run: revoke {OWNER} from {role}"),
        (owns, f"role {role} owns tables of Tokenhouse; give them to {OWNER}"),
        (not fsync, "fsync is off, so a power cut loses acknowledged charges; set fsync = on"),
        (commit == "off", "synchronous_commit is off, so a crash loses acknowledged charges; set it to on"),
        (not pages, "full_page_writes is off, so a power cut corrupts pages; set full_page_writes = on"),
    ]
    found = [text for wrong, text in refusals if wrong]
    if found:
        raise StartError("Tokenhouse does not serve from this database: " + "; ".join(found) + ".")


_SERVING = """
select current_user::text, r.rolsuper, r.rolbypassrls,
       coalesce(pg_has_role(current_user, o.oid, 'member'), false),
       exists (select from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where c.relowner = r.oid and n.nspowner = o.oid and c.relkind in ('r', 'p', 'v', 'm', 'f')),
       current_setting('fsync')::bool, current_setting('synchronous_commit'),
       current_setting('full_page_writes')::bool
from pg_roles r left join pg_roles o on o.rolname = 'th_owner'
where r.rolname = current_user
"""


def _external_secret(url: str) -> str:
    password = conninfo_to_dict(url).get("password") or os.environ.get("PGPASSWORD")
    if not password:
        raise StartError(
            "TOKENHOUSE_DATABASE_URL has no password. The passwords of the service's roles are derived from "
            "it: use an administrator's URL with a password, postgresql://admin:password@host/database."
        )
    return str(password)


def _prepare(admin: str, secret: str, buckets: int, migrations: Path, server: EmbeddedServer | None) -> Booted:
    try:
        connection = psycopg.connect(admin, autocommit=True, options="-c TimeZone=UTC", connect_timeout=10)
    except psycopg.OperationalError as error:
        raise _unreachable(error) from error
    with connection:
        if connection.info.server_version < OLDEST_VERSION * 10_000:
            raise StartError(
                f"The server is PostgreSQL {connection.info.server_version // 10_000}; "
                f"Tokenhouse needs {OLDEST_VERSION} or later."
            )
        try:
            connection.execute("select pg_advisory_lock(%s)", [_ROLES_LOCK])
            _roles_despite_twins(connection, admin, secret)
            grant_database(connection)
            connection.execute(sql.SQL("set role {}").format(sql.Identifier(OWNER)))
            connection.execute("alter default privileges revoke execute on functions from public")
            migrate(connection, migrations)
            key = _key(connection)
            stored = _buckets(connection, buckets)
        except errors.InsufficientPrivilege as error:
            raise StartError(
                f"The administrator of TOKENHOUSE_DATABASE_URL lacks a right ({error.diag.message_primary}). "
                "It must be a superuser, or have CREATEROLE and own the database."
            ) from error
    return Booted(_login(admin, secret, APP), _login(admin, secret, WORKER), key, stored, server)


def _roles_despite_twins(connection: psycopg.Connection[Any], admin: str, secret: str) -> None:
    """Roles belong to the whole server: the start of another of its databases may write the same ones."""
    for tries_left in reversed(range(20)):
        try:
            _roles(connection, admin, secret)
        except errors.InternalError_ as error:
            if "concurrently updated" not in str(error) or not tries_left:
                raise
            time.sleep(0.05)
        else:
            return


def _roles(connection: psycopg.Connection[Any], admin: str, secret: str) -> None:
    """Make the three roles, or check that those present are harmless and know their passwords."""
    found = {
        row[0]: row[1]
        for row in connection.execute(
            "select rolname, rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication "
            "from pg_roles where rolname = any(%s)",
            [[OWNER, APP, WORKER]],
        )
    }
    if strong := [name for name, powerful in found.items() if powerful]:
        raise StartError(
            f"Role {', '.join(strong)} has more rights than Tokenhouse's roles may have. Run: alter role "
            f"{strong[0]} nosuperuser nobypassrls nocreaterole nocreatedb noreplication"
        )
    plain = "nosuperuser nobypassrls nocreaterole nocreatedb noreplication noinherit"
    for role in (OWNER, APP, WORKER):
        if role not in found:
            login = "nologin" if role == OWNER else "login"
            _tolerating_twins(connection, sql.SQL(f"create role {{}} {plain} {login}").format(sql.Identifier(role)))
        if role != OWNER and not (role in found and _can_login(_login(admin, secret, role))):
            verifier = connection.pgconn.encrypt_password(
                role_password(secret, role).encode(), role.encode(), b"scram-sha-256"
            )
            connection.execute(
                sql.SQL("alter role {} login password {}").format(sql.Identifier(role), sql.Literal(verifier.decode()))
            )
    row = connection.execute("select pg_has_role(current_user, %s, 'set')", [OWNER]).fetchone()
    if row is not None and not row[0]:
        connection.execute(
            sql.SQL("grant {} to current_user with inherit false, set true").format(sql.Identifier(OWNER))
        )


def _tolerating_twins(connection: psycopg.Connection[Any], statement: sql.Composed) -> None:
    """Run ``create role`` unless another database's start makes the same one at this moment."""
    try:
        connection.execute(statement)
    except (errors.DuplicateObject, errors.UniqueViolation):
        return


def _can_login(conninfo: str) -> bool:
    """Tell whether the password is right; a role that may not connect here yet still proves it."""
    try:
        psycopg.connect(conninfo, connect_timeout=10).close()
    except psycopg.OperationalError as error:
        return "permission denied for database" in str(error)
    return True


def _login(admin: str, secret: str, role: str) -> str:
    return make_conninfo(admin, user=role, password=role_password(secret, role))


def _key(connection: psycopg.Connection[Any]) -> bytes:
    """Return the key of the tenant tokens; make it at the first start."""
    with connection.transaction():
        connection.execute("lock table access.secret in exclusive mode")
        row = connection.execute("select key from access.secret").fetchone()
        if row is not None:
            return bytes(row[0])
        key = os.urandom(KEY_BYTES)
        inner, outer = pads(key)
        connection.execute("insert into access.secret (ik, ok, key) values (%s, %s, %s)", [inner, outer, key])
        return key


def _buckets(connection: psycopg.Connection[Any], wanted: int) -> int:
    connection.execute("insert into access.deployment (buckets) values (%s) on conflict do nothing", [wanted])
    row = connection.execute("select buckets from access.deployment").fetchone()
    if row is None:
        raise StartError("access.deployment cannot be read by its owner; check the policies of that table.")
    return int(row[0])


def _unreachable(error: Exception) -> StartError:
    return StartError(f"The database cannot be reached: {str(error).strip()}. Check TOKENHOUSE_DATABASE_URL.")
