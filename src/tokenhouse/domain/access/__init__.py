"""Accounts, members and keys: who is here, and on whose behalf a caller acts."""

from tokenhouse.domain.access.audit import forget_acts, list_acts, record
from tokenhouse.domain.access.service import (
    Identities,
    create_account,
    create_key,
    deployment,
    find_account,
    find_accounts,
    find_keys,
    list_accounts,
    list_keys,
    members_of,
    organizations_of,
    revoke_key,
    set_member,
    touch_keys,
    update_account,
)

__all__ = [
    "Identities",
    "create_account",
    "create_key",
    "deployment",
    "find_account",
    "find_accounts",
    "find_keys",
    "forget_acts",
    "list_accounts",
    "list_acts",
    "list_keys",
    "members_of",
    "organizations_of",
    "record",
    "revoke_key",
    "set_member",
    "touch_keys",
    "update_account",
]
