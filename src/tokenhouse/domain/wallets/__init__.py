"""Grants, burn order, allowances and their renewal."""

from tokenhouse.domain.wallets.service import (
    assemble,
    change_plan,
    due_accounts,
    enrol,
    enrolment_of,
    grant,
    grants_of,
    load,
    move_params,
    plan_of,
    post,
    settle,
    wallets_of,
)

__all__ = [
    "assemble",
    "change_plan",
    "due_accounts",
    "enrol",
    "enrolment_of",
    "grant",
    "grants_of",
    "load",
    "move_params",
    "plan_of",
    "post",
    "settle",
    "wallets_of",
]
