"""The ledger's verbs: look up, lock, post. Higher packages decide; nothing else writes a balance."""

from collections.abc import Iterable, Sequence
from dataclasses import astuple
from datetime import datetime
from typing import Any
from uuid import UUID

from tokenhouse.domain.ledger.types import (
    Asset,
    DueHold,
    Entry,
    EntryFound,
    EntryRow,
    Hold,
    HoldEnd,
    HoldRow,
    LegRow,
    Posting,
    WalletColumns,
)
from tokenhouse.infra.database import Ask, Tx, arrays, load_queries

_Q = load_queries(__file__)
_ENTRY_OF = _Q.rows("entry_of", EntryFound)
_HOLD_OF = _Q.rows("hold_of", Hold)
_DUE_HOLDS = _Q.rows("due_holds", DueHold)
_DUE_HOLDS_OF = _Q.rows("due_holds_of", DueHold)
_LOCKED_WALLETS = _Q.rows("locked_wallets", WalletColumns)
NOW = _Q.rows("now", datetime)
_OPEN_ACCOUNTS = _Q.nothing("open_accounts")
_POST = _Q.nothing("post")
_SCHEDULE = _Q.nothing("schedule")
_ASSETS = _Q.rows("assets", Asset)


async def assets(tx: Tx) -> list[Asset]:
    """Return what is counted here, dollars first."""
    return await tx.all(_ASSETS)


async def now(tx: Tx) -> datetime:
    """Return the database's clock, which decides."""
    return await tx.one(NOW)


async def entry_of(tx: Tx, bucket: int, account_id: int, key: str) -> Entry | None:
    """Return what was done under an idempotency key."""
    (found,) = await tx.together(ask_entry(bucket, account_id, key))
    return entry_in(found)


def ask_entry(bucket: int, account_id: int, key: str) -> Ask:
    """Ask what was done under an idempotency key; `entry_in` reads the answer."""
    return _ENTRY_OF, {"bucket": bucket, "account_id": account_id, "key": key}


def entry_in(rows: Sequence[EntryFound]) -> Entry | None:
    """Read what `ask_entry` found."""
    if not rows:
        return None
    found = rows[0]
    return Entry(found.account_id, found.key, str(found.id), found.kind, found.fingerprint, found.answer)


async def hold_of(tx: Tx, hold_id: UUID) -> Hold | None:
    """Return a hold, if there is one that this transaction may see."""
    return await tx.first(_HOLD_OF, id=hold_id)


async def lock_wallets(tx: Tx, bucket: int, keys: Iterable[tuple[int, int]]) -> tuple[list[Any] | None, ...]:
    """Lock wallets named (owner, asset) in key order; other assets of theirs that are named beside may be among them.

    Returns the columns owner, asset, ledger account, balance, held, due of those there are, None for each without any.
    """
    ((found,),) = await tx.together(ask_lock(bucket, keys))
    return astuple(found)


def ask_lock(bucket: int, keys: Iterable[tuple[int, int]]) -> Ask:
    """Ask for what `lock_wallets` does: one row of WalletColumns."""
    pairs = sorted(set(keys))
    return _LOCKED_WALLETS, {
        "bucket": bucket,
        "owners": arrays.ints(owner for owner, _ in pairs),
        "assets": arrays.ints(asset for _, asset in pairs),
    }


async def open_accounts(tx: Tx, bucket: int, keys: Sequence[tuple[int, int]], role: str) -> None:
    """Open the ledger accounts (owner, asset) that are missing. role: wallet or earnings."""
    await tx.run(
        _OPEN_ACCOUNTS,
        bucket=bucket,
        owners=arrays.ints(owner for owner, _ in keys),
        assets=arrays.ints(asset for _, asset in keys),
        role=role,
    )


async def post(tx: Tx, posting: Posting, at: datetime) -> None:
    """Write a posting whose wallets are locked."""
    await tx.together(ask_post(posting, at))


def ask_post(posting: Posting, at: datetime) -> Ask:
    """Ask for what `post` does."""
    return _POST, {"bucket": posting.bucket, "at": at, **params(posting)}


