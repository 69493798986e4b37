"""Exports: what is in the file is what the ledger says, in every format, and no cell is a formula."""

import asyncio
import csv
import io
import os
import stat
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import arro3.io
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from economy import party, tenant
from tokenhouse.domain import insights
from tokenhouse.domain.insights import Downloads, Line, Wanted
from tokenhouse.domain.insights.sheets import COLUMNS, FORMATS, KINDS_OF, writer_of
from tokenhouse.infra.database import PLATFORM, Database
from tokenhouse.infra.kernel.errors import Conflict, ValidationFailed
from tokenhouse.infra.kernel.money import usd_text

AT = datetime(2030, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
DANGEROUS = "=+-@\t\r\n\0"


def line(**said):
    empty = dict.fromkeys(Line.__slots__)
    given = {"id": uuid4(), "leg": 0, "kind": "usage", "occurred_at": AT, "created_at": AT, "credits": -1} | said
    return Line(**(empty | given))


def written(folder, sort, kind, lines, batch=3):
    path = folder / f"{uuid4()}.{sort}"
    path.touch(mode=0o600)
    writer = writer_of(sort, path, COLUMNS[kind])
    for n in range(0, len(lines), batch):
        writer.write(lines[n : n + batch])
    writer.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return path


def rows_of(sort, content):
    """The rows of a file by its columns' names, texts and numbers as they are read back."""
    if sort == "csv":
        return list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    if sort == "xlsx":
        book = openpyxl.load_workbook(io.BytesIO(content))
        rows = []
        for sheet in book.worksheets:
            names, *cells = sheet.iter_rows(values_only=True)
            rows += [dict(zip(names, one, strict=True)) for one in cells]
        return rows
    table = arro3.io.read_parquet(content).read_all()
    columns = {name: [one.as_py() for one in table.column(name)] for name in table.schema.names}
    return [dict(zip(columns, one, strict=True)) for one in zip(*columns.values(), strict=True)]


def number(value):
    """A number or its text, exactly; an empty cell: None."""
    if value in (None, ""):
        return None
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(str(value))


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12) | st.builds(
    lambda first, rest: first + rest,
    st.sampled_from(DANGEROUS[:-1]),
    st.text(st.characters(min_codepoint=32, max_codepoint=300), max_size=8),
)


