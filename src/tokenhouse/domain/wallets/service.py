"""The wallets' verbs: enrol, change plan, grant, settle what time has done, and read.

Writing verbs need a teller's transaction for the account; they lock its wallets first.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from datetime import datetime
from typing import Any

from tokenhouse.domain import ledger
from tokenhouse.domain.catalog.types import Catalog, Plan
from tokenhouse.domain.ledger import chart
from tokenhouse.domain.ledger.rules import refuse_other
from tokenhouse.domain.ledger.types import OWN_ACT, Command, EntryRow, LegRow, Party
from tokenhouse.domain.wallets import rules
from tokenhouse.domain.wallets.types import (
    AllowanceLot,
    DueAccount,
    Enrolment,
    GrantView,
    Lot,
    LotColumns,
    LotRow,
    NewGrant,
    Settlement,
    Wallet,
    WalletPosting,
    WalletRow,
    WalletView,
)
from tokenhouse.infra.database import Tx, arrays, load_queries
from tokenhouse.infra.kernel.errors import Conflict, UnknownReference, ValidationFailed
from tokenhouse.infra.kernel.ids import uuid7
from tokenhouse.infra.kernel.money import MAX_NANOS as MAX_BIGINT

_Q = load_queries(__file__)
_ENROLMENT_OF = _Q.rows("enrolment_of", Enrolment)
_ALLOWANCE_LOTS = _Q.rows("allowance_lots", AllowanceLot)
_WALLET_ROWS = _Q.rows("wallet_rows", WalletRow)
_DUE_ACCOUNTS = _Q.rows("due_accounts", DueAccount)
_GRANTS_OF = _Q.rows("grants_of", GrantView)
_LOTS_OF = _Q.rows("lots_of", LotColumns)
_NEXT_LOTS = _Q.rows("next_lots", list)
_POST_LOTS = _Q.nothing("post_lots")
_ENROL = _Q.nothing("enrol")

Columns = Sequence[list[Any] | None]
"""Rows by column; None for each where there are none."""


async def enrol(tx: Tx, catalog: Catalog, party: Party, plan_id: str, time_zone: str) -> None:
    """Put a new account on its first plan: its periods are counted from now. UnknownReference: no such plan."""
    plan = plan_of(catalog, plan_id)
    at = await ledger.now(tx)
    start, end = rules.first_period(plan, at, time_zone)
    await _enrol(tx, party, plan.id, at, start, end, at)
    # A period that is over at its own start makes the settlement grant the first allowance.
    fresh = Enrolment(party.id, plan.id, at, start, at, time_zone)
    wallets = await _lock(tx, catalog, party, plan)
    await _post_settlement(tx, party, rules.settle(wallets, fresh, plan, catalog.credit_types, at), at, "enrol")


async def change_plan(tx: Tx, catalog: Catalog, party: Party, plan_id: str) -> None:
    """Move an account to another plan, at once. UnknownReference: no such plan."""
    plan = plan_of(catalog, plan_id)
    await settle(tx, catalog, party)
    wallets = await _lock(tx, catalog, party, plan)
    enrolment = await tx.one(_ENROLMENT_OF, bucket=party.bucket, account_id=party.id)
    if enrolment.plan_id == plan.id:
        return
    lots = await tx.all(
        _ALLOWANCE_LOTS,
        bucket=party.bucket,
        account_id=party.id,
        period_started_at=enrolment.period_started_at,
    )
    used: dict[int, int] = {}
    for lot in lots:
        used[lot.asset_id] = used.get(lot.asset_id, 0) + lot.used
    at = await ledger.now(tx)
    replaced = frozenset(lot.id for lot in lots)
    settlement = rules.change_plan(wallets, enrolment, plan, catalog.credit_types, used, replaced, at)
    start, end = settlement.period or (enrolment.period_started_at, enrolment.renews_at)
    await _enrol(tx, party, plan.id, enrolment.anchor, start, end, at)
    await _post_settlement(tx, party, settlement, at, "plan", new_period=False)


async def settle(tx: Tx, catalog: Catalog, party: Party) -> bool:
    """Do to an account what time has made due: renew its allowance, let grants and holds lapse. Safe at any time.

    Returns whether anything was due.
    """
    expired = await ledger.expire_holds(tx, party.bucket, party.id)
    enrolment = await tx.first(_ENROLMENT_OF, bucket=party.bucket, account_id=party.id)
    if enrolment is None:
        return bool(expired)
    plan = catalog.plans.get(enrolment.plan_id) or _withdrawn(enrolment.plan_id)
    wallets = await _lock(tx, catalog, party, plan if await ledger.now(tx) >= enrolment.renews_at else None)
    # Read again under the locks: another settlement may have come first.
    enrolment = await tx.one(_ENROLMENT_OF, bucket=party.bucket, account_id=party.id)
    at = await ledger.now(tx)
    settlement = rules.settle(wallets, enrolment, plan, catalog.credit_types, at)
    if settlement.period:
        start, end = settlement.period
        await _enrol(tx, party, enrolment.plan_id, enrolment.anchor, start, end, at)
    elif not settlement.lapses and not any(wallet.due for wallet in wallets):
        return bool(expired)
    await _post_settlement(tx, party, settlement, at, "renewal" if settlement.period else "lapse")
    return True


async def grant(tx: Tx, catalog: Catalog, command: Command, new: NewGrant) -> tuple[dict[str, object], bool]:
    """Give credits: the answer {id, balance, …}, and whether it is a replay.

    ValidationFailed: expires_at is not in the future. UnknownReference: no such credit type. Conflict: the balance
    would pass 64 bits.
    """
    party = command.party
    asset_id = catalog.credit_types.get(new.credit_type)
    if asset_id is None:
        raise UnknownReference.of("credit_type", f"there is no credit type {new.credit_type!r} in the catalog")
    await ledger.open_accounts(tx, party.bucket, [(party.id, asset_id)], "wallet")
    (wallet,) = await load(tx, party.bucket, [(party.id, asset_id)])
    earlier = await ledger.entry_of(tx, party.bucket, party.id, command.key)
    if earlier is not None:
        refuse_other(earlier.fingerprint, command.fingerprint)
        return earlier.answer or {}, True
    if wallet.due:
        await settle(tx, catalog, party)
        (wallet,) = await load(tx, party.bucket, [(party.id, asset_id)])
    at = await ledger.now(tx)
    if new.expires_at is not None and new.expires_at <= at:
        raise ValidationFailed.of("expires_at", "lies in the past; leave it out for credits that never expire")
    if wallet.balance + new.amount > MAX_BIGINT:
        raise Conflict("The balance would pass 64 bits. Grant less.", code="balance_limit")
    answer = await _post_grant(tx, command, new, wallet, at)
    await _schedule_grant(tx, party, wallet, new)
    return answer, False


async def load(tx: Tx, bucket: int, keys: Iterable[tuple[int, int]]) -> list[Wallet]:
    """Lock wallets named (owner, asset) and load them with their lots; those that do not exist are left out."""
    locked = await ledger.lock_wallets(tx, bucket, keys)
    lots = await tx.one(
        _LOTS_OF, bucket=bucket, owners=arrays.ints(locked[0] or ()), assets=arrays.ints(locked[1] or ())
    )
    return list(assemble(locked, astuple(lots)).values())


def assemble(wallets: Columns, lots: Columns) -> dict[tuple[int, int], Wallet]:
    """Make wallets, by (owner, asset), of the columns that lock_wallets and lots_of return."""
    found = {}
    if wallets[0]:
        for owner, asset, account, balance, held, due in zip(*wallets, strict=True):
            found[owner, asset] = Wallet(owner, asset, account, balance, held, due)
    if lots[0]:
        for owner, asset, *lot in zip(*lots, strict=True):
            found[owner, asset].lots.append(Lot(*lot))
    return found


async def post(tx: Tx, posting: WalletPosting, at: datetime) -> None:
    """Write a posting and its grants; the wallets are locked."""
    await ledger.post(tx, posting, at)
    if posting.moves or posting.lots:
        await tx.run(_POST_LOTS, bucket=posting.bucket, at=at, **_lot_params(posting))


def move_params(posting: WalletPosting) -> dict[str, object]:
    """Give the parameters that change grants: one array literal a column."""
    changes = ledger.columns(posting.moves.values(), 2)
    keys = ledger.columns(posting.moves, 3)
    return {
        "moved_account": arrays.ints(keys[0]),
        "moved_asset": arrays.ints(keys[1]),
        "moved_lot": arrays.ints(keys[2]),
        "moved_remaining": arrays.ints(changes[0]),
        "moved_lapsed": arrays.ints(changes[1]),
    }


async def wallets_of(tx: Tx, catalog: Catalog, party: Party) -> tuple[list[WalletView], bool]:
    """Return an account's wallets, every credit type on offer among them, and whether a settlement is due first."""
    enrolment = await tx.first(_ENROLMENT_OF, bucket=party.bucket, account_id=party.id)
    rows = {row.asset_id: row for row in await tx.all(_WALLET_ROWS, bucket=party.bucket, account_id=party.id)}
    at = await ledger.now(tx)
    refreshes = enrolment.renews_at if enrolment else None
    due = any(row.due for row in rows.values()) or (refreshes is not None and refreshes <= at)
    views = []
    for asset_id in sorted({*catalog.credit_types.values(), *rows}):
        row = rows.get(asset_id) or WalletRow(asset_id, 0, 0, 0, None, False)
        views.append(
            WalletView(
                credit_type=catalog.codes[asset_id],
                balance=row.balance,
                held=row.held,
                available=row.balance - row.held,
                allocated=row.balance + row.used,
                used=row.used,
                refreshes_at=refreshes,
                last_used_at=row.last_used_at,
            )
        )
    return views, due


