"""Giving credits, by an idempotency key."""

import json
from datetime import datetime

from tokenhouse.domain import ledger
from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.domain.ledger.rules import refuse_other
from tokenhouse.domain.ledger.types import Command, EntryRow, Party
from tokenhouse.domain.wallets import service, settlements
from tokenhouse.domain.wallets.types import LotRow, NewGrant, Wallet, WalletPosting
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
    loaded = await service.load(tx, party.bucket, [(party.id, asset_id)])
    if not loaded:
        await ledger.open_accounts(tx, party.bucket, [(party.id, asset_id)], "wallet")
        loaded = await service.load(tx, party.bucket, [(party.id, asset_id)])
    (wallet,) = loaded
    earlier = await ledger.entry_of(tx, party.bucket, party.id, command.key)
    if earlier is not None:
        refuse_other(earlier.fingerprint, command.fingerprint)
        return earlier.answer or {}, True
    if wallet.due:
        await settlements.settle(tx, catalog, party)
        (wallet,) = await service.load(tx, party.bucket, [(party.id, asset_id)])
    at = await ledger.now(tx)
    if new.expires_at is not None and new.expires_at <= at:
        raise ValidationFailed.of("expires_at", "lies in the past; leave it out for credits that never expire")
    if wallet.balance + new.amount > MAX_BIGINT:
        raise Conflict("The balance would pass 64 bits. Grant less.", code="balance_limit")
    answer = await _post_grant(tx, command, new, wallet, at)
    await _schedule_grant(tx, party, wallet, new, at)
    return answer, False


async def _post_grant(tx: Tx, command: Command, new: NewGrant, wallet: Wallet, at: datetime) -> dict[str, object]:
    party, entry = command.party, new_id()
    (number,) = await tx.one(service.NEXT_LOTS, count=1)
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
    await service.post(tx, posting, at)
    return answer


async def _schedule_grant(tx: Tx, party: Party, wallet: Wallet, new: NewGrant, at: datetime) -> None:
    """See to it that time finds the wallet: at the next renewal, or sooner where a grant expires before it."""
    enrolment = await service.enrolment_of(tx, party)
    ends = [lot.expires for lot in wallet.lots if lot.expires is not None]
    if new.expires_at is not None:
        ends.append(new.expires_at.timestamp())
    if enrolment is not None:
        ends.append(enrolment.renews_at.timestamp())
    due = datetime.fromtimestamp(min(ends), at.tzinfo) if ends else None
    await ledger.schedule(tx, party.bucket, party.id, {wallet.asset_id: due}, new_period=False)
