"""How an order is decided: price, burn, earnings. Pure: no I/O, no clock; the scene carries all that was loaded.

Decisions of a batch are taken one after the other, in the order of arrival; each changes the scene for the next and
adds its rows to the posting.
"""

import json
from datetime import datetime, timedelta

from tokenhouse.domain.ledger import chart
from tokenhouse.domain.ledger.rules import refuse_other
from tokenhouse.domain.ledger.types import EntryRow, HoldEnd, HoldRow, LegRow
from tokenhouse.domain.metering import pricing
from tokenhouse.domain.metering.types import (
    AnyOrder,
    Burned,
    Done,
    HeldNow,
    HoldOrder,
    MeteringPosting,
    Order,
    Priced,
    Receipt,
    Replay,
    Scene,
    Share,
    Unsettled,
    UsageRow,
)
from tokenhouse.domain.metering.uses import Earned, earn
from tokenhouse.domain.wallets.rules import burn
from tokenhouse.domain.wallets.types import Wallet
from tokenhouse.infra.kernel.errors import (
    Conflict,
    InsufficientTokens,
    NotFound,
    TokenhouseError,
)

Outcome = Done | Replay | Unsettled | TokenhouseError


def decide(scene: Scene, order: AnyOrder, new_id: str, posting: MeteringPosting) -> Outcome:
    """Decide one order under `new_id`. A refusal is returned, not raised: it is this order's alone."""
    command = order.command
    earlier = scene.entries.get((command.party.id, command.key))
    try:
        if earlier is not None:
            refuse_other(earlier.fingerprint, command.fingerprint)
            if isinstance(earlier, Done):
                return earlier._replace(replayed=True)
            entry = earlier
            if entry.answer is None:
                return Replay(entry.id, entry.kind)
            return Done(entry.id, entry.kind, entry.fingerprint, None, entry.answer, replayed=True)
        outcome = (
            _end_hold(scene, order, new_id, posting)
            if isinstance(order, HoldOrder)
            else _take(scene, order, new_id, posting)
        )
    except TokenhouseError as refusal:
        return refusal
    if isinstance(outcome, Done):
        scene.entries[command.party.id, command.key] = outcome
    return outcome


def _take(scene: Scene, order: Order, new_id: str, posting: MeteringPosting) -> Done | Unsettled:
    """Charge, hold or record."""
    priced = pricing.price(scene.catalog, scene.models, scene.characters, order)
    if order.sort == "report":
        return _record_use(scene, order, priced, new_id, posting)
    wallet = _wallet(scene, order.command.party.id, priced.asset_id)
    if wallet.due:
        return Unsettled(wallet.owner_id)
    if wallet.available < priced.amount:
        if wallet.held and wallet.owner_id not in scene.settled:
            return Unsettled(wallet.owner_id)
        raise InsufficientTokens(
            f"This needs {priced.amount:,} tokens and {wallet.available:,} are available. Buy tokens or move to a "
            "larger plan, then try again with a new key.",
            required=priced.amount,
            available=wallet.available,
            upgrade_url=scene.upgrade_url,
        )
    if order.sort == "hold":
        return _place_hold(scene, order, priced, wallet, new_id, posting)
    return _charge(scene, order, priced, wallet, new_id, posting, kind="charge", hold=None)


def _wallet(scene: Scene, owner_id: int, asset_id: int) -> Wallet:
    """Find a wallet; one that was never opened is empty, and enough for what costs nothing."""
    return scene.wallets.get((owner_id, asset_id)) or Wallet(owner_id, asset_id, 0, 0, 0, due=False)


