"""Opaque cursors of lists: where the last page ended."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from uuid import UUID

from tokenhouse.infra.kernel.errors import ValidationFailed


def cursor_of(last: object) -> str:
    """Name the last item of a page."""
    return urlsafe_b64encode(f"1.{last}".encode()).decode().rstrip("=")


def _after(cursor: str) -> str:
    try:
        version, _, last = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii").partition(".")
    except ValueError:
        version, last = "", ""
    if version != "1" or not last:
        raise foreign()
    return last


def uuid_after(cursor: str | None) -> UUID | None:
    """Read the cursor of a list whose items are named by UUIDs."""
    if cursor is None:
        return None
    try:
        return UUID(_after(cursor))
    except ValueError:
        raise foreign() from None


def number_after(cursor: str | None) -> int | None:
    """Read the cursor of a list whose items are numbered."""
    if cursor is None:
        return None
    text = _after(cursor)
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise foreign()
    return int(text)


def json_after(cursor: str) -> object:
    """Read the cursor of a list whose pages end at a JSON value."""
    try:
        return json.loads(_after(cursor))
    except ValueError:
        raise foreign() from None


def foreign() -> ValidationFailed:
    """Refuse a cursor that is none of ours."""
    return ValidationFailed.of("cursor", "is none of ours; send a `next_cursor` as it came, or leave it out")