@settings(max_examples=60, deadline=None)
@given(texts=st.lists(TEXTS, min_size=1, max_size=8))
def test_no_text_is_a_formula_and_all_of_it_is_kept(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("sheets")
    lines = [line(user_id=text, note=text) for text in texts]
    for sort in ("csv", "parquet", "xlsx"):
        found = rows_of(sort, written(folder, sort, "transactions", lines).read_bytes())
        for text, row in zip(texts, found, strict=True):
            cell = row["note"] or ""
            assert cell[:1] not in DANGEROUS or not cell
            wanted = f"'{text}" if text[:1] and text[0] in DANGEROUS else text
            if sort == "xlsx":
                # XML has one kind of line's end, and writes what it has no sign for by its number.
                cell, wanted = (" ".join(one.split()) for one in (cell, wanted))
                if any(ord(one) < 32 or ord(one) in (0xFFFE, 0xFFFF) or one == "_" for one in text):
                    continue
            assert cell == wanted


def test_a_cell_of_xlsx_is_never_a_formula_or_a_link(tmp_path):
    lines = [line(note=text) for text in ("=1+1", "https://example.com", "{=1}", "0012")]
    book = openpyxl.load_workbook(written(tmp_path, "xlsx", "transactions", lines))
    place = [column.name for column in COLUMNS["transactions"]].index("note")
    cells = [row[place] for row in book.active.iter_rows(min_row=2)]
    assert {cell.data_type for cell in cells} == {"s"}
    assert [cell.value for cell in cells] == ["'=1+1", "https://example.com", "{=1}", "0012"]
    assert not any(cell.hyperlink for cell in cells)


NUMBERS = st.integers(-(2**63) + 1, 2**63 - 1) | st.integers(-(10**15), 10**15)


@settings(max_examples=40, deadline=None)
@given(numbers=st.lists(NUMBERS, min_size=1, max_size=6))
def test_numbers_are_exact_and_untouched(tmp_path_factory, numbers):
    folder = tmp_path_factory.mktemp("sheets")
    lines = [line(credits=one, nanos=one) for one in numbers]
    for sort in FORMATS:
        found = rows_of(sort, written(folder, sort, "transactions", lines).read_bytes())
        for one, row in zip(numbers, found, strict=True):
            assert number(row["credits"]) == number(row["nano_usd"]) == one
            assert number(row["usd"]) == Decimal(usd_text(one)) == Decimal(one) / 10**9
            if sort == "csv":
                assert row["usd"] == usd_text(one)


def test_types_and_times(tmp_path):
    lines = [line(credit_type="general", balance=7), line(kind="report", hold_id=uuid4(), cost_nanos=5)]
    path = written(tmp_path, "parquet", "usage", lines)
    schema = arro3.io.read_parquet(str(path)).read_all().schema
    kinds = {name: str(schema.field(name).type) for name in schema.names}
    assert "Int64" in kinds["amount"]
    assert "Timestamp(µs" in kinds["occurred_at"].replace("Microsecond", "µs")
    assert "Decimal128(38, 9)" in kinds["cost_usd"]
    assert rows_of("parquet", path.read_bytes())[0]["occurred_at"] == AT
    first, second = rows_of("csv", written(tmp_path, "csv", "usage", lines).read_bytes())
    assert first["occurred_at"] == "2030-01-31T12:00:00.123456Z"
    assert (first["balance"], second["balance"], second["cost_usd"]) == ("7", "", "0.000000005")
    cell = rows_of("xlsx", written(tmp_path, "xlsx", "usage", lines).read_bytes())[0]["occurred_at"]
    assert abs(cell - AT.replace(tzinfo=None)) < timedelta(milliseconds=1)
    for sort in FORMATS:  # nothing at all is a file with its columns' names
        assert rows_of(sort, written(tmp_path, sort, "usage", []).read_bytes()) == []


def test_a_full_sheet_is_followed_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr("tokenhouse.domain.insights.sheets._SHEET_ROWS", 4)
    path = written(tmp_path, "xlsx", "transactions", [line(credits=n) for n in range(7)])
    assert len(openpyxl.load_workbook(path).worksheets) == 3
    assert [row["credits"] for row in rows_of("xlsx", path.read_bytes())] == list(range(7))


def test_what_cannot_be_written_says_so(tmp_path):
    writer = writer_of("parquet", tmp_path / "no folder" / "x", COLUMNS["usage"])
    with pytest.raises(OSError, match="o such file"):
        for _ in range(9):
            writer.write([line()])
        writer.close()


# ---- of an economy ----


@pytest.fixture
def traded(economy):
    async def make(uses=7):
        ann, bob = await economy.account("ann", credits=10_000), await economy.account("bob", credits=0)
        await economy.model("m-1", bob)
        for n in range(uses):
            done = await economy.charge(ann, model_id="m-1", amount=n + 1, user_label="=zoe")
            if n % 3 == 0:
                await economy.reverse(ann, done.id, 1)
        return ann, bob

    return make


@pytest.fixture
def downloads(booted, tmp_path):
    pool = Database(booted.app_conninfo, booted.signer, min_size=0, max_size=2, wait_seconds=0.3)
    return Downloads(pool, tmp_path / "exports")


async def taken(downloads, account, kind, sort, wanted=None):
    wanted = wanted or Wanted(KINDS_OF[kind])
    chunks = await downloads.download(party(account), kind, sort, wanted)
    return b"".join([chunk async for chunk in chunks])


@pytest.mark.parametrize("sort", FORMATS)
async def test_sums_are_the_ledgers(economy, traded, downloads, sort):
    ann, bob = await traded()
    await downloads.open()
    try:
        used = rows_of(sort, await taken(downloads, ann, "usage", sort))
        earned = rows_of(sort, await taken(downloads, bob, "earnings", sort))
        moved = rows_of(sort, await taken(downloads, ann, "transactions", sort))
    finally:
        await downloads.close()
    assert sum(number(row["amount"]) for row in used) == 28
    assert sum(number(row["reversed"]) for row in used) == 3
    assert {row["user_id"] for row in used} == {"'=zoe"}
    assert sum(number(row["nano_usd"]) for row in earned) == await economy.earned(bob)
    assert sum(number(row["usd"]) for row in earned) * 10**9 == await economy.earned(bob)
    assert sum(number(row["credits"]) for row in moved) == await economy.balance(ann)
    assert {len(row["user_id"]) for row in earned} == {12}
    assert list(downloads.folder.iterdir()) == []
    assert stat.S_IMODE(downloads.folder.stat().st_mode) == 0o700


async def test_filters_hold_for_files_too(economy, traded, downloads):
    ann, _ = await traded()
    await economy.charge(ann, amount=50, user_label="max", operation="chat")
    await downloads.open()
    try:
        wanted = Wanted(KINDS_OF["usage"], user="max", operation="chat")
        assert [row["amount"] for row in rows_of("csv", await taken(downloads, ann, "usage", "csv", wanted))] == ["50"]
        old = Wanted(KINDS_OF["usage"], until=datetime.now(UTC) - timedelta(hours=1))
        assert rows_of("csv", await taken(downloads, ann, "usage", "csv", old)) == []
    finally:
        await downloads.close()


async def test_a_slow_caller_keeps_no_connection_and_too_many_wait_in_vain(economy, traded, downloads, monkeypatch):
    """What was read lies in a file; whoever never takes it costs nothing, and leaves nothing."""
    monkeypatch.setattr("tokenhouse.domain.insights.history._AT_ONCE", 2)
    ann, _ = await traded()
    await downloads.open()
    try:
        slow = [await downloads.download(party(ann), "usage", "csv", Wanted(("usage",))) for _ in range(5)]
        pieces = [await anext(one) for one in slow]
        assert all(piece.startswith(b"id,kind") for piece in pieces)
        rest = b"".join([chunk async for chunk in slow[0]])
        assert len(rows_of("csv", pieces[0] + rest)) == 7
        for one in slow[1:]:
            await one.aclose()
        assert list(downloads.folder.iterdir()) == []
        # Both connections at work: a third is told to come again.
        held = asyncio.Event()

        async def holding():
            async with downloads._database.read(tenant(ann)):
                await held.wait()

        tasks = [asyncio.create_task(holding()) for _ in range(2)]
        await asyncio.sleep(0.2)
        with pytest.raises(Exception, match="busy"):
            await taken(downloads, ann, "usage", "csv")
        held.set()
        await asyncio.gather(*tasks)
        assert await taken(downloads, ann, "usage", "csv")
    finally:
        await downloads.close()


async def test_too_many_rows_at_once_are_refused(economy, traded, downloads, monkeypatch):
    ann, _ = await traded()
    monkeypatch.setitem(insights.MOST_AT_ONCE, "xlsx", 6)
    await downloads.open()
    try:
        with pytest.raises(ValidationFailed) as refused:
            await taken(downloads, ann, "usage", "xlsx")
        assert refused.value.code == "too_many_rows"
        assert len(rows_of("csv", await taken(downloads, ann, "usage", "csv"))) == 7
    finally:
        await downloads.close()
    assert list(downloads.folder.iterdir()) == []


# ---- made in the background ----


async def asked(economy, account, kind="usage", sort="csv", wanted=None):
    async with economy.db.transaction(PLATFORM) as tx:
        return await insights.request_export(tx, account.id, kind, sort, wanted or Wanted())


async def state(economy, job):
    async with economy.db.read(PLATFORM) as tx:
        return await insights.export_of(tx, job.id)


@pytest.mark.parametrize("sort", FORMATS)
async def test_an_export_is_made_in_the_background(economy, traded, worker_db, tmp_path, sort):
    ann, _ = await traded()
    job = await asked(economy, ann, "transactions", sort)
    assert (job.state, job.rows, job.total) == ("queued", 0, None)
    assert await insights.make_export(worker_db, tmp_path, lambda: False)
    assert not await insights.make_export(worker_db, tmp_path, lambda: False)
    done = await state(economy, job)
    file = insights.file_of(tmp_path, job.id, sort)
    assert (done.state, done.rows, done.total, done.bytes) == ("done", 11, 11, file.stat().st_size)
    assert sum(number(row["credits"]) for row in rows_of(sort, file.read_bytes())) == await economy.balance(ann)
    assert [one.name for one in tmp_path.iterdir()] == [file.name]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_filters_are_kept_with_the_export(economy, traded, worker_db, tmp_path):
    ann, _ = await traded()
    await economy.charge(ann, amount=50, user_label="max")
    now = datetime.now(UTC)
    wanted = Wanted(user="max", since=now - timedelta(hours=1), until=now + timedelta(hours=1))
    job = await asked(economy, ann, wanted=wanted)
    assert await insights.make_export(worker_db, tmp_path, lambda: False)
    rows = rows_of("csv", insights.file_of(tmp_path, job.id, "csv").read_bytes())
    assert [row["amount"] for row in rows] == ["50"]


async def test_what_was_stopped_or_killed_begins_anew(economy, traded, worker_db, tmp_path, admin):
    ann, _ = await traded()
    job = await asked(economy, ann)
    assert not await insights.make_export(worker_db, tmp_path, lambda: True)
    assert (await state(economy, job)).state == "queued"
    assert list(tmp_path.iterdir()) == []
    # Killed: it is `running`, and half a file lies there.
    admin.execute("update insights.export_job set state = 'running', rows = 3")
    (tmp_path / f"{job.id}.csv.part").write_text("half")
    assert await insights.make_export(worker_db, tmp_path, lambda: False)
    assert (await state(economy, job)).state == "done"
    assert len(rows_of("csv", insights.file_of(tmp_path, job.id, "csv").read_bytes())) == 7
    # Begun too often it has failed, and the next has its turn.
    bad, good = await asked(economy, ann), await asked(economy, ann)
    admin.execute("update insights.export_job set state = 'running', tries = 3 where id = %s", [bad.id])
    assert await insights.make_export(worker_db, tmp_path, lambda: False)
    assert [(await state(economy, one)).state for one in (bad, good)] == ["failed", "done"]


async def test_a_disk_that_fails_is_told_and_tried_again(economy, traded, worker_db, tmp_path):
    ann, _ = await traded()
    job = await asked(economy, ann)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="file"):
        await insights.make_export(worker_db, tmp_path / "file", lambda: False)
    found = await state(economy, job)
    assert found.state in ("queued", "running")
    assert await insights.make_export(worker_db, tmp_path, lambda: False)


