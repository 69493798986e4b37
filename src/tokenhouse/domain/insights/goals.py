"""How far creators' goals are, and which models earned most: read from the figures that are kept ready."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from tokenhouse.domain import earnings, ledger
from tokenhouse.domain.access.types import Account
from tokenhouse.domain.earnings.rules import HISTORY_DAYS, RATE_DAYS, end_of, progress
from tokenhouse.domain.earnings.types import Goal, Progress
from tokenhouse.domain.insights.service import read
from tokenhouse.domain.insights.types import Cube
from tokenhouse.infra.database import Tx


async def goal_views(tx: Tx, goals: Sequence[Goal], account: Account) -> list[tuple[Goal, Progress]]:
    """Return goals of one account, each with how far it is now, by the days of the account's zone."""
    now = await ledger.now(tx)
    return [(goal, await _progress(tx, goal, account, now)) for goal in goals]


async def best_models(tx: Tx, since: datetime, until: datetime, most: int) -> list[int]:
    """Return the numbers of the models that earned most by uses of a span of time, the best first.

    Those that earned nothing are left out; of equals the older model comes first. Needs the platform's token.
    """
    rows = await read(tx, "platform_model", 0, [since, until])
    earned: dict[int, int] = {}
    for row in rows:
        earned[row.model_id] = earned.get(row.model_id, 0) + row.nanos
    best = sorted((-nanos, model) for model, nanos in earned.items() if nanos > 0)
    return [model for _, model in best[:most]]


async def _progress(tx: Tx, goal: Goal, account: Account, now: datetime) -> Progress:
    until = now if goal.due_on is None else min(now, end_of(goal.due_on, account.time_zone))
    recent, older = now - timedelta(days=RATE_DAYS), now - timedelta(days=HISTORY_DAYS)
    bounds = sorted({goal.since, max(goal.since, until), recent, older, now})
    earned = await earnings.adjusted(tx, account.id, account.bucket, goal.model_number, bounds)
    cube: Cube = "earner" if goal.model_number is None else "earner_model"
    for row in await read(tx, cube, account.id, bounds, goal.model_number):
        earned[row.point] += row.nanos
    spans = list(zip(pairwise(bounds), earned, strict=True))

    def between(first: datetime, last: datetime) -> int:
        return sum(nanos for (begin, end), nanos in spans if begin >= first and end <= last)

    return progress(
        goal, between(goal.since, until), between(recent, now), between(recent, older), now, account.time_zone
    )
