"""The part of migrating that needs yoyo: order by dependencies, its tables in schema ``infra``, its log."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration, MigrationList, parse_metadata_from_sql_comments

from tokenhouse.infra.database.migrate import run_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg


class _File(Migration):  # type: ignore[misc]  # yoyo has no types
    """A migration file that is executed as it stands; its ``-- depends:`` line is obeyed."""

    def load(self) -> None:
        if self.loaded:
            return
        text = self.file.read_text("utf-8")
        directives, self.comment, _ = parse_metadata_from_sql_comments(text)
        self.depends_on = directives.get("depends", "").split()
        self.steps: list[object] = []

    @property
    def depends(self) -> set[_File]:
        self.load()
        return {self.others[name] for name in self.depends_on if name in self.others}


class _Backend(PostgresqlPsycopgBackend):  # type: ignore[misc]  # yoyo has no types
    """Works on our connection and role, and commits a file together with its record."""

    def __init__(self, connection: psycopg.Connection[Any], books: str) -> None:
        self.ours = connection
        super().__init__(DatabaseURI("postgresql+psycopg", "", "", "", None, "", {}), books)

    def connect(self, _uri: DatabaseURI) -> psycopg.Connection[Any]:
        return self.ours

    def init_connection(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute("set search_path to infra")

    @contextmanager
    def lock(self, timeout: float = 10) -> Iterator[None]:  # noqa: ARG002 - yoyo's signature
        yield  # migrate() holds an advisory lock, which a crash frees

    def apply_one(self, migration: _File, force: bool = False, mark: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002 - yoyo's signature
        with self.transaction():
            run_file(self.ours, migration.file)
            self.ours.execute("set local search_path to infra")
            self.mark_one(migration, log=False)
            self.log_migration(migration, "apply")

    def get_log_data(self, migration: _File, operation: str = "apply") -> dict[str, object]:
        """Record no user or host: they say nothing about a deployment, and looking one up may block."""
        return {
            "id": str(uuid4()),
            "migration_id": migration.id,
            "migration_hash": migration.hash,
            "username": "",
            "hostname": "",
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }


def apply(connection: psycopg.Connection[Any], folder: Path, missing: list[Path], books: str) -> None:
    """Apply ``missing`` in yoyo's order over an autocommit connection. Raises StartError."""
    files = {path.stem: _File(path.stem, str(path), str(folder)) for path in missing}
    for path in missing:
        files[path.stem].file = path
        files[path.stem].others = files
    backend = _Backend(connection, books)
    try:
        backend.apply_migrations_only(backend.to_apply(MigrationList(list(files.values()))))
    finally:
        if not connection.closed:
            connection.execute("reset search_path")
