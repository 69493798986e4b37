"""A file is read in one sitting, a function on one screen: 400 and 60 lines. Exceptions say why."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from house import tree

FILE_LINES = 400
FUNCTION_LINES = 60

# path: why it may be longer
LONG_FILES: dict[str, str] = {}
# path::function: why it may be longer
LONG_FUNCTIONS: dict[str, str] = {}

_SQL_FUNCTION = re.compile(
    r"create\s+(?:or\s+replace\s+)?(?:function|procedure)\s+([\w.]+).*?(\$\w*\$)(.*?)\2",
    re.DOTALL | re.IGNORECASE,
)


def _python_functions(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


def _sql_functions(path: Path) -> Iterator[tuple[str, int]]:
    for match in _SQL_FUNCTION.finditer(path.read_text()):
        yield match[1], match[0].count("\n") + 1


def test_files_are_short() -> None:
    seen = {tree.name(p): len(p.read_text().splitlines()) for p in tree.tracked() if p.suffix in {".py", ".sql"}}
    long = {name: lines for name, lines in seen.items() if lines > FILE_LINES}
    assert long.keys() <= LONG_FILES.keys(), f"over {FILE_LINES} lines: {long}"
    assert LONG_FILES.keys() <= long.keys(), "an exception is no longer needed"


def test_functions_are_short() -> None:
    long = {}
    for path in tree.PACKAGE.rglob("*"):
        functions = {".py": _python_functions, ".sql": _sql_functions}.get(path.suffix)
        for function, lines in functions(path) if functions else ():
            if lines > FUNCTION_LINES:
                long[f"{tree.name(path)}::{function}"] = lines
    assert long.keys() <= LONG_FUNCTIONS.keys(), f"over {FUNCTION_LINES} lines: {long}"
    assert LONG_FUNCTIONS.keys() <= long.keys(), "an exception is no longer needed"
