"""Accounts, transfers, holds: the only writer of balances."""

from tokenhouse.domain.ledger.service import (
    assets,
    columns,
    entry_of,
    expire_holds,
    hold_of,
    hold_rows,
    lock_wallets,
    now,
    open_accounts,
    params,
    post,
    schedule,
)

__all__ = [
    "assets",
    "columns",
    "entry_of",
    "expire_holds",
    "hold_of",
    "hold_rows",
    "lock_wallets",
    "now",
    "open_accounts",
    "params",
    "post",
    "schedule",
]
