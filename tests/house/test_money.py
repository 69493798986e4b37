"""No float touches money: the domain and the kernel's money make none. A time may be one."""

import ast
from collections.abc import Iterator
from pathlib import Path

from house import tree

# path: why it may calculate with floats
INEXACT: dict[str, str] = {
    "src/tokenhouse/domain/insights/fitting.py": "a forecast is an estimate; it counts no money",
    "src/tokenhouse/domain/metering/group_commit.py": "it waits for fractions of a second; it counts no money",
}


def _inexact(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case (
                ast.Constant(value=float())
                | ast.Call(func=ast.Name(id="float"))
                | ast.BinOp(op=ast.Div())
                | ast.AugAssign(op=ast.Div())
            ):
                yield f"{tree.name(path)}:{node.lineno}: {ast.unparse(node)}"


def test_no_floats_where_money_is() -> None:
    exact = [tree.PACKAGE / "infra/kernel/money.py", *tree.DOMAIN.rglob("*.py")]
    found = [line for path in exact if tree.name(path) not in INEXACT for line in _inexact(path)]
    assert not found, "\n".join(["floats, or a division that makes one:", *found])
