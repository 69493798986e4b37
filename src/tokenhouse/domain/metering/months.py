"""Statements: a month of an earner's account, from what was owed at its beginning to what was owed at its end.

The opening balance and every move make the closing one.

A move belongs to the day on which it was recorded, on the account's own calendar, for that is when the balance changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from tokenhouse.domain import ledger
from tokenhouse.domain.access.types import Account
from tokenhouse.infra.database import Tx, load_queries
from tokenhouse.infra.kernel.errors import ValidationFailed
from tokenhouse.infra.kernel.periods import zone

_ID_SLACK = timedelta(days=1)
_EARLIEST_YEAR = 2000


@dataclass(frozen=True, slots=True)
class Move:
    """What changed a balance on one day.

    kind: as the ledger's entries: earning and reversal, which are summed by model; payout and payout_back, one by one;
    others summed. uses: how many there were; credits: what they cost; nanos: below zero where the balance fell.
    """

    day: date
    kind: str
    model_id: str | None
    payout_id: UUID | None
    uses: int
    credits: int
    nanos: int


@dataclass(frozen=True, slots=True)
class Month:
    """A statement: opening + what moved = closing, in nano-dollars. ended: whether the month is over.

    by_model: whether the moves are told by model; else by day alone, for there were too many.
    """

    name: str
    time_zone: str
    starts_at: datetime
    ends_at: datetime
    ended: bool
    opening: int
    closing: int
    moves: Sequence[Move]
    by_model: bool

    @property
    def totals(self) -> dict[str, int]:
        """Sum what moved by its kind."""
        sums: dict[str, int] = {}
        for move in self.moves:
            sums[move.kind] = sums.get(move.kind, 0) + move.nanos
        return dict(sorted(sums.items()))


_Q = load_queries(__file__)
_MONTH_OF = _Q.rows("month_of", Move)
_OWED_AT = _Q.rows("owed_at", int)


async def month(tx: Tx, account: Account, name: str, *, most: int | None = None) -> Month:
    """Return a month (`2026-10`) of an account. most: moves told at most by model; None: however many there are.

    Needs a snapshot of its own (`Database.read`). ValidationFailed: there is no such month, or it has not begun.
    """
    starts_at, ends_at = bounds(name, account.time_zone)
    now = await ledger.now(tx)
    if starts_at > now:
        raise ValidationFailed.of("month", "has not begun yet")
    moves = await tx.all(
        _MONTH_OF, earner_id=account.id, starts_at=starts_at, ends_at=ends_at, time_zone=account.time_zone
    )
    closing = await tx.one(_OWED_AT, earner_id=account.id, first=_first_id(ends_at - _ID_SLACK), at=ends_at)
    opening = closing - sum(move.nanos for move in moves)
    by_model = most is None or len(moves) <= most
    told = moves if by_model else by_day(moves)
    return Month(name, account.time_zone, starts_at, ends_at, ends_at <= now, opening, closing, told, by_model)


def bounds(name: str, time_zone: str) -> tuple[datetime, datetime]:
    """Say when a month begins and ends on a zone's calendar, in UTC. ValidationFailed: there is no such month."""
    try:
        first = date.fromisoformat(f"{name}-01")
    except ValueError:
        first = None
    if first is None or len(name) != len("2026-10") or not _EARLIEST_YEAR <= first.year < date.max.year:
        raise ValidationFailed.of("month", 'is no month; write it as "2026-10"')
    following = (first + timedelta(days=31)).replace(day=1)
    return _midnight(first, time_zone), _midnight(following, time_zone)


def by_day(moves: Sequence[Move]) -> list[Move]:
    """Sum moves by day and kind, but payouts, which stay one by one."""
    sums: dict[tuple[date, str, UUID | None], Move] = {}
    for move in moves:
        key = (move.day, move.kind, move.payout_id)
        so_far = sums.get(key)
        sums[key] = Move(
            move.day,
            move.kind,
            None,
            move.payout_id,
            move.uses + (so_far.uses if so_far else 0),
            move.credits + (so_far.credits if so_far else 0),
            move.nanos + (so_far.nanos if so_far else 0),
        )
    return list(sums.values())


def _midnight(day: date, time_zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone(time_zone)).astimezone(UTC)


def _first_id(at: datetime) -> UUID:
    """Give the lowest id that is made at this time or later."""
    return UUID(int=(at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) << 80)
