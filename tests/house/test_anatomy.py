"""Every domain package has the same anatomy, and `__init__` is its only door."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from house import tree

ANATOMY = {"__init__.py", "types.py", "rules.py", "queries.sql", "service.py"}
# Folders of plug-ins: a new file there is an extension.
PLUGIN_FOLDERS = {"policies", "channels", "methods"}
# package/file: what it is for
EXTRA: dict[str, str] = {
    "access/acts.py": "types: the acts that are recorded, and of whom",
    "access/audit.py": "the verbs of the audit record",
    "access/audit.sql": "its queries",
    "access/external.py": "the verbs of those who sign in by a provider of OpenID Connect",
    "access/passwords.py": "hashing, which is slow on purpose and runs in threads",
    "access/people.py": "the verbs of those who sign in",
    "access/sessions.py": "sessions, found at every request: gathered over concurrent callers",
    "access/signing.py": "rules: e-mails, passwords, tokens, same-site requests",
    "alerts/letters.py": "how a letter is written: the one module that knows MJML",
    "alerts/templates": "the letters, in MJML and in plain text",
    "access/invitations.py": "the verbs of invitations, beside those of accounts, members and keys",
    "catalog/catalog.toml": "the token types, prices and plans that a fresh deployment starts with",
    "catalog/document.py": "what a catalog file may say, and its errors",
    "catalog/prices.py": "prices in and out of their written form, which models use too",
    "catalog/rows.py": "the rows of its tables, to and from its items",
    "catalog/table.py": "one table of the catalog file, read strictly",
    "insights/creators.py": "the verbs of what creators ask, beside those of the cells",
    "insights/invariants.sql": "what must hold of the rollups, as queries that return what does not",
    "insights/verification.py": "proves the rollups with the books, on one snapshot",
    "market/reviews.py": "the verbs of reviews and their moderation",
    "market/sales.py": "the verbs that begin and end ownership: purchase, refund, transfer",
    "market/sheet.py": "rules: models as rows of a CSV file, both ways",
    "metering/checks.py": "check: read-only, gathered over concurrent callers",
    "metering/credits.py": "the rarer verb that credits a charge afterwards",
    "metering/bucket.py": "the queue of a bucket: which of its orders may share a batch, and which wait for a lane",
    "metering/group_commit.py": "the lanes and the retries through which orders share a commit",
    "metering/invariants.sql": "what must hold of the books, as queries that return what does not",
    "metering/privacy.py": "all that is kept of a person, and taking the person out of it",
    "metering/months.py": "the verb of statements: a month of an earner's account",
    "metering/pricing.py": "rules: what an order names and costs",
    "metering/model_reviews.py": "the verb that writes a review, for metering knows who used a model",
    "metering/reversals.py": "the rarer verb that takes a charge back",
    "metering/statements.py": "what an earner is owed",
    "metering/uses.py": "rules: what a use earns, beside those that price and burn",
    "metering/verification.py": "runs the invariants and sums up the books",
    "metering/withdrawals.py": "the verb that requests a payout of what has matured, and schedules",
    "payouts/banking.py": "rules: numbers of accounts, letters that banks take, cents of a currency",
    "payouts/batches.py": "the verbs of batches for a bank",
    "payouts/batches.sql": "its queries",
    "payouts/files.py": "rules: the files that banks take, as bytes",
    "payouts/invariants.sql": "what must hold of payouts, as queries that return what does not",
    "payouts/payees.py": "the verbs of how and when an account is paid",
    "payouts/sending.py": "the verbs that let a method send, and ask it what became of it",
    "payouts/verification.py": "loads the invariants",
    "wallets/grants.py": "the verb that gives credits",
    "wallets/looks.py": "reading, gathered over concurrent callers",
    "wallets/settlements.py": "the verbs of plans and time: enrol, renew, lapse, change",
    "ledger/chain.py": "the verbs of the chain of blocks over acts and records",
    "ledger/chain.sql": "its queries: what a block covers, derived by the program and not by the database's functions",
    "ledger/chart.py": "the chart of accounts: the one list of the platform's own accounts",
}
# What others may import besides the package itself; all of it pure.
OPEN_MODULES = {"acts", "types", "rules", "chart", "signing"}

PACKAGES = [pytest.param(path, id=path.name) for path in tree.domain_packages()]


def _foreign_imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and module of every import of a domain package."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.startswith("tokenhouse.domain."))


@pytest.mark.parametrize("package", PACKAGES)
def test_files_are_the_known_ones(package: Path) -> None:
    for entry in package.iterdir():
        known = entry.name in (PLUGIN_FOLDERS | {"__pycache__"} if entry.is_dir() else ANATOMY)
        assert known or f"{package.name}/{entry.name}" in EXTRA, (
            f"{tree.name(entry)} is not part of a package's anatomy"
        )


@pytest.mark.parametrize("package", PACKAGES)
def test_init_only_opens_the_door(package: Path) -> None:
    assert (package / "__init__.py").exists(), f"{package.name} has no door: __init__.py"
    door = ast.parse((package / "__init__.py").read_text())
    assert ast.get_docstring(door), f"{package.name}/__init__.py says what the package is for"
    imported: set[str] = set()
    exported: list[str] = []
    for node in door.body[1:]:
        match node:
            case ast.ImportFrom(names=names) | ast.Import(names=names):
                imported |= {alias.asname or alias.name for alias in names}
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                exported = ast.literal_eval(value)
            case _:
                pytest.fail(f"{package.name}/__init__.py:{node.lineno}: only imports and __all__ stand here")
    assert set(exported) == imported, f"{package.name}/__init__.py: __all__ names exactly what is imported"


def test_nobody_goes_round_a_door() -> None:
    modules = {(path.name, file.stem) for path in tree.domain_packages() for file in path.glob("*.py")}
    modules |= {(path.name, folder) for path in tree.domain_packages() for folder in PLUGIN_FOLDERS}
    for path in tree.PACKAGE.rglob("*.py"):
        for line, target in _foreign_imports(path):
            package, _, rest = target.removeprefix("tokenhouse.domain.").partition(".")
            module = rest.partition(".")[0]
            inside = path.is_relative_to(tree.DOMAIN / package)
            closed = (package, module) in modules and module not in OPEN_MODULES
            assert inside or not closed, f"{tree.name(path)}:{line}: {target} is private; import from domain.{package}"
