"""Check, charge, hold, capture, void: the hot path."""

from tokenhouse.domain.metering.group_commit import GroupCommit, settle_account
from tokenhouse.domain.metering.service import Rates, receipt_of, receipt_rows, receipts, receipts_of

__all__ = ["GroupCommit", "Rates", "receipt_of", "receipt_rows", "receipts", "receipts_of", "settle_account"]
