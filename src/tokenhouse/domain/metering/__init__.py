"""Check, charge, hold, capture, void, reverse: the hot path."""

from tokenhouse.domain.metering.checks import Checks, Verdict
from tokenhouse.domain.metering.credits import credit_charge
from tokenhouse.domain.metering.group_commit import LANES, GroupCommit, settle_account
from tokenhouse.domain.metering.model_reviews import review_model
from tokenhouse.domain.metering.months import Month, Move, month
from tokenhouse.domain.metering.privacy import Kept, erase, kept_of
from tokenhouse.domain.metering.reversals import reverse
from tokenhouse.domain.metering.service import Rates, receipt_of, receipt_rows, receipts, receipts_of
from tokenhouse.domain.metering.statements import Accrual, Statement, accruals, statement
from tokenhouse.domain.metering.verification import Proof, verify
from tokenhouse.domain.metering.withdrawals import run_schedules, withdraw

__all__ = [
    "LANES",
    "Accrual",
    "Checks",
    "GroupCommit",
    "Kept",
    "Month",
    "Move",
    "Proof",
    "Rates",
    "Statement",
    "Verdict",
    "accruals",
    "credit_charge",
    "erase",
    "kept_of",
    "month",
    "receipt_of",
    "receipt_rows",
    "receipts",
    "receipts_of",
    "reverse",
    "review_model",
    "run_schedules",
    "settle_account",
    "statement",
    "verify",
    "withdraw",
]
