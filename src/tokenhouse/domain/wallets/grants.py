"""Giving credits, by an idempotency key."""

import json
from datetime import datetime
from typing import NamedTuple

from tokenhouse.domain import ledger
from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.domain.ledger.rules import refuse_other
from tokenhouse.domain.ledger.types import Command, Entry, EntryRow
from tokenhouse.domain.wallets import service, settlements
from tokenhouse.domain.wallets.types import Enrolment, LotRow, NewGrant, Wallet, WalletPosting
from tokenhouse.infra.database import Tx
from tokenhouse.infra.kernel.errors import Conflict, UnknownReference, ValidationFailed
from tokenhouse.infra.kernel.ids import new_id
from tokenhouse.infra.kernel.money import MAX_NANOS as MAX_BIGINT


async def grant(tx: Tx, catalog: Catalog, command: Command, new: NewGrant) -> tuple[dict[str, object], bool]:
    """Give credits: the answer {id, balance, …}, and whether it is a replay.

    ValidationFailed: expires_at is not in the future. UnknownReference: no such credit type. Conflict: the balance
    would pass 64 bits.
    """
    party = command.party
    asset_id = catalog.credit_types.get(new.credit_type)
    if asset_id is None:
        raise UnknownReference.of("credit_type", f"there is no credit type {new.credit_type!r} in the catalog")
    key = (party.id, asset_id)
    found = await _scene(tx, command, key)
    if not found.wallets:
        await ledger.open_accounts(tx, party.bucket, [key], "wallet")
        found = await _scene(tx, command, key)
    if found.earlier is not None:
        refuse_other(found.earlier.fingerprint, command.fingerprint)
        return found.earlier.answer or {}, True
    if found.wallets[0].due:
        await settlements.settle(tx, catalog, party)
        found = await _scene(tx, command, key)
    if new.expires_at is not None and new.expires_at <= found.at:
        raise ValidationFailed.of("expires_at", "lies in the past; leave it out for credits that never expire")
    if found.wallets[0].balance + new.amount > MAX_BIGINT:
        raise Conflict("The balance would pass 64 bits. Grant less.", code="balance_limit")
    return await _post_grant(tx, command, new, found), False


class _Scene(NamedTuple):
    """What a grant is decided on: the locked wallet, if there is one; what its key did before; the plan; a number."""

    wallets: list[Wallet]
    earlier: Entry | None
    enrolment: Enrolment | None
    number: int
    at: datetime


async def _scene(tx: Tx, command: Command, key: tuple[int, int]) -> _Scene:
    party = command.party
    wallets, lots, entries, enrolments, numbers, times = await tx.together(
        *service.ask_load(party.bucket, [key]),
        ledger.ask_entry(party.bucket, party.id, command.key),
        service.ask_enrolment(party),
        (service.NEXT_LOTS, {"count": 1}),
        (ledger.NOW, {}),
    )
    enrolment = enrolments[0] if enrolments else None
    return _Scene(service.loaded(wallets, lots), ledger.entry_in(entries), enrolment, numbers[0][0], times[0])


async def _post_grant(tx: Tx, command: Command, new: NewGrant, found: _Scene) -> dict[str, object]:
    party, entry, number, at = command.party, new_id(), found.number, found.at
    (wallet,) = found.wallets
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
    service.open_lot(
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
    due = _due(wallet, new, found)
    schedule = ledger.ask_schedule(party.bucket, party.id, {wallet.asset_id: due}, new_period=False)
    await tx.together(*service.ask_post(posting, at), schedule)
    return answer


def _due(wallet: Wallet, new: NewGrant, found: _Scene) -> datetime | None:
    """Say when time finds the wallet: at the next renewal, or sooner where a grant expires before it."""
    ends = [lot.expires for lot in wallet.lots if lot.expires is not None]
    if new.expires_at is not None:
        ends.append(new.expires_at.timestamp())
    if found.enrolment is not None:
        ends.append(found.enrolment.renews_at.timestamp())
    return datetime.fromtimestamp(min(ends), found.at.tzinfo) if ends else None
