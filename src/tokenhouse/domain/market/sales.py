"""Buying a model, giving it back for its price, and handing it on."""

import json
from datetime import datetime

from tokenhouse.domain import access, ledger, wallets
from tokenhouse.domain.access.acts import Act, By
from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.domain.ledger import chart
from tokenhouse.domain.ledger.rules import refuse_other
from tokenhouse.domain.ledger.types import Command, EntryRow, LegRow
from tokenhouse.domain.market import rules, service
from tokenhouse.domain.market.types import LotPaid, Ownership, Sale
from tokenhouse.domain.wallets.rules import burn
from tokenhouse.domain.wallets.types import Wallet, WalletPosting
from tokenhouse.infra.database import Tx, load_queries
from tokenhouse.infra.kernel.errors import NotFound, ValidationFailed
from tokenhouse.infra.kernel.ids import new_id

_Q = load_queries(__file__)
_LOCK_FOR_SALE = _Q.rows("lock_for_sale", Sale)
_OWN = _Q.nothing("own")
_LOCK_OWNERSHIP = _Q.rows("lock_ownership", Ownership)
_PAID = _Q.rows("paid", LotPaid)
_REFUND_OWNERSHIP = _Q.nothing("refund_ownership")
_TRANSFER_OWNERSHIP = _Q.nothing("transfer_ownership")
_BRING_FORWARD = _Q.nothing("bring_forward")


async def purchase(
    tx: Tx, terms: Catalog, command: Command, model_id: str, upgrade_url: str
) -> tuple[dict[str, object], bool]:
    """Buy a model with general credits: payment and ownership in one. A teller's, for the buyer.

    Returns the answer and whether it is a replay. NotFound: no such model. Conflict: model_inactive,
    already_owned. InsufficientTokens. Locks the buyer's wallets, then the model; in a race a retry of the
    transaction is safe.
    """
    party = command.party
    model = await service.find_model(tx, model_id, archived=True)
    # First of all: it locks every wallet in key order, whatever is due.
    await wallets.settle(tx, terms, party)
    wallet = await _open_wallet(tx, party.bucket, party.id, terms.credit_types[rules.CREDIT_TYPE])
    earlier = await ledger.entry_of(tx, party.bucket, party.id, command.key)
    if earlier is not None:
        refuse_other(earlier.fingerprint, command.fingerprint)
        return earlier.answer or {}, True
    if model is None or model.archived_at is not None:
        raise service.no_model(model_id)
    sale = await tx.one(_LOCK_FOR_SALE, model_id=model.id, account_id=party.id)
    price = rules.decide_sale(sale, model_id, wallet.available, upgrade_url)
    at = await ledger.now(tx)
    answer: dict[str, object] = {
        "model_id": model_id,
        "account_id": party.external_id,
        "price_credits": price,
        "credit_type": rules.CREDIT_TYPE,
        "balance": wallet.balance - price,
        "bought_at": at.isoformat(),
        "ownership": sale.ownership,
    }
    entry = new_id()
    await wallets.post(tx, _payment(command, wallet, price, entry, answer), at)
    await tx.run(_OWN, model_id=model.id, account_id=party.id, price_credits=price, entry_id=entry, at=at)
    return answer, False


async def _open_wallet(tx: Tx, bucket: int, owner_id: int, asset_id: int) -> Wallet:
    """Lock a wallet, opened first where it is missing."""
    key = (owner_id, asset_id)
    found = await wallets.load(tx, bucket, [key])
    if not found:
        await ledger.open_accounts(tx, bucket, [key], "wallet")
        found = await wallets.load(tx, bucket, [key])
    return found[0]


def _payment(command: Command, wallet: Wallet, price: int, entry: str, answer: dict[str, object]) -> WalletPosting:
    """Take the price from the wallet's grants, in burn order, to the platform's revenue."""
    owner, asset = wallet.owner_id, wallet.asset_id
    posting = WalletPosting(command.party.bucket)
    posting.entries.append(EntryRow(owner, command.key, entry, "purchase", command.fingerprint, json.dumps(answer)))
    if not price:
        return posting
    for leg, (lot, part) in enumerate(burn(wallet.lots, price)):
        posting.move(owner, asset, lot.id, -part)
        posting.legs.append(
            LegRow(entry, leg, "purchase", asset, wallet.account, chart.revenue(asset), part, owner, lot.id)
        )
    posting.wallet(owner, asset, -price, 0, price)
    return posting


