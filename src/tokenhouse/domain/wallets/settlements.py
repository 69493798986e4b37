"""What plans and time do to wallets: enrolment, renewal of allowances, lapse of grants, change of plan."""

from datetime import datetime

from tokenhouse.domain import ledger
from tokenhouse.domain.catalog.types import Catalog, Plan
from tokenhouse.domain.ledger import chart
from tokenhouse.domain.ledger.types import OWN_ACT, EntryRow, LegRow, Party
from tokenhouse.domain.wallets import rules, service
from tokenhouse.domain.wallets.types import AllowanceLot, Enrolment, LotRow, Settlement, Wallet, WalletPosting
from tokenhouse.infra.database import Tx, arrays, load_queries
from tokenhouse.infra.kernel.ids import new_id

_Q = load_queries(__file__)
_ENROLMENT_OF = _Q.rows("enrolment_of", Enrolment)
_ALLOWANCE_LOTS = _Q.rows("allowance_lots", AllowanceLot)
_ENROL = _Q.nothing("enrol")
_END_LOTS = _Q.nothing("end_lots")


async def enrol(tx: Tx, catalog: Catalog, party: Party, plan_id: str, time_zone: str) -> None:
    """Put a new account on its first plan: its periods are counted from now. UnknownReference: no such plan."""
    plan = service.plan_of(catalog, plan_id)
    at = await ledger.now(tx)
    start, end = rules.first_period(plan, at, time_zone)
    await _enrol(tx, party, plan.id, at, start, end, at)
    # A period that is over at its own start makes the settlement grant the first allowance.
    fresh = Enrolment(party.id, plan.id, at, start, at, time_zone)
    wallets = await _lock(tx, catalog, party, plan)
    await _post_settlement(tx, party, rules.settle(wallets, fresh, plan, catalog.credit_types, at), at, "enrol")


async def change_plan(tx: Tx, catalog: Catalog, party: Party, plan_id: str) -> str:
    """Move an account to another plan, at once; the plan before. UnknownReference: no such plan."""
    plan = service.plan_of(catalog, plan_id)
    await settle(tx, catalog, party)
    wallets = await _lock(tx, catalog, party, plan)
    enrolment = await tx.one(_ENROLMENT_OF, bucket=party.bucket, account_id=party.id)
    if enrolment.plan_id == plan.id:
        return plan.id
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
    if settlement.ended:
        await tx.run(
            _END_LOTS,
            bucket=party.bucket,
            at=at,
            account_id=party.id,
            assets=arrays.ints(wallet.asset_id for wallet, _ in settlement.ended),
            lots=arrays.ints(lot.id for _, lot in settlement.ended),
        )
    return enrolment.plan_id


async def settle(tx: Tx, catalog: Catalog, party: Party) -> bool:
    """Do to an account what time has made due: renew its allowance, let grants and holds lapse. Safe at any time.

    Returns whether anything was due.
    """
    expired = await ledger.expire_holds(tx, party.bucket, party.id)
    enrolment = await tx.first(_ENROLMENT_OF, bucket=party.bucket, account_id=party.id)
    if enrolment is None:
        wallets = await _lock(tx, catalog, party, None)
        if not any(wallet.due for wallet in wallets):
            return bool(expired)
        at = await ledger.now(tx)
        await _post_settlement(tx, party, rules.lapse(wallets, at), at, "lapse")
        return True
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


def _withdrawn(plan_id: str) -> Plan:
    """Stand in for a plan that the catalog no longer has: it goes on without an allowance."""
    return Plan(id=plan_id, name=plan_id, price_nanos=None, interval="month", allowances={})


async def _lock(tx: Tx, catalog: Catalog, party: Party, plan: Plan | None) -> list[Wallet]:
    """Lock all wallets of an account, opened first where `plan` has an allowance for them."""
    if plan is not None:
        wanted = [(party.id, catalog.credit_types[code]) for code in plan.allowances if code in catalog.credit_types]
        if wanted:
            await ledger.open_accounts(tx, party.bucket, wanted, "wallet")
    return await service.load(tx, party.bucket, [(party.id, asset_id) for asset_id in catalog.codes])


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
    entry = new_id()
    start = settlement.period[0].isoformat() if settlement.period and new_period else entry
    posting = WalletPosting(party.bucket)
    posting.entries.append(EntryRow(party.id, f" {kind} {start}", entry, kind, OWN_ACT, None))
    locked = await ledger.lock_wallets(tx, party.bucket, [(party.id, asset_id) for asset_id in settlement.due])
    accounts = dict(zip(locked[1] or (), locked[2] or (), strict=True))
    count = len(settlement.allowances)
    numbers = await tx.one(service.NEXT_LOTS, count=count) if count else []
    for number, new in zip(numbers, settlement.allowances, strict=True):
        service.open_lot(
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
    await service.post(tx, posting, at)
