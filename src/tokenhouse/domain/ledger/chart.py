"""The chart of accounts: which ledger accounts there are.

Kept balances (table ledger.account) have a floor of zero and belong to somebody: wallets, and what earners are owed.
The platform's own accounts have no floor and no row; each asset has these, named by a number below zero, and their
balance is the sum of their transfers.
"""

USD = 0
"""The asset of dollars, counted in nano-dollars."""

_ISSUANCE, _REVENUE, _EXPIRY, _EARNINGS_COST, _IN_PAYOUT, _PAID_OUT = 1, 2, 3, 4, 5, 6
_PER_ASSET = 16


def issuance(asset_id: int) -> int:
    """Return where grants come from."""
    return -(asset_id * _PER_ASSET + _ISSUANCE)


def revenue(asset_id: int) -> int:
    """Return where spent credits go."""
    return -(asset_id * _PER_ASSET + _REVENUE)


def expiry(asset_id: int) -> int:
    """Return where credits go that lapsed unspent."""
    return -(asset_id * _PER_ASSET + _EXPIRY)


EARNINGS_COST = -_EARNINGS_COST
"""Where the dollars come from that earners are owed."""

IN_PAYOUT = -_IN_PAYOUT
"""Dollars that left an earner's balance for a payout that has not ended."""

PAID_OUT = -_PAID_OUT
"""Dollars that were sent."""
