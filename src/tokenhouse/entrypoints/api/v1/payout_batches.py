"""Payouts gathered into files for a bank."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from pydantic import ConfigDict, Field

from tokenhouse.domain import access, payouts
from tokenhouse.entrypoints.api.call import Call, uuid_of
from tokenhouse.entrypoints.api.cursor import cursor_of, uuid_after
from tokenhouse.entrypoints.api.patience import patiently
from tokenhouse.entrypoints.api.reference import COMMAND, LIST, READ, Responses, created, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, replayable, router
from tokenhouse.entrypoints.api.types import Answer, Body
from tokenhouse.infra.database import PLATFORM, Actor, Tx
from tokenhouse.infra.kernel import strict_json
from tokenhouse.infra.kernel.errors import Forbidden, ValidationFailed

routes = router("Payouts")
BATCHES = "/v1/payout-batches"
MOST = 1000
_KINDS = {"csv": ("text/csv; charset=utf-8", "csv"), "pain.001": ("application/xml", "xml")}


class PayoutBatchBody(Body):
    """Payouts by bank to be gathered into a file."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"format": "csv"}]})

    format: Literal["csv", "pain.001"]
    """pain.001 is SEPA's credit transfer: euros, from the account that the settings name."""
    ids: list[str] | None = Field(None, min_length=1, max_length=MOST)
    """Which payouts; left out: all by bank that wait, up to 1 000, the oldest first."""
    execution_date: str | None = Field(None, pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    """When the bank is to pay; left out: today (UTC)."""


class PayoutBatchSumOut(Answer):
    """Payouts that one file pays, in sum."""

    id: str
    format: str
    currency: str
    rate: str = Field(description="Of the currency, per dollar.")
    execution_date: str
    payouts_count: int
    total: str = Field(description="What the file pays, in the currency.")
    total_nano_usd: int
    total_usd: str
    created_by: str
    created_at: datetime
    has_file: bool = Field(description="False once somebody whom it pays was erased.")


class BatchedPayoutOut(Answer):
    """A payout in a batch."""

    id: str
    account_id: str | None
    amount_nano_usd: int
    amount_usd: str
    amount: str = Field(description="What the bank is told to pay: whole cents of the batch's currency, rounded down.")
    reference: str = Field(description="By what the bank names it.")
    state: str | None = Field(None, description="Where it is now; only where the batch is read.")


class SkippedOut(Answer):
    """A payout that could not join, and is as it was."""

    id: str
    code: str = Field(
        description="not_found, not_by_bank, in_a_batch, payout_state, payout_method_missing, no_iban, below_a_cent."
    )


class PayoutBatchOut(PayoutBatchSumOut):
    """A batch and its payouts."""

    payouts: list[BatchedPayoutOut]
    skipped: list[SkippedOut]


@routes.post(
    BATCHES,
    operation_id="payout_batches_create",
    summary="Gather payouts into a bank file",
    status_code=201,
    responses={**created(PayoutBatchOut), **COMMAND},
)
async def payout_batches_create(call: TheCall, body: PayoutBatchBody) -> Response:
    """Gather payouts by bank into a file: they are processing then, and in no other batch.

    Once the bank answered, complete or fail them: POST /v1/payouts/bulk. For platform keys and admins.
    """
    call.require_key()
    call.require_admin()
    fingerprint = strict_json.digest(call.path, call.body).hex()
    new = payouts.NewBatch(body.format, _ids(body), _date(body))
    sealer = call.runtime.sealer()

    async def make(tx: Tx) -> tuple[dict[str, Any], bool]:
        runtime = call.runtime
        return await payouts.make_batch(
            tx, runtime.payouts, runtime.bank, sealer, call.key or "", fingerprint, new, call.by()
        )

    told, replayed = await patiently(call.runtime.database, Actor((0,), teller=True), make)
    return replayable(told, 201, replayed=replayed)


@routes.get(
    BATCHES,
    operation_id="payout_batches_list",
    summary="List batches",
    responses={**found(PayoutBatchSumOut, listed=True), **LIST},
)
async def payout_batches_list(
    call: TheCall,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List batches, the newest first. For platform keys and admins."""
    call.require_admin()
    before = uuid_after(cursor)
    async with call.runtime.database.read(PLATFORM) as tx:
        rows = await payouts.batches_of(tx, before=before, most=limit + 1)
    following = cursor_of(rows[limit - 1].id) if len(rows) > limit else None
    return answer(page([payouts.summed(row) for row in rows[:limit]], following))


@routes.get(
    BATCHES + "/{batch_id}",
    operation_id="payout_batches_get",
    summary="Read a batch",
    responses={**found(PayoutBatchOut), **READ},
)
async def payout_batches_get(call: TheCall, batch_id: str) -> Response:
    """Read a batch, its payouts and where they are now. For platform keys and admins."""
    call.require_admin()
    number = uuid_of(batch_id, "batch")
    async with call.runtime.database.read(PLATFORM) as tx:
        return answer(await payouts.told_batch(tx, await payouts.batch_of(tx, number)))


_A_FILE: Responses = {
    200: {
        "description": "The file, the same bytes each time.",
        "content": {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind, _ in _KINDS.values()},
    }
}


@routes.get(
    BATCHES + "/{batch_id}/file",
    operation_id="payout_batches_file",
    summary="Download a bank file",
    responses={**_A_FILE, **READ},
    response_class=Response,
)
async def payout_batches_file(call: TheCall, batch_id: str) -> Response:
    """Download the file for the bank; that it was read is recorded. For platform keys and admins, not for support."""
    call.require_admin()
    number = uuid_of(batch_id, "batch")
    sealer = call.runtime.sealer()
    async with call.runtime.database.transaction(PLATFORM) as tx:
        await _refuse_support(call, tx)
        batch = await payouts.batch_of(tx, number)
        content = await payouts.file_of(tx, sealer, batch, call.by())
    kind, ending = _KINDS[batch.format]
    name = f'attachment; filename="payouts-{batch.created_at:%Y-%m-%d}-{batch.id}.{ending}"'
    return Response(content, headers={"Content-Disposition": name, "Cache-Control": "no-store"}, media_type=kind)


async def _refuse_support(call: Call, tx: Tx) -> None:
    """Refuse those who see what admins see, but no payee's details: support. Forbidden."""
    own = call.authority.account
    if call.authority.session_id is not None and own is not None:
        credential = await access.credential_of(tx, own.id)
        if credential is None or credential.platform_role != "admin":
            raise Forbidden("The file names payees and their accounts: it is for admins and platform keys.")


def _ids(body: PayoutBatchBody) -> list[UUID] | None:
    """Read the payouts' ids. ValidationFailed names the first that is none."""
    if body.ids is None:
        return None
    read = []
    for place, text in enumerate(body.ids):
        try:
            read.append(UUID(text))
        except ValueError:
            raise ValidationFailed.of(f"ids.{place}", "is no payout's id") from None
    return read


def _date(body: PayoutBatchBody) -> date | None:
    try:
        return None if body.execution_date is None else date.fromisoformat(body.execution_date)
    except ValueError:
        raise ValidationFailed.of("execution_date", 'is no day; write it as "2030-01-31"') from None
