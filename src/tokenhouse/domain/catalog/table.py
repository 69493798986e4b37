"""One table of the catalog file, read field by field; what is wrong is collected, not raised."""

from collections.abc import Iterable, Mapping

from tokenhouse.infra.kernel.ids import is_external_id
from tokenhouse.infra.kernel.money import MAX_NANOS, bps_of, nanos_of_usd

_MISSING = object()
_TEXT_MAX = 200
_MULTIPLIER_MAX_BPS = 10**9


class Problems:
    """What was found wrong, as {"field", "message"}."""

    def __init__(self) -> None:
        self.found: list[dict[str, str]] = []

    def add(self, field: str, message: str) -> None:
        """Note one more."""
        self.found.append({"field": field, "message": message})


class Table:
    """Reads fields and remembers which there are; `finish` reports those that nobody asked for.

    A field that is wrong is reported and read as an empty value, so that the reading goes on.
    """

    def __init__(
        self, raw: Mapping[str, object], place: str, name: str, problems: Problems, *, within: str = ""
    ) -> None:
        self.raw = raw
        self.place = place
        self.name = name
        self.problems = problems
        self._within = within
        self._known: list[str] = []

    def problem(self, field: str, message: str) -> None:
        """Report a field of this table."""
        where = ".".join(part for part in (self._within, field) if part)
        self.problems.add(f"{self.place}, {where}" if self.place else where, message)

    def finish(self, known: Iterable[str] = ()) -> None:
        """Report the fields that are none."""
        fields = [*self._known, *(field for field in known if field not in self._known)]
        for field in self.raw:
            if field not in fields:
                self.problem(field, f"is no field here; remove it, or mean one of {', '.join(fields)}")

    def take(self, field: str, default: object = _MISSING) -> object:
        """Give the raw value; a missing one without a default is reported and given as None."""
        self._known.append(field)
        if field in self.raw:
            return self.raw[field]
        if default is _MISSING:
            self.problem(field, "is missing; add it")
            return None
        return default

    def text(self, field: str, *, optional: bool = False) -> str:
        """Read a text of 1 to 200 characters; "" where it is left out or wrong."""
        value = self.take(field, None) if optional else self.take(field)
        if value is None:
            return ""
        if not isinstance(value, str) or not 1 <= len(value) <= _TEXT_MAX or not value.isprintable():
            self.problem(field, f"must be a printable text of 1 to {_TEXT_MAX} characters")
            return ""
        return value

    def id(self) -> str:
        """Read the table's id."""
        value = self.text("id")
        if value and not is_external_id(value):
            self.problem("id", "must be 1-128 characters of A-Z a-z 0-9 . _ : @ -")
        return value

    def integer(self, field: str, low: int, high: int, *, optional: bool = False) -> int | None:
        """Read a whole number; None where it is left out or wrong."""
        value = self.take(field, None) if optional else self.take(field)
        if value is None:
            return None
        if type(value) is not int or not low <= value <= high:
            self.problem(field, f"must be a whole number from {low:,} to {high:,}")
            return None
        return value

    def flag(self, field: str, *, default: bool) -> bool:
        """Read true or false."""
        value = self.take(field, default)
        if not isinstance(value, bool):
            self.problem(field, "must be true or false")
            return default
        return value

    def choice(self, field: str, options: tuple[str, ...]) -> str:
        """Read one of some words; the first where it is wrong."""
        value = self.take(field)
        if value not in options:
            if value is not None:
                self.problem(field, f"must be one of {', '.join(options)}")
            return options[0]
        return str(value)

    def usd(self, field: str, *, optional: bool = False) -> int | None:
        """Read dollars as nano-dollars, exactly; None where they are left out or wrong."""
        value = self.take(field, None) if optional else self.take(field)
        if value is None:
            return None
        if not isinstance(value, str):
            self.problem(field, 'must be a decimal string such as "30.00", so that it stays exact')
            return None
        try:
            nanos = nanos_of_usd(value)
        except ValueError as error:
            self.problem(field, str(error))
            return None
        if not 0 <= nanos <= MAX_NANOS:
            self.problem(field, "must be 0 or more, and below 9.2 billion dollars")
            return None
        return nanos

    def multiplier(self, field: str) -> int:
        """Read a multiplier as basis points, exactly."""
        value = self.take(field)
        if value is None:
            return 0
        try:
            bps = bps_of(value) if isinstance(value, str) else -1
        except ValueError as error:
            self.problem(field, str(error))
            return 0
        if not 0 <= bps <= _MULTIPLIER_MAX_BPS:
            self.problem(field, 'must be a decimal string from "0" to "100000" such as "1.2"')
            return 0
        return bps

    def texts(self, field: str, default: list[str] | None = None) -> list[str]:
        """Read a list of texts."""
        value = self.take(field) if default is None else self.take(field, default)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.problem(field, 'must be a list of texts, such as ["a", "b"]')
            return []
        return list(value)

    def mapping(self, field: str) -> Mapping[str, object]:
        """Read a table within the table; empty where it is left out."""
        value = self.take(field, {})
        if not isinstance(value, Mapping):
            self.problem(field, "must be a table, such as { name = 1 }")
            return {}
        return value

    def integers(self, field: str, low: int, high: int) -> dict[str, int]:
        """Read a table of whole numbers by name."""
        inner = Table(self.mapping(field), self.place, "", self.problems, within=field)
        return {name: inner.integer(name, low, high) or 0 for name in inner.raw}

    def string_map(self, field: str) -> dict[str, str]:
        """Read a table of texts by name."""
        inner = Table(self.mapping(field), self.place, "", self.problems, within=field)
        return {name: inner.text(name) for name in inner.raw}

    def list_of_tables(self, field: str) -> list[Mapping[str, object]]:
        """Read a list of tables; empty where it is left out."""
        value = self.take(field, [])
        if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
            self.problem(field, f"must be tables, each under a heading [[{field}]] or in a list")
            return []
        return list(value)
