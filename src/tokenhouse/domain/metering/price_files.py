"""Reading the operator's prices from a file: TOML, JSON or CSV with the same fields."""

import csv
import io
import json
import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time

from tokenhouse.domain.metering.costs import UpstreamPrice
from tokenhouse.infra.kernel.errors import ValidationFailed
from tokenhouse.infra.kernel.money import MAX_NANOS, nanos_of_usd

_NEEDED = ("model", "input_usd", "output_usd")
_FIELDS = ("provider", "model", "input_usd", "cached_input_usd", "output_usd", "valid_from")
_MOST_TEXT = 128
_MOST_PRICES = 10_000
_ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)


def parse_prices(text: str, kind: str) -> list[UpstreamPrice]:
    """Read a price list. kind: `toml` ([[price]] tables), `json` (a list, or {"price": […]}) or `csv` (with a heading).

    Dollars a million tokens as decimal strings; cached_input_usd left out: as input_usd; valid_from left out: always.
    ValidationFailed names every line that is wrong; nothing is read then.
    """
    prices: list[UpstreamPrice] = []
    wrong: list[dict[str, str]] = []
    for number, row in enumerate(_rows(text, kind), 1):
        try:
            prices.append(_price(row))
        except ValueError as error:
            wrong.append({"field": f"price {number}", "message": str(error)})
    keys = [(price.provider.lower(), price.model.lower(), price.valid_from) for price in prices]
    for number, key in enumerate(keys, 1):
        if key in keys[: number - 1]:
            wrong.append({"field": f"price {number}", "message": "is there twice: same provider, model and valid_from"})
    if not prices and not wrong:
        wrong.append({"field": "file", "message": f"has no price; each has the fields {', '.join(_FIELDS)}"})
    if wrong:
        raise ValidationFailed(f"{wrong[0]['field']}: {wrong[0]['message']}", errors=wrong[:50])
    return prices


def _rows(text: str, kind: str) -> Iterable[Mapping[str, object]]:
    try:
        if kind == "toml":
            found: object = tomllib.loads(text, parse_float=str)
        elif kind == "json":
            found = json.loads(text, parse_float=str)
        else:
            found = list(csv.DictReader(io.StringIO(text)))
    except ValueError as error:
        raise ValidationFailed.of("file", f"is not {kind.upper()}: {error}") from None
    if isinstance(found, dict):
        found = found.get("price", [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValidationFailed.of("file", "must have a list of prices: [[price]] in TOML, a list of objects in JSON")
    if len(found) > _MOST_PRICES:
        raise ValidationFailed.of("file", f"has {len(found):,} prices; import at most {_MOST_PRICES:,} at once")
    return found


def _price(row: Mapping[str, object]) -> UpstreamPrice:
    unknown = [str(name) for name in row if name not in _FIELDS]
    if unknown:
        raise ValueError(f"{unknown[0][:64]!r} is no field; fields are {', '.join(_FIELDS)}")
    missing = [name for name in _NEEDED if row.get(name) in (None, "")]
    if missing:
        raise ValueError(f"{missing[0]} is missing")
    given_cached = row.get("cached_input_usd")
    cached = row["input_usd"] if given_cached in (None, "") else given_cached
    return UpstreamPrice(
        _text(row.get("provider") or "", "provider"),
        _text(row["model"], "model"),
        _time(row.get("valid_from")),
        _nanos(row["input_usd"], "input_usd"),
        _nanos(cached, "cached_input_usd"),
        _nanos(row["output_usd"], "output_usd"),
    )


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or len(value.encode()) > _MOST_TEXT or "\0" in value:
        raise ValueError(f"{name} must be a text of at most {_MOST_TEXT} bytes")
    return value.strip()


def _nanos(value: object, name: str) -> int:
    # Decimals of the file come as they were written: no float comes near.
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f'{name} must be a decimal number such as "2.50": dollars a million tokens')  # noqa: TRY004 - one kind of error a line
    nanos = nanos_of_usd(str(value).strip())
    if not 0 <= nanos <= MAX_NANOS:
        raise ValueError(f"{name} must lie between 0 and nine billion dollars")
    return nanos


def _time(value: object) -> datetime:
    """Read a day (its start, UTC) or a point in time that names its zone."""
    if value in (None, ""):
        return _ALWAYS
    if isinstance(value, str):
        text = value.strip()
        value = date.fromisoformat(text) if len(text) == len("2030-01-31") else datetime.fromisoformat(text)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("valid_from names no time zone; write a day, or end the time with Z")
        return value.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise ValueError('valid_from must be a day such as "2030-01-31"')
