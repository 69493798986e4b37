"""What creators want to earn: the verbs that keep their goals. How far they are is worked out above."""

from datetime import date, datetime
from uuid import UUID

from tokenhouse.domain import ledger, market
from tokenhouse.domain.earnings.types import Goal, NewGoal
from tokenhouse.infra.database import Tx, load_queries
from tokenhouse.infra.kernel.errors import Conflict, NotFound, UnknownReference, ValidationFailed
from tokenhouse.infra.kernel.ids import uuid7

_Q = load_queries(__file__, "goals.sql")
_ADD_GOAL = _Q.rows("add_goal", bool)
_CHANGE_GOAL = _Q.rows("change_goal", bool)
_DROP_GOAL = _Q.rows("drop_goal", bool)
_GOALS_OF = _Q.rows("goals_of", Goal)
_GOAL = _Q.rows("goal", Goal)

MOST_GOALS = 100
"""How many goals one account may have at a time."""

_NO_GOAL = "There is no such goal, or it is not yours."


async def goals_of(tx: Tx, account_id: int) -> list[Goal]:
    """Return an account's goals, newest first."""
    return await tx.all(_GOALS_OF, account_id=account_id)


async def find_goal(tx: Tx, goal_id: UUID) -> Goal:
    """Return a goal that this transaction may see. NotFound where there is none."""
    goal = await tx.first(_GOAL, id=goal_id)
    if goal is None:
        raise NotFound(_NO_GOAL)
    return goal


async def add_goal(tx: Tx, account_id: int, new: NewGoal) -> Goal:
    """Make a goal. UnknownReference: no such model. Conflict: the account has as many as it may have."""
    goal_id = uuid7()
    since = new.since or await ledger.now(tx)
    made = await tx.one(_ADD_GOAL, account_id=account_id, id=goal_id, most=MOST_GOALS, **await _values(tx, new, since))
    if not made:
        raise Conflict(f"An account has at most {MOST_GOALS} goals. Remove one first.", code="too_many_goals")
    return await find_goal(tx, goal_id)


async def change_goal(tx: Tx, goal: Goal, new: NewGoal) -> Goal:
    """Make a goal what `new` says. UnknownReference: no such model. NotFound: it was removed meanwhile."""
    values = await _values(tx, new, new.since or goal.since)
    if not await tx.one(_CHANGE_GOAL, account_id=goal.account_id, id=goal.id, **values):
        raise NotFound(_NO_GOAL)
    return await find_goal(tx, goal.id)


async def drop_goal(tx: Tx, goal: Goal) -> None:
    """Remove a goal. NotFound: it was removed meanwhile."""
    if not await tx.one(_DROP_GOAL, account_id=goal.account_id, id=goal.id):
        raise NotFound(_NO_GOAL)


async def _values(tx: Tx, new: NewGoal, since: datetime) -> dict[str, object]:
    model_id = None
    if new.model_id is not None:
        model = await market.find_model(tx, new.model_id, archived=True)
        if model is None:
            raise UnknownReference.of("model_id", f"{new.model_id!r} is no model; name one, or none for all")
        model_id = model.id
    _check_days(since, new.due_on)
    return {
        "name": new.name,
        "nanos": new.nanos,
        "model_id": model_id,
        "since": since,
        "due_on": new.due_on.isoformat() if new.due_on else None,
    }


def _check_days(since: datetime, due_on: date | None) -> None:
    if due_on is not None and due_on < since.date():
        raise ValidationFailed.of("by", "lies before `from`; name a later day, or an earlier beginning")
