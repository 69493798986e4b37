"""What is written down is true anywhere: no machine's paths, no registry's host, and commands that exist."""

import re
from pathlib import Path

import pytest

from house import tree

# Written in pieces, so that this file does not contain what it looks for.
REGISTRY = re.compile(
    "|".join(
        [
            r"pypi\.(?:org|python)",
            "python" + "hosted",
            r"registry\.npm" + "js",
            r"(?:extra-)?index-url[ =]+https?:",
        ]
    )
)
MACHINE = re.compile(r"(?<![\w.])/(?:root|home/[a-z]\w*|Users/\w+|work)/(?!\.)\w")

PROSE = [path for path in tree.tracked() if path.suffix == ".md"]
_CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)]*)?\)")


def _lines(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in tree.tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [
            f"{tree.name(path)}:{n}: {line[:120]}"
            for n, line in enumerate(text.splitlines(), 1)
            if pattern.search(line)
        ]
    return found


def test_no_registry_host_is_named() -> None:
    assert _lines(REGISTRY) == []


def test_no_machine_path_is_named() -> None:
    assert _lines(MACHINE) == []


@pytest.mark.parametrize("path", PROSE, ids=tree.name)
def test_make_commands_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (tree.ROOT / "Makefile").read_text(), re.MULTILINE))
    code = "\n".join(_CODE.findall(path.read_text()))
    named = set(re.findall(r"(?:^|[`\s;&])make ([a-z][a-z-]*)", code))
    assert named <= targets, f"not in the Makefile: {sorted(named - targets)}"


@pytest.mark.parametrize("path", PROSE, ids=tree.name)
def test_links_lead_somewhere(path: Path) -> None:
    links = [link for link in _LINK.findall(path.read_text()) if "://" not in link and not link.startswith("mailto:")]
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_readme_starts_with_the_two_commands() -> None:
    readme = (tree.ROOT / "README.md").read_text()
    assert 0 < readme.index("make up") < readme.index("make test") < 2000
