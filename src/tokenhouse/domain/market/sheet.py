"""Models as rows of a CSV file, read and written: pure.

A cell that a spreadsheet would take for a formula is written behind an apostrophe, which is taken off when it is read.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence

from tokenhouse.domain.market.types import OWNERSHIPS, Model
from tokenhouse.infra.kernel.cells import FORMULA
from tokenhouse.infra.kernel.errors import ValidationFailed
from tokenhouse.infra.kernel.ids import is_external_id

COLUMNS = (
    "id", "name", "category", "description", "features", "credit_cost", "pricing", "upstream_model", "provider",
    "price_credits", "premium", "active", "monetized", "creator_id", "ownership", "creator_share_bps",
    "earnings_policy", "image_url",
)  # fmt: skip
"""The fields of POST /v1/models, in the order in which they are written."""

_TEXTS = {
    "name": 200, "category": 128, "description": 10_000, "upstream_model": 128, "provider": 128,
    "earnings_policy": 128, "image_url": 2000,
}  # fmt: skip
_FREE = frozenset({"name", "category", "description"})
_REQUIRED = frozenset({"name", "category"})
_COUNTS = {"credit_cost": 10**15, "price_credits": 10**15, "creator_share_bps": 10_000}
_FLAGS = frozenset({"premium", "active", "monetized"})
_YES, _NO = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})
_TAKES_NOTHING = "-"
_FEATURES, _FEATURE_CHARACTERS = 50, 200


class BadSheet(ValidationFailed):
    """A file that is no sheet of models."""


def read_sheet(text: str) -> Iterator[tuple[int, dict[str, object] | ValidationFailed]]:
    """Read the rows of a CSV file: the line on which each ends, and its fields, or what is wrong with it.

    An empty cell leaves the field as it is; a cell `-` takes away what may be missing. Lists and prices are JSON, a
    list may also be separated by `;`. BadSheet: not CSV, no heading, an unknown column, one twice, no column `id`.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        heading = [name.strip() for name in next(reader, [])]
        _check_heading(heading)
        seen: dict[str, int] = {}
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, _row(heading, cells, seen, reader.line_num)
    except csv.Error as error:
        raise BadSheet.of("file", f"is not CSV at line {reader.line_num}: {error}; mend it") from error


def write_sheet(models: Sequence[Model]) -> str:
    """Write models as CSV that `read_sheet` reads."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for model in models:
        writer.writerow([_safe(cell) for cell in _cells(model)])
    return out.getvalue()


def _check_heading(heading: Sequence[str]) -> None:
    if "id" not in heading:
        raise BadSheet.of("file", f"has no column id; its first line names the columns: {', '.join(COLUMNS)}")
    for name in heading:
        if name not in COLUMNS:
            raise BadSheet.of("file", f"has a column {name[:64]!r}, which is none of {', '.join(COLUMNS)}")
        if heading.count(name) > 1:
            raise BadSheet.of("file", f"has two columns named {name!r}; take one out")


def _row(
    heading: Sequence[str], cells: Sequence[str], seen: dict[str, int], line: int
) -> dict[str, object] | ValidationFailed:
    try:
        if len(cells) != len(heading):
            raise ValidationFailed.of("row", f"has {len(cells)} cells where the heading has {len(heading)}")
        said = {name: cell for name, cell in zip(heading, cells, strict=True) if cell.strip()}
        fields = {name: _value(name, cell) for name, cell in said.items()}
        external_id = fields.get("id")
        if external_id is None:
            raise ValidationFailed.of("id", "is empty; it names the model to change or to make")
        if "pricing" in fields and fields.get("credit_cost") is not None:
            raise ValidationFailed.of("credit_cost", "is short for a pricing by call; give one of the two")
        first = seen.setdefault(str(external_id), line)
        if first != line:
            raise ValidationFailed.of("id", f"{external_id!r} stands on line {first} already")
    except ValidationFailed as refusal:
        return refusal
    return fields


def _value(name: str, cell: str) -> object:
    """Read a cell that is not empty. ValidationFailed says what it should be."""
    text = _plain(cell) if name in _FREE else _plain(cell).strip()
    if "\0" in text:
        raise ValidationFailed.of(name, "holds the character NUL; take it out")
    if cell.strip() == _TAKES_NOTHING and name not in _REQUIRED | {"id"}:
        return _nothing(name)
    if name in _COUNTS:
        return _count(name, text)
    if name in _FLAGS:
        if text.lower() not in _YES | _NO:
            raise ValidationFailed.of(name, "must be true or false")
        return text.lower() in _YES
    if name == "features":
        return _features(text)
    if name == "pricing":
        return _pricing(text)
    if name == "ownership" and text not in OWNERSHIPS:
        raise ValidationFailed.of(name, f"must be {' or '.join(OWNERSHIPS)}")
    if name in ("id", "creator_id") and not is_external_id(text):
        raise ValidationFailed.of(name, "must be 1-128 characters of A-Z a-z 0-9 . _ : @ -")
    if name in _TEXTS and len(text) > _TEXTS[name]:
        raise ValidationFailed.of(name, f"is longer than {_TEXTS[name]:,} characters")
    if name == "image_url" and (not text.startswith(("http://", "https://", "/")) or any(map(str.isspace, text))):
        raise ValidationFailed.of(name, "must be an address that begins with https://, http:// or /")
    return text


def _nothing(name: str) -> object:
    if name == "features":
        return []
    if name in _FLAGS or name in ("price_credits", "creator_share_bps", "ownership"):
        raise ValidationFailed.of(name, "cannot be taken away; say what it becomes")
    return None


def _count(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= _COUNTS[name]):
        raise ValidationFailed.of(name, f"must be a whole number from 0 to {_COUNTS[name]:,}, without separators")
    return int(text)


def _features(text: str) -> list[str]:
    found: object = _json(text) if text.startswith("[") else [part.strip() for part in text.split(";") if part.strip()]
    if not isinstance(found, list) or len(found) > _FEATURES:
        raise ValidationFailed.of("features", f"must be a list of at most {_FEATURES}")
    if not all(isinstance(one, str) and 1 <= len(one) <= _FEATURE_CHARACTERS and "\0" not in one for one in found):
        raise ValidationFailed.of("features", f"must each be a text of 1 to {_FEATURE_CHARACTERS} characters")
    return found


def _pricing(text: str) -> dict[str, str]:
    found = _json(text)
    if not isinstance(found, dict) or not found or not all(isinstance(value, str) for value in found.values()):
        raise ValidationFailed.of("pricing", 'must be JSON such as {"call": "3"}: credits per unit, as texts')
    return found


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _cells(model: Model) -> Iterator[str]:
    values: Mapping[str, object] = {
        "id": model.external_id,
        "features": json.dumps(model.features, ensure_ascii=False) if model.features else None,
        "pricing": None if model.pricing is None else json.dumps(model.pricing),
        "credit_cost": None,
    }
    for column in COLUMNS:
        value = values[column] if column in values else getattr(model, column)
        yield "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _safe(cell: str) -> str:
    # What was written behind an apostrophe, or begins with one before such a character, comes back as it was.
    return f"'{cell}" if cell.lstrip("'").startswith(FORMULA) else cell


def _plain(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(FORMULA) else cell
