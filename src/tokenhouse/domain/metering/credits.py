"""Crediting a charge afterwards: its payer says which model it was for, and the model's owners are credited, once.

Nobody makes earnings without a paid charge: no more is credited than the charge took, from grants whose use earns.
"""

from uuid import UUID

from tokenhouse.domain.ledger.types import Command, Party
from tokenhouse.domain.metering import service
from tokenhouse.domain.metering.group_commit import GroupCommit
from tokenhouse.domain.metering.types import Done, Order, PaidBySource
from tokenhouse.domain.metering.uses import DEFAULT_POLICY
from tokenhouse.infra.database import Actor, Database, load_queries
from tokenhouse.infra.kernel.errors import Conflict, IdempotencyMismatch, NotFound
from tokenhouse.infra.kernel.strict_json import digest

_Q = load_queries(__file__)
_PAID_BY_SOURCE = _Q.rows("paid_by_source", PaidBySource)


async def credit_charge(
    database: Database,
    group_commit: GroupCommit,
    party: Party,
    charge_id: UUID,
    *,
    model_id: str,
    credit_count: int,
    usage_type: str,
    metadata: str | None = None,
) -> Done | None:
    """Record that a charge of `party`, which named no model, was a use of `model_id`; None: there is no such model.

    credit_count: the credits that the use is said to have taken; no more than the charge paid are credited. Again
    with the same words: the first outcome. NotFound: no such charge of theirs. Conflict: it named a model, or was
    credited as something else.
    """
    async with database.transaction(Actor((party.id,), teller=True)) as tx:
        row = (await service.receipt_rows(tx, [str(charge_id)])).get(str(charge_id))
        if row is None or row.kind == "report" or row.account_id != party.id:
            raise NotFound("There is no such charge of yours.")
        if row.model_id is not None:
            raise Conflict("The charge named a model and credited its owners then.", code="already_credited")
        paid = await tx.all(_PAID_BY_SOURCE, bucket=party.bucket, usage=charge_id, account_id=party.id)
        models, _ = await service.find_models(tx, party.bucket, [model_id], (), group_commit.terms)
    terms = models.get(model_id)
    if terms is None:
        return None
    rates = await group_commit.rates()
    formula = rates.formulas.get(terms.policy or DEFAULT_POLICY)
    earning = sum(one.paid for one in paid if formula is None or one.source in formula.policy.earn_on)
    asked = {"charge": str(charge_id), "model": model_id, "credits": credit_count, "type": usage_type}
    order = Order(
        Command(party, f" credit {charge_id}", digest("credit", asked).hex()),
        "report",
        amount=min(credit_count, earning),
        model_id=model_id,
        usage_type=usage_type,
        user_label=row.user_id,
        metadata=metadata,
        lenient=True,
    )
    try:
        return await group_commit.submit(order)
    except IdempotencyMismatch:
        raise Conflict("The charge was credited already, as another use.", code="already_credited") from None
