"""How and when an account is paid: details sealed for its row, and schedules."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import NamedTuple

from tokenhouse.domain import ledger
from tokenhouse.domain.payouts.methods import method_of
from tokenhouse.domain.payouts.types import Every, MethodSet, Schedule, Scheduled
from tokenhouse.infra.database import SealedColumn, SealedRow, Tx, load_queries
from tokenhouse.infra.kernel.errors import ValidationFailed
from tokenhouse.infra.kernel.periods import zone
from tokenhouse.infra.kernel.sealing import Place, Sealer

_Q = load_queries(__file__)
_METHOD_OF = _Q.rows("method_of", MethodSet)
_SET_METHOD = _Q.rows("set_method", datetime)
_SEALED_ROWS = _Q.rows("sealed_rows", SealedRow)
_RESEAL_METHOD = _Q.rows("reseal_method", bool)
_SCHEDULE_OF = _Q.rows("schedule_of", Schedule)
_SET_SCHEDULE = _Q.rows("set_schedule", datetime)
_DROP_SCHEDULE = _Q.rows("drop_schedule", bool)
_NOTE_SCHEDULE = _Q.nothing("note_schedule")
_SCHEDULED = _Q.rows("scheduled", Scheduled)

_TABLE, _COLUMN = "payouts.method", "sealed"
_LAST_DAY: dict[Every, int] = {"week": 7, "month": 31, "threshold": 0}


class NewSchedule(NamedTuple):
    """What is to be paid out by itself. day: of the week or the month, None for a threshold; minimum: nano-dollars."""

    every: Every
    day: int | None = None
    minimum: int = 0


async def set_method(tx: Tx, sealer: Sealer, account_id: int, kind: str, given: Mapping[str, str]) -> MethodSet:
    """Say how an account is paid from now on. Needs the platform's token.

    UnknownReference: no such method. ValidationFailed: the details do not do for it.
    """
    payee = method_of(kind).payee(given)
    sealed = sealer.seal(json.dumps(dict(payee.details)).encode(), _place(account_id))
    at = await tx.one(_SET_METHOD, account_id=account_id, kind=kind, sealed=sealed, hint=payee.hint)
    return MethodSet(account_id, kind, sealed, payee.hint, at)


async def paid_by(tx: Tx, account_id: int) -> MethodSet | None:
    """Return how an account is paid; the details stay sealed."""
    return await tx.first(_METHOD_OF, account_id=account_id)


def unseal(sealer: Sealer, method: MethodSet) -> dict[str, str]:
    """Open a payee's details. Unsealable: altered, of another row, or the key is not given."""
    details: dict[str, str] = json.loads(sealer.open(method.sealed, _place(method.account_id)))
    return details


async def set_schedule(tx: Tx, account_id: int, time_zone: str, new: NewSchedule) -> Schedule:
    """Pay out by itself from tomorrow on, or by a threshold at once. Needs the platform's token.

    ValidationFailed: the day is none, or the threshold is nothing.
    """
    last = _LAST_DAY[new.every]
    if new.every == "threshold":
        if new.day is not None or not new.minimum:
            raise ValidationFailed.of("minimum_nano_usd", "a threshold is an amount, and names no day")
    elif new.day is None or not 1 <= new.day <= last:
        raise ValidationFailed.of("day", f"a {new.every} takes a day from 1 to {last}")
    day = new.day or 0
    today = (await ledger.now(tx)).astimezone(zone(time_zone)).date()
    # A threshold may be met today.
    looked_on = date.fromordinal(today.toordinal() - (new.every == "threshold"))
    at = await tx.one(
        _SET_SCHEDULE, account_id=account_id, every=new.every, day=day, minimum=new.minimum, looked_on=looked_on
    )
    return Schedule(account_id, new.every, day, new.minimum, looked_on, at)


async def drop_schedule(tx: Tx, account_id: int) -> bool:
    """Pay out nothing by itself any more; whether there was a schedule. Needs the platform's token."""
    return await tx.one(_DROP_SCHEDULE, account_id=account_id)


async def schedule_of(tx: Tx, account_id: int) -> Schedule | None:
    """Return what is paid out to an account by itself."""
    return await tx.first(_SCHEDULE_OF, account_id=account_id)


async def scheduled(tx: Tx, *, after: int = 0, most: int = 100) -> list[Scheduled]:
    """Return schedules that may be due, by account, above `after`. Needs the platform's token."""
    return await tx.all(_SCHEDULED, after=after, most=most)


async def note_schedule(tx: Tx, account_id: int, day: date) -> None:
    """Note that it was decided for a day whether something is paid. Needs the platform's token."""
    await tx.run(_NOTE_SCHEDULE, account_id=account_id, looked_on=day)


def _place(account_id: int) -> Place:
    return Place(_TABLE, _COLUMN, str(account_id))


async def _rows(tx: Tx, after: str | None, most: int) -> list[SealedRow]:
    return await tx.all(_SEALED_ROWS, after=after, most=most)


async def _store(tx: Tx, row_id: str, old: bytes, new: bytes) -> bool:
    return await tx.one(_RESEAL_METHOD, account_id=int(row_id), old=old, new=new)


SEALED = SealedColumn(_TABLE, _COLUMN, _rows, _store)
"""The payees' details, for `tokenhouse keys reseal`."""