def _place_hold(
    scene: Scene, order: Order, priced: Priced, wallet: Wallet, new_id: str, posting: MeteringPosting
) -> Done:
    command = order.command
    expires = scene.at + timedelta(seconds=order.ttl_seconds)
    wallet.held += priced.amount
    posting.wallet(wallet.owner_id, wallet.asset_id, 0, held=priced.amount)
    details = {name: value for name, value in order._asdict().items() if name in _KEPT and value is not None}
    details["rate_version"] = priced.rate_version
    details["usage_type"] = priced.usage_type
    posting.holds.append(
        HoldRow(new_id, wallet.owner_id, wallet.asset_id, priced.amount, expires.isoformat(), json.dumps(details))
    )
    answer: dict[str, object] = {
        "id": new_id,
        "account_id": command.party.external_id,
        "credit_type": scene.catalog.codes[wallet.asset_id],
        "amount": priced.amount,
        "state": "live",
        "expires_at": expires.isoformat(),
        "available": wallet.available,
        "balance": wallet.balance,
        "created_at": scene.at_text,
    }
    return _enter(posting, order, new_id, "hold", answer)


_KEPT = frozenset(
    {
        "operation",
        "quantity",
        "model_id",
        "character_id",
        "user_label",
        "upstream_model",
        "provider",
        "cost_nanos",
        "occurred_at",
        "metadata",
    }
)


def _end_hold(scene: Scene, order: HoldOrder, new_id: str, posting: MeteringPosting) -> Done | Unsettled:
    hold = scene.holds.get(order.hold_id)
    if hold is None:
        raise NotFound("There is no such hold.")
    if hold.state != "live" or hold.over:
        state = "expired" if hold.state == "live" else hold.state
        raise Conflict(f"The hold has ended: it was {state}. Place a new one.", code="hold_ended", state=state)
    wallet = _wallet(scene, hold.account_id, hold.asset_id)
    if order.sort == "void":
        _release(scene, hold, wallet, HoldEnd(hold.id, "voided", None), posting)
        answer: dict[str, object] = {
            "id": hold.id,
            "state": "voided",
            "amount": hold.amount,
            "available": wallet.available,
            "balance": wallet.balance,
        }
        return _enter(posting, order, new_id, "void", answer)
    if order.amount > hold.amount:
        raise Conflict(
            f"The hold is of {hold.amount:,} and the capture of {order.amount:,}. Capture at most what is held, and "
            "charge the rest.",
            code="capture_exceeds_hold",
            held=hold.amount,
        )
    if wallet.due:
        return Unsettled(hold.account_id)
    _release(scene, hold, wallet, HoldEnd(hold.id, "captured", order.amount), posting)
    details = dict(hold.details)
    rate_version = details.pop("rate_version", None)
    usage_type = details.pop("usage_type", "other")
    held = Order(order.command, "charge", **details)  # type: ignore[arg-type] # what _place_hold kept
    character = scene.characters.get(held.character_id or "")
    terms = character.terms if character is not None else scene.models.get(held.model_id or "")
    priced = Priced(
        order.amount,
        hold.asset_id,
        held.operation,
        rate_version,  # type: ignore[arg-type] # what _place_hold kept
        terms,
        character,
        str(usage_type),
    )
    return _charge(scene, held, priced, wallet, new_id, posting, kind="capture", hold=hold.id)


def _release(scene: Scene, hold: HeldNow, wallet: Wallet, end: HoldEnd, posting: MeteringPosting) -> None:
    wallet.held -= hold.amount
    posting.wallet(wallet.owner_id, wallet.asset_id, 0, held=-hold.amount)
    posting.ended.append(end)
    scene.holds[hold.id] = hold._replace(state=end.state)


