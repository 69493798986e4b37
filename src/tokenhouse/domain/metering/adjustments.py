"""Adjustments: money given to an earner or taken back by hand. No more is taken than is payable."""

import json
from collections.abc import Mapping

from tokenhouse.domain import earnings, ledger, market
from tokenhouse.domain.earnings.types import Award, Owed
from tokenhouse.domain.ledger.rules import refuse_other
from tokenhouse.domain.ledger.types import Command
from tokenhouse.domain.metering import withdrawals
from tokenhouse.infra.database import Tx
from tokenhouse.infra.kernel.errors import InsufficientEarnings, UnknownReference
from tokenhouse.infra.kernel.ids import new_id
from tokenhouse.infra.kernel.money import usd_said, usd_text


async def adjust(
    tx: Tx, command: Command, nanos: int, reason: str, model_id: str | None, maturity_days: int
) -> tuple[dict[str, object], bool]:
    """Give an earner nano-dollars, or (below zero) take them back: the answer, and whether it is a replay.

    What is given is payable at once. model_id: the app's own, of the model that it is about. UnknownReference: no such
    model. InsufficientEarnings: less is payable. Needs the platform's teller.
    """
    party = command.party
    owed = await earnings.lock_owed(tx, party)
    earlier = await ledger.entry_of(tx, party.bucket, party.id, command.key)
    if earlier is not None:
        refuse_other(earlier.fingerprint, command.fingerprint)
        return earlier.answer or {}, True
    number = None
    if model_id is not None:
        model = await market.find_model(tx, model_id, archived=True)
        if model is None:
            raise UnknownReference.of("model_id", f"{model_id!r} is no model; name one, or leave it out")
        number = model.id
    moves = {party.bucket: nanos}
    if nanos < 0:
        maturing = await withdrawals.maturing_by_bucket(tx, party.id, maturity_days)
        moves = take_payable(-nanos, owed, maturing, first=party.bucket)
    entry, at = new_id(), await ledger.now(tx)
    answer: dict[str, object] = {
        "id": entry,
        "account_id": party.external_id,
        "amount_nano_usd": nanos,
        "amount_usd": usd_text(nanos),
        "reason": reason,
        "model_id": model_id,
        "created_at": at.isoformat(),
    }
    award = Award("adjustment", nanos, reason, number)
    await earnings.post_award(tx, command, award, entry, moves, owed, at, json.dumps(answer))
    return answer, False


def take_payable(nanos: int, owed: Mapping[int, Owed], maturing: Mapping[int, int], *, first: int) -> dict[int, int]:
    """Decide from which buckets so much is taken: `first` before the others, in their order; below zero each.

    InsufficientEarnings: all that is payable in them together is less.
    """
    payable = {bucket: max(0, one.balance - max(0, maturing.get(bucket, 0))) for bucket, one in owed.items()}
    if sum(payable.values()) < nanos:
        total = sum(payable.values())
        raise InsufficientEarnings(
            f"{usd_said(nanos)} are to be taken and {usd_said(total)} are payable. Take less, or wait until more has "
            "matured.",
            required_nano_usd=nanos,
            payable_nano_usd=total,
        )
    moves: dict[int, int] = {}
    left = nanos
    for bucket in sorted(payable, key=lambda one: (one != first, one)):
        taken = min(left, payable[bucket])
        if taken:
            moves[bucket] = -taken
            left -= taken
    return moves
