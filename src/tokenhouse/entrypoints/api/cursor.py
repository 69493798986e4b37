"""Opaque cursors of lists: where the last page ended."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from tokenhouse.infra.kernel import strict_json
from tokenhouse.infra.kernel.errors import BadRequest, ValidationFailed

T = TypeVar("T")


def cursor_of(last: object) -> str:
    """Name the last item of a page."""
    return urlsafe_b64encode(f"1.{last}".encode()).decode().rstrip("=")


def _after(cursor: str) -> str:
    try:
        version, _, last = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii").partition(".")
    except ValueError:
        version, last = "", ""
    if version != "1" or not last:
        raise _foreign()
    return last


def uuid_after(cursor: str | None) -> UUID | None:
    """Read the cursor of a list whose items are named by UUIDs."""
    if cursor is None:
        return None
    try:
        return UUID(_after(cursor))
    except ValueError:
        raise _foreign() from None


def number_after(cursor: str | None) -> int | None:
    """Read the cursor of a list whose items are numbered."""
    if cursor is None:
        return None
    text = _after(cursor)
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise _foreign()
    return int(text)


def json_after(cursor: str | None, read: Callable[[object], T | None]) -> T | None:
    """Read the cursor of a list whose pages end at a JSON value; `read` gives None of what is none of that list."""
    if cursor is None:
        return None
    try:
        found = read(strict_json.loads(_after(cursor).encode()))
    except (ValueError, BadRequest):
        found = None
    if found is None:
        raise _foreign()
    return found


def _foreign() -> ValidationFailed:
    return ValidationFailed.of("cursor", "is none of ours; send a `next_cursor` as it came, or leave it out")
