"""Earnings on their way out: payouts and their states, methods of paying, schedules."""

from tokenhouse.domain.payouts.payees import (
    SEALED,
    NewSchedule,
    drop_schedule,
    note_schedule,
    paid_by,
    schedule_of,
    scheduled,
    set_method,
    set_schedule,
    unseal,
)
from tokenhouse.domain.payouts.sending import send_due, senders
from tokenhouse.domain.payouts.service import (
    NewPayout,
    act,
    events_of,
    owed,
    payout_of,
    payouts_of,
    request,
    sums,
    told,
)
from tokenhouse.domain.payouts.verification import INVARIANTS

__all__ = [
    "INVARIANTS",
    "SEALED",
    "NewPayout",
    "NewSchedule",
    "act",
    "drop_schedule",
    "events_of",
    "note_schedule",
    "owed",
    "paid_by",
    "payout_of",
    "payouts_of",
    "request",
    "schedule_of",
    "scheduled",
    "send_due",
    "senders",
    "set_method",
    "set_schedule",
    "sums",
    "told",
    "unseal",
]
