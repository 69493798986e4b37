"""Brings the schema up to date: yoyo keeps the books, each file runs as a whole.

Numbered files ``NNNN_*.sql`` run once each, in order. ``post-apply.*.sql`` hold what can be replaced
(functions, policies, views, grants); they run in name order whenever a numbered file ran or one of them
changed. Files name every object with its schema: the search path is empty while they run.

yoyo would split files into statements and record a file in another transaction than the file's own, so
that a crash between the two blocks every later start. Here a file and its record commit together.
"""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenhouse.infra.database.process import StartError

if TYPE_CHECKING:
    import psycopg

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 7_205_759_403_792_794  # any fixed number: starts of one database wait for one another
_BOOKS = "_yoyo_migration"


class SchemaTooNewError(StartError):
    """The database was migrated by a later Tokenhouse than this one."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What a run did: the ids of the migrations applied now, and whether the post-apply files ran."""

    applied: tuple[str, ...]
    post_applied: bool


@dataclass(frozen=True, slots=True)
class Schema:
    """Where a database stands: migrations applied, missing, and unknown to this version (by a later one)."""

    applied: tuple[str, ...]
    missing: tuple[str, ...]
    later: tuple[str, ...]
    post_applied: bool

    @property
    def current(self) -> bool:
        """Whether this version finds all that it needs and nothing beyond."""
        return not self.missing and not self.later and self.post_applied


def schema_of(connection: psycopg.Connection[Any], folder: Path = MIGRATIONS) -> Schema:
    """Look where a database stands, changing nothing."""
    files = _numbered(folder)
    done = _done(connection)
    row = None
    if _exists(connection, "infra.post_apply"):
        row = connection.execute("select digest from infra.post_apply").fetchone()
    return Schema(
        tuple(sorted(done & files.keys())),
        tuple(name for name in files if name not in done),
        tuple(sorted(done - files.keys())),
        row is not None and row[0] == _digest(folder),
    )


def migrate(connection: psycopg.Connection[Any], folder: Path = MIGRATIONS) -> Migrated:
    """Apply what is missing over ``connection`` (autocommit, its role is to own everything).

    Safe when several start at once. Raises SchemaTooNewError, or StartError with the file that failed;
    what was applied before that file stays.
    """
    connection.execute("select pg_advisory_lock(%s)", [_LOCK])
    try:
        return _migrate(connection, folder)
    finally:
        if not connection.closed:
            connection.execute("select pg_advisory_unlock(%s)", [_LOCK])


def _migrate(connection: psycopg.Connection[Any], folder: Path) -> Migrated:
    connection.execute(
        "create schema if not exists infra;"
        "create table if not exists infra.post_apply ("
        "only_row boolean primary key default true check (only_row), digest text not null)"
    )
    files = _numbered(folder)
    done = _done(connection)
    if later := done - files.keys():
        raise SchemaTooNewError(
            f"The database has been migrated by a later version of Tokenhouse ({', '.join(sorted(later))}). "
            "Start that version or a later one, or restore the backup made before the upgrade."
        )
    missing = [path for name, path in files.items() if name not in done]
    if missing:
        _apply(connection, folder, missing)
    return Migrated(tuple(path.stem for path in missing), _post_apply(connection, folder, always=bool(missing)))


def _numbered(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in sorted(folder.glob("[0-9]*.sql"))}


def _replaceable(folder: Path) -> list[Path]:
    return sorted(folder.glob("post-apply.*.sql"))


def _digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in _replaceable(folder):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _exists(connection: psycopg.Connection[Any], table: str) -> bool:
    row = connection.execute("select to_regclass(%s)", [table]).fetchone()
    return row is not None and row[0] is not None


def _done(connection: psycopg.Connection[Any]) -> set[str]:
    if not _exists(connection, f"infra.{_BOOKS}"):
        return set()
    return {row[0] for row in connection.execute(f'select migration_id from infra."{_BOOKS}"')}


def _apply(connection: psycopg.Connection[Any], folder: Path, missing: list[Path]) -> None:
    from tokenhouse.infra.database._yoyo import apply  # noqa: PLC0415 - slow to import, seldom needed

    apply(connection, folder, missing, _BOOKS)


def _post_apply(connection: psycopg.Connection[Any], folder: Path, *, always: bool) -> bool:
    digest = _digest(folder)
    row = connection.execute("select digest from infra.post_apply").fetchone()
    if not always and row is not None and row[0] == digest:
        return False
    with connection.transaction():
        for path in _replaceable(folder):
            run_file(connection, path)
        connection.execute(
            "insert into infra.post_apply (digest) values (%s) "
            "on conflict (only_row) do update set digest = excluded.digest",
            [digest],
        )
    return True


def run_file(connection: psycopg.Connection[Any], path: Path) -> None:
    """Execute a file as a whole inside the open transaction. Raises StartError naming file and line."""
    import psycopg  # noqa: PLC0415 - only for its exception; keeps `import tokenhouse` quick

    text = path.read_text("utf-8")
    with closing(connection.cursor()) as cursor:
        cursor.execute("set local search_path = pg_catalog")
        try:
            cursor.execute(text.encode())
        except psycopg.Error as error:
            place = error.diag.statement_position
            line = text.count("\n", 0, int(place)) + 1 if place else "?"
            said = (error.diag.message_primary or str(error), error.diag.message_detail, error.diag.context)
            words = "; ".join(part for part in said if part)
            raise StartError(f"{path.name}, line {line}: {words} [{error.sqlstate}]") from error
        cursor.execute("set local search_path to default")
