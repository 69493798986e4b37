"""Payouts by the verbs, as the service does them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from economy import FLAT_RATE, RACES, party, teller, tenant
from tokenhouse.domain import metering, payouts
from tokenhouse.domain.access.acts import By
from tokenhouse.domain.ledger.types import Command
from tokenhouse.domain.payouts.types import Payout, Terms
from tokenhouse.infra.database import PLATFORM, sqlstate
from tokenhouse.infra.kernel.strict_json import digest

if TYPE_CHECKING:
    from economy import Economy
    from tokenhouse.domain.access.types import Account
    from tokenhouse.domain.metering import Statement
    from tokenhouse.domain.payouts.types import Action

NOW = Terms(maturity_days=0)
"""Everything is payable at once."""
CREATOR, ADMIN = By("api", 4711), By("api")


def ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


async def earner(economy: Economy, name: str, nanos: int, payers: int = 3) -> Account:
    """Somebody who is owed so much, by the uses of several payers (of different buckets, where there are some)."""
    owner = await economy.account(name)
    await economy.model(f"of-{name}", owner)
    credits_ = nanos // FLAT_RATE
    for place in range(payers):
        part = credits_ // payers + (credits_ % payers if place == 0 else 0)
        payer = await economy.account(f"fan{place}-of-{name}", credits=part)
        await economy.charge(payer, model_id=f"of-{name}", amount=part)
    return owner


async def request(
    economy: Economy,
    account: Account,
    amount: int,
    terms: Terms = NOW,
    *,
    key: str | None = None,
    method: str | None = None,
    by: By = CREATOR,
) -> dict[str, Any]:
    """Ask for a payout, again where somebody was quicker."""
    command = Command(party(account), key or uuid.uuid4().hex, digest("payouts", amount).hex())
    while True:
        try:
            async with economy.db.transaction(teller(account)) as tx:
                new = payouts.NewPayout(amount, method)
                answer, replayed = await metering.withdraw(tx, terms, command, new, by)
            return answer | {"replayed": replayed}
        except Exception as error:
            if sqlstate(error) not in RACES:
                raise


async def act(
    economy: Economy,
    account: Account,
    payout_id: object,
    action: Action,
    terms: Terms = NOW,
    *,
    key: str | None = None,
    by: By = ADMIN,
    **more: Any,
) -> dict[str, Any]:
    """Approve, complete, fail or cancel a payout."""
    command = Command(party(account), key or uuid.uuid4().hex, digest(action, str(payout_id)).hex())
    async with economy.db.transaction(teller(account)) as tx:
        answer, replayed = await payouts.act(tx, terms, command, UUID(str(payout_id)), action, by, **more)
    return answer | {"replayed": replayed}


async def payout(economy: Economy, payout_id: object) -> Payout:
    async with economy.db.read(PLATFORM) as tx:
        found = await payouts.payout_of(tx, UUID(str(payout_id)))
    assert found is not None
    return found


async def sums(economy: Economy, account: Account, days: int = 0) -> Statement:
    """The five figures; they add up."""
    async with economy.db.read(tenant(account)) as tx:
        told = await metering.statement(tx, account.id, days)
    assert told.accrued == told.maturing + told.payable + told.in_payout + told.paid
    assert min(told.maturing, told.payable, told.in_payout, told.paid) >= 0
    return told
