"""Named queries in plain SQL files.

A file holds blocks like this one; parameters are written ``%(name)s`` and a literal per cent sign ``%%``::

    -- wallets_of : Wallet*
    -- The wallets of an account.
    SELECT id, balance FROM wallets.wallet WHERE account_id = %(account_id)s ORDER BY id;

The heading's right side is the row type's name: with ``*`` for any number of rows, without it for at most
one, ``nothing`` for a statement without rows. Row types are frozen dataclasses whose fields have the
columns' names and order, or a plain type (``int``, ``str``, ``bool`` ...) for a single column. A test
PREPAREs every registered query on the migrated schema and compares names and types.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from psycopg import AsyncCursor

R = TypeVar("R")

_HEAD = re.compile(r"^-- (\w+) : (\w+)(\*?)[ \t]*\n((?:--.*\n)*)", re.MULTILINE)
_PARAM = re.compile(r"%(?:\((\w+)\)s|(%))")
_NOTHING = "nothing"


class QueryError(Exception):
    """A query file or its use is wrong: a defect of the program, never of a request."""


@dataclasses.dataclass(frozen=True, slots=True)
class Query(Generic[R]):
    """One named query and the type of its rows. Give it to ``Tx.one``, ``first``, ``all`` or ``run``."""

    package: str
    name: str
    text: bytes  # with $1, $2 …: the driver need not convert it at every call
    order: tuple[str, ...]
    params: frozenset[str]
    many: bool
    row_type: type[Any] | None
    comment: str
    row: Callable[[Sequence[Any]], R] = dataclasses.field(repr=False)
    make: Callable[[AsyncCursor[Any]], Callable[[Sequence[Any]], R]] = dataclasses.field(repr=False)

    def values(self, params: Mapping[str, object]) -> list[object]:
        """Return the parameters' values in the order of the placeholders. Raises TypeError for a wrong name."""
        if params.keys() != self.params:
            raise TypeError(f"{self.package}: query {self.name} takes {sorted(self.params)}, got {sorted(params)}")
        return [params[name] for name in self.order]


REGISTRY: dict[tuple[str, str], Query[Any]] = {}


@dataclasses.dataclass(frozen=True, slots=True)
class _Block:
    row: str
    many: bool
    comment: str
    text: str


class Queries:
    """The queries of one file. ``names`` lists them all, so that a test can find unused ones."""

    def __init__(self, package: str, blocks: dict[str, _Block]) -> None:
        """Use :func:`load_queries` instead."""
        self.package = package
        self._blocks = blocks

    @property
    def names(self) -> frozenset[str]:
        """The names of every query in the file."""
        return frozenset(self._blocks)

    def rows(self, name: str, row_type: type[R]) -> Query[R]:
        """Return the query ``name`` whose rows are ``row_type``.

        Raises QueryError when the file has no such query or names another row type.
        """
        block = self._block(name)
        if block.row != row_type.__name__:
            raise QueryError(f"{self.package}: query {name} is of {block.row}, not {row_type.__name__}")
        row = _row_maker(row_type)
        return self._register(name, block, row_type, row, _row_factory(self.package, name, row_type, row))

    def nothing(self, name: str) -> Query[None]:
        """Return the query ``name``, which is marked ``nothing``: it returns no rows that anyone reads."""
        block = self._block(name)
        if block.row != _NOTHING:
            raise QueryError(f"{self.package}: query {name} is of {block.row}; use rows()")
        return self._register(name, block, None, _no_row, _no_rows)

    def _block(self, name: str) -> _Block:
        try:
            return self._blocks[name]
        except KeyError:
            raise QueryError(f"{self.package}: there is no query {name}; it has {sorted(self._blocks)}") from None

    def _register(
        self,
        name: str,
        block: _Block,
        row_type: type[Any] | None,
        row: Callable[[Sequence[Any]], Any],
        make: Callable[[AsyncCursor[Any]], Callable[[Sequence[Any]], Any]],
    ) -> Query[Any]:
        text, order = _numbered(block.text)
        query: Query[Any] = Query(
            self.package, name, text.encode(), order, frozenset(order), block.many, row_type, block.comment, row, make
        )
        REGISTRY[self.package, name] = query
        return query


def load_queries(package_file: str, file_name: str = "queries.sql") -> Queries:
    """Read ``queries.sql`` beside ``package_file`` (give ``__file__``). Raises QueryError if malformed."""
    folder = Path(package_file).resolve().parent
    return Queries(_package_name(folder), parse(folder.joinpath(file_name).read_text("utf-8"), folder.name))


def parse(text: str, package: str) -> dict[str, _Block]:
    """Split a query file into its blocks. Raises QueryError for a repeated name, an empty or stray block."""
    parts = _HEAD.split(text)
    preamble = [line for line in parts[0].splitlines() if line.strip() and not line.startswith("--")]
    if preamble:
        raise QueryError(f"{package}: SQL before the first heading: {preamble[0]!r}")
    blocks: dict[str, _Block] = {}
    for name, row, star, comment, body in zip(*[iter(parts[1:])] * 5, strict=True):
        sql = body.strip().rstrip(";").rstrip()
        if name in blocks or not sql:
            raise QueryError(f"{package}: query {name} is {'repeated' if name in blocks else 'empty'}")
        said = " ".join(line.removeprefix("--").strip() for line in comment.splitlines())
        blocks[name] = _Block(row, star == "*", said, sql)
    return blocks


def _numbered(text: str) -> tuple[str, tuple[str, ...]]:
    """Write ``$1, $2 …`` for the named parameters; return them in that order."""
    order: dict[str, int] = {}

    def place(match: re.Match[str]) -> str:
        if match[2]:
            return "%"
        return f"${order.setdefault(match[1], len(order) + 1)}"

    return _PARAM.sub(place, text), tuple(order)


def _package_name(folder: Path) -> str:
    parts = [folder.name]
    while (folder := folder.parent).joinpath("__init__.py").exists():
        parts.append(folder.name)
    return ".".join(reversed(parts))


def _no_row(_values: Sequence[Any]) -> None:
    """Make nothing of a row that nobody reads."""


def _no_rows(_cursor: AsyncCursor[Any]) -> Callable[[Sequence[Any]], None]:
    return _no_row


def _row_maker(row_type: type[R]) -> Callable[[Sequence[Any]], R]:
    if dataclasses.is_dataclass(row_type):
        return lambda values: row_type(*values)
    return lambda values: values[0]


def _row_factory(
    package: str, name: str, row_type: type[R], make: Callable[[Sequence[Any]], R]
) -> Callable[[AsyncCursor[Any]], Callable[[Sequence[Any]], R]]:
    """Build rows by position, after one check that the columns are the fields in their order."""
    wanted = [f.name for f in dataclasses.fields(row_type)] if dataclasses.is_dataclass(row_type) else []
    checked = False

    def factory(cursor: AsyncCursor[Any]) -> Callable[[Sequence[Any]], R]:
        nonlocal checked
        if not checked and cursor.description is not None:
            got = [column.name for column in cursor.description]
            if (got != wanted) if wanted else (len(got) != 1):
                raise QueryError(f"{package}: query {name} returns columns {got}, {row_type.__name__} wants {wanted}")
            checked = True
        return make

    return factory
