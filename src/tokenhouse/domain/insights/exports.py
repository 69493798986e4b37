"""Exports: files of an account's history, streamed at once or made by the jobs process.

Files lie in a folder that the processes share, for their owner alone, named by the export's id; a day after its end an
export's file is deleted.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from tokenhouse.domain.insights.history import Wanted, every_line, first_id
from tokenhouse.domain.insights.sheets import COLUMNS, KINDS_OF, Format, Kind, Writer, writer_of
from tokenhouse.domain.ledger.types import Party
from tokenhouse.infra.database import PLATFORM, Actor, Database, Tx, load_queries
from tokenhouse.infra.kernel.errors import Conflict, ValidationFailed
from tokenhouse.infra.kernel.ids import uuid7

State = Literal["queued", "running", "done", "failed", "expired"]


@dataclass(frozen=True, slots=True)
class Job:
    """An export that was asked for. asked: its filters, as JSON. rows: written so far, of at most `total`.

    account_id: the app's id. trouble: why it failed, or was begun again.
    """

    id: UUID
    account_id: str
    kind: Kind
    format: Format
    asked: dict[str, Any]
    state: State
    total: int | None
    rows: int
    bytes: int | None
    trouble: str | None
    requested_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Taken:
    """An export that is to be made."""

    id: UUID
    account_id: int
    bucket: int
    kind: Kind
    format: Format
    asked: dict[str, Any]


_Q = load_queries(__file__, "exports.sql")
_REQUEST = _Q.rows("request_export", bool)
_TAKE = _Q.rows("take_export", Taken)
_ADVANCE = _Q.nothing("advance_export")
_END = _Q.rows("end_export", bool)
_EXPIRE = _Q.rows("expire_exports", list)
_EXPORT_OF = _Q.rows("export_of", Job)
_EXPORTS_OF = _Q.rows("exports_of", Job)
_LIVE = _Q.rows("live_exports", list)
_COUNT_OF = _Q.rows("count_of", int)

MOST_AT_ONCE: dict[Format, int | None] = {"csv": None, "xlsx": 20_000, "parquet": 100_000}
"""Lines of what is not streamed while it is made; more are for the jobs process. None: any number."""

EXPORT_CONNECTIONS = 2
"""Exports that one serving process streams at once."""

_MOST_WAITING = 10
_MOST_TRIES = 3
_KEPT_SECONDS = 86_400
_LONGEST_SECONDS = 21_600
_STREAM_SECONDS = 900
_TELL_EVERY = 10_000
_CHUNK = 1 << 16


class _Stopped(Exception):
    """The process is to end."""


async def request_export(tx: Tx, account_id: int, kind: Kind, sort: Format, wanted: Wanted) -> Job:
    """Put an export into the queue. Needs the platform's token. Conflict: the account has ten that are not made yet."""
    number = uuid7()
    asked = _asked(wanted)
    done = await tx.one(
        _REQUEST, id=number, account_id=account_id, kind=kind, format=sort, asked=asked, most=_MOST_WAITING
    )
    if not done:
        raise Conflict(
            f"{_MOST_WAITING} exports of this account wait to be made. Ask again when one of them is done.",
            code="too_many_exports",
        )
    return await tx.one(_EXPORT_OF, id=number)


async def export_of(tx: Tx, number: UUID) -> Job | None:
    """Return an export that this token may see."""
    return await tx.first(_EXPORT_OF, id=number)


async def exports_of(tx: Tx, account_id: int, *, before: UUID | None = None, most: int = 100) -> list[Job]:
    """Return an account's exports, the newest first."""
    return await tx.all(_EXPORTS_OF, account_id=account_id, before=before, most=most)


def file_of(folder: Path, job: UUID, sort: Format) -> Path:
    """Name the file of an export that is done."""
    return folder.joinpath(f"{job}.{sort}")


