"""Rows of a usage file: read, mapped to the fields of a charge, and checked. No database here."""

import csv
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import IO

from tokenhouse.infra.kernel.errors import ValidationFailed
from tokenhouse.infra.kernel.ids import is_external_id

TEXTS = ("account_id", "user_id", "operation", "credit_type", "model_id", "character_id", "usage_type",
         "upstream_model", "provider")  # fmt: skip
COUNTS = ("amount", "cost_nano_usd")
OTHERS = ("quantity", "occurred_at", "metadata")
FIELDS = (*TEXTS, *COUNTS, *OTHERS)
KEY_PREFIX = "import"
_IDS = ("account_id", "user_id", "model_id", "character_id")
_USAGE_TYPES = ("chat", "image_generation", "other")
_METADATA = "metadata."
_METADATA_BYTES = 8192
_MOST = 10**15


@dataclass(frozen=True, slots=True)
class Row:
    """A record of the file: its number from 1, its cells as they stand, and what is wrong with its shape."""

    number: int
    cells: tuple[str, ...]
    problem: str | None = None


class UsageFile:
    """A CSV file of uses: UTF-8 with or without BOM, any line ends, quoted cells with line breaks."""

    def __init__(self, path: Path, delimiter: str = ",") -> None:
        """Read its digest and its heading. ValidationFailed: not text, or nothing in it."""
        self.path = path
        self._delimiter = delimiter
        self.size = path.stat().st_size
        with path.open("rb") as raw:
            self.digest = hashlib.file_digest(raw, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
        with self._open() as file:
            heading = next(self._records(file), None)
        if not heading or not any(heading):
            raise ValidationFailed.of(str(path), "has no heading; its first line names the columns")
        if twice := sorted({name for name in heading if name and heading.count(name) > 1}):
            raise ValidationFailed.of(str(path), f"has two columns named {twice[0]!r}; rename one")
        self.columns = tuple(heading)

    def rows(self, read: Callable[[int], None] | None = None) -> Iterator[Row]:
        """Yield the records after the heading; `read` is told how many bytes were read."""
        width = len(self.columns)
        with self._open() as file:
            records = self._records(file, read)
            next(records)
            number = 0
            for cells in records:
                if not cells:
                    continue  # an empty line
                number += 1
                problem = None
                if len(cells) != width:
                    problem = f"has {len(cells)} cells where the heading has {width}"
                yield Row(number, tuple(cells), problem)

    def _open(self) -> IO[str]:
        return self.path.open(encoding="utf-8-sig", newline="")

    def _records(self, file: IO[str], read: Callable[[int], None] | None = None) -> Iterator[list[str]]:
        def lines() -> Iterator[str]:
            for line in file:
                if read is not None:
                    read(len(line.encode()))
                yield line

        try:
            yield from csv.reader(lines(), delimiter=self._delimiter, strict=True)
        except UnicodeDecodeError as error:
            raise ValidationFailed.of(str(self.path), "is not UTF-8; convert it first") from error
        except csv.Error as error:
            raise ValidationFailed.of(str(self.path), f"is not CSV: {error}; mend it") from error


class Reading:
    """How a row becomes the body of a charge: fields from columns, fields that are the same in every row."""

    def __init__(
        self,
        columns: tuple[str, ...],
        mapped: Mapping[str, str],
        fixed: Mapping[str, str],
        key_column: str | None,
        zone: tzinfo | None,
    ) -> None:
        """Columns named like a field are taken for it. ValidationFailed: no such field or column."""
        self._zone = zone
        self.fixed = dict(fixed)
        places = {name: columns.index(name) for name in columns if _is_field(name) and name not in fixed}
        for field, column in mapped.items():
            if column not in columns:
                raise ValidationFailed.of("--map", f"there is no column {column!r}; {', '.join(columns)} are")
            places[field] = columns.index(column)
        for field in (*mapped, *fixed):
            if not _is_field(field):
                known = f"{', '.join(FIELDS)} and metadata.NAME"
                raise ValidationFailed.of("--map", f"there is no field {field!r}; {known} are")
        if "account_id" not in places and "account_id" not in fixed:
            raise ValidationFailed.of("--map", "says nowhere who pays: --map account_id=COLUMN")
        if key_column is not None and key_column not in columns:
            raise ValidationFailed.of("--key", f"there is no column {key_column!r}; {', '.join(columns)} are")
        self._places = places
        self._key = columns.index(key_column) if key_column is not None else None

    def key(self, row: Row, digest: str) -> str:
        """Return the row's idempotency key: its key column, or the file and its number."""
        if self._key is None:
            return f"{KEY_PREFIX}-{digest}-{row.number}"
        key = row.cells[self._key].strip()
        if not (0 < len(key) <= 255 and key.isascii() and key.isprintable() and " " not in key):
            raise ValidationFailed.of("key", "must be 1 to 255 visible ASCII characters")
        return key

    def body(self, row: Row) -> dict[str, object]:
        """Return the row as the body of POST /v1/charges; an empty cell says nothing."""
        body: dict[str, object] = {}
        metadata: dict[str, object] = {}
        said = {**self.fixed, **{field: row.cells[place] for field, place in self._places.items()}}
        for field, cell in said.items():
            text = cell.strip() or self.fixed.get(field, "")
            if not text:
                continue
            if "\0" in text:
                raise ValidationFailed.of(field, "holds the character NUL; take it out")
            if field.startswith(_METADATA):
                metadata[field.removeprefix(_METADATA)] = text
            else:
                body[field] = self._value(field, text)
        if metadata:
            body["metadata"] = {**_object("metadata", body.get("metadata", {})), **metadata}
        if "metadata" in body and len(json.dumps(body["metadata"], ensure_ascii=False).encode()) > _METADATA_BYTES:
            raise ValidationFailed.of("metadata", f"takes more than {_METADATA_BYTES:,} bytes")
        if "account_id" not in body:
            raise ValidationFailed.of("account_id", "is empty; say who pays")
        return body

    def _value(self, field: str, text: str) -> object:
        if field in COUNTS:
            return _count(field, text, least=1 if field == "amount" else 0)
        if field == "quantity":
            if not text.startswith("{"):
                return _count(field, text, least=0)
            return {unit: _count(field, str(n), least=0) for unit, n in _object(field, text).items()}
        if field == "metadata":
            return _object(field, text)
        if field == "occurred_at":
            return _instant(text, self._zone)
        if field == "usage_type" and text not in _USAGE_TYPES:
            raise ValidationFailed.of(field, f"must be one of {', '.join(_USAGE_TYPES)}")
        if field in _IDS and not is_external_id(text):
            raise ValidationFailed.of(field, "must be 1-128 characters of A-Z a-z 0-9 . _ : @ -")
        if len(text) > 128:
            raise ValidationFailed.of(field, "is longer than 128 characters")
        return text


def _is_field(name: str) -> bool:
    return name in FIELDS or (name.startswith(_METADATA) and name != _METADATA)


def _count(field: str, text: str, *, least: int) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= _MOST):
        raise ValidationFailed.of(field, f"must be a whole number from {least} to 10^15, without separators")
    return int(text)


def _object(field: str, text: object) -> dict[str, object]:
    if isinstance(text, dict):
        return text
    try:
        value = json.loads(str(text))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ValidationFailed.of(field, "must be a JSON object")
    return value


def _instant(text: str, zone: tzinfo | None) -> str:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValidationFailed.of("occurred_at", 'is no time; write it as "2030-01-31T12:00:00Z"') from None
    if at.tzinfo is None:
        if zone is None:
            raise ValidationFailed.of("occurred_at", "names no time zone; add --zone, such as --zone UTC")
        at = at.replace(tzinfo=zone)
    return at.astimezone(UTC).isoformat()
