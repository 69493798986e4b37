"""Check, charge, hold, capture, void, reverse: the hot path."""

from tokenhouse.domain.metering.adjustments import adjust
from tokenhouse.domain.metering.checks import Checks, Verdict
from tokenhouse.domain.metering.costs import (
    Cost,
    MissingPrice,
    OpenCost,
    PriceTables,
    UpstreamPrice,
    import_prices,
    missing_prices,
    open_costs,
    operator_prices,
    price_tables,
    tokens_of,
)
from tokenhouse.domain.metering.credits import credit_charge
from tokenhouse.domain.metering.group_commit import LANES, GroupCommit, settle_account
from tokenhouse.domain.metering.model_reviews import review_model
from tokenhouse.domain.metering.months import Month, Move, month
from tokenhouse.domain.metering.oddity import Thresholds
from tokenhouse.domain.metering.price_files import parse_prices
from tokenhouse.domain.metering.privacy import Kept, erase, kept_of
from tokenhouse.domain.metering.reversals import reverse
from tokenhouse.domain.metering.reviews import ReviewRow, clear, find_review, open_reviews, reject, reviews
from tokenhouse.domain.metering.service import Rates, receipt_of, receipt_rows, receipts, receipts_of
from tokenhouse.domain.metering.statements import Accrual, Statement, accruals, statement
from tokenhouse.domain.metering.verification import Proof, verify
from tokenhouse.domain.metering.withdrawals import run_schedules, withdraw

__all__ = [
    "LANES",
    "Accrual",
    "Checks",
    "Cost",
    "GroupCommit",
    "Kept",
    "MissingPrice",
    "Month",
    "Move",
    "OpenCost",
    "PriceTables",
    "Proof",
    "Rates",
    "ReviewRow",
    "Statement",
    "Thresholds",
    "UpstreamPrice",
    "Verdict",
    "accruals",
    "adjust",
    "clear",
    "credit_charge",
    "erase",
    "find_review",
    "import_prices",
    "kept_of",
    "missing_prices",
    "month",
    "open_costs",
    "open_reviews",
    "operator_prices",
    "parse_prices",
    "price_tables",
    "receipt_of",
    "receipt_rows",
    "receipts",
    "receipts_of",
    "reject",
    "reverse",
    "review_model",
    "reviews",
    "run_schedules",
    "settle_account",
    "statement",
    "tokens_of",
    "verify",
    "withdraw",
]
