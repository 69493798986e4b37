"""Every named query of every domain package is prepared on the migrated schema and matches its row type."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import importlib
import pkgutil
import sys
import types
import typing
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.pq import ExecStatus

import tokenhouse.domain
from tokenhouse.infra.database import queries

if TYPE_CHECKING:
    import psycopg

TYPES: dict[int, Any] = {
    16: bool,
    17: bytes,
    20: int,
    21: int,
    23: int,
    25: str,
    1042: str,
    1043: str,
    701: float,
    1082: dt.date,
    1184: dt.datetime,
    1186: dt.timedelta,
    1700: decimal.Decimal,
    2950: uuid.UUID,
    1016: list[int],
    1005: list[int],
    1007: list[int],
    1009: list[str],
    1000: list[bool],
    2951: list[uuid.UUID],
    1022: list[float],
    1185: list[dt.datetime],
}
JSON = {114, 3802}
VOID = 2278


BROKEN: dict[str, Exception] = {}  # packages that do not import: one failing test, not a lost collection


def _load() -> list[queries.Query[Any]]:
    prefix = f"{tokenhouse.domain.__name__}."
    for module in pkgutil.walk_packages(tokenhouse.domain.__path__, prefix, onerror=lambda _name: None):
        try:
            importlib.import_module(module.name)
        except Exception as error:  # noqa: BLE001 - whatever an import raises
            BROKEN[module.name] = error
    return [query for key, query in sorted(queries.REGISTRY.items()) if key[0].startswith(prefix)]


QUERIES = _load()


def _name(query: queries.Query[Any]) -> str:
    return f"{query.package.rpartition('.')[2]}.{query.name}"


@pytest.mark.parametrize("query", QUERIES, ids=_name)
def test_query_matches_the_schema_and_its_row_type(template_connection: psycopg.Connection, query: Any) -> None:
    pgconn = template_connection.pgconn
    prepared = pgconn.prepare(b"", query.text)
    assert prepared.status == ExecStatus.COMMAND_OK, prepared.error_message.decode()
    columns = pgconn.describe_prepared(b"")
    got = [(str(columns.fname(i), "utf-8"), columns.ftype(i)) for i in range(columns.nfields)]
    if query.row_type is None:
        assert all(oid == VOID for _, oid in got), f"marked `nothing` but returns {got}"
        return
    wanted = _fields(query.row_type, got)
    assert [name for name, _ in got] == [name for name, _ in wanted], "names or order of the columns"
    wrong = [
        f"{name}: column is {TYPES.get(oid, f'oid {oid}')}, field is {kind}"
        for (name, oid), (_, kind) in zip(got, wanted, strict=True)
        if not _fits(oid, kind)
    ]
    assert not wrong, wrong


def test_every_domain_module_imports() -> None:
    assert not BROKEN


def test_every_block_of_a_query_file_is_used() -> None:
    unused = []
    for module in list(sys.modules.values()):
        for value in vars(module).values() if module.__name__.startswith("tokenhouse.domain.") else ():
            if isinstance(value, queries.Queries):
                unused += [
                    f"{value.package}.{name}" for name in value.names if (value.package, name) not in queries.REGISTRY
                ]
    assert not unused


@pytest.fixture(scope="module")
def template_connection(postgres: Any, template: Any) -> Any:
    import psycopg

    database = psycopg.conninfo.conninfo_to_dict(template.app_conninfo)["dbname"]
    with psycopg.connect(postgres.conninfo(database), autocommit=True) as connection:
        yield connection


def _fields(row_type: type, got: list[tuple[str, int]]) -> list[tuple[str, Any]]:
    if dataclasses.is_dataclass(row_type):
        hints = typing.get_type_hints(row_type)
        return [(field.name, hints[field.name]) for field in dataclasses.fields(row_type)]
    return [(got[0][0] if got else "?", row_type)]


def _fits(oid: int, kind: Any) -> bool:
    """Whether a column of type ``oid`` may fill a field of ``kind`` (also optional, Literal, NewType)."""
    if kind is Any or kind is object:
        return oid in JSON
    if isinstance(kind, typing.NewType):
        return _fits(oid, kind.__supertype__)
    origin = typing.get_origin(kind)
    if origin in {typing.Union, types.UnionType}:
        return all(_fits(oid, arm) for arm in typing.get_args(kind) if arm is not type(None))
    if origin is typing.Literal:
        return all(_fits(oid, type(value)) for value in typing.get_args(kind))
    if oid in JSON:
        return (origin or kind) in {dict, list, tuple, str, int, bool}
    column = TYPES.get(oid)
    if typing.get_origin(column) is list and (origin or kind) is list:
        element, wanted = typing.get_args(column), typing.get_args(kind)  # list[int | None] or bare list, too
        return not wanted or element[0] in (typing.get_args(wanted[0]) or wanted)
    return column == kind