def wanted_of(kind: Kind, asked: dict[str, Any]) -> Wanted:
    """Read the filters that `request_export` kept."""
    since, until = (datetime.fromisoformat(asked[name]) if name in asked else None for name in ("since", "until"))
    return Wanted(
        KINDS_OF[kind], asked.get("model"), asked.get("operation"), asked.get("user"), since=since, until=until
    )


def _asked(wanted: Wanted) -> dict[str, object]:
    times = {"since": wanted.since, "until": wanted.until}
    return {
        **{name: at.isoformat() for name, at in times.items() if at is not None},
        **{name: value for name in ("model", "operation", "user") if (value := getattr(wanted, name)) is not None},
    }


async def make_export(database: Database, folder: Path, ended: Callable[[], bool]) -> bool:
    """Make the export that was asked for first; False where there is none, or the process is to end.

    Whatever is begun and not completed, by whatever end, begins anew next time, three times at the most.
    """
    async with database.transaction(PLATFORM) as tx:
        job = await tx.first(_TAKE, most_tries=_MOST_TRIES)
    if job is None:
        return False
    _own_folder(folder)
    part = folder.joinpath(f"{job.id}.{job.format}.part")
    state, rows, size, trouble = "queued", 0, None, None
    try:
        rows = await _write(database, job, part, ended)
        size = part.stat().st_size
        part.rename(file_of(folder, job.id, job.format))
        state = "done"
    except _Stopped:
        trouble = "the service was stopped"
    except Exception as error:
        trouble = f"{type(error).__name__} while it was written"
        raise
    finally:
        part.unlink(missing_ok=True)
        async with database.transaction(PLATFORM) as tx:
            kept = await tx.one(_END, id=job.id, state=state, rows=rows, bytes=size, trouble=trouble)
        if not kept:
            file_of(folder, job.id, job.format).unlink(missing_ok=True)
    return state == "done"


async def _write(database: Database, job: Taken, part: Path, ended: Callable[[], bool]) -> int:
    """Write an export's file; returns its lines."""
    wanted = wanted_of(job.kind, job.asked)
    party = Party(job.account_id, job.bucket, "")
    _fresh(part)
    writer = await asyncio.to_thread(writer_of, job.format, part, COLUMNS[job.kind])
    rows = told = 0
    try:
        async with database.read(Actor((party.id,)), ttl_seconds=_LONGEST_SECONDS) as tx:
            total = await _count(tx, party, job.kind, wanted)
            await _tell(database, job.id, 0, total)
            async for lines in every_line(tx, party, wanted):
                _go_on(ended)
                await asyncio.to_thread(writer.write, lines)
                rows += len(lines)
                if rows - told >= _TELL_EVERY:
                    told = rows
                    await _tell(database, job.id, rows, None)
        await asyncio.to_thread(writer.close)
    except BaseException:
        await asyncio.to_thread(writer.abandon)
        raise
    return rows


def _go_on(ended: Callable[[], bool]) -> None:
    if ended():
        raise _Stopped


async def _count(tx: Tx, party: Party, kind: Kind, wanted: Wanted) -> int:
    return await tx.one(
        _COUNT_OF,
        bucket=party.bucket,
        account_id=party.id,
        floor=first_id(wanted.since),
        uses=kind != "earnings",
        moves=kind == "transactions",
        dollars=kind != "usage",
    )


async def _tell(database: Database, job: UUID, rows: int, total: int | None) -> None:
    async with database.transaction(PLATFORM) as tx:
        await tx.run(_ADVANCE, id=job, rows=rows, total=total)


async def sweep_exports(database: Database, folder: Path) -> int:
    """Delete the files of exports that ended a day ago, and whatever else lies there that nobody wants any more."""
    async with database.transaction(PLATFORM) as tx:
        expired = await tx.one(_EXPIRE, seconds=_KEPT_SECONDS)
        live = {str(one) for one in await tx.one(_LIVE)}
    return await asyncio.to_thread(_sweep, folder, {str(one) for one in expired}, live)


