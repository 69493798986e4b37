"""The verbs of batches: payouts by bank gathered into a file, which is kept, sealed, and handed out the same each time.

What is taken from an earner are the payout's dollars; what the bank is told to pay are the whole cents of the batch's
currency that they are worth at its rate, rounded down.
"""

import json
from collections.abc import Sequence
from datetime import UTC, date, timedelta
from typing import NamedTuple
from uuid import UUID

from tokenhouse.domain import access, ledger
from tokenhouse.domain.access.acts import Act, By
from tokenhouse.domain.ledger.rules import refuse_other
from tokenhouse.domain.ledger.types import OWN_ACT, Command, Party
from tokenhouse.domain.payouts import files, payees, service
from tokenhouse.domain.payouts.banking import cents_paid, cents_text, rate_text
from tokenhouse.domain.payouts.methods import bank as method
from tokenhouse.domain.payouts.rules import who
from tokenhouse.domain.payouts.types import Bank, Batch, Batched, FileFormat, Line, Payout, State, Terms
from tokenhouse.infra.database import SealedColumn, SealedRow, Tx, arrays, load_queries
from tokenhouse.infra.kernel.errors import Conflict, NotFound, ValidationFailed
from tokenhouse.infra.kernel.ids import uuid7
from tokenhouse.infra.kernel.money import usd_text
from tokenhouse.infra.kernel.sealing import Place, Sealer

_Q = load_queries(__file__, "batches.sql")
_LOCK = _Q.nothing("lock_batches")
_KEEP = _Q.nothing("keep_batch")
_CANDIDATES = _Q.rows("candidates", UUID)
_BATCH_OF_PAYOUT = _Q.rows("batch_of_payout", UUID)
_BATCH = _Q.rows("batch", Batch)
_BATCHES = _Q.rows("batches", Batch)
_BATCHED = _Q.rows("batched", Batched)
_FILE = _Q.rows("file", bytes)
_SEALED_FILES = _Q.rows("sealed_files", SealedRow)
_RESEAL = _Q.rows("reseal_batch", bool)

MOST = 1000
"""Payouts that one batch takes."""
_TABLE, _COLUMN = "payouts.batch", "sealed"
_FURTHEST = timedelta(days=366)


class NewBatch(NamedTuple):
    """A batch to be made: of these payouts, or (None) of all that wait. execution_date: None for today, UTC."""

    format: FileFormat
    ids: Sequence[UUID] | None = None
    execution_date: date | None = None


class _Joined(NamedTuple):
    payout: Payout
    line: Line


async def make_batch(
    tx: Tx, terms: Terms, bank: Bank, sealer: Sealer, key: str, fingerprint: str, new: NewBatch, by: By
) -> tuple[dict[str, object], bool]:
    """Gather payouts into a file: the answer, and whether it is a replay. Needs the platform's teller.

    Payouts that cannot join are told and left as they are. Conflict (bank_not_set_up): the settings do not say what
    pain.001 needs; (nothing_to_pay): none can join. ValidationFailed: the date is past or far off.
    """
    await tx.run(_LOCK)
    earlier = await tx.first(_BATCH, id=None, key=key)
    if earlier is not None:
        refuse_other(earlier.fingerprint, fingerprint)
        return await told_batch(tx, earlier, now=False), True
    at = await ledger.now(tx)
    day = _execution_date(new.execution_date, at.astimezone(UTC).date())
    if new.format == "pain.001" and (bank.currency != "EUR" or bank.debtor is None):
        raise Conflict(
            "A file pain.001 pays euros from an account of yours: set TOKENHOUSE_PAYOUT_CURRENCY=EUR, _PAYOUT_RATE, "
            "_PAYOUT_DEBTOR_NAME and _PAYOUT_DEBTOR_IBAN. A file csv needs none of them.",
            code="bank_not_set_up",
        )
    batch_id = uuid7()
    joined, skipped = await _gather(tx, terms, bank, sealer, batch_id, new, by)
    if not joined:
        raise Conflict(
            "None of the payouts can be paid by a bank now; `skipped` says why.", code="nothing_to_pay", skipped=skipped
        )
    lines = [one.line for one in joined]
    if new.format == "pain.001" and bank.debtor is not None:
        content = files.pain_file(bank, bank.debtor, batch_id, at, day, lines)
    else:
        content = files.csv_file(bank, day, lines)
    await tx.run(
        _KEEP,
        id=batch_id,
        at=at,
        key=key,
        fingerprint=fingerprint,
        format=new.format,
        currency=bank.currency,
        rate=bank.rate,
        execution_date=day,
        who=who(by),
        skipped=json.dumps([[one["id"], one["code"]] for one in skipped]),
        sealed=sealer.seal(content, _place(batch_id)),
        buckets=arrays.ints(one.payout.bucket for one in joined),
        payouts=arrays.ints(str(one.payout.id) for one in joined),
        cents=arrays.ints(one.line.cents for one in joined),
    )
    told = await told_batch(tx, await batch_of(tx, batch_id), now=False)
    await access.record(tx, by, Act("batch.create", "batch", str(batch_id), after=told))
    return told, False


