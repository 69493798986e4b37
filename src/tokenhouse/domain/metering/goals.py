"""How far creators' goals are: what was earned since they began, by uses and beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tokenhouse.domain import ledger
from tokenhouse.domain.earnings.rules import HISTORY_DAYS, RATE_DAYS, end_of, progress
from tokenhouse.domain.earnings.types import Goal, Progress
from tokenhouse.infra.database import Tx, load_queries


@dataclass(frozen=True, slots=True)
class EarnedSums:
    """Nano-dollars earned from one moment to another, in the days of the rate, and in those but the last few."""

    earned: int
    recent: int
    older: int


_Q = load_queries(__file__)
_EARNED_FOR_GOAL = _Q.rows("earned_for_goal", EarnedSums)


async def goal_views(tx: Tx, goals: Sequence[Goal], time_zone: str) -> list[tuple[Goal, Progress]]:
    """Return goals of one account, each with how far it is now, by the days of the account's zone."""
    now = await ledger.now(tx)
    return [(goal, await _progress(tx, goal, now, time_zone)) for goal in goals]


async def _progress(tx: Tx, goal: Goal, now: datetime, time_zone: str) -> Progress:
    until = now if goal.due_on is None else min(now, end_of(goal.due_on, time_zone))
    sums = await tx.one(
        _EARNED_FOR_GOAL,
        earner_id=goal.account_id,
        model_id=goal.model_number,
        since=goal.since,
        until=until,
        recent=now - timedelta(days=RATE_DAYS),
        older=now - timedelta(days=HISTORY_DAYS),
        now=now,
    )
    return progress(goal, sums.earned, sums.recent, sums.older, now, time_zone)
