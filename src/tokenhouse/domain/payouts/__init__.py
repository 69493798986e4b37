"""Earnings on their way out: payouts and their states, methods of paying, schedules."""

from tokenhouse.domain.payouts.banking import iban_of
from tokenhouse.domain.payouts.batches import (
    SEALED_FILES,
    NewBatch,
    batch_of,
    batches_of,
    file_of,
    make_batch,
    summed,
    told_batch,
)
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
    "SEALED_FILES",
    "NewBatch",
    "NewPayout",
    "NewSchedule",
    "act",
    "batch_of",
    "batches_of",
    "drop_schedule",
    "events_of",
    "file_of",
    "iban_of",
    "make_batch",
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
    "summed",
    "sums",
    "told",
    "told_batch",
    "unseal",
]
