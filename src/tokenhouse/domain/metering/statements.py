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
    """What one use earned, or (kind `reversal`) what its reversal took back, below zero then.

    charge_id: the use's; user_id: a pseudonym of who paid, the same each time for this earner.
    """

    id: UUID
    kind: Literal["earning", "reversal"]
    charge_id: UUID
    model_id: str
    usage_type: str
    user_id: str
    credits: int
    nanos: int
    occurred_at: datetime
    created_at: datetime


_Q = load_queries(__file__)
_ACCRUALS = _Q.rows("accruals", Accrual)
_MATURING = _Q.rows("maturing", int)


async def statement(tx: Tx, earner_id: int, maturity_days: int, maturing: int | None = None) -> Statement:
    """Return the sums of an earner. What a use earned is payable `maturity_days` after it happened.

    maturing: what is not yet, where the caller knows it from sums; else the records since then are read.
    """
    owed = await earnings.accrued(tx, earner_id)
    if maturing is None:
        maturing = await tx.one(_MATURING, earner_id=earner_id, days=maturity_days)
    maturing = min(owed, maturing)
    out = await payouts.sums(tx, earner_id)
    return Statement(owed + out.in_payout + out.paid, maturing, owed - maturing, out.in_payout, out.paid)


async def accruals(tx: Tx, earner_id: int, *, before: UUID | None = None, most: int = 100) -> list[Accrual]:
    """Return what an earner was credited, newest first; before: older than the accrual of that id."""
    return await tx.all(_ACCRUALS, earner_id=earner_id, before=before, most=most)