async def test_an_account_has_so_many_at_once(economy, traded):
    ann, bob = await traded(uses=1)
    for _ in range(10):
        await asked(economy, ann)
    with pytest.raises(Conflict) as refused:
        await asked(economy, ann)
    assert refused.value.code == "too_many_exports"
    await asked(economy, bob)


async def test_files_are_deleted_after_a_day_and_with_the_person(economy, traded, worker_db, tmp_path, admin):
    ann, bob = await traded()
    jobs = [await asked(economy, who) for who in (ann, ann, bob)]
    while await insights.make_export(worker_db, tmp_path, lambda: False):
        pass
    stray = tmp_path / f"{UUID(int=7)}.csv.part"
    stray.touch()
    assert await insights.sweep_exports(worker_db, tmp_path) == 0
    admin.execute(
        "update insights.export_job set ended_at = ended_at - interval '25 hours' where id = %s", [jobs[0].id]
    )
    admin.execute("update access.account set erased_at = clock_timestamp() where id = %s", [bob.id])
    assert await insights.sweep_exports(worker_db, tmp_path) == 2
    assert [(await state(economy, one)).state for one in jobs] == ["expired", "done", "expired"]
    assert {one.name for one in tmp_path.iterdir()} == {f"{jobs[1].id}.csv", stray.name}
    old = stray.stat().st_mtime - 90_000
    os.utime(stray, (old, old))
    assert await insights.sweep_exports(worker_db, tmp_path) == 1


async def test_lines_come_a_batch_at_a_time(economy, traded, monkeypatch):
    monkeypatch.setattr("tokenhouse.domain.insights.history._AT_ONCE", 3)
    ann, _ = await traded(uses=20)
    async with economy.db.read(tenant(ann)) as tx:
        sizes = [len(lines) async for lines in insights.every_line(tx, party(ann), Wanted())]
    assert max(sizes) == 3
    assert sum(sizes) == 28
