"""Money for earners beside what uses bring: how it is posted, and the bonuses that rules of the catalog pay once."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from tokenhouse.domain import access, ledger
from tokenhouse.domain.access.acts import Act, By
from tokenhouse.domain.catalog.types import Bonus, Catalog
from tokenhouse.domain.earnings.rules import closed_months, month_text
from tokenhouse.domain.earnings.types import Award, BonusDue, BonusView, Owed, OwedColumns
from tokenhouse.domain.ledger import chart
from tokenhouse.domain.ledger.types import OWN_ACT, Command, EntryRow, LegRow, Party, Posting
from tokenhouse.infra.database import PLATFORM, Actor, Database, Tx, arrays, load_queries
from tokenhouse.infra.kernel.ids import new_id

_Q = load_queries(__file__, "awards.sql")
_LOCK_EARNINGS = _Q.rows("lock_earnings", OwedColumns)
_POST_EARNINGS = _Q.nothing("post_earnings")
_RECORD_ADJUSTMENT = _Q.nothing("record_adjustment")
_LOCK_BONUS = _Q.nothing("lock_bonus")
_BONUSES_OF = _Q.rows("bonuses_of", BonusView)
_PAID_SUBJECTS = _Q.rows("paid_subjects", str)
_PAID_OF_PERIOD = _Q.rows("paid_of_period", int)
_ADJUSTED = _Q.rows("adjusted", int)
_PAYEES = _Q.rows("payees", BonusDue)
_IN_FORCE_SINCE = _Q.rows("in_force_since", datetime)
_REACHED = {
    ("uses", "model"): _Q.rows("used_models", BonusDue),
    ("uses", "creator"): _Q.rows("used_earners", BonusDue),
    ("first_sale", "model"): _Q.rows("sold_models", BonusDue),
    ("first_sale", "creator"): _Q.rows("sellers", BonusDue),
    ("referral", "model"): _Q.rows("spenders", BonusDue),
}

_AT_ONCE = 500
_BOTH = Actor((0,), teller=True)

BestModels = Callable[[Tx, datetime, datetime, int], Awaitable[Sequence[int]]]
"""Given a span of time and a number: so many models, by number, that earned most in it, the best first."""


async def lock_owed(tx: Tx, party: Party) -> dict[int, Owed]:
    """Lock what an earner is owed and tell it by bucket; the account in the earner's own bucket is opened first."""
    await ledger.open_accounts(tx, party.bucket, [(party.id, chart.USD)], "earnings")
    found = await tx.one(_LOCK_EARNINGS, account_id=party.id)
    columns = (found.buckets or (), found.accounts or (), found.balances or ())
    return {bucket: Owed(account, balance) for bucket, account, balance in zip(*columns, strict=True)}


async def post_award(
    tx: Tx,
    command: Command,
    award: Award,
    entry: str,
    moves: Mapping[int, int],
    owed: Mapping[int, Owed],
    at: datetime,
    answer: str | None = None,
) -> None:
    """Post an award under the id `entry`. moves: bucket → nano-dollars, above or below zero; owed: those, locked.

    The command is entered in the earner's own bucket; wherever else money moves, an entry of the same id stands for it.
    """
    party = command.party
    for bucket in sorted({party.bucket, *moves}):
        posting = Posting(bucket)
        own = bucket == party.bucket
        key = command.key if own else f" {award.kind} {entry}"
        posting.entries.append(EntryRow(party.id, key, entry, award.kind, command.fingerprint, answer if own else None))
        nanos = moves.get(bucket, 0)
        if nanos:
            account = owed[bucket].account
            ends = (chart.EARNINGS_COST, account) if nanos > 0 else (account, chart.EARNINGS_COST)
            posting.legs.append(LegRow(entry, 0, award.kind, chart.USD, *ends, abs(nanos), party.id, None))
        rows = ledger.params(posting)
        await tx.run(
            _POST_EARNINGS,
            bucket=bucket,
            at=at,
            entries=rows["entries"],
            transfers=rows["transfers"],
            earner=arrays.ints([party.id] if nanos else []),
            nanos=arrays.ints([nanos] if nanos else []),
        )
    await tx.run(
        _RECORD_ADJUSTMENT,
        bucket=party.bucket,
        at=at,
        id=entry,
        account_id=party.id,
        kind=award.kind,
        nanos=award.nanos,
        model_id=award.model_id,
        reason=award.reason,
        rule=award.rule,
        rule_version=award.rule_version,
        subject=award.subject,
    )


