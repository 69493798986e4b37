"""What callers know: every charge that they asked for and every receipt that they got. The books must agree."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import psycopg
from bench.economy import ALLOWANCE, TOP_UP


@dataclass(frozen=True, slots=True)
class Asked:
    """A charge as it was asked for; asked again it is the same to the letter."""

    key: str
    body: dict[str, Any]

    @property
    def account(self) -> str:
        """Who pays."""
        return str(self.body["account_id"])


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A receipt that a caller holds."""

    asked: Asked
    id: str
    amount: int
    balance: int


@dataclass(slots=True)
class Journal:
    """Kept by the callers, who outlive every crash."""

    acknowledged: dict[str, Acknowledged] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)
    doubts: int = 0
    """How often a caller was left without an answer, or told to come again."""

    def acknowledge(self, asked: Asked, receipt: dict[str, Any]) -> None:
        """Keep a receipt; a second one for the same key must be the first again."""
        got = Acknowledged(asked, receipt["id"], receipt["amount"], receipt["balance"])
        known = self.acknowledged.setdefault(asked.key, got)
        if known != got:
            self.findings.append(f"key {asked.key} was answered with {known} and then with {got}")
        if got.amount != asked.body.get("amount", got.amount) or receipt["account_id"] != asked.account:
            self.findings.append(f"asked for {asked}, got the receipt {receipt}")

    def compare(self, admin: psycopg.Connection[Any]) -> list[str]:
        """Say what the books know otherwise. No request may be under way; all of them were answered in the end."""
        found: list[str] = []
        keys = list(self.acknowledged)
        rows = admin.execute(_RECORDED, [keys]).fetchall()
        recorded = Counter(key for key, *_ in rows)
        for key, id, account, amount, taken, uses in rows:
            known = self.acknowledged[key]
            if (
                (str(id), account, amount) != (known.id, known.asked.account, known.amount)
                or taken != amount
                or uses != 1
            ):
                found.append(f"{known} is {id} {account} {amount} in the books, {uses} uses, {taken} taken")
        found += [f"acknowledged and lost: {self.acknowledged[key]}" for key in keys if not recorded[key]]
        found += [f"{times} times: {self.acknowledged[key]}" for key, times in recorded.items() if times > 1]
        spent: Counter[str] = Counter()
        for one in self.acknowledged.values():
            spent[one.asked.account] += one.amount
        for account, balance, earlier in admin.execute(_BALANCES):
            expected = ALLOWANCE + TOP_UP - earlier - spent[account]
            if balance != expected:
                found.append(f"{account} has {balance}; its callers' receipts leave {expected}")
        unasked = admin.execute(_UNKNOWN, [keys]).fetchone()
        if unasked is not None and unasked[0]:
            found.append(f"{unasked[0]} charges under keys that no caller was answered, {unasked[1]} among them")
        return found


# Charges of the past that the economy was made with have keys that are MD5 digests; ours hold a colon.
_RECORDED = """
select e.key, e.id, i.external_id, u.amount,
       (select coalesce(sum(t.amount), 0) from ledger.transfer t
        where t.bucket = e.bucket and t.entry_id = e.id and t.asset_id > 0)::bigint,
       (select count(*) from metering.usage x where x.id = e.id)
from ledger.entry e
join access.identity i on i.account_id = e.account_id
left join metering.usage u on u.bucket = e.bucket and u.id = e.id
where e.key = any(%s)
"""
_BALANCES = """
select i.external_id, a.balance,
       (select coalesce(sum(u.amount), 0)
        from metering.usage u join ledger.entry e on e.bucket = u.bucket and e.id = u.id
        where u.account_id = a.owner_id and e.key not like '%%:%%')::bigint
from ledger.account a
join access.identity i on i.account_id = a.owner_id
where a.role = 'wallet'
"""
_UNKNOWN = """
select count(*), min(e.key) from ledger.entry e where e.key like '%%:%%' and e.kind = 'charge' and e.key <> all(%s)
"""