def _charge(
    scene: Scene,
    order: Order,
    priced: Priced,
    wallet: Wallet,
    new_id: str,
    posting: MeteringPosting,
    *,
    kind: str,
    hold: str | None,
) -> Done:
    """Take the credits from the grants, pay who earns by it, and write the receipt."""
    amount, asset_id, owner = priced.amount, wallet.asset_id, wallet.owner_id
    legs = posting.legs
    grants = []
    burned: list[tuple[str, int]] = []
    leg = 0
    for lot, part in burn(wallet.lots, amount) if amount else ():
        lot.remaining -= part
        burned.append((lot.source, part))
        posting.move(owner, asset_id, lot.id, -part)
        legs.append(LegRow(new_id, leg, kind, asset_id, wallet.account, chart.revenue(asset_id), part, owner, lot.id))
        grants.append(Burned(lot.id, part))
        leg += 1
    wallet.balance -= amount
    if amount:
        posting.wallet(owner, asset_id, -amount, 0, amount)
    earned = earn(scene, order, priced, amount, burned, new_id, leg, posting)
    return _receipt(scene, order, priced, amount, wallet.balance, new_id, posting, kind, hold, tuple(grants), earned)


def _record_use(scene: Scene, order: Order, priced: Priced, new_id: str, posting: MeteringPosting) -> Done:
    """Record a reported use: nothing is deducted; it earns as a use whose credits were paid elsewhere."""
    earned = earn(scene, order, priced, priced.amount, None, new_id, 0, posting)
    reported = priced._replace(amount=0, rate_version=None)
    return _receipt(scene, order, reported, priced.amount, 0, new_id, posting, "report", None, (), earned)


def _receipt(
    scene: Scene,
    order: Order,
    priced: Priced,
    credit_sum: int,
    balance: int,
    new_id: str,
    posting: MeteringPosting,
    kind: str,
    hold: str | None,
    grants: tuple[Burned, ...],
    earned: Earned,
) -> Done:
    """Write down what happened, for the tables and for the caller."""
    terms, character = priced.terms, priced.character
    usage = UsageRow(  # by position: names would take longer than all the rest
        new_id,
        order.command.party.id,
        priced.asset_id,
        kind,
        earned.earners is not None,
        priced.usage_type,
        priced.amount,
        credit_sum,
        balance,
        earned.nanos,
        earned.reason,
        priced.operation,
        priced.rate_version,
        None if terms is None else terms.model_id,
        None if character is None else character.id,
        hold,
        earned.earners,
        order.user_label,
        order.upstream_model,
        order.provider,
        order.cost_nanos,
        None if order.quantity is None else json.dumps(order.quantity),
        order.metadata,
        order.occurred_at,
    )
    posting.usage.append(usage)
    return _enter(posting, order, new_id, kind, None, _told(scene, order, priced, usage, grants, earned.shares))


def _told(
    scene: Scene,
    order: Order,
    priced: Priced,
    usage: UsageRow,
    grants: tuple[Burned, ...],
    shares: tuple[Share, ...],
) -> Receipt:
    """Say it to the caller: the same in the app's own names."""
    terms, character, occurred_at = priced.terms, priced.character, order.occurred_at
    return Receipt(  # by position as well
        usage.id,
        order.command.party.external_id,
        order.user_label,
        scene.catalog.codes[usage.asset_id],
        usage.amount,
        usage.balance_after,
        usage.operation,
        usage.rate_version,
        None if terms is None else terms.external_id,
        None if character is None else character.external_id,
        usage.usage_type,
        usage.hold_id,
        grants,
        shares,
        usage.reason,
        order.quantity,
        order.upstream_model,
        order.provider,
        order.cost_nanos,
        order.metadata and json.loads(order.metadata),
        scene.at if occurred_at is None else datetime.fromisoformat(occurred_at),
        scene.at,
    )


def _enter(
    posting: MeteringPosting,
    order: AnyOrder,
    new_id: str,
    kind: str,
    answer: dict[str, object] | None,
    receipt: Receipt | None = None,
) -> Done:
    command = order.command
    posting.entries.append(
        EntryRow(
            command.party.id,
            command.key,
            new_id,
            kind,
            command.fingerprint,
            json.dumps(answer) if answer is not None else None,
        )
    )
    return Done(new_id, kind, command.fingerprint, receipt, answer)
