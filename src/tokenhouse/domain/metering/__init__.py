"""Check, charge, hold, capture, void, reverse: the hot path."""

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
from tokenhouse.domain.metering.price_files import parse_prices
from tokenhouse.domain.metering.privacy import Kept, erase, kept_of
from tokenhouse.domain.metering.reversals import reverse
from tokenhouse.domain.metering.service import Rates, receipt_of, receipt_rows, receipts, receipts_of
from tokenhouse.domain.metering.statements import Accrual, Statement, accruals, statement
from tokenhouse.domain.metering.verification import Difference, Proof, verify

__all__ = [
    "LANES",
    "Accrual",
    "Checks",
    "Cost",
    "Difference",
    "GroupCommit",
    "Kept",
    "MissingPrice",
    "OpenCost",
    "PriceTables",
    "Proof",
    "Rates",
    "Statement",
    "UpstreamPrice",
    "Verdict",
    "accruals",
    "credit_charge",
    "erase",
    "import_prices",
    "kept_of",
    "missing_prices",
    "open_costs",
    "operator_prices",
    "parse_prices",
    "price_tables",
    "receipt_of",
    "receipt_rows",
    "receipts",
    "receipts_of",
    "reverse",
    "settle_account",
    "statement",
    "tokens_of",
    "verify",
]
