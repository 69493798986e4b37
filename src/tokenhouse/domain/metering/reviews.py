"""Review of odd use: what looks odd is held until somebody clears it, or rejects it and takes back what it earned."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple
from uuid import UUID

from tokenhouse.domain import access, ledger
from tokenhouse.domain.access.acts import Act, By
from tokenhouse.domain.ledger import chart
from tokenhouse.domain.ledger.rules import refuse_other
from tokenhouse.domain.ledger.types import OWN_ACT, Command, EntryRow, LegRow
from tokenhouse.domain.metering import service
from tokenhouse.domain.metering.oddity import NIGHT_HOURS, PUBLIC_MAIL, Finding, Link, Pair, Thresholds, odd_uses
from tokenhouse.domain.metering.reversals import LOCK_STANDING, LOCKED_EARNERS
from tokenhouse.domain.metering.types import MeteringPosting
from tokenhouse.infra.database import PLATFORM, Database, Tx, arrays, load_queries
from tokenhouse.infra.kernel.errors import Conflict, NotFound
from tokenhouse.infra.kernel.ids import new_id
from tokenhouse.infra.kernel.money import usd_text

ReviewState = Literal["open", "cleared", "rejected"]

_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ReviewRow:
    """A review as its table holds it: uses of `model_id` by `payer` (the app's ids, None: erased).

    since, until: uses that happened from the one on and were recorded before the other. earners: their numbers.
    """

    id: UUID
    bucket: int
    account_id: int
    payer: str | None
    model_id: str
    model_number: int
    since: datetime
    until: datetime
    earners: list[int]
    uses: int
    nanos: int
    reasons: object
    state: str
    reason: str | None
    taken: int | None
    lost: int | None
    opened_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class EarnedUnder:
    """What a use has left of what it earned for one earner; nano-dollars."""

    usage_id: UUID
    earner_id: int
    nanos: int


class Rejected(NamedTuple):
    """What is taken back of one use from one earner, and what is not there to be taken."""

    usage_id: UUID
    earner_id: int
    taken: int
    lost: int


_Q = load_queries(__file__, "reviews.sql")
_USED_PAIRS = _Q.rows("used_pairs", Pair)
_LINKS = _Q.rows("links", Link)
_OPEN_REVIEW = _Q.rows("open_review", bool)
_REVIEWS = _Q.rows("reviews", ReviewRow)
_REVIEW = _Q.rows("review", ReviewRow)
_LOCK_REVIEW = _Q.nothing("lock_review")
_END_REVIEW = _Q.nothing("end_review")
_RECORD_REJECTIONS = _Q.nothing("record_rejections")
_YOUNG_BESIDE = _Q.rows("young_beside", int)
_EARNED_UNDER = _Q.rows("earned_under", EarnedUnder)


async def open_reviews(database: Database, limits: Thresholds) -> int:
    """Look at the last day's uses and open a review of those that look odd; return how many were opened."""
    async with database.read(PLATFORM) as tx:
        until = await ledger.now(tx)
        since = until - _DAY
        pairs = await tx.all(
            _USED_PAIRS,
            since=since,
            until=until,
            first_id=_first_id(since),
            per_minute=limits.per_minute,
            night_from=NIGHT_HOURS[0],
            night_to=NIGHT_HOURS[1],
            few=limits.few,
        )
        both = [(pair.account_id, earner) for pair in pairs for earner in pair.earners]
        links = await tx.all(
            _LINKS,
            accounts=arrays.ints([payer for payer, _ in both]),
            earners=arrays.ints([earner for _, earner in both]),
            public_mail=arrays.texts(PUBLIC_MAIL),
        )
    opened = 0
    for finding in odd_uses(pairs, set(links), limits):
        async with database.transaction(PLATFORM) as tx:
            opened += await _open(tx, finding, until)
    return opened


async def _open(tx: Tx, finding: Finding, until: datetime) -> bool:
    """Open a review of what was found, unless there is one of the same uses."""
    pair, reasons = finding
    review = new_id()
    opened = await tx.one(
        _OPEN_REVIEW,
        bucket=pair.bucket,
        id=review,
        account_id=pair.account_id,
        model_id=pair.model_id,
        since=pair.since,
        until=until,
        earners=arrays.ints(pair.earners),
        uses=pair.uses,
        nanos=pair.nanos,
        reasons=json.dumps(reasons),
    )
    if opened:
        await access.record(tx, By("service"), Act("review.open", "review", review, pair.account_id, after=reasons))
    return opened


async def reviews(
    tx: Tx, *, state: ReviewState | None = None, before: UUID | None = None, most: int = 100
) -> list[ReviewRow]:
    """Return reviews, newest first; before: older than the one of that id. Needs the platform's token."""
    return await tx.all(_REVIEWS, state=state, before=before, most=most)


async def find_review(tx: Tx, review_id: UUID) -> ReviewRow:
    """Return a review. NotFound where there is none. Needs the platform's token."""
    review = await tx.first(_REVIEW, id=review_id)
    if review is None:
        raise NotFound("There is no such review.")
    return review


async def clear(tx: Tx, review_id: UUID, reason: str) -> ReviewRow:
    """Let what a review holds mature as ever. Conflict: it has ended."""
    review = await _locked(tx, review_id)
    at = await ledger.now(tx)
    await _end(tx, review, "cleared", reason, None, None, at)
    return await find_review(tx, review_id)


async def reject(
    tx: Tx, command: Command, review_id: UUID, reason: str, maturity_days: int
) -> tuple[dict[str, object], bool]:
    """Take back what the uses under a review earned: the answer, and whether it is a replay.

    command: about the payer, who gets nothing back. What was paid out before is the platform's loss. Conflict: the
    review has ended. Needs the platform's teller.
    """
    review = await _locked(tx, review_id)
    party = command.party
    earlier = await ledger.entry_of(tx, party.bucket, party.id, command.key)
    if earlier is not None:
        refuse_other(earlier.fingerprint, command.fingerprint)
        return earlier.answer or {}, True
    _must_be_open(review)
    # As the charge path locks: the model, then the earners. What was earned is read after it.
    await tx.run(LOCK_STANDING, bucket=review.bucket, models=arrays.ints([review.model_number]))
    earned = await tx.all(_EARNED_UNDER, **_span(review))
    earners = sorted({one.earner_id for one in earned})
    locked = await tx.one(LOCKED_EARNERS, bucket=review.bucket, owners=arrays.ints(earners))
    earned = await tx.all(_EARNED_UNDER, **_span(review))
    accounts = dict(zip(locked.owners or (), locked.accounts or (), strict=True))
    balances = dict(zip(locked.owners or (), locked.balances or (), strict=True))
    # What others' young uses may still take back stays.
    free = {
        earner: balances.get(earner, 0)
        - await tx.one(_YOUNG_BESIDE, bucket=review.bucket, id=review.id, earner_id=earner, days=maturity_days)
        for earner in earners
    }
    rejected = take_all(earned, free)
    at = await ledger.now(tx)
    taken, lost = sum(one.taken for one in rejected), sum(one.lost for one in rejected)
    answer: dict[str, object] = {
        "id": str(review.id),
        "state": "rejected",
        "taken_nano_usd": taken,
        "taken_usd": usd_text(taken),
        "lost_nano_usd": lost,
        "lost_usd": usd_text(lost),
        "reason": reason,
    }
    posting = MeteringPosting(review.bucket)
    posting.entries.append(EntryRow(party.id, command.key, new_id(), "review", command.fingerprint, json.dumps(answer)))
    entries = _post_rejections(posting, review, rejected, accounts)
    await tx.run(service.POST, **service.post_params(posting, at))
    uses = _by_use(rejected)
    await tx.run(
        _RECORD_REJECTIONS,
        bucket=review.bucket,
        at=at,
        account_id=review.account_id,
        id=arrays.ints([entries[usage] for usage in uses]),
        usage=arrays.ints([str(usage) for usage in uses]),
        nanos=arrays.ints([nanos for nanos, _ in uses.values()]),
        lost=arrays.ints([nanos for _, nanos in uses.values()]),
    )
    await _end(tx, review, "rejected", reason, taken, lost, at)
    return answer, False


def take_all(earned: Sequence[EarnedUnder], free: Mapping[int, int]) -> list[Rejected]:
    """Decide what is taken of each use, as far as there is something free to be taken from its earner."""
    left = dict(free)
    result = []
    for one in earned:
        taken = min(one.nanos, max(0, left.get(one.earner_id, 0)))
        left[one.earner_id] = left.get(one.earner_id, 0) - taken
        result.append(Rejected(one.usage_id, one.earner_id, taken, one.nanos - taken))
    return result


def _post_rejections(
    posting: MeteringPosting, review: ReviewRow, rejected: Sequence[Rejected], accounts: Mapping[int, int]
) -> dict[UUID, str]:
    """Add to a posting what rejections write: an entry for each use, by which it is answered."""
    entries: dict[UUID, str] = {}
    legs: dict[UUID, int] = {}
    total = 0
    for usage, earner, taken, _ in rejected:
        if usage not in entries:
            entries[usage] = new_id()
            posting.entries.append(
                EntryRow(review.account_id, f" reject {usage}", entries[usage], "rejection", OWN_ACT, None)
            )
        if not taken:
            continue
        leg = legs[usage] = legs.get(usage, -1) + 1
        posting.legs.append(
            LegRow(
                entries[usage], leg, "reversal", chart.USD, accounts[earner], chart.EARNINGS_COST, taken, earner, None
            )
        )
        posting.earners[earner] = posting.earners.get(earner, 0) - taken
        share = posting.shares.setdefault((review.model_number, earner), [0, 0, 0, None])
        share[2] -= taken
        total += taken
    if total:
        posting.uses[review.model_number] = [0, 0, -total, None]
    return entries


def _by_use(rejected: Sequence[Rejected]) -> dict[UUID, tuple[int, int]]:
    uses: dict[UUID, tuple[int, int]] = {}
    for usage, _, taken, lost in rejected:
        before = uses.get(usage, (0, 0))
        uses[usage] = (before[0] + taken, before[1] + lost)
    return uses


async def _locked(tx: Tx, review_id: UUID) -> ReviewRow:
    review = await find_review(tx, review_id)
    await tx.run(_LOCK_REVIEW, bucket=review.bucket, id=review_id)
    return await find_review(tx, review_id)


def _must_be_open(review: ReviewRow) -> None:
    if review.state != "open":
        raise Conflict(f"This review has ended: it was {review.state}.", code="review_ended", state=review.state)


async def _end(
    tx: Tx, review: ReviewRow, state: ReviewState, reason: str, taken: int | None, lost: int | None, at: datetime
) -> None:
    _must_be_open(review)
    await tx.run(
        _END_REVIEW,
        bucket=review.bucket,
        id=review.id,
        state=state,
        reason=reason,
        taken=taken,
        lost=lost,
        at=at,
    )


def _span(review: ReviewRow) -> dict[str, object]:
    return {
        "bucket": review.bucket,
        "account_id": review.account_id,
        "model_id": review.model_number,
        "since": review.since,
        "until": review.until,
        "first_id": _first_id(review.since),
    }


def _first_id(since: datetime) -> UUID:
    """Give the least id that a record of this moment may have: a day early, for clocks that differ."""
    milliseconds = (since - _DAY - _EPOCH) // timedelta(milliseconds=1)
    return UUID(int=max(0, milliseconds) << 80)
