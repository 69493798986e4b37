"""Grants, burn order, allowances and their renewal."""

from tokenhouse.domain.wallets.grants import grant
from tokenhouse.domain.wallets.looks import Looks
from tokenhouse.domain.wallets.service import (
    assemble,
    due_accounts,
    enrolment_of,
    grants_of,
    load,
    move_params,
    plan_of,
    post,
    views_of,
    wallets_of,
)
from tokenhouse.domain.wallets.settlements import change_plan, enrol, settle

__all__ = [
    "Looks",
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
    "views_of",
    "wallets_of",
]
