"""Check, charge, hold, capture, void, reverse: the hot path."""

from tokenhouse.domain.metering.checks import Checks, Verdict
from tokenhouse.domain.metering.group_commit import GroupCommit, settle_account
from tokenhouse.domain.metering.reversals import reverse
from tokenhouse.domain.metering.service import Rates, receipt_of, receipt_rows, receipts, receipts_of
from tokenhouse.domain.metering.verification import Proof, verify

__all__ = [
    "Checks",
    "GroupCommit",
    "Proof",
    "Rates",
    "Verdict",
    "receipt_of",
    "receipt_rows",
    "receipts",
    "receipts_of",
    "reverse",
    "settle_account",
    "verify",
]
