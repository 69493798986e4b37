"""The checkout as the house tests see it: its files and the order of its packages."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src/tokenhouse"
DOMAIN = PACKAGE / "domain"
DATABASE = PACKAGE / "infra/database"

_NOT_SOURCES = {".git", ".venv", "site", "dist", "node_modules", ".tokenhouse"}


def tracked() -> list[Path]:
    """Every file that git holds or would take; in a copy without git, every file."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (ROOT / ".git").exists():
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    return [path for path in ROOT.rglob("*") if path.is_file() and not _NOT_SOURCES & set(path.parts)]


def name(path: Path) -> str:
    """The file's name from the root of the checkout."""
    return path.relative_to(ROOT).as_posix()


def domain_order() -> list[str]:
    """The domain packages from the lowest to the highest, as the contract in pyproject.toml has them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["id"] == "domain")
    return [re.sub(r"\W", "", layer) for layer in reversed(layers)]


def domain_packages() -> Iterator[Path]:
    """The folders of the domain packages that exist."""
    return (path for path in sorted(DOMAIN.iterdir()) if path.is_dir() and path.name != "__pycache__")
