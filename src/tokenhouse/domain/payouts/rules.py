"""When a payout may go where, what it takes from which bucket, and what a schedule is due for. Pure."""

from calendar import monthrange
from collections.abc import Iterable
from datetime import date, timedelta

from tokenhouse.domain.access.acts import By
from tokenhouse.domain.payouts.types import Action, Every, Part, Payable, State
from tokenhouse.infra.kernel.errors import Conflict, Forbidden, InsufficientEarnings, ValidationFailed
from tokenhouse.infra.kernel.money import usd_said

CENT = 10_000_000
"""Nano-dollars in a cent."""

_DONE: dict[Action, State] = {
    "approve": "processing",
    "complete": "completed",
    "fail": "failed",
    "cancel": "cancelled",
}
_FROM: dict[Action, tuple[State, ...]] = {
    "approve": ("pending",),
    "complete": ("processing", "unknown"),
    "fail": ("pending", "processing", "unknown"),
    "cancel": ("pending",),
}


def who(by: By) -> str:
    """Name who does something, in a word that tells two people apart; the platform's own key is one person."""
    if by.via == "service":
        return "service"
    if by.actor_id is not None:
        return f"account {by.actor_id}"
    return f"key {by.key_id}" if by.key_id is not None else "platform"


def next_state(
    action: Action, state: State, *, approval: bool, requested_by: str, by: str, in_flight: bool = False
) -> State:
    """Say what an action makes of a payout.

    approval: whether it must be approved, by another than who requested it. in_flight: its method was told to send it
    and has not answered. Conflict (payout_state): not from where it is. Forbidden: who approves requested it.
    """
    allowed = _FROM[action]
    if action == "complete" and not approval:
        allowed = ("pending", *allowed)
    if state not in allowed:
        hint = " Approve it first." if action == "complete" and state == "pending" else ""
        raise Conflict(
            f"The payout is {state}; to {action} it, it has to be {' or '.join(allowed)}.{hint}",
            code="payout_state",
            state=state,
        )
    if in_flight:
        raise Conflict(
            "The payout is being sent right now. Look again in a minute: then it is known, or `unknown`.",
            code="payout_state",
            state=state,
        )
    if action == "approve" and approval and by == requested_by:
        raise Forbidden(
            "Who requested a payout may not approve it. Let another person do so.", code="approver_is_requester"
        )
    return _DONE[action]


def to_take(asked: int, payable: int, minimum: int, *, whole_cents: bool) -> int:
    """Say how many nano-dollars a payout of `asked` takes: by whole cents, where its method pays no less.

    InsufficientEarnings: over what is payable. ValidationFailed: below the minimum, or below a cent.
    """
    if asked > payable:
        raise InsufficientEarnings(
            f"{usd_said(payable)} are payable and {usd_said(asked)} were asked for. Ask for less, or wait until more "
            "matured.",
            required_nano_usd=asked,
            payable_nano_usd=payable,
        )
    if asked < minimum:
        raise ValidationFailed.of("amount_nano_usd", f"the least that is paid out is {usd_said(minimum)}")
    amount = cents_of(asked) if whole_cents else asked
    if not amount:
        raise ValidationFailed.of("amount_nano_usd", "this method pays whole cents; ask for one at least")
    return amount


def cents_of(nanos: int) -> int:
    """Give the whole cents of an amount, in nano-dollars."""
    return nanos - nanos % CENT


def take_from(amount: int, payable: Iterable[Payable]) -> list[Part]:
    """Say what is taken in which bucket, in their order, never more than is payable there. It must suffice."""
    parts = []
    for bucket, account, nanos in payable:
        part = min(amount, nanos)
        if part > 0:
            parts.append(Part(bucket, account, part))
            amount -= part
    if amount:
        raise ValueError("more was to be taken than there is")
    return parts


def due_day(every: Every, day: int, after: date, today: date) -> date | None:
    """Give the latest day in (after, today] for which a schedule is due; None: none yet.

    day: 1 (Monday) to 7 of a week; of a month 1 to 31, a short month's last day for those that it does not have. A
    threshold is looked at every day.
    """
    if every == "threshold":
        found = today
    elif every == "week":
        found = today - timedelta(days=(today.isoweekday() - day) % 7)
    else:
        found = _in_month(today, day)
        if found > today:
            found = _in_month(today.replace(day=1) - timedelta(days=1), day)
    return found if after < found <= today else None


def _in_month(month: date, day: int) -> date:
    return month.replace(day=min(day, monthrange(month.year, month.month)[1]))