async def enrolment_of(tx: Tx, party: Party) -> Enrolment | None:
    """Return the plan of an account and the period it is in."""
    return await tx.first(_ENROLMENT_OF, bucket=party.bucket, account_id=party.id)


async def grants_of(tx: Tx, party: Party, *, before: int | None = None, most: int = 100) -> list[GrantView]:
    """Return an account's grants, newest first; `before`: older than this one."""
    return await tx.all(_GRANTS_OF, bucket=party.bucket, account_id=party.id, before=before, most=most)


async def due_accounts(tx: Tx, bucket: int, *, after: int = 0, most: int = 500) -> list[Party]:
    """Return accounts that time has something to do to, by number, above `after`."""
    rows = await tx.all(_DUE_ACCOUNTS, bucket=bucket, after=after, most=most)
    return [Party(row.account_id, row.bucket, row.external_id) for row in rows]


def plan_of(catalog: Catalog, plan_id: str) -> Plan:
    """Return a plan of the catalog. UnknownReference: there is none of that id."""
    plan = catalog.plans.get(plan_id)
    if plan is None:
        raise UnknownReference.of("plan", f"there is no plan {plan_id!r}; the catalog has {', '.join(catalog.plans)}")
    return plan


def _withdrawn(plan_id: str) -> Plan:
    """Stand in for a plan that the catalog no longer has: it goes on without an allowance."""
    return Plan(id=plan_id, name=plan_id, price_nanos=None, interval="month", allowances={})