async def _gather(
    tx: Tx, terms: Terms, bank: Bank, sealer: Sealer, batch_id: UUID, new: NewBatch, by: By
) -> tuple[list[_Joined], list[dict[str, str]]]:
    """Lock the payouts in order; those that can be paid, which are processing then, and the others, and why not."""
    states: list[State] = ["processing"] if terms.approval else ["pending", "processing"]
    ids = new.ids
    if ids is None:
        ids = await tx.all(_CANDIDATES, states=arrays.texts(states), most=MOST)
    joined: list[_Joined] = []
    skipped: list[dict[str, str]] = []
    for payout_id in sorted(set(ids)):
        payout = await service.payout_of(tx, payout_id)
        if payout is None:
            skipped.append({"id": str(payout_id), "code": "not_found"})
            continue
        party = Party(payout.account_id, payout.bucket, payout.account_external_id or "")
        command = Command(party, f" batch {batch_id} {payout_id}", OWN_ACT)
        payout = await service.locked(tx, command, payout_id)
        line = await _line(tx, bank, sealer, payout, states, new.format)
        if isinstance(line, str):
            skipped.append({"id": str(payout_id), "code": line})
            continue
        if payout.state == "pending":
            await service.turn(tx, command, payout, "processing", by)
        joined.append(_Joined(payout, line))
    return joined, skipped


async def _line(
    tx: Tx, bank: Bank, sealer: Sealer, payout: Payout, states: Sequence[State], file_format: FileFormat
) -> Line | str:
    """Give a locked payout as a line of the file, or a code that says why it cannot be one."""
    if payout.method != method.KIND:
        return "not_by_bank"
    if await tx.first(_BATCH_OF_PAYOUT, bucket=payout.bucket, id=payout.id) is not None:
        return "in_a_batch"
    if payout.state not in states:
        return "payout_state"
    paid_by = await payees.paid_by(tx, payout.account_id)
    if paid_by is None or paid_by.kind != method.KIND:
        return "payout_method_missing"
    details = payees.unseal(sealer, paid_by)
    if file_format == "pain.001" and "iban" not in details:
        return "no_iban"
    cents = cents_paid(payout.amount, bank.rate)
    if not cents:
        return "below_a_cent"
    account = payout.account_external_id or ""
    return Line(payout.id, files.reference_of(payout.id), account, payout.amount, cents, details)


def _execution_date(asked: date | None, today: date) -> date:
    if asked is None:
        return today
    if not today <= asked <= today + _FURTHEST:
        raise ValidationFailed.of("execution_date", f"is none from {today} on, within a year")
    return asked


async def batch_of(tx: Tx, batch_id: UUID) -> Batch:
    """Return a batch. NotFound: there is none."""
    found = await tx.first(_BATCH, id=batch_id, key=None)
    if found is None:
        raise NotFound("There is no such batch.")
    return found


async def batches_of(tx: Tx, *, before: UUID | None = None, most: int = 100) -> list[Batch]:
    """Return batches, newest first; before: older than that one."""
    return await tx.all(_BATCHES, before=before, most=most)


async def file_of(tx: Tx, sealer: Sealer, batch: Batch, by: By) -> bytes:
    """Open the file of a batch, the same bytes each time; that it was read is recorded. Needs the platform's token.

    NotFound: somebody in it was erased, and the file with them.
    """
    sealed = await tx.first(_FILE, id=batch.id)
    if sealed is None:
        raise NotFound("The file is no more: somebody whom it paid was erased. The batch's figures remain.")
    await access.record(tx, by, Act("batch.read", "batch", str(batch.id)))
    return sealer.open(sealed, _place(batch.id))


def summed(batch: Batch) -> dict[str, object]:
    """Give a batch as it is listed: what it pays in sum."""
    return {
        "id": str(batch.id),
        "format": batch.format,
        "currency": batch.currency,
        "rate": rate_text(batch.rate),
        "execution_date": batch.execution_date.isoformat(),
        "payouts_count": batch.payouts,
        "total": cents_text(batch.cents),
        "total_nano_usd": batch.nanos,
        "total_usd": usd_text(batch.nanos),
        "created_by": batch.created_by,
        "created_at": batch.created_at.isoformat(),
        "has_file": batch.has_file,
    }


async def told_batch(tx: Tx, batch: Batch, *, now: bool = True) -> dict[str, object]:
    """Give a batch with its payouts, and what could not join. now: with the states that they are in now."""
    rows = await tx.all(_BATCHED, id=batch.id)
    payouts = [
        {
            "id": str(row.id),
            "account_id": row.account_external_id,
            "amount_nano_usd": row.nanos,
            "amount_usd": usd_text(row.nanos),
            "amount": cents_text(row.cents),
            "reference": files.reference_of(row.id),
        }
        | ({"state": row.state} if now else {})
        for row in rows
    ]
    skipped = [{"id": one, "code": code} for one, code in json.loads(batch.skipped)]
    return {**summed(batch), "payouts": payouts, "skipped": skipped}


def _place(batch_id: UUID) -> Place:
    return Place(_TABLE, _COLUMN, str(batch_id))


async def _rows(tx: Tx, after: str | None, most: int) -> list[SealedRow]:
    return await tx.all(_SEALED_FILES, after=after, most=most)


async def _store(tx: Tx, row_id: str, old: bytes, new: bytes) -> bool:
    return await tx.one(_RESEAL, id=UUID(row_id), old=old, new=new)


SEALED_FILES = SealedColumn(_TABLE, _COLUMN, _rows, _store)
"""The files, for `tokenhouse keys reseal`."""
