"""Payouts that a method sends by itself: told once, looked up where its answer was lost, never told twice.

No transaction is open while a provider is spoken to. That it is told is committed before; what it answered, after.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Literal
from uuid import UUID

import structlog

from tokenhouse.domain import ledger
from tokenhouse.domain.access.acts import By
from tokenhouse.domain.ledger.types import OWN_ACT, Command, Party
from tokenhouse.domain.payouts import payees, service
from tokenhouse.domain.payouts.methods import found
from tokenhouse.domain.payouts.types import (
    AnswerLost,
    Instruction,
    Outcome,
    Payout,
    Sender,
    Setup,
    State,
    Terms,
    Unreachable,
    Waiting,
)
from tokenhouse.infra.database import PLATFORM, Actor, Database, Tx, arrays, load_queries
from tokenhouse.infra.kernel.ids import new_id
from tokenhouse.infra.kernel.sealing import Sealer

_Q = load_queries(__file__)
_WAITING = _Q.rows("waiting", Waiting)
_NOTE_SENDING = _Q.nothing("note_sending")
_FORGET_SENDING = _Q.nothing("forget_sending")
_NOTE_LOOK = _Q.nothing("note_look")

LOOK_SECONDS = 120
"""How long a provider has before it is asked; longer than a call to it may take."""
_AT_ONCE = 100
_SERVICE = By("service")
_log = structlog.stdlib.get_logger("tokenhouse.payouts")

Answered = Outcome | Literal["lost", "unreachable"]


def senders(setup: Setup) -> dict[str, Sender]:
    """Give the methods that send by themselves under these settings, by kind."""
    made = {kind: module.sender(setup) for kind, module in found().items()}
    return {kind: one for kind, one in made.items() if one is not None}


async def send_due(
    database: Database,
    methods: Mapping[str, Sender],
    terms: Terms,
    sealer: Callable[[], Sealer],
    *,
    look_seconds: int = LOOK_SECONDS,
) -> int:
    """Send what is to be sent, and ask what became of the rest; return how many payouts came on."""
    if not methods:
        return 0
    done, after = 0, None
    unsent: list[State] = ["processing"] if terms.approval else ["pending", "processing"]
    while True:
        async with database.read(PLATFORM) as tx:
            waiting = await tx.all(
                _WAITING,
                methods=arrays.texts(methods),
                unsent=arrays.texts(unsent),
                seconds=look_seconds,
                after=after,
                most=_AT_ONCE,
            )
        for one in waiting:
            try:
                done += await _attend(database, methods, sealer, one)
            except Exception:  # noqa: BLE001 - whatever it is, the others go on
                _log.exception("a payout cannot be sent", payout=str(one.id))
        if len(waiting) < _AT_ONCE:
            return done
        after = waiting[-1].id


async def _attend(
    database: Database, methods: Mapping[str, Sender], sealer: Callable[[], Sealer], one: Waiting
) -> bool:
    """Send one payout, or look it up where its method was told before; whether it came on."""
    party = Party(one.account_id, one.bucket, one.external_id or "")
    actor = Actor((party.id,), teller=True)
    async with database.transaction(actor) as tx:
        payout = await service.locked(tx, _command(party, one.id), one.id)
        method = await payees.paid_by(tx, party.id)
        if payout.state not in ("pending", "processing", "unknown") or (payout.sent_at is None) is one.told:
            return False  # somebody else saw to it meanwhile
        if payout.sent_at is None and (method is None or method.kind != payout.method):
            reason = "The account no longer says how to pay it so."
            await service.turn(tx, _command(party, one.id), payout, "failed", _SERVICE, reason=reason)
            return True
        details = payees.unseal(sealer(), method) if method is not None and method.kind == payout.method else {}
        sent_at = payout.sent_at or await _begin(tx, party, payout)
    sender = methods[payout.method]
    instruction = Instruction(payout.id, party.external_id, payout.amount, details)
    answered = await _ask(sender, instruction, first=not one.told)
    async with database.transaction(actor) as tx:
        return await _settle(tx, party, payout.id, answered, sent_at, first=not one.told)


async def _begin(tx: Tx, party: Party, payout: Payout) -> datetime:
    """Note of a locked payout that its method is told now, and when that is."""
    if payout.state == "pending":
        await service.turn(tx, _command(party, payout.id), payout, "processing", _SERVICE)
    at = await ledger.now(tx)
    await tx.run(_NOTE_SENDING, bucket=party.bucket, at=at, account_id=party.id, id=payout.id)
    return at


async def _ask(sender: Sender, instruction: Instruction, *, first: bool) -> Answered:
    """Tell a provider, or ask it. Whatever goes wrong in a way that is not known leaves it open what was done."""
    try:
        return await (sender.send(instruction) if first else sender.look_up(instruction))
    except Unreachable:
        return "unreachable"
    except AnswerLost:
        return "lost"
    except Exception:  # noqa: BLE001 - a method may be anybody's
        _log.exception("a payout method failed", payout=str(instruction.id))
        return "lost"


async def _settle(tx: Tx, party: Party, payout_id: UUID, answered: Answered, sent_at: datetime, *, first: bool) -> bool:
    """Bring a payout to where its provider's answer says that it is; whether it came on."""
    payout = await service.locked(tx, _command(party, payout_id), payout_id)
    if payout.state not in ("processing", "unknown") or payout.sent_at != sent_at:
        return False  # somebody knew better meanwhile
    at = await ledger.now(tx)
    if not isinstance(answered, Outcome):
        if answered == "unreachable" and first:
            await _forget(tx, party, payout_id)
        else:
            await _note(tx, party, payout_id, at)
            if payout.state == "processing" and payout.accepted_at is None:
                await service.turn(tx, _command(party, payout_id), payout, "unknown", _SERVICE)
        return False
    command = _command(party, payout_id)
    if answered.verdict in ("paid", "refused"):
        state: State = "completed" if answered.verdict == "paid" else "failed"
        await service.turn(tx, command, payout, state, _SERVICE, reason=answered.reason, reference=answered.reference)
        return True
    if payout.state == "unknown":
        await service.turn(tx, command, payout, "processing", _SERVICE, reference=answered.reference)
    if answered.verdict == "not_sent" and not first:
        await _forget(tx, party, payout_id)
    else:
        await _note(tx, party, payout_id, at, accepted=answered.verdict == "accepted", reference=answered.reference)
    return True


async def _forget(tx: Tx, party: Party, payout_id: UUID) -> None:
    await tx.run(_FORGET_SENDING, bucket=party.bucket, account_id=party.id, id=payout_id)


async def _note(
    tx: Tx, party: Party, payout_id: UUID, at: datetime, *, accepted: bool = False, reference: str | None = None
) -> None:
    await tx.run(
        _NOTE_LOOK,
        bucket=party.bucket,
        at=at,
        account_id=party.id,
        id=payout_id,
        accepted=accepted,
        reference=reference,
    )


def _command(party: Party, payout_id: UUID) -> Command:
    """Name a step that nobody asked for."""
    return Command(party, f" payout {payout_id} {new_id()}", OWN_ACT)
