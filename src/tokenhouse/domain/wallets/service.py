"""The wallets' verbs: lock and load, post, read.

Writing verbs need a teller's transaction for the account; they lock its wallets first.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import astuple
from datetime import datetime
from typing import Any

from tokenhouse.domain import ledger
from tokenhouse.domain.catalog.types import Catalog, Plan
from tokenhouse.domain.ledger import chart
from tokenhouse.domain.ledger.types import LegRow, Party, WalletColumns
from tokenhouse.domain.wallets.types import (
    AllowanceLot,
    DueAccount,
    Enrolment,
    EnrolmentNow,
    GrantView,
    Looked,
    Lot,
    LotColumns,
    LotRow,
    Wallet,
    WalletPosting,
    WalletRow,
    WalletView,
)
from tokenhouse.infra.database import Ask, Tx, arrays, load_queries
from tokenhouse.infra.kernel.errors import UnknownReference

_Q = load_queries(__file__)
_ENROLMENT_OF = _Q.rows("enrolment_of", Enrolment)
_ALLOWANCE_LOTS = _Q.rows("allowance_lots", AllowanceLot)
_ENROLMENTS_OF = _Q.rows("enrolments_of", EnrolmentNow)
_WALLET_ROWS = _Q.rows("wallet_rows", WalletRow)
_DUE_ACCOUNTS = _Q.rows("due_accounts", DueAccount)
_GRANTS_OF = _Q.rows("grants_of", GrantView)
_LOTS_OF = _Q.rows("lots_of", LotColumns)
NEXT_LOTS = _Q.rows("next_lots", list)
_POST_LOTS = _Q.nothing("post_lots")
_ENROL = _Q.nothing("enrol")

Columns = Sequence[list[Any] | None]
"""Rows by column; None for each where there are none."""


async def load(tx: Tx, bucket: int, keys: Iterable[tuple[int, int]]) -> list[Wallet]:
    """Lock wallets named (owner, asset) and load them with their lots; those that do not exist are left out."""
    found = await tx.together(*ask_load(bucket, tuple(keys)))
    return loaded(*found)


def ask_load(bucket: int, keys: Collection[tuple[int, int]]) -> tuple[Ask, Ask]:
    """Ask for what `load` does; `loaded` reads the two answers."""
    owners, assets = {owner for owner, _ in keys}, {asset for _, asset in keys}
    lots = {"bucket": bucket, "owners": arrays.ints(sorted(owners)), "assets": arrays.ints(sorted(assets))}
    return ledger.ask_lock(bucket, keys), (_LOTS_OF, lots)


def loaded(wallets: Sequence[WalletColumns], lots: Sequence[LotColumns]) -> list[Wallet]:
    """Read what `ask_load` found."""
    return list(assemble(astuple(wallets[0]), astuple(lots[0])).values())


def assemble(wallets: Columns, lots: Columns) -> dict[tuple[int, int], Wallet]:
    """Make wallets, by (owner, asset), of the columns that lock_wallets and lots_of return.

    Lots of a wallet that was opened after the lock was taken are left out: it is not locked.
    """
    found = {}
    if wallets[0]:
        for owner, asset, account, balance, held, due in zip(*wallets, strict=True):
            found[owner, asset] = Wallet(owner, asset, account, balance, held, due)
    if lots[0]:
        for owner, asset, *lot in zip(*lots, strict=True):
            wallet = found.get((owner, asset))
            if wallet is not None:
                wallet.lots.append(Lot(*lot))
    return found


async def post(tx: Tx, posting: WalletPosting, at: datetime) -> None:
    """Write a posting and its grants; the wallets are locked."""
    await tx.together(*ask_post(posting, at))


def ask_post(posting: WalletPosting, at: datetime) -> list[Ask]:
    """Ask for what `post` does."""
    asked = [ledger.ask_post(posting, at)]
    if posting.moves or posting.lots:
        asked.append((_POST_LOTS, {"bucket": posting.bucket, "at": at, **_lot_params(posting)}))
    return asked


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


async def look(tx: Tx, parties: Sequence[Party]) -> dict[int, Looked]:
    """Read the wallets and plans of accounts, by account: in two queries, however many there are."""
    buckets = arrays.ints([party.bucket for party in parties])
    accounts = arrays.ints([party.id for party in parties])
    enrolments = await tx.all(_ENROLMENTS_OF, buckets=buckets, accounts=accounts)
    rows = await tx.all(_WALLET_ROWS, buckets=buckets, accounts=accounts)
    plans = {enrolment.account_id: enrolment for enrolment in enrolments}
    found: dict[int, list[WalletRow]] = {party.id: [] for party in parties}
    for row in rows:
        found[row.account_id].append(row)
    return {account: Looked(plans.get(account), tuple(own)) for account, own in found.items()}


async def wallets_of(tx: Tx, catalog: Catalog, party: Party) -> tuple[list[WalletView], bool]:
    """Return an account's wallets, every credit type on offer among them, and whether a settlement is due first."""
    looked = (await look(tx, [party]))[party.id]
    return views_of(catalog, looked), looked.due


def views_of(catalog: Catalog, looked: Looked) -> list[WalletView]:
    """Show wallets as their owner sees them, the empty ones of every credit type on offer too."""
    rows = {row.asset_id: row for row in looked.rows}
    refreshes = looked.enrolment.renews_at if looked.enrolment else None
    views = []
    for asset_id in sorted({*catalog.credit_types.values(), *rows}):
        row = rows.get(asset_id) or WalletRow(0, asset_id, 0, 0, 0, None, False)
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
    return views


async def enrolment_of(tx: Tx, party: Party) -> Enrolment | None:
    """Return the plan of an account and the period it is in."""
    query, params = ask_enrolment(party)
    return await tx.first(query, **params)


def ask_enrolment(party: Party) -> Ask:
    """Ask for the plan of an account: no row of Enrolment where it is on none."""
    return _ENROLMENT_OF, {"bucket": party.bucket, "account_id": party.id}


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


def open_lot(posting: WalletPosting, entry: str, party: Party, account: int, kind: str, lot: LotRow) -> None:
    """Post a new grant: its row, its credits from the platform's issuance, the wallet's balance."""
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
