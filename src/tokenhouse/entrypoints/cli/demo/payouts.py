"""The demo's payouts: creators who were paid, whose bank said no, and who wait; through the verbs, once."""

from collections.abc import Mapping
from uuid import UUID

from tokenhouse.domain import ledger, metering, payouts
from tokenhouse.domain.access.acts import By
from tokenhouse.domain.access.types import Account
from tokenhouse.domain.ledger.types import Command, Party
from tokenhouse.domain.payouts.types import Action, Terms
from tokenhouse.infra.database import Actor, Database
from tokenhouse.infra.kernel import strict_json
from tokenhouse.infra.kernel.errors import TokenhouseError

_BY = By("cli")
# Who is paid: what part of what is payable, how it ends (None: it waits), and what is said of it.
_STORY: tuple[tuple[str, int, Action | None, str | None], ...] = (
    ("demo-creator", 4, "complete", None),
    ("demo-creator", 4, "fail", "The bank sent it back: the account is closed"),
    ("demo-creator", 8, None, None),
    ("demo-kenji", 2, "complete", None),
    ("demo-kenji", 4, "cancel", "Asked for by mistake"),
)


async def pay_out(database: Database, accounts: Mapping[str, Account], terms: Terms, prefix: str) -> int:
    """Request and end the story's payouts, and return how many were requested. None where nothing is payable."""
    done = 0
    for number, (name, part, action, reason) in enumerate(_STORY):
        party = Party(accounts[name].id, accounts[name].bucket, name)
        key = f"{prefix}-payout-{number}"
        async with database.transaction(Actor((party.id,), teller=True)) as tx:
            known = await ledger.entry_of(tx, party.bucket, party.id, key)
            if known is None:
                payable = (await metering.statement(tx, party.id, terms.maturity_days)).payable // part
                command = Command(party, key, strict_json.digest("/v1/payouts", {"part": part}).hex())
                try:
                    answer, _ = await metering.withdraw(tx, terms, command, payouts.NewPayout(payable), _BY)
                except TokenhouseError:
                    continue  # too little, or nothing yet
                done += 1
                payout_id = str(answer["id"])
            else:
                payout_id = known.id
            if action is not None and await ledger.entry_of(tx, party.bucket, party.id, f"{key}-end") is None:
                end = Command(party, f"{key}-end", strict_json.digest(f"/v1/payouts/{action}", {}).hex())
                try:
                    await payouts.act(tx, Terms(), end, UUID(payout_id), action, _BY, reason=reason)
                except TokenhouseError:
                    continue  # somebody tried it by hand
    return done
