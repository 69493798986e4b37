"""What an earner is owed: the sums, and use by use. Who the payers are is not said."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from tokenhouse.domain import earnings, payouts
from tokenhouse.infra.database import Tx, load_queries


@dataclass(frozen=True, slots=True)
class Statement:
    """What an earner earned, in nano-dollars: accrued = maturing + payable + in_payout + paid."""

    accrued: int
    maturing: int
    payable: int
    in_payout: int
    paid: int


@dataclass(frozen=True, slots=True)
class Accrual:
    """What one use earned, or (below zero) what its reversal or rejection took back; or an adjustment, a bonus.

    charge_id: the use's, None where it is for none; user_id: a pseudonym of who paid, the same each time for this
    earner. note: the reason of an adjustment, the rule of a bonus.
    """

    id: UUID
    kind: Literal["earning", "reversal", "rejection", "adjustment", "bonus"]
    charge_id: UUID | None
    model_id: str | None
    usage_type: str | None
    user_id: str | None
    credits: int
    nanos: int
    note: str | None
    occurred_at: datetime
    created_at: datetime


_Q = load_queries(__file__)
_ACCRUALS = _Q.rows("accruals", Accrual)
_HELD = _Q.rows("held", int)
_MATURING = _Q.rows("maturing", int)


async def statement(tx: Tx, earner_id: int, maturity_days: int, young: int | None = None) -> Statement:
    """Return the sums of an earner. What a use earned is payable `maturity_days` after it happened.

    young: what uses since then earned, where the caller knows it from sums; else the records are read. What is under
    review is maturing beside it.
    """
    owed = await earnings.accrued(tx, earner_id)
    if young is None:
        maturing = await tx.one(_MATURING, earner_id=earner_id, days=maturity_days)
    else:
        maturing = young + await tx.one(_HELD, earner_id=earner_id, days=maturity_days)
    maturing = min(owed, maturing)
    out = await payouts.sums(tx, earner_id)
    return Statement(owed + out.in_payout + out.paid, maturing, owed - maturing, out.in_payout, out.paid)


async def accruals(tx: Tx, earner_id: int, *, before: UUID | None = None, most: int = 100) -> list[Accrual]:
    """Return what an earner was credited, newest first; before: older than the accrual of that id."""
    return await tx.all(_ACCRUALS, earner_id=earner_id, before=before, most=most)
