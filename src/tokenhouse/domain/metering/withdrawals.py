"""Payouts requested: what has matured is paid out, never what reversals may still take back. Exact, under the lock."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from tokenhouse.domain import access, ledger, payouts
from tokenhouse.domain.access.acts import Act, By
from tokenhouse.domain.ledger.rules import refuse_other
from tokenhouse.domain.ledger.types import OWN_ACT, Command, Party
from tokenhouse.domain.payouts import NewPayout
from tokenhouse.domain.payouts.rules import cents_of, due_day
from tokenhouse.domain.payouts.types import MOST_NANOS, Payable, Scheduled, Terms
from tokenhouse.infra.database import PLATFORM, Actor, Database, Tx, load_queries
from tokenhouse.infra.kernel.periods import zone

_Q = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Maturing:
    """Nano-dollars of an earner's in one bucket that others' uses may still take back."""

    bucket: int
    nanos: int


_MATURING = _Q.rows("maturing_by_bucket", Maturing)
_SERVICE = By("service")
_AT_ONCE = 100
_log = structlog.stdlib.get_logger("tokenhouse.payouts")


async def withdraw(tx: Tx, terms: Terms, command: Command, new: NewPayout, by: By) -> tuple[dict[str, object], bool]:
    """Request a payout: the answer, and whether it is a replay. Refuses as `payouts.request` does."""
    owed = await payouts.owed(tx, command.party.id)
    earlier = await ledger.entry_of(tx, command.party.bucket, command.party.id, command.key)
    if earlier is not None:
        refuse_other(earlier.fingerprint, command.fingerprint)
        return earlier.answer or {}, True
    payable = await payable_of(tx, command.party.id, owed, terms.maturity_days)
    answer = await payouts.request(tx, terms, command, new, payable, by)
    await _record(tx, by, command.party, answer)
    return answer, False


async def payable_of(tx: Tx, earner_id: int, owed: Sequence[Payable], maturity_days: int) -> list[Payable]:
    """Take what is maturing out of what is owed, which is locked."""
    maturing = await maturing_by_bucket(tx, earner_id, maturity_days)
    return [one._replace(nanos=max(0, one.nanos - maturing.get(one.bucket, 0))) for one in owed]


async def maturing_by_bucket(
    tx: Tx, earner_id: int, maturity_days: int, *, bucket: int | None = None, beside: UUID | None = None
) -> dict[int, int]:
    """Sum what of an earner's balance is maturing, by bucket (or of one bucket); beside: but for this charge."""
    rows = await tx.all(_MATURING, earner_id=earner_id, days=maturity_days, bucket=bucket, beside=beside)
    return {row.bucket: row.nanos for row in rows}


async def run_schedules(database: Database, terms: Terms) -> int:
    """Request every payout that is due by a schedule; return how many. One that fails harms no other."""
    done, after = 0, 0
    while True:
        async with database.read(PLATFORM) as tx:
            due = await payouts.scheduled(tx, after=after, most=_AT_ONCE)
        for one in due:
            try:
                async with database.transaction(Actor((0,), teller=True)) as tx:
                    done += await _scheduled(tx, terms, one)
            except Exception:  # noqa: BLE001 - whatever it is, the others go on
                _log.exception("a scheduled payout cannot be requested", account=one.account_id)
        if len(due) < _AT_ONCE:
            return done
        after = due[-1].account_id


async def _scheduled(tx: Tx, terms: Terms, schedule: Scheduled) -> bool:
    """Request what one schedule is due for, once; whether something was."""
    today = (await ledger.now(tx)).astimezone(zone(schedule.time_zone)).date()
    day = due_day(schedule.every, schedule.day, schedule.looked_on, today)
    if day is None:
        return False
    party = Party(schedule.account_id, schedule.bucket, schedule.external_id)
    owed = await payouts.owed(tx, party.id)
    command = Command(party, f" schedule {day.isoformat()}", OWN_ACT)
    if await ledger.entry_of(tx, party.bucket, party.id, command.key) is not None:
        await payouts.note_schedule(tx, party.id, day)
        return False
    payable = await payable_of(tx, party.id, owed, terms.maturity_days)
    amount = cents_of(min(sum(one.nanos for one in payable), MOST_NANOS))
    enough = amount >= max(schedule.minimum, terms.minimum, 1)
    if enough:
        answer = await payouts.request(tx, terms, command, NewPayout(amount), payable, _SERVICE)
        await _record(tx, _SERVICE, party, answer)
    if enough or schedule.every != "threshold":
        await payouts.note_schedule(tx, party.id, day)
    return enough


async def _record(tx: Tx, by: By, party: Party, answer: dict[str, object]) -> None:
    await access.record(tx, by, Act("payout.request", "payout", str(answer["id"]), party.id, after=answer))
