"""Reversal: credits go back to the grants that were burned, earnings are taken back where they were not paid out."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from tokenhouse.domain import access, ledger, wallets
from tokenhouse.domain.access.acts import Act, By
from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.domain.ledger import chart
from tokenhouse.domain.ledger.rules import refuse_other
from tokenhouse.domain.ledger.types import Command, EntryRow, LegRow
from tokenhouse.domain.metering import service, withdrawals
from tokenhouse.domain.metering.types import (
    EarnerColumns,
    LotBurned,
    MeteringPosting,
    Reversed,
    Use,
)
from tokenhouse.domain.wallets.rules import give_back
from tokenhouse.domain.wallets.types import Wallet
from tokenhouse.infra.database import Actor, Database, Tx, arrays, load_queries
from tokenhouse.infra.kernel.errors import Conflict, NotFound
from tokenhouse.infra.kernel.ids import new_id
from tokenhouse.infra.kernel.money import round_half_even, usd_text

_Q = load_queries(__file__)
_USE_OF = _Q.rows("use_of", Use)
_REVERSED = _Q.rows("reversed", Reversed)
_BURNED = _Q.rows("burned", LotBurned)
_LOCK_STANDING = _Q.nothing("lock_standing")
_LOCKED_EARNERS = _Q.rows("locked_earners", EarnerColumns)
_RECORD_REVERSAL = _Q.nothing("record_reversal")
_BRING_FORWARD = _Q.nothing("bring_forward")


class TakenBack(NamedTuple):
    """What a reversal takes from an earner, and what the platform loses because it was paid out."""

    earner: int
    taken: int
    lost: int


def take_back(
    earned: Mapping[int, int], amount: int, before: int, after: int, balances: Mapping[int, int]
) -> list[TakenBack]:
    """Decide what each earner gives back when the credits given back of `amount` rise from `before` to `after`.

    Earnings go back in proportion, rounded half-even over all reversals together, so that a charge reversed in parts
    takes exactly what it takes reversed at once. balances: what may be taken from each; nobody is taken below zero.
    """
    result = []
    for earner, nanos in earned.items():
        due = round_half_even(nanos * after, amount) - round_half_even(nanos * before, amount)
        taken = min(due, balances.get(earner, 0))
        result.append(TakenBack(earner, taken, due - taken))
    return result


async def reverse(
    database: Database,
    catalog: Catalog,
    command: Command,
    usage_id: UUID,
    amount: int | None,
    reason: str,
    by: By | None = None,
    *,
    maturity_days: int,
) -> tuple[dict[str, object], bool]:
    """Give back `amount` credits of a charge (None: all that is left of it): the answer, and whether it is a replay.

    maturity_days: until earnings are payable, and may have been paid out.
    by: whose act it is, for the audit record; None records none.
    NotFound: no such charge of this account. Conflict: already reversed, or more than is left.
    """
    party = command.party
    async with database.transaction(Actor((party.id,), teller=True)) as tx:
        use = await tx.first(_USE_OF, bucket=party.bucket, usage=usage_id, account_id=party.id)
        if use is None or use.kind == "report":
            raise NotFound("There is no such charge.")
        found = await wallets.load(tx, party.bucket, [(party.id, use.asset_id)])
        earlier = await ledger.entry_of(tx, party.bucket, party.id, command.key)
        if earlier is not None:
            refuse_other(earlier.fingerprint, command.fingerprint)
            return earlier.answer or {}, True
        before = (await tx.one(_REVERSED, bucket=party.bucket, usage=usage_id)).amount
        rest = use.amount - before
        if rest <= 0:
            raise Conflict("All of this charge was given back already.", code="already_reversed")
        if amount is not None and amount > rest:
            raise Conflict(
                f"{rest:,} of this charge are left. Reverse at most as much.",
                code="exceeds_charge",
                left=rest,
            )
        (wallet,) = found
        answer = await _reverse(
            tx, catalog, command, usage_id, use, wallet, before, amount or rest, reason, maturity_days
        )
        if by is not None:
            await access.record(tx, by, Act("charge.reverse", "charge", str(usage_id), party.id, after=answer))
        return answer, False


async def _reverse(
    tx: Tx,
    catalog: Catalog,
    command: Command,
    usage_id: UUID,
    use: Use,
    wallet: Wallet,
    before: int,
    amount: int,
    reason: str,
    maturity_days: int,
) -> dict[str, object]:
    party, entry = command.party, new_id()
    whole = before + amount == use.amount
    posting = MeteringPosting(party.bucket)
    await _give_credits(tx, posting, entry, usage_id, use, wallet, amount)
    taken = await _take_earnings(tx, posting, entry, usage_id, use, before, amount, maturity_days, whole=whole)
    at = await ledger.now(tx)
    nanos = sum(one.taken for one in taken)
    lost = sum(one.lost for one in taken)
    answer: dict[str, object] = {
        "id": entry,
        "charge_id": str(usage_id),
        "account_id": party.external_id,
        "credit_type": catalog.codes[use.asset_id],
        "amount": amount,
        "balance": wallet.balance + amount,
        "left": use.amount - before - amount,
        "earnings_taken_back_nano_usd": nanos,
        "earnings_taken_back_usd": usd_text(nanos),
        "earnings_lost_nano_usd": lost,
        "earnings_lost_usd": usd_text(lost),
        "reason": reason,
        "created_at": at.isoformat(),
    }
    posting.entries.append(EntryRow(party.id, command.key, entry, "reversal", command.fingerprint, json.dumps(answer)))
    await tx.run(service.POST, **service.post_params(posting, at))
    await tx.run(
        _RECORD_REVERSAL,
        bucket=party.bucket,
        at=at,
        id=entry,
        usage=usage_id,
        account_id=party.id,
        amount=amount,
        nanos=nanos,
        lost_nanos=lost,
        whole=whole,
        reason=reason,
    )
    return answer


async def _give_credits(
    tx: Tx, posting: MeteringPosting, entry: str, usage_id: UUID, use: Use, wallet: Wallet, amount: int
) -> None:
    """Put credits back into the grants that they came from."""
    owner, asset = wallet.owner_id, wallet.asset_id
    burned = await tx.all(_BURNED, bucket=posting.bucket, usage=usage_id, account_id=owner, asset_id=asset)
    expiries: list[datetime] = []
    ends = {lot.lot_id: lot.expires_at for lot in burned}
    for lot_id, part in give_back([(lot.lot_id, lot.taken) for lot in burned], amount):
        posting.move(owner, asset, lot_id, part)
        posting.legs.append(
            LegRow(
                entry,
                len(posting.legs),
                "reversal",
                asset,
                chart.revenue(asset),
                wallet.account,
                part,
                owner,
                lot_id,
            )
        )
        end = ends[lot_id]
        if end is not None:
            expiries.append(end)
    posting.wallet(owner, asset, amount, 0, -amount)
    if expiries:
        # A grant that is over takes its credits with it at the next settlement.
        await tx.run(_BRING_FORWARD, bucket=posting.bucket, owner=owner, asset=use.asset_id, at=min(expiries))


async def _take_earnings(
    tx: Tx,
    posting: MeteringPosting,
    entry: str,
    usage_id: UUID,
    use: Use,
    before: int,
    amount: int,
    maturity_days: int,
    *,
    whole: bool,
) -> list[TakenBack]:
    """Take earnings back and correct the model's figures. Locks as the charge path does: model, then earners.

    What other uses' reversals may still take stays: else they would pay for a payout that this use's part went into.
    """
    if use.model_id is None or not use.counted:
        return []
    earners = use.earners or []
    await tx.run(_LOCK_STANDING, bucket=posting.bucket, models=arrays.ints([use.model_id]))
    locked = await tx.one(_LOCKED_EARNERS, bucket=posting.bucket, owners=arrays.ints(earners))
    owners = locked.owners or []
    accounts = dict(zip(owners, locked.accounts or [], strict=True))
    balances = dict(zip(owners, locked.balances or [], strict=True))
    earned: dict[int, int] = {earner: nanos for earner, nanos in use.earned or ()}  # noqa: C416 - typed pairs
    for earner in earned:
        others = await withdrawals.maturing_by_bucket(tx, earner, maturity_days, bucket=posting.bucket, beside=usage_id)
        balances[earner] = max(0, balances.get(earner, 0) - others.get(posting.bucket, 0))
    taken = take_back(earned, use.amount, before, before + amount, balances)
    by_earner = {one.earner: one.taken for one in taken}
    uses = -1 if whole else 0
    posting.uses[use.model_id] = [uses, -amount, -sum(by_earner.values()), None]
    for earner in earners:
        nanos = by_earner.get(earner, 0)
        posting.shares[use.model_id, earner] = [uses, -amount, -nanos, None]
        if nanos:
            posting.earners[earner] = -nanos
            posting.legs.append(
                LegRow(
                    entry,
                    len(posting.legs),
                    "reversal",
                    chart.USD,
                    accounts[earner],
                    chart.EARNINGS_COST,
                    nanos,
                    earner,
                    None,
                )
            )
    return taken
