"""The history of an account: one log of what moved its credits and dollars, newest first."""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from tokenhouse.domain.ledger.types import Party
from tokenhouse.infra.database import Query, Tx, arrays, load_queries


@dataclass(frozen=True, slots=True)
class Line:
    """One movement. Named by `id` and `leg`; ids are in order of recording.

    kind: usage, report (a use that took no credits), earning, reversal, grant, allowance, expiry, purchase and what
    payouts add. credits: what it did to the wallet of `credit_type`; nanos: to the earnings, in nano-dollars; below
    zero where they left. used: credits of the use that was charged or that earned. balance: the wallet's after it, of a
    use. user_id: the payer's label; of what earned, a pseudonym of who paid. charge_id: the use that it is about.
    reversed: credits given back since.
    """

    id: UUID
    leg: int
    kind: str
    occurred_at: datetime
    created_at: datetime
    credit_type: str | None
    credits: int | None
    used: int | None
    balance: int | None
    nanos: int | None
    model_id: str | None
    character_id: str | None
    operation: str | None
    usage_type: str | None
    user_id: str | None
    charge_id: UUID | None
    note: str | None
    upstream_model: str | None
    provider: str | None
    cost_nanos: int | None
    reversed: int | None
    hold_id: UUID | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What of the log is wanted; None: whatever. since, until: happened at or after, and before.

    kinds: as Line has them. model: our number. user: as a line shows it. text: stands anywhere in a line, in whatever
    case. least: of credits, or nano-dollars, at the least.
    """

    kinds: tuple[str, ...] | None = None
    model: int | None = None
    operation: str | None = None
    user: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    least: int | None = None

    @property
    def all(self) -> bool:
        """Whether every line is wanted."""
        return all(getattr(self, field.name) is None for field in fields(self))


class Place(NamedTuple):
    """Where a page ended: behind it come lines with a lower (id, leg)."""

    id: UUID
    leg: int


class Page(NamedTuple):
    """Lines, newest first, and where the next page begins; None: there are no more.

    A page may have fewer lines than were asked for, even none, and more behind it: a search looks at a part of the log
    at a time.
    """

    lines: list[Line]
    following: Place | None


_Q = load_queries(__file__, "history.sql")
_PLAN_ANEW = _Q.rows("plan_anew", str)
_USES = _Q.rows("uses", Line)
_MOVES = _Q.rows("moves", Line)
_DOLLARS = _Q.rows("dollars", Line)
_FLOOR_OF = _Q.rows("floor_of", UUID)

_OF_USES = frozenset({"usage", "report"})
_OF_MOVES = frozenset({"grant", "allowance", "expiry", "purchase"})
_OF_DOLLARS = frozenset({"earning", "payout", "payout_back"})

NEWEST = Place(UUID(int=2**128 - 1), 2**15)
_OLDEST = UUID(int=0)
_FIRST_LOOK, _LONGEST_LOOK = 1_000, 8_000
_LOOKING_NS = 300_000_000
_AT_ONCE = 2_000
_CLOCKS = timedelta(days=1)


async def history_of(
    tx: Tx, party: Party, wanted: Wanted, *, after: Place | None = None, most: int = 100, patience_ns: int = _LOOKING_NS
) -> Page:
    """Return a page of an account's log, as its own token sees it; a search ends unfinished when its time is over."""
    place = after or NEWEST
    await tx.run(_PLAN_ANEW)
    if wanted.all:
        return _page(await _lines(tx, party, wanted, place, _OLDEST, most + 1), most)
    found: list[Line] = []
    last = first_id(wanted.since)
    many = _FIRST_LOOK
    sources = _sources(wanted.kinds)
    began = time.monotonic_ns()
    while True:
        floor = await tx.first(
            _FLOOR_OF,
            bucket=party.bucket,
            account_id=party.id,
            before=place.id,
            many=many,
            uses=_USES in sources,
            moves=_MOVES in sources,
            dollars=_DOLLARS in sources,
        )
        whole = floor is None or floor <= last
        until = last if whole or floor is None else floor
        found += await _lines(tx, party, wanted, place, until, most + 1 - len(found))
        if whole or len(found) > most:
            return _page(found, most)
        place = Place(until, -1)
        if time.monotonic_ns() - began > patience_ns:
            return Page(found, place)
        many = min(2 * many, _LONGEST_LOOK)


def _page(found: list[Line], most: int) -> Page:
    """Make a page of lines that were found; one more than it may have says that there are more."""
    lines = found[:most]
    return Page(lines, Place(lines[-1].id, lines[-1].leg) if len(found) > most else None)


async def every_line(tx: Tx, party: Party, wanted: Wanted) -> AsyncIterator[list[Line]]:
    """Give all lines that are wanted, newest first, some thousand at a time, as they were when `tx` first read."""
    place: Place | None = NEWEST
    await tx.run(_PLAN_ANEW)
    first = first_id(wanted.since)
    while place is not None:
        lines = await _lines(tx, party, wanted, place, first, _AT_ONCE)
        if lines:
            yield lines
        place = Place(lines[-1].id, lines[-1].leg) if len(lines) == _AT_ONCE else None


async def _lines(tx: Tx, party: Party, wanted: Wanted, before: Place, floor: UUID, most: int) -> list[Line]:
    """Read the first lines before a place and not before the floor."""
    given: dict[str, object] = {
        "account_id": party.id,
        "before": before.id,
        "floor": floor,
        "kinds": None if wanted.kinds is None else arrays.texts(wanted.kinds),
        "model": wanted.model,
        "operation": wanted.operation,
        "user": wanted.user,
        "text": None if wanted.text is None else wanted.text.lower(),
        "since": wanted.since,
        "until": wanted.until,
        "least": wanted.least,
        "most": most,
    }
    found: list[Line] = []
    for query in _sources(wanted.kinds):
        # Dollars may lie in any bucket; and a use is one line.
        more = {} if query is _DOLLARS else {"bucket": party.bucket}
        found += await tx.all(query, **given, **more, **({} if query is _USES else {"leg": before.leg}))
    found.sort(key=lambda line: (line.id, line.leg), reverse=True)
    return found[:most]


def _sources(kinds: Sequence[str] | None) -> list[Query[Line]]:
    """Say which queries can have lines of these kinds."""
    wanted = None if kinds is None else set(kinds)
    sources: list[Query[Line]] = []
    if wanted is None or wanted & _OF_USES:
        sources.append(_USES)
    if wanted is None or wanted - _OF_USES - _OF_DOLLARS:
        sources.append(_MOVES)
    if wanted is None or wanted - _OF_USES - _OF_MOVES:
        sources.append(_DOLLARS)
    return sources


def first_id(since: datetime | None) -> UUID:
    """Give an id below those of all that happened since then: nothing is recorded before it happened.

    Ids begin with the milliseconds of their making; a day more for clocks that differ.
    """
    if since is None:
        return _OLDEST
    milliseconds = (since - _CLOCKS - datetime(1970, 1, 1, tzinfo=since.tzinfo)) // timedelta(milliseconds=1)
    return UUID(int=max(milliseconds, 0) << 80)