def _sweep(folder: Path, gone: set[str], live: set[str]) -> int:
    if not folder.is_dir():
        return 0
    now = time.time_ns() // 10**9
    done = 0
    for file in folder.iterdir():
        name = file.name.partition(".")[0]
        # A download that is being made has no export behind it: it is left as long as one may last.
        if name in gone or (name not in live and now - file.stat().st_mtime_ns // 10**9 > _LONGEST_SECONDS):
            file.unlink(missing_ok=True)
            done += 1
    return done


def _own_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _fresh(path: Path) -> None:
    """Make an empty file for its owner alone; whoever opens it keeps its mode."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))


class Downloads:
    """Makes exports for callers who wait for them, with a few connections of its own; one per process.

    A read that lasts holds none of the connections that charges need. What a slow caller has not taken yet lies in a
    file without a name, so that the read ends as soon as it can.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self.folder = folder

    async def open(self) -> None:
        """Be ready; connections are made when they are needed."""
        await self._database.open()

    async def close(self) -> None:
        """Close the connections."""
        await self._database.close()

    async def download(self, party: Party, kind: Kind, sort: Format, wanted: Wanted) -> AsyncIterator[bytes]:
        """Begin an export and give its bytes. ValidationFailed: too many rows. Unavailable: others are under way."""
        _own_folder(self.folder)
        path = self.folder.joinpath(f"{uuid7()}.{sort}.part")
        _fresh(path)
        try:
            reader = path.open("rb")
            writer = await asyncio.to_thread(writer_of, sort, path, COLUMNS[kind])
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        spool = _Spool(self._database, party, wanted, writer, MOST_AT_ONCE[sort])
        try:
            await spool.begun(whole=sort != "csv")
            if sort == "xlsx":
                # It was put together in another file, which took the name.
                reader.close()
                reader = path.open("rb")
        except BaseException:
            reader.close()
            await spool.cancel()
            raise
        finally:
            path.unlink(missing_ok=True)
        return _chunks(spool, reader)


class _Spool:
    """The writing of a file, in a task; `grown` is set whenever there is more to be read, or it has ended."""

    def __init__(self, database: Database, party: Party, wanted: Wanted, writer: Writer, most: int | None) -> None:
        self.grown = asyncio.Event()
        self.task = asyncio.create_task(self._write(database, party, wanted, writer, most))
        self.task.add_done_callback(lambda _: self.grown.set())

    async def begun(self, *, whole: bool) -> None:
        """Wait until there is something to read, or all; raises what went wrong until then."""
        if whole:
            await asyncio.shield(self.task)
            return
        await self.grown.wait()
        if self.task.done():
            self.task.result()

    async def cancel(self) -> None:
        """Stop the writing."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def _write(self, database: Database, party: Party, wanted: Wanted, writer: Writer, most: int | None) -> None:
        rows = 0
        try:
            async with (
                asyncio.timeout(_STREAM_SECONDS),
                database.read(Actor((party.id,)), ttl_seconds=_STREAM_SECONDS) as tx,
            ):
                async for lines in every_line(tx, party, wanted):
                    rows += len(lines)
                    _not_too_many(rows, most)
                    await asyncio.to_thread(writer.write, lines)
                    self.grown.set()
            await asyncio.to_thread(writer.close)
        except BaseException:
            await asyncio.to_thread(writer.abandon)
            raise


def _not_too_many(rows: int, most: int | None) -> None:
    if most is not None and rows > most:
        words = f"is made at once of up to {most:,} rows. POST /v1/exports makes it of any number, or take csv."
        raise ValidationFailed.of("format", words, code="too_many_rows")


async def _chunks(spool: _Spool, reader: Any) -> AsyncIterator[bytes]:  # noqa: ANN401 - an open file
    try:
        while True:
            ended = spool.task.done()
            spool.grown.clear()
            chunk = await asyncio.to_thread(reader.read, _CHUNK)
            if chunk:
                yield chunk
            elif ended:
                spool.task.result()
                return
            elif not spool.task.done():
                await spool.grown.wait()
    finally:
        reader.close()
        await spool.cancel()
