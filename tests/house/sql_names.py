"""Which names a piece of SQL reads and writes. Lexical: enough for our SQL, bodies of functions included."""

import re
from dataclasses import dataclass

_NOISE = re.compile(r"--[^\n]*|/\*.*?\*/|%\(\w+\)s|E?'(?:[^'\\]|''|\\.)*'", re.DOTALL)
_TOKEN = re.compile(r'"[^"]+"|[A-Za-z_]\w*|\$\w*\$|::|[^\s\w]|\d[\w.]*')
_NAME = r"((?:[a-z_]\w*\.)?[a-z_]\w*)"
_MODIFIERS = r"(?:or\s+replace\s+)?(?:unlogged\s+|materialized\s+)?"
_KINDS = r"(?:table|view|function|procedure|sequence|type|domain)"

# What a statement creates, changes or drops. Group 1 is the object.
_WRITES = [
    rf"\binsert\s+into\s+{_NAME}",
    rf"(?<!for )(?<!do )(?<!no key )\bupdate\s+(?:only\s+)?{_NAME}\s+(?:as\s+)?(?:\w+\s+)?set\b",
    rf"\bdelete\s+from\s+(?:only\s+)?{_NAME}",
    rf"\bmerge\s+into\s+(?:only\s+)?{_NAME}",
    rf"\btruncate\s+(?:table\s+)?(?:only\s+)?(?!(?:or|on)\b){_NAME}",
    rf"\b(?:create|alter|drop)\s+{_MODIFIERS}{_KINDS}\s+(?:if\s+(?:not\s+)?exists\s+)?(?:only\s+)?{_NAME}",
    rf"\bcreate\s+(?:unique\s+)?index\b[^;]*?\bon\s+(?:only\s+)?{_NAME}",
    rf"\b(?:create|alter|drop)\s+policy\s+(?:if\s+exists\s+)?\w+\s+on\s+{_NAME}",
    rf"\b(?:create|drop)\s+(?:or\s+replace\s+)?(?:constraint\s+)?trigger\b[^;]*?\bon\s+{_NAME}",
    rf"\b(?:grant|revoke)\b[^;]*?\bon\s+(?:table\s+|function\s+|sequence\s+)?{_NAME}\s*(?:\([^)]*\)\s*)?(?:,|to|from)\b",
    rf"\bcopy\s+{_NAME}[^;]*?\bfrom\b",
]
_SCHEMAS_WRITTEN = re.compile(r"\b(?:create|alter|drop)\s+schema\s+(?:if\s+(?:not\s+)?exists\s+)?(\w+)", re.IGNORECASE)

_AFTER_ITEM = re.compile(
    "where|on|using|join|left|right|inner|full|cross|natural|group|order|limit|having|union|except|intersect"
    "|window|for|returning|set|loop|offset|fetch|when|into|;"
)
# `from` inside these calls is not a table's.
_FROM_IN_CALL = {"extract", "substring", "trim", "overlay", "position"}


@dataclass(frozen=True, slots=True)
class Names:
    """`written` and `mentioned` are `schema.object`; `bare` are tables named without their schema."""

    written: frozenset[str]
    mentioned: frozenset[str]
    bare: frozenset[str]


def names_in(sql: str, schemas: set[str]) -> Names:
    """The names in `sql`; `schemas` says which prefixes are schemas and not aliases of tables."""
    text = _NOISE.sub(lambda m: "''" if m[0].endswith("'") else "null" if m[0].startswith("%") else " ", sql)
    written = {match[1].lower() for form in _WRITES for match in re.finditer(form, text, re.IGNORECASE)}
    created = {match.lower() for match in _SCHEMAS_WRITTEN.findall(text)}
    dotted = {match.lower() for match in re.findall(r"(?<![\w.])([a-z_]\w*\.[a-z_]\w*)", text, re.IGNORECASE)}
    mentioned = {name for name in dotted if name.split(".")[0] in schemas}
    local = _local_names(text)
    bare = {name for name in written | set(_tables_read(text)) if "." not in name and name not in local}
    return Names(frozenset(written - bare | {f"{s}.*" for s in created}), frozenset(mentioned), frozenset(bare))


def _local_names(text: str) -> set[str]:
    """Common table expressions, and transition tables of triggers."""
    ctes = re.findall(r"(\w+)\s*(?:\([\w\s,]*\)\s*)?\bas\s+(?:not\s+)?(?:materialized\s+)?\(", text, re.IGNORECASE)
    transitions = re.findall(r"\b(?:new|old)\s+table\s+as\s+(\w+)", text, re.IGNORECASE)
    return {name.lower() for name in ctes + transitions}


def _tables_read(text: str) -> list[str]:
    """The plain names that stand in FROM and JOIN, calls of functions and subqueries left out."""
    tokens = [token.lower() for token in _TOKEN.findall(text)]
    tables: list[str] = []
    calls: list[str] = []  # the word before each open parenthesis
    for at, token in enumerate(tokens):
        if token == "(":
            calls.append(tokens[at - 1] if at else "")
        elif token == ")" and calls:
            calls.pop()
        elif token == "join" or (token == "from" and not _other_from(tokens, at, calls)):
            tables += _items(tokens, at + 1)
    return tables


def _other_from(tokens: list[str], at: int, calls: list[str]) -> bool:
    """IS DISTINCT FROM, EXTRACT(... FROM ...), REVOKE ... FROM role."""
    statement = tokens[max((i for i in range(at) if tokens[i] == ";"), default=-1) + 1 : at]
    return tokens[at - 1] == "distinct" or bool(calls and calls[-1] in _FROM_IN_CALL) or "revoke" in statement[:1]


def _items(tokens: list[str], at: int) -> list[str]:
    """The names of a comma-separated FROM list that begins at `at`."""
    names: list[str] = []
    expected, depth = True, 0
    while at < len(tokens):
        token = tokens[at]
        if token == "(":
            depth += 1
        elif token == ")":
            depth -= 1
        if depth < 0 or (depth == 0 and _AFTER_ITEM.fullmatch(token)):
            break
        if depth == 0 and token == ",":
            expected = True
        elif expected and token not in {"only", "lateral"}:
            following = tokens[at + 1] if at + 1 < len(tokens) else ""
            if re.fullmatch(r"[a-z_]\w*", token) and following not in {"(", ".", "from"}:
                names.append(token)
            expected = False
        at += 1
    return names