async def bonuses_of(tx: Tx, party: Party, *, before: UUID | None = None, most: int = 100) -> list[BonusView]:
    """Return the bonuses that an account was paid, newest first; before: older than the one of that id."""
    return await tx.all(_BONUSES_OF, bucket=party.bucket, account_id=party.id, before=before, most=most)


async def adjusted(tx: Tx, account_id: int, bucket: int, model_id: int | None, bounds: Sequence[datetime]) -> list[int]:
    """Sum an account's adjustments and bonuses, of one model or all, between each of ascending bounds and the next."""
    texts = [bound.isoformat() for bound in bounds]
    return await tx.all(
        _ADJUSTED,
        account_id=account_id,
        bucket=bucket,
        model_id=model_id,
        since=arrays.texts(texts[:-1]),
        until=arrays.texts(texts[1:]),
    )


async def pay_bonuses(
    database: Database, catalog: Catalog, best_models: BestModels | None, ended: Callable[[], bool] = lambda: False
) -> int:
    """Pay every bonus that is due by the rules in force, each once; return how many were paid.

    best_models: what knows the best of a month; None: those bonuses wait. ended: whether to leave the rest for later.
    """
    paid = 0
    for rule in catalog.bonuses.values():
        if not rule.active or ended():
            continue
        if rule.kind == "performance":
            if best_models is not None:
                paid += await _pay_months(database, rule, best_models)
        else:
            paid += await _pay_reached(database, rule, ended)
    return paid


async def _pay_reached(database: Database, rule: Bonus, ended: Callable[[], bool]) -> int:
    """Pay all that reached what a rule asks for."""
    paid = 0
    while not ended():
        async with database.read(PLATFORM) as tx:
            due = await tx.all(_REACHED[rule.kind, rule.scope], rule=rule.id, threshold=rule.threshold, most=_AT_ONCE)
        for one in due:
            async with database.transaction(_BOTH) as tx:
                await tx.run(_LOCK_BONUS, rule=rule.id)
                paid += await _pay(tx, rule, [one])
        if len(due) < _AT_ONCE:
            break
    return paid


async def _pay_months(database: Database, rule: Bonus, best_models: BestModels) -> int:
    """Pay the best models of every month that is over and began since the rule's own first month."""
    async with database.read(PLATFORM) as tx:
        since, now = await tx.one(_IN_FORCE_SINCE, rule=rule.id), await ledger.now(tx)
    paid = 0
    for begin, end in closed_months(since.astimezone(UTC), now.astimezone(UTC)):
        month = month_text(begin)
        async with database.transaction(_BOTH) as tx:
            await tx.run(_LOCK_BONUS, rule=rule.id)
            # A month's figures may still change: whoever was paid keeps it, and no more are paid than there are places.
            left = rule.threshold - await tx.one(_PAID_OF_PERIOD, rule=rule.id, period=month)
            if left <= 0:
                continue
            best = await best_models(tx, begin, end, rule.threshold)
            found = await tx.all(_PAYEES, models=arrays.ints(best))
            due = [BonusDue(f"{month} model {one.subject}", one.account_id, one.model_id) for one in found]
            paid += await _pay(tx, rule, due, left)
    return paid


async def _pay(tx: Tx, rule: Bonus, due: Sequence[BonusDue], most: int | None = None) -> int:
    """Pay those of `due` that were not paid, at most so many. The rule is locked."""
    subjects = await tx.all(_PAID_SUBJECTS, rule=rule.id, subjects=arrays.texts([one.subject for one in due]))
    done = set(subjects)
    unpaid = [one for one in due if one.subject not in done][:most]
    accounts = await access.accounts_by_number(tx, [one.account_id for one in unpaid])
    at = await ledger.now(tx)
    for one in unpaid:
        account = accounts[one.account_id]
        party = Party(account.id, account.bucket, account.external_id)
        award = Award("bonus", rule.amount_nanos, "", one.model_id, rule.id, rule.version, one.subject)
        owed = await lock_owed(tx, party)
        command = Command(party, f" bonus {rule.id} {one.subject}", OWN_ACT)
        entry = new_id()
        await post_award(tx, command, award, entry, {party.bucket: award.nanos}, owed, at)
        what = {"bonus": rule.id, "version": rule.version, "subject": one.subject, "amount_nano_usd": award.nanos}
        await access.record(tx, By("service"), Act("bonus.pay", "adjustment", entry, account.id, after=what))
    return len(unpaid)
