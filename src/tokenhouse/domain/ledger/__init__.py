"""Accounts, transfers, holds: the only writer of balances."""

from tokenhouse.domain.ledger.chain import chain_head, check_head, close_block, verify_chain
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
    "chain_head",
    "check_head",
    "close_block",
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
    "verify_chain",
]
