"""The verbs of payouts: request, approve, complete, fail, cancel; read; how and when an account is paid.

Verbs that move money need a teller's transaction for the account; what of its earnings is payable, they are told.
A payout takes from the balance when it is requested and gives back once, when it fails or is cancelled.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from tokenhouse.domain import access, ledger
from tokenhouse.domain.access.acts import Act, By
from tokenhouse.domain.ledger import chart
from tokenhouse.domain.ledger.rules import refuse_other
from tokenhouse.domain.ledger.types import OWN_ACT, Command, EntryRow, LegRow, Posting
from tokenhouse.domain.payouts.methods import method_of
from tokenhouse.domain.payouts.rules import next_state, take_from, to_take, who
from tokenhouse.domain.payouts.types import (
    Action,
    Event,
    Owed,
    Part,
    Payable,
    Payout,
    State,
    Sums,
    Terms,
)
from tokenhouse.infra.database import Tx, arrays, load_queries
from tokenhouse.infra.kernel.errors import Conflict, NotFound
from tokenhouse.infra.kernel.ids import new_id
from tokenhouse.infra.kernel.money import usd_text

_Q = load_queries(__file__)
_LOCK_EARNINGS = _Q.rows("lock_earnings", Owed)
_OPEN = _Q.nothing("open")
_LOCK = _Q.nothing("lock")
_TURN = _Q.nothing("turn")
_PAYOUT = _Q.rows("payout", Payout)
_PAYOUTS = _Q.rows("payouts", Payout)
_EVENTS = _Q.rows("events", Event)
_PARTS = _Q.rows("parts", Part)
_SUMS = _Q.rows("sums", Sums)
_POST_EARNINGS = _Q.nothing("post_earnings")
_METHOD_KIND = _Q.rows("method_kind", str)

DEFAULT_METHOD = "manual"
_ENDS: dict[State, tuple[str, str]] = {
    "completed": ("payout_paid", "payout.complete"),
    "failed": ("payout_back", "payout.fail"),
    "cancelled": ("payout_back", "payout.cancel"),
}
"""How a payout ends: the kind of its last entry, and the act."""


class NewPayout(NamedTuple):
    """A payout to be made. amount: nano-dollars; method: None for the account's own, or by hand where it has none."""

    amount: int
    method: str | None = None


async def owed(tx: Tx, account_id: int) -> list[Payable]:
    """Lock all that an earner is owed, maturing or not, bucket by bucket."""
    found = await tx.one(_LOCK_EARNINGS, account_id=account_id)
    if found.buckets is None or found.accounts is None or found.balances is None:
        return []
    return [Payable(*one) for one in zip(found.buckets, found.accounts, found.balances, strict=True)]


async def request(
    tx: Tx, terms: Terms, command: Command, new: NewPayout, payable: Sequence[Payable], by: By
) -> dict[str, object]:
    """Take a payout from what is payable, locked; the answer. The command is not a replay: its caller has looked.

    UnknownReference: no such method. Conflict (payout_method_missing): the account has not said how to pay by it.
    InsufficientEarnings, ValidationFailed: as `to_take`.
    """
    party = command.party
    kind = await _method(tx, party.id, new.method)
    whole = method_of(kind).WHOLE_CENTS
    amount = to_take(new.amount, sum(one.nanos for one in payable), terms.minimum, whole_cents=whole)
    at = await ledger.now(tx)
    entry = new_id()
    answer: dict[str, object] = {
        "id": entry,
        "account_id": party.external_id,
        "amount_nano_usd": amount,
        "amount_usd": usd_text(amount),
        "method": kind,
        "state": "pending",
        "reference": None,
        "reason": None,
        "requested_at": at.isoformat(),
        "ended_at": None,
    }
    await _move(tx, at, command, entry, "payout", answer, take_from(amount, payable))
    await tx.run(
        _OPEN,
        bucket=party.bucket,
        at=at,
        id=entry,
        account_id=party.id,
        amount=amount,
        method=kind,
        who=who(by),
    )
    return answer


async def act(
    tx: Tx,
    terms: Terms,
    command: Command,
    payout_id: UUID,
    action: Action,
    by: By,
    *,
    reason: str | None = None,
    reference: str | None = None,
) -> tuple[dict[str, object], bool]:
    """Approve, complete, fail or cancel a payout of the command's account: the answer, and whether it is a replay.

    NotFound: no such payout of the account. Conflict (payout_state), Forbidden: as `next_state`.
    """
    payout = await locked(tx, command, payout_id)
    earlier = await ledger.entry_of(tx, command.party.bucket, command.party.id, command.key)
    if earlier is not None:
        refuse_other(earlier.fingerprint, command.fingerprint)
        return earlier.answer or {}, True
    state = next_state(
        action,
        payout.state,
        approval=terms.approval,
        requested_by=payout.requested_by,
        by=who(by),
        in_flight=payout.state == "processing" and payout.sent_at is not None and payout.accepted_at is None,
    )
    answer = await turn(tx, command, payout, state, by, reason=reason, reference=reference)
    if action == "approve":
        approved = Act("payout.approve", "payout", str(payout.id), payout.account_id, payout.state, answer)
        await access.record(tx, by, approved)
    return answer, False