async def _lock(tx: Tx, catalog: Catalog, party: Party, plan: Plan | None) -> list[Wallet]:
    """Lock all wallets of an account, opened first where `plan` has an allowance for them."""
    if plan is not None:
        wanted = [(party.id, catalog.credit_types[code]) for code in plan.allowances if code in catalog.credit_types]
        if wanted:
            await ledger.open_accounts(tx, party.bucket, wanted, "wallet")
    return await load(tx, party.bucket, [(party.id, asset_id) for asset_id in catalog.codes])


async def _enrol(
    tx: Tx, party: Party, plan_id: str, anchor: datetime, start: datetime, end: datetime, at: datetime
) -> None:
    await tx.run(
        _ENROL,
        bucket=party.bucket,
        at=at,
        account_id=party.id,
        plan_id=plan_id,
        anchor=anchor,
        period_started_at=start,
        renews_at=end,
    )


async def _post_settlement(
    tx: Tx, party: Party, settlement: Settlement, at: datetime, kind: str, *, new_period: bool = True
) -> None:
    """Write a settlement under a key of its own: a period's renewal can be recorded once only."""
    new_period = new_period and settlement.period is not None
    await ledger.schedule(tx, party.bucket, party.id, settlement.due, new_period=new_period)
    if not settlement.moves_credits:
        return
    entry = str(uuid7())
    start = settlement.period[0].isoformat() if settlement.period and new_period else entry
    posting = WalletPosting(party.bucket)
    posting.entries.append(EntryRow(party.id, f" {kind} {start}", entry, kind, OWN_ACT, None))
    locked = await ledger.lock_wallets(tx, party.bucket, [(party.id, asset_id) for asset_id in settlement.due])
    accounts = dict(zip(locked[1] or (), locked[2] or (), strict=True))
    count = len(settlement.allowances)
    numbers = await tx.one(_NEXT_LOTS, count=count) if count else []
    for number, new in zip(numbers, settlement.allowances, strict=True):
        _open_lot(
            posting,
            entry,
            party,
            accounts[new.asset_id],
            "allowance",
            LotRow(
                party.id,
                new.asset_id,
                number,
                "allowance",
                new.amount,
                new.amount,
                rules.ALLOWANCE_PRIORITY,
                new.expires_at.isoformat() if new.expires_at else None,
                new.period_started_at.isoformat(),
                entry,
                None,
            ),
        )
    for lapse in settlement.lapses:
        asset = lapse.wallet.asset_id
        posting.move(party.id, asset, lapse.lot.id, -lapse.amount, lapse.amount)
        posting.wallet(party.id, asset, -lapse.amount)
        posting.legs.append(
            LegRow(
                entry,
                len(posting.legs),
                "lapse",
                asset,
                lapse.wallet.account,
                chart.expiry(asset),
                lapse.amount,
                party.id,
                lapse.lot.id,
            )
        )
    await post(tx, posting, at)