async def refund(
    tx: Tx, terms: Catalog, command: Command, model_id: str, reason: str | None, by: By | None = None
) -> tuple[dict[str, object], bool]:
    """Undo a purchase: the price goes back to the grants that it burned, and the account no longer owns the model.

    What the account earned meanwhile stays its own. Needs the platform's token, and a teller's. by: whose act it is,
    for the audit record; None records none. Returns the answer and whether it is a replay.
    NotFound: no such model, or the account does not own it. Conflict: already_refunded, not_bought. Locks as a
    purchase does: the wallet, then the model.
    """
    party = command.party
    asset = terms.credit_types[rules.CREDIT_TYPE]
    model = await service.find_model(tx, model_id, archived=True)
    wallet = await _open_wallet(tx, party.bucket, party.id, asset)
    earlier = await ledger.entry_of(tx, party.bucket, party.id, command.key)
    if earlier is not None:
        refuse_other(earlier.fingerprint, command.fingerprint)
        return earlier.answer or {}, True
    if model is None:
        raise service.no_model(model_id)
    found = await tx.first(_LOCK_OWNERSHIP, model_id=model.id, account_id=party.id)
    owned = rules.decide_refund(found, model_id, party.external_id)
    paid = await tx.all(_PAID, bucket=party.bucket, entry_id=owned.entry_id)
    at = await ledger.now(tx)
    price = owned.price_credits
    answer: dict[str, object] = {
        "model_id": model_id,
        "account_id": party.external_id,
        "price_credits": price,
        "credit_type": rules.CREDIT_TYPE,
        "balance": wallet.balance + price,
        "reason": reason,
        "refunded_at": at.isoformat(),
    }
    entry = new_id()
    await wallets.post(tx, _paid_back(command, wallet, paid, entry, answer), at)
    await _let_lapse(tx, party.bucket, wallet, paid)
    await tx.run(_REFUND_OWNERSHIP, id=owned.id, entry_id=entry, at=at)
    if by is not None:
        act = Act("model.refund", "model", model_id, party.id, before={"owner": party.external_id}, after=answer)
        await access.record(tx, by, act)
    return answer, False


async def transfer(
    tx: Tx, model_id: str, from_account_id: str, to_account_id: str, by: By | None = None, reason: str | None = None
) -> datetime:
    """Hand a model on from one account to another; no credits move. Returns when. The platform's.

    by: whose act it is, for the audit record; None records none. NotFound: no such model or account, or the first
    account does not own it. Conflict (already_owned): the other does. ValidationFailed: the two are one.
    """
    if from_account_id == to_account_id:
        raise ValidationFailed.of("to_account_id", "is the account that owns it; name another")
    model = await service.find_model(tx, model_id, archived=True)
    if model is None:
        raise service.no_model(model_id)
    accounts = await access.find_accounts(tx, [from_account_id, to_account_id])
    for external_id in (from_account_id, to_account_id):
        if external_id not in accounts:
            raise NotFound(f"There is no account {external_id!r}. Create it with POST /v1/accounts.")
    giver = await tx.first(_LOCK_OWNERSHIP, model_id=model.id, account_id=accounts[from_account_id].id)
    taker = await tx.first(_LOCK_OWNERSHIP, model_id=model.id, account_id=accounts[to_account_id].id)
    ownership = rules.decide_transfer(giver, taker, model_id, (from_account_id, to_account_id))
    at = await ledger.now(tx)
    await tx.run(_TRANSFER_OWNERSHIP, id=ownership, account_id=accounts[to_account_id].id, at=at)
    if by is not None:
        after = {"owner": to_account_id, "reason": reason}
        owner = accounts[from_account_id].id
        await access.record(
            tx, by, Act("model.transfer", "model", model_id, owner, before={"owner": from_account_id}, after=after)
        )
    return at


def _paid_back(
    command: Command, wallet: Wallet, paid: list[LotPaid], entry: str, answer: dict[str, object]
) -> WalletPosting:
    """Put the price back into the grants that paid it, from the platform's revenue."""
    owner, asset = wallet.owner_id, wallet.asset_id
    posting = WalletPosting(command.party.bucket)
    posting.entries.append(EntryRow(owner, command.key, entry, "refund", command.fingerprint, json.dumps(answer)))
    for leg, lot in enumerate(paid):
        posting.move(owner, asset, lot.lot_id, lot.amount)
        posting.legs.append(
            LegRow(
                entry, leg, "reversal", asset, chart.revenue(asset), wallet.account, lot.amount, owner, lot.lot_id
            )
        )  # fmt: skip
    price = sum(lot.amount for lot in paid)
    posting.wallet(owner, asset, price, 0, -price)
    return posting


async def _let_lapse(tx: Tx, bucket: int, wallet: Wallet, paid: list[LotPaid]) -> None:
    """Let time find the wallet where a grant that got credits back expires: one that is over takes them with it."""
    ends = [lot.expires_at for lot in paid if lot.expires_at is not None]
    if ends:
        await tx.run(_BRING_FORWARD, bucket=bucket, owner=wallet.owner_id, asset=wallet.asset_id, at=min(ends))
