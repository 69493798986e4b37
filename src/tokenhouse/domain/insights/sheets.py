"""Files of lines: CSV, XLSX and Parquet, written as the lines come, never all of them in memory.

A writer is used from one thread at a time. Its file must be there already; it keeps that file's mode.
"""

import csv
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

from tokenhouse.domain.insights.history import Line
from tokenhouse.infra.kernel.cells import text_cell
from tokenhouse.infra.kernel.money import usd_text

if TYPE_CHECKING:
    import arro3.core as arrow

Kind = Literal["usage", "earnings", "transactions"]
Format = Literal["csv", "xlsx", "parquet"]
FORMATS: tuple[Format, ...] = get_args(Format)

MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "parquet": "application/vnd.apache.parquet",
}

_SHEET_ROWS = 1_048_576
_EXACT_IN_A_CELL = 10**15  # a spreadsheet's numbers have 15 digits
_WAITING_BATCHES = 2
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Column:
    """A column: what it is called, what its cells are, and how they come of a line (None: an empty cell).

    text; count: an integer; usd: nano-dollars, told in dollars; time.
    """

    name: str
    sort: Literal["text", "count", "usd", "time"]
    value: Callable[[Line], Any]


_ID = Column("id", "text", lambda line: line.id)
_KIND = Column("kind", "text", lambda line: line.kind)
_CHARGE = Column("charge_id", "text", lambda line: line.charge_id)
_OCCURRED = Column("occurred_at", "time", lambda line: line.occurred_at)
_CREATED = Column("created_at", "time", lambda line: line.created_at)
_USER = Column("user_id", "text", lambda line: line.user_id)
_MODEL = Column("model_id", "text", lambda line: line.model_id)
_OPERATION = Column("operation", "text", lambda line: line.operation)
_USAGE_TYPE = Column("usage_type", "text", lambda line: line.usage_type)
_TYPE = Column("credit_type", "text", lambda line: line.credit_type)
_NANOS = Column("nano_usd", "count", lambda line: line.nanos)
_USD = Column("usd", "usd", lambda line: line.nanos)

COLUMNS: dict[Kind, tuple[Column, ...]] = {
    "usage": (
        _ID,
        _KIND,
        _OCCURRED,
        _CREATED,
        _USER,
        _OPERATION,
        _MODEL,
        Column("character_id", "text", lambda line: line.character_id),
        _USAGE_TYPE,
        _TYPE,
        Column("amount", "count", lambda line: -(line.credits or 0)),
        Column("reversed", "count", lambda line: line.reversed or 0),
        Column("balance", "count", lambda line: line.balance),
        Column("hold_id", "text", lambda line: line.hold_id),
        Column("upstream_model", "text", lambda line: line.upstream_model),
        Column("provider", "text", lambda line: line.provider),
        Column("cost_nano_usd", "count", lambda line: line.cost_nanos),
        Column("cost_usd", "usd", lambda line: line.cost_nanos),
    ),
    "earnings": (
        _ID,
        _KIND,
        _CHARGE,
        _OCCURRED,
        _CREATED,
        _MODEL,
        _OPERATION,
        _USAGE_TYPE,
        _USER,
        Column("credits", "count", lambda line: line.used),
        _NANOS,
        _USD,
    ),
    "transactions": (
        _ID,
        Column("leg", "count", lambda line: line.leg),
        _KIND,
        _OCCURRED,
        _CREATED,
        _TYPE,
        Column("credits", "count", lambda line: line.credits),
        _NANOS,
        _USD,
        _MODEL,
        _OPERATION,
        _USER,
        _CHARGE,
        Column("note", "text", lambda line: line.note),
    ),
}


def time_text(at: datetime) -> str:
    """Give a time as text: UTC, to the microsecond, always of the same length."""
    return f"{at.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"


KINDS_OF: dict[Kind, tuple[str, ...] | None] = {
    "usage": ("usage", "report"),
    "earnings": ("earning", "reversal"),
    "transactions": None,
}
"""Which lines of the log are in which export; None: all."""


class Writer(Protocol):
    """Writes lines into one file. `close` completes it; who gives up calls `abandon`."""

    def write(self, lines: Sequence[Line]) -> None:
        """Write lines, in their order."""

    def close(self) -> None:
        """Complete the file."""

    def abandon(self) -> None:
        """Let go of what the writer holds; the file is of no use."""


def writer_of(sort: Format, path: Path, columns: Sequence[Column]) -> Writer:
    """Make the writer of a format."""
    match sort:
        case "csv":
            return CsvWriter(path, columns)
        case "xlsx":
            return XlsxWriter(path, columns)
        case "parquet":
            return ParquetWriter(path, columns)