def _open_lot(posting: WalletPosting, entry: str, party: Party, account: int, kind: str, lot: LotRow) -> None:
    posting.lots.append(lot)
    posting.wallet(party.id, lot.asset_id, lot.amount)
    posting.legs.append(
        LegRow(
            entry,
            len(posting.legs),
            kind,
            lot.asset_id,
            chart.issuance(lot.asset_id),
            account,
            lot.amount,
            party.id,
            lot.id,
        )
    )


async def _post_grant(tx: Tx, command: Command, new: NewGrant, wallet: Wallet, at: datetime) -> dict[str, object]:
    party, entry = command.party, str(uuid7())
    (number,) = await tx.one(_NEXT_LOTS, count=1)
    posting = WalletPosting(party.bucket)
    expires = new.expires_at.isoformat() if new.expires_at else None
    answer: dict[str, object] = {
        "id": str(number),
        "account_id": party.external_id,
        "credit_type": new.credit_type,
        "amount": new.amount,
        "source": new.source,
        "priority": new.priority,
        "expires_at": expires,
        "note": new.note,
        "balance": wallet.balance + new.amount,
        "created_at": at.isoformat(),
    }
    posting.entries.append(EntryRow(party.id, command.key, entry, "grant", command.fingerprint, json.dumps(answer)))
    _open_lot(
        posting,
        entry,
        party,
        wallet.account,
        "grant",
        LotRow(
            party.id,
            wallet.asset_id,
            number,
            new.source,
            new.amount,
            new.amount,
            new.priority,
            expires,
            None,
            entry,
            new.note,
        ),
    )
    await post(tx, posting, at)
    return answer


async def _schedule_grant(tx: Tx, party: Party, wallet: Wallet, new: NewGrant) -> None:
    """See to it that time finds the wallet: at the next renewal, or sooner where a grant expires before it."""
    enrolment = await enrolment_of(tx, party)
    ends = [lot.expires for lot in wallet.lots if lot.expires is not None]
    if new.expires_at is not None:
        ends.append(new.expires_at.timestamp())
    if enrolment is not None:
        ends.append(enrolment.renews_at.timestamp())
    at = datetime.fromtimestamp(min(ends), (await ledger.now(tx)).tzinfo) if ends else None
    await ledger.schedule(tx, party.bucket, party.id, {wallet.asset_id: at}, new_period=False)


def _lot_params(posting: WalletPosting) -> dict[str, object]:
    lots = ledger.columns(posting.lots, 11)
    ints, texts = arrays.ints, arrays.texts
    return {
        **move_params(posting),
        "lot_account": ints(lots[0]),
        "lot_asset": ints(lots[1]),
        "lot_id": ints(lots[2]),
        "lot_source": ints(lots[3]),
        "lot_amount": ints(lots[4]),
        "lot_remaining": ints(lots[5]),
        "lot_priority": ints(lots[6]),
        "lot_expires": texts(lots[7]),
        "lot_period": texts(lots[8]),
        "lot_entry": ints(lots[9]),
        "lot_note": texts(lots[10]),
    }