async def schedule(tx: Tx, bucket: int, owner_id: int, due: dict[int, datetime | None], *, new_period: bool) -> None:
    """Set when time next changes each wallet of an account, by asset; a new period starts its use at zero."""
    await tx.together(ask_schedule(bucket, owner_id, due, new_period=new_period))


def ask_schedule(bucket: int, owner_id: int, due: dict[int, datetime | None], *, new_period: bool) -> Ask:
    """Ask for what `schedule` does."""
    return _SCHEDULE, {
        "bucket": bucket,
        "owner": owner_id,
        "assets": arrays.ints(due),
        "due": arrays.texts(None if at is None else at.isoformat() for at in due.values()),
        "new_period": new_period,
    }


async def expire_holds(tx: Tx, bucket: int, account_id: int | None = None, most: int = 500) -> int:
    """Give back the credits of live holds whose time is over (of one account, or the oldest); return how many."""
    due = (
        await tx.all(_DUE_HOLDS, bucket=bucket, most=most)
        if account_id is None
        else await tx.all(_DUE_HOLDS_OF, bucket=bucket, account_id=account_id)
    )
    if not due:
        return 0
    await lock_wallets(tx, bucket, [(hold.account_id, hold.asset_id) for hold in due])
    # Under the wallets' locks the holds can no longer end any other way: look again.
    still = (
        {hold.id for hold in await tx.all(_DUE_HOLDS, bucket=bucket, most=most * 2)}
        if account_id is None
        else {hold.id for hold in await tx.all(_DUE_HOLDS_OF, bucket=bucket, account_id=account_id)}
    )
    posting = Posting(bucket)
    for hold in due:
        if hold.id in still:
            posting.wallet(hold.account_id, hold.asset_id, 0, held=-hold.amount)
            posting.ended.append(HoldEnd(str(hold.id), "expired", None))
    await post(tx, posting, await now(tx))
    return len(posting.ended)


def params(posting: Posting) -> dict[str, object]:
    """Give the parameters of the post statement: rows of tables as the literals of their types, changes by column."""
    ended = columns(posting.ended, 3)
    changes = columns(posting.wallets.values(), 3)
    ints = arrays.ints
    return {
        "entries": arrays.rows([_entry(row) for row in posting.entries]),
        "transfers": arrays.rows([_transfer(row) for row in posting.legs]),
        "wallet_owner": ints([owner for owner, _ in posting.wallets]),
        "wallet_asset": ints([asset for _, asset in posting.wallets]),
        "wallet_balance": ints(changes[0]),
        "wallet_held": ints(changes[1]),
        "wallet_spent": ints(changes[2]),
        "ended_id": ints(ended[0]),
        "ended_state": ints(ended[1]),
        "ended_captured": ints(ended[2]),
    }


def hold_rows(posting: Posting) -> str:
    """Give the holds to be set aside, as rows of ledger.hold."""
    return arrays.rows([_hold(row) for row in posting.holds])


# In the columns' order of the tables; bucket and times, the same for all rows, are the statement's.


def _entry(row: EntryRow) -> str:
    account, key, entry, kind, fingerprint, answer = row
    field = arrays.field
    return f'"(,{account},{field(key)},{entry},{kind},\\\\\\\\x{fingerprint},{field(answer)},)"'


def _transfer(row: LegRow) -> str:
    entry, leg, kind, asset, debit, credit, amount, owner, lot = row
    return f'"(,{entry},{leg},{kind},{asset},{debit},{credit},{amount},{owner},{"" if lot is None else lot},)"'


def _hold(row: HoldRow) -> str:
    hold, account, asset, amount, expires, details = row
    field = arrays.field
    return f'"(,{hold},{account},{asset},{amount},,,{field(expires)},,,{field(details)})"'


def columns(rows: Iterable[Sequence[object]], count: int) -> list[tuple[Any, ...]]:
    """Turn rows into their columns; `count` empty ones where there are no rows."""
    return list(zip(*rows, strict=True)) or [()] * count
