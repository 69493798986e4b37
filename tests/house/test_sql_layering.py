"""SQL obeys the same law as the imports: a package writes its own schema and reads its own and lower ones.

Functions of lower schemas are doors and may be called. Every table is named with its schema.
"""

import ast
import re
from pathlib import Path

import pytest

from house import tree
from house.sql_names import names_in

ORDER = tree.domain_order()
# post-apply files that look at every schema, and why
OVER_ALL = {
    "guard": "grants the service's roles what they may do, and proves that they may do no more",
    "public": "the views with the sources' names, which read every package",
}
SYSTEM = {"public", "pg_catalog", "information_schema"}


def _owners(path: Path) -> set[str]:
    """The packages whose schemas the file may write: its folder's, or those in its name."""
    if path.is_relative_to(tree.DOMAIN):
        return {path.relative_to(tree.DOMAIN).parts[0]}
    return set(ORDER) & set(re.split(r"[_.]", path.stem.replace("post-apply.", "")))


def _is_over_all(path: Path) -> bool:
    return bool(OVER_ALL.keys() & set(re.split(r"[_.]", path.stem)))


FILES = sorted(path for path in tree.PACKAGE.rglob("*.sql") if not _is_over_all(path))


@pytest.mark.parametrize("path", FILES, ids=tree.name)
def test_a_file_belongs_to_a_package(path: Path) -> None:
    assert _owners(path), f"{tree.name(path)} names no domain package: NNNN_<package>.sql, post-apply.NN_<package>.sql"


@pytest.mark.parametrize("path", FILES, ids=tree.name)
def test_a_package_writes_its_own_schema_only(path: Path) -> None:
    names = names_in(path.read_text(), {*ORDER, *SYSTEM})
    foreign = sorted(name for name in names.written if name.split(".")[0] not in _owners(path))
    assert not foreign, f"{tree.name(path)} writes {foreign}: call a function of that package"


@pytest.mark.parametrize("path", FILES, ids=tree.name)
def test_a_package_looks_only_down(path: Path) -> None:
    highest = max(ORDER.index(owner) for owner in _owners(path))
    reachable = {*ORDER[: highest + 1], "pg_catalog", "information_schema"}
    names = names_in(path.read_text(), {*ORDER, *SYSTEM})
    upward = sorted(name for name in names.mentioned if name.split(".")[0] not in reachable)
    assert not upward, f"{tree.name(path)} looks upward: {upward}"


@pytest.mark.parametrize("path", FILES, ids=tree.name)
def test_every_table_is_qualified(path: Path) -> None:
    names = names_in(path.read_text(), {*ORDER, *SYSTEM})
    assert not names.bare, f"{tree.name(path)}: without schema: {sorted(names.bare)}"


_STATEMENT = re.compile(
    r"^\s*(select\b.*\bfrom\b|insert\s+into\b|update\s+[\w.]+\s+set\b|delete\s+from\b|with\s+\w+\s+as\b)",
    re.DOTALL | re.IGNORECASE,
)


def test_sql_stands_in_sql_files() -> None:
    """Where it is prepared against the schema by a test, and where this test can see it."""
    found = [
        f"{tree.name(path)}:{node.lineno}"
        for path in [*tree.DOMAIN.rglob("*.py"), *(tree.PACKAGE / "entrypoints").rglob("*.py")]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _STATEMENT.match(node.value)
    ]
    assert not found, f"SQL in Python: {found}"
