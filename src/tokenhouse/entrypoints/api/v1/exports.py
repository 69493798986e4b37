"""Exports: an account's uses, earnings or transactions as a file, at once or made in the background."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from fastapi.responses import StreamingResponse
from pydantic import ConfigDict, Field

from tokenhouse.domain import access, insights
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.access.rules import acts_for
from tokenhouse.domain.insights import KINDS_OF, MEDIA_TYPES, Format, Job, Kind, Wanted
from tokenhouse.entrypoints.api.call import Call, party_of, uuid_of
from tokenhouse.entrypoints.api.cursor import cursor_of, uuid_after
from tokenhouse.entrypoints.api.reference import LIST, READ, WRITE, Responses, created, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, router
from tokenhouse.entrypoints.api.types import Answer, Body, Id, Instant, Word
from tokenhouse.entrypoints.api.v1.history import wanted_of
from tokenhouse.infra.database import PLATFORM, Actor
from tokenhouse.infra.kernel.errors import Conflict, NotFound

routes = router("Exports")

_JOBS = "/v1/exports/jobs"
_CHUNK = 1 << 16
_FILE: Responses = {
    200: {
        "description": "The file.",
        "content": {
            kind.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES.values()
        },
        "headers": {"Content-Disposition": {"description": "A name for it.", "schema": {"type": "string"}}},
    }
}


class ExportBody(Body):
    """What to export: lines that happened from `from` on and before `to`, and fit the filters."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"account_id": "u-42", "kind": "usage", "format": "xlsx"}]}
    )

    account_id: Id
    kind: Kind
    format: Format
    since: Instant | None = Field(None, alias="from")
    until: Instant | None = Field(None, alias="to")
    model_id: Id | None = None
    operation: Word | None = None
    user_id: Word | None = None


class ExportJobOut(Answer):
    """An export that is made in the background."""

    id: str
    account_id: str
    kind: str
    format: str
    state: str = Field(description="queued, running, done, failed or expired (its file was deleted, a day after it).")
    rows: int = Field(description="Written so far.")
    total: int | None = Field(description="Of so many at most; filters may leave fewer. Null: not begun.")
    progress: float | None = Field(description="From 0 to 1.")
    bytes: int | None = Field(description="Of the file.")
    href: str | None = Field(description="Where the file is, once it is done.")
    trouble: str | None = Field(description="Why it failed, or was begun again.")
    requested_at: datetime
    ended_at: datetime | None


def _told(job: Job) -> dict[str, Any]:
    done = job.state == "done"
    share = job.rows / job.total if job.total else 0.0
    return {
        "id": str(job.id),
        "account_id": job.account_id,
        "kind": job.kind,
        "format": job.format,
        "state": job.state,
        "rows": job.rows,
        "total": job.total,
        "progress": 1.0 if done else None if job.total is None else round(min(share, 0.99), 3),
        "bytes": job.bytes,
        "href": f"{_JOBS}/{job.id}/file" if done else None,
        "trouble": job.trouble,
        "requested_at": job.requested_at,
        "ended_at": job.ended_at,
    }


@routes.post(
    "/v1/exports",
    operation_id="exports_create",
    summary="Ask for an export",
    status_code=202,
    responses={**created(ExportJobOut, 202, "It will be made."), **WRITE},
)
async def exports_create(call: TheCall, body: ExportBody) -> Response:
    """Have a file of any size made in the background; see how far it is at `/v1/exports/jobs/{id}`.

    Exports are made one after the other. A file is kept for a day.
    """
    identity = await call.account(body.account_id, "wallets:read")
    async with call.runtime.database.transaction(PLATFORM) as tx:
        wanted = await wanted_of(
            tx,
            model_id=body.model_id,
            operation=body.operation,
            user_id=body.user_id,
            since=body.since,
            until=body.until,
        )
        if wanted is None:
            raise NotFound("There is no such model.")
        job = await insights.request_export(tx, identity.id, body.kind, body.format, wanted)
        told = {"kind": job.kind, "format": job.format}
        await access.record(tx, call.by(), Act("export.create", "export", str(job.id), identity.id, None, told))
    return answer(_told(job), 202, {"Location": f"{_JOBS}/{job.id}"})


