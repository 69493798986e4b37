"""The reading verbs of earnings: the figures that are kept beside the payers, summed for an earner."""

from tokenhouse.domain.earnings.types import ModelEarnings
from tokenhouse.infra.database import Tx, load_queries

_Q = load_queries(__file__)
_MODEL_EARNINGS = _Q.rows("model_earnings", ModelEarnings)
_ACCRUED = _Q.rows("accrued", int)


async def model_earnings(tx: Tx, earner_id: int) -> list[ModelEarnings]:
    """Return what each model of an earner earned, the highest earnings first; only models that were used."""
    return await tx.all(_MODEL_EARNINGS, earner_id=earner_id)


async def accrued(tx: Tx, earner_id: int) -> int:
    """Return what an earner is owed in all, in nano-dollars: earned, not taken back, not paid out."""
    return await tx.one(_ACCRUED, earner_id=earner_id)