async def locked(tx: Tx, command: Command, payout_id: UUID) -> Payout:
    """Lock a payout of the command's account. NotFound: there is none."""
    party = command.party
    await tx.run(_LOCK, bucket=party.bucket, account_id=party.id, id=payout_id)
    payout = await payout_of(tx, payout_id)
    if payout is None or payout.account_id != party.id:
        raise NotFound("There is no such payout.")
    return payout


async def turn(
    tx: Tx,
    command: Command,
    payout: Payout,
    state: State,
    by: By,
    *,
    reason: str | None = None,
    reference: str | None = None,
) -> dict[str, object]:
    """Bring a locked payout to another state, and its money to where it then is; the answer."""
    at = await ledger.now(tx)
    kind, act_name = _ENDS.get(state, ("payout_step", None))
    ends = act_name is not None
    entry = new_id()
    answer = told(payout) | {
        "state": state,
        "reference": reference or payout.reference,
        "reason": reason or payout.reason,
        "ended_at": at.isoformat() if ends else None,
    }
    parts = await tx.all(_PARTS, id=payout.id) if ends else []
    await _move(tx, at, command, entry, kind, answer, parts)
    await tx.run(
        _TURN,
        bucket=payout.bucket,
        at=at,
        account_id=payout.account_id,
        id=payout.id,
        state=payout.state,
        next_state=state,
        who=who(by),
        reason=reason,
        reference=reference,
        entry=entry if ends else None,
    )
    if act_name is not None:
        await access.record(tx, by, Act(act_name, "payout", str(payout.id), payout.account_id, payout.state, answer))
    return answer


async def payout_of(tx: Tx, payout_id: UUID) -> Payout | None:
    """Return a payout, if there is one that this transaction may see."""
    return await tx.first(_PAYOUT, id=payout_id)


async def payouts_of(
    tx: Tx,
    account_id: int | None = None,
    *,
    state: State | None = None,
    method: str | None = None,
    before: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    most: int = 100,
) -> list[Payout]:
    """Return payouts, newest first: of an account, or (None) of all that this transaction may see.

    before: older than that payout; since, until: requested at or after, and before.
    """
    return await tx.all(
        _PAYOUTS, account_id=account_id, state=state, method=method, before=before, since=since, until=until, most=most
    )


async def events_of(tx: Tx, payout: Payout) -> list[Event]:
    """Return the states that a payout was in, the first first."""
    return await tx.all(_EVENTS, bucket=payout.bucket, id=payout.id)


async def sums(tx: Tx, account_id: int) -> Sums:
    """Return what of an earner's money is on its way out, and what was sent. Nano-dollars."""
    return await tx.one(_SUMS, account_id=account_id)


def told(payout: Payout) -> dict[str, object]:
    """Give a payout as it is told to whom it concerns."""
    return {
        "id": str(payout.id),
        "account_id": payout.account_external_id,
        "amount_nano_usd": payout.amount,
        "amount_usd": usd_text(payout.amount),
        "method": payout.method,
        "state": payout.state,
        "reference": payout.reference,
        "reason": payout.reason,
        "requested_at": payout.requested_at.isoformat(),
        "ended_at": payout.ended_at.isoformat() if payout.ended_at else None,
    }


async def _method(tx: Tx, account_id: int, named: str | None) -> str:
    """Say by which method an account is paid."""
    own = await tx.first(_METHOD_KIND, account_id=account_id)
    kind = named or own or DEFAULT_METHOD
    if kind not in (own, DEFAULT_METHOD):
        method_of(kind)
        raise Conflict(
            f"The account has not said how to pay it by {kind}. Do so with PUT /v1/accounts/ID/payout-method.",
            code="payout_method_missing",
        )
    return kind


async def _move(
    tx: Tx, at: datetime, command: Command, entry: str, kind: str, answer: dict[str, object], parts: Sequence[Part]
) -> None:
    """Post a step of a payout: its entry, and its money bucket by bucket, in their order."""
    party = command.party
    own = Posting(party.bucket)
    own.entries.append(EntryRow(party.id, command.key, entry, kind, command.fingerprint, json.dumps(answer)))
    postings = {party.bucket: own}
    for part in parts:
        posting = postings.get(part.bucket)
        if posting is None:
            posting = postings[part.bucket] = Posting(part.bucket)
            posting.entries.append(EntryRow(party.id, f" {kind} {entry}", entry, kind, OWN_ACT, None))
        debit, credit, change = {
            "payout": (part.account, chart.IN_PAYOUT, -part.nanos),
            "payout_paid": (chart.IN_PAYOUT, chart.PAID_OUT, 0),
            "payout_back": (chart.IN_PAYOUT, part.account, part.nanos),
        }[kind]
        posting.legs.append(LegRow(entry, 0, kind, chart.USD, debit, credit, part.nanos, party.id, None))
        if change:
            posting.earners[party.id] = change
    asked = []
    for bucket in sorted(postings):
        posting = postings[bucket]
        rows = ledger.params(posting)
        asked.append(
            (
                _POST_EARNINGS,
                {
                    "bucket": bucket,
                    "at": at,
                    "entries": rows["entries"],
                    "transfers": rows["transfers"],
                    "earner": arrays.ints(posting.earners),
                    "nanos": arrays.ints(posting.earners.values()),
                },
            )
        )
    await tx.together(*asked)