@routes.get(
    _JOBS,
    operation_id="exports_list",
    summary="List exports",
    responses={**found(ExportJobOut, listed=True), **LIST},
)
async def exports_list(
    call: TheCall,
    account_id: Annotated[str, Query(description="Whose exports.")],
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List the exports that were asked for, the newest first."""
    identity = await call.account(account_id, "wallets:read")
    before = uuid_after(cursor)
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        jobs = await insights.exports_of(tx, identity.id, before=before, most=limit + 1)
    following = cursor_of(jobs[limit - 1].id) if len(jobs) > limit else None
    return answer(page([_told(job) for job in jobs[:limit]], following))


@routes.get(
    _JOBS + "/{export_id}",
    operation_id="exports_get",
    summary="Read an export",
    responses={**found(ExportJobOut), **READ},
)
async def exports_get(call: TheCall, export_id: str) -> Response:
    """Say how far an export is."""
    return answer(_told(await _job(call, export_id)))


@routes.get(
    _JOBS + "/{export_id}/file",
    operation_id="exports_file",
    summary="Download an export",
    responses={**_FILE, **LIST, 409: WRITE[409]},
    response_class=StreamingResponse,
)
async def exports_file(call: TheCall, export_id: str) -> Response:
    """Give the file of an export that is done."""
    job = await _job(call, export_id)
    if job.state == "expired":
        raise NotFound("The file was deleted, a day after it was made. Ask for the export again.")
    if job.state != "done":
        raise Conflict(f"The export is {job.state}, not done. Read {_JOBS}/{job.id}.", code="export_not_done")
    try:
        file = insights.file_of(call.runtime.downloads.folder, job.id, job.format).open("rb")
    except FileNotFoundError:
        raise NotFound("The file is not on this machine. Ask for the export again.") from None

    async def chunks() -> AsyncIterator[bytes]:
        with file:
            while chunk := file.read(_CHUNK):
                yield chunk

    return _file(chunks(), job.account_id, job.kind, job.format, job.bytes)


@routes.get(
    "/v1/exports/{kind}",
    operation_id="exports_download",
    summary="Download at once",
    responses={**_FILE, **LIST},
    response_class=StreamingResponse,
)
async def exports_download(
    call: TheCall,
    kind: Kind,
    account_id: Annotated[str, Query(description="Whose.")],
    sort: Annotated[Format, Query(alias="format")],
    since: Annotated[Instant | None, Query(alias="from", description="Happened at this time or later.")] = None,
    until: Annotated[Instant | None, Query(alias="to", description="Happened before this time.")] = None,
    model_id: Annotated[str | None, Query(max_length=128)] = None,
    operation: Annotated[str | None, Query(max_length=128)] = None,
    user_id: Annotated[str | None, Query(max_length=128, description="As the lines show it.")] = None,
) -> Response:
    """Give an account's `usage`, `earnings` or `transactions` as a file, the newest record first.

    CSV is streamed, whatever its size. Up to 20,000 rows are made into XLSX at once and up to 100,000 into Parquet
    (more: 422 `too_many_rows`); `POST /v1/exports` makes them of any number. Text that a spreadsheet could take for a
    formula has a leading `'`.
    """
    identity = await call.account(account_id, "wallets:read")
    party = party_of(identity)
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        wanted = await wanted_of(tx, model_id=model_id, operation=operation, user_id=user_id, since=since, until=until)
    if wanted is None:
        wanted = Wanted(model=_NO_MODEL)
    chunks = await call.runtime.downloads.download(party, kind, sort, replace(wanted, kinds=KINDS_OF[kind]))
    return _file(chunks, identity.external_id, kind, sort, None)


_NO_MODEL = -1


async def _job(call: Call, export_id: str) -> Job:
    """Find an export that the call may see. NotFound: there is none, or it is another's."""
    number: UUID = uuid_of(export_id, "export")
    async with call.runtime.database.read(PLATFORM) as tx:
        job = await insights.export_of(tx, number)
    if job is None or not acts_for(call.authority, job.account_id):
        raise NotFound("There is no such export, or it is not yours.")
    call.require("wallets:read")
    return job


def _file(chunks: AsyncIterator[bytes], account: str, kind: str, sort: Format, size: int | None) -> Response:
    """Answer with a file that comes in pieces."""
    name = f"tokenhouse-{kind}-{account}".replace(":", "-").replace("@", "-")
    headers = {
        "Content-Disposition": f'attachment; filename="{name}.{sort}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    if size is not None:
        headers["Content-Length"] = str(size)
    return StreamingResponse(chunks, headers=headers, media_type=MEDIA_TYPES[sort])