class CsvWriter:
    """CSV by RFC 4180: UTF-8, a line of names first. What was written can be read at once."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._file = path.open("w", encoding="utf-8", newline="")
        self._csv = csv.writer(self._file)
        self._csv.writerow([column.name for column in columns])
        self._file.flush()

    def write(self, lines: Sequence[Line]) -> None:
        """Write lines, and hand them to the system."""
        columns = self._columns
        self._csv.writerows([_csv_cell(column.sort, column.value(line)) for column in columns] for line in lines)
        self._file.flush()

    def close(self) -> None:
        """Complete the file."""
        self._file.close()

    abandon = close


def _csv_cell(sort: str, value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    if value is None or sort == "count":
        return value
    if sort == "text":
        return text_cell(value)
    return usd_text(value) if sort == "usd" else time_text(value)


class XlsxWriter:
    """A workbook, written row by row; a full sheet is followed by another. Text is never a formula or a link."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        import xlsxwriter  # noqa: PLC0415 - few exports need it

        self._columns = columns
        self._book = xlsxwriter.Workbook(str(path), {"constant_memory": True, "tmpdir": str(path.parent)})
        self._time = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss.000"})
        self._row = _SHEET_ROWS

    def write(self, lines: Sequence[Line]) -> None:
        """Write lines."""
        for line in lines:
            if self._row == _SHEET_ROWS:
                self._begin_sheet()
            for place, column in enumerate(self._columns):
                self._cell(place, column.sort, column.value(line))
            self._row += 1

    def close(self) -> None:
        """Put the workbook together."""
        if self._row == _SHEET_ROWS:
            self._begin_sheet()
        self._book.close()

    def abandon(self) -> None:
        """Delete the rows that were put aside."""
        for sheet in self._book.worksheets():
            rows = sheet.row_data_fh
            rows.close()
            Path(rows.name).unlink(missing_ok=True)

    def _begin_sheet(self) -> None:
        self._sheet = self._book.add_worksheet()
        self._sheet.set_column(0, len(self._columns) - 1, 20)
        for place, column in enumerate(self._columns):
            self._sheet.write_string(0, place, column.name)
        self._row = 1

    def _cell(self, place: int, sort: str, value: Any) -> None:  # noqa: ANN401 - whatever a column holds
        if value is None:
            return
        if sort == "text":
            # By its type: write() would guess formulas, links and numbers.
            self._sheet.write_string(self._row, place, text_cell(value))
        elif sort == "time":
            self._sheet.write_datetime(self._row, place, value.astimezone(UTC).replace(tzinfo=None), self._time)
        elif abs(value) < _EXACT_IN_A_CELL:
            self._sheet.write_number(self._row, place, Decimal(usd_text(value)) if sort == "usd" else value)
        else:
            self._sheet.write_string(self._row, place, usd_text(value) if sort == "usd" else str(value))


class ParquetWriter:
    """Parquet, compressed; its library takes batches from a thread of its own."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        import arro3.core as arrow  # noqa: PLC0415 - few exports need it

        self._columns = columns
        self._arrow = arrow
        types = {
            "text": arrow.DataType.utf8(),
            "count": arrow.DataType.int64(),
            "usd": arrow.DataType.decimal128(38, 9),
            "time": arrow.DataType.timestamp("us", tz="UTC"),
        }
        self._types = types
        self._schema = arrow.Schema([arrow.Field(column.name, types[column.sort]) for column in columns])
        self._waiting: queue.Queue[Any] = queue.Queue(_WAITING_BATCHES)
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._take, args=(path,), name="parquet", daemon=True)
        self._thread.start()

    def write(self, lines: Sequence[Line]) -> None:
        """Hand lines over as one batch."""
        self._put(
            self._arrow.RecordBatch.from_arrays(
                [self._array(column, [column.value(line) for line in lines]) for column in self._columns],
                schema=self._schema,
            )
        )

    def close(self) -> None:
        """Complete the file."""
        self._put(None)
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def abandon(self) -> None:
        """Let the thread end."""
        if self._failure is None and self._thread.is_alive():
            self._put(_Abandoned())
            self._thread.join()

    def _array(self, column: Column, values: list[Any]) -> "arrow.Array":
        if column.sort == "count":
            return self._arrow.Array(values, self._types["count"])
        if column.sort == "time":
            since = [None if one is None else (one - _EPOCH) // timedelta(microseconds=1) for one in values]
            return self._arrow.Array(since, self._arrow.DataType.int64()).cast(self._types["time"])
        said = usd_text if column.sort == "usd" else text_cell
        texts = [None if one is None else said(one) for one in values]
        return self._arrow.Array(texts, self._arrow.DataType.utf8()).cast(self._types[column.sort])

    def _put(self, batch: object) -> None:
        while True:
            if self._failure is not None:
                raise self._failure
            try:
                self._waiting.put(batch, timeout=1)
            except queue.Full:
                continue
            return

    def _batches(self) -> Iterator["arrow.RecordBatch"]:
        while (batch := self._waiting.get()) is not None:
            if isinstance(batch, _Abandoned):
                raise batch
            yield batch

    def _take(self, path: Path) -> None:
        import arro3.io as arrow_io  # noqa: PLC0415 - few exports need it

        try:
            reader = self._arrow.RecordBatchReader.from_batches(self._schema, self._batches())
            arrow_io.write_parquet(reader, str(path), compression="zstd(3)", max_row_group_size=100_000)
        except BaseException as error:  # noqa: BLE001 - told to who writes
            self._failure = error


class _Abandoned(Exception):
    """Nobody wants the file any more."""
