"""Every domain package has the same anatomy, and `__init__` is its only door."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from house import tree

ANATOMY = {"__init__.py", "types.py", "rules.py", "queries.sql", "service.py"}
# Folders of plug-ins: a new file there is an extension.
PLUGIN_FOLDERS = {"policies", "channels"}
# package/file: what it is for
EXTRA: dict[str, str] = {
    "access/passwords.py": "hashing, which is slow on purpose and runs in threads",
    "access/people.py": "the verbs of those who sign in",
    "access/sessions.py": "sessions, found at every request: gathered over concurrent callers",
    "access/signing.py": "rules: e-mails, passwords, tokens, same-site requests",
