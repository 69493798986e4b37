"""Earnings goals: what creators want to earn, how far they are, and when they will be there."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from tokenhouse.domain import access, earnings, insights
from tokenhouse.domain.access.rules import acts_for
from tokenhouse.domain.access.types import Account
from tokenhouse.domain.earnings.types import Goal, NewGoal, Progress
from tokenhouse.entrypoints.api.call import Call, uuid_of
from tokenhouse.entrypoints.api.reference import LIST, READ, WRITE, created, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, router
from tokenhouse.entrypoints.api.types import Answer, Body, Credits, Id, Instant, Name
from tokenhouse.infra.database import PLATFORM, Actor, Tx
from tokenhouse.infra.kernel.errors import NotFound, ValidationFailed
from tokenhouse.infra.kernel.money import usd_text

routes = router("Earnings")
GOALS = "/v1/earnings-goals"
_DAY_LENGTH = 10


def _day(value: object) -> object:
    if value is None:
        return None
    try:
        if isinstance(value, str) and len(value) == _DAY_LENGTH:
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError('must be a day such as "2030-01-31"')


Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]


class GoalFields(Body):
    """What of a goal may be said and changed."""

    name: Name | None = None
    by: Day | None = None
    """The last day on which something counts, in the account's zone; none: no end."""
    since: Annotated[Instant | None, Field(alias="from")] = None
    """What is earned from here on counts; now, unless given."""
    model_id: Id | None = None
    """Only what this model earns counts; none: all."""


class GoalBody(GoalFields):
    """A goal to be set."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"account_id": "c-7", "amount_nano_usd": 500_000_000_000, "name": "A camera", "by": "2030-12-31"}
            ]
        }
    )

    account_id: Id
    amount_nano_usd: Credits
    """What is to be earned, in nano-dollars."""


class GoalPatch(GoalFields):
    """What to change; what is left out stays, null takes it away."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"amount_nano_usd": 600_000_000_000, "by": None}]})

    amount_nano_usd: Credits | None = None


class GoalOut(Answer):
    """A goal, and how far it is."""

    id: str
    account_id: str
    name: str | None
    amount_nano_usd: int
    amount_usd: str
    model_id: str | None
    since: datetime = Field(serialization_alias="from", description="What is earned from here on counts.")
    by: date | None
    state: Literal["open", "reached", "missed"]
    earned_nano_usd: int = Field(description="By uses, adjustments and bonuses, less what was taken back.")
    earned_usd: str
    percent: int = Field(description="Whole percent, rounded down.")
    forecast: date | None = Field(description="When it is reached at the rate of the last 30 days.")
    forecast_reason: Literal["reached", "missed", "not_enough_history", "no_earnings", "too_far"] | None = Field(
        description="Why there is no forecast."
    )
    created_at: datetime
    updated_at: datetime


@routes.post(
    GOALS,
    operation_id="earnings_goals_create",
    summary="Set an earnings goal",
    status_code=201,
    responses={**created(GoalOut, description="Set."), **WRITE},
)
async def earnings_goals_create(call: TheCall, body: GoalBody) -> Response:
    """Set what an account wants to earn. It is the creator's own: nothing else depends on it."""
    identity = await call.account(body.account_id, "market:write")
    new = NewGoal(body.amount_nano_usd, body.name, body.model_id, body.since, body.by)
    async with call.runtime.database.transaction(Actor((identity.id,), teller=True)) as tx:
        goal = await earnings.add_goal(tx, identity.id, new)
        account = await _account(tx, identity.external_id)
        (told,) = await _told(tx, [goal], account)
    return answer(told, 201)


@routes.get(
    GOALS,
    operation_id="earnings_goals_list",
    summary="List earnings goals",
    responses={**found(GoalOut, listed=True), **LIST},
)
async def earnings_goals_list(
    call: TheCall,
    account_id: Annotated[str, Query(description="Whose goals.")],
    state: Annotated[Literal["open", "reached", "missed"] | None, Query(description="Only those.")] = None,
) -> Response:
    """List all goals of an account, at most 100, the newest first, each with how far it is."""
    identity = await call.account(account_id, "wallets:read")
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        account = await _account(tx, identity.external_id)
        told = await _told(tx, await earnings.goals_of(tx, identity.id), account)
    return answer(page([one for one in told if state in (None, one["state"])], None))


@routes.get(
    GOALS + "/{goal_id}",
    operation_id="earnings_goals_get",
    summary="Read an earnings goal",
    responses={**found(GoalOut), **READ},
)
async def earnings_goals_get(call: TheCall, goal_id: str) -> Response:
    """Read a goal and how far it is."""
    goal, account = await _found(call, goal_id, "wallets:read")
    async with call.runtime.database.read(Actor((account.id,))) as tx:
        (told,) = await _told(tx, [goal], account)
    return answer(told)


@routes.patch(
    GOALS + "/{goal_id}",
    operation_id="earnings_goals_update",
    summary="Change an earnings goal",
    responses={**found(GoalOut, description="Changed."), **WRITE},
)
async def earnings_goals_update(call: TheCall, goal_id: str, body: GoalPatch) -> Response:
    """Change a goal. What is left out stays as it is."""
    goal, account = await _found(call, goal_id, "market:write")
    given = body.model_fields_set
    for needed, name in (("amount_nano_usd", "amount_nano_usd"), ("since", "from")):
        if needed in given and getattr(body, needed) is None:
            raise ValidationFailed.of(name, "cannot be taken away; give another, or leave it out")
    new = NewGoal(
        body.amount_nano_usd if body.amount_nano_usd is not None else goal.nanos,
        body.name if "name" in given else goal.name,
        body.model_id if "model_id" in given else goal.model_id,
        body.since,
        body.by if "by" in given else goal.due_on,
    )
    async with call.runtime.database.transaction(Actor((account.id,), teller=True)) as tx:
        (told,) = await _told(tx, [await earnings.change_goal(tx, goal, new)], account)
    return answer(told)


@routes.delete(
    GOALS + "/{goal_id}",
    operation_id="earnings_goals_remove",
    summary="Remove an earnings goal",
    status_code=204,
    responses={204: {"description": "Removed."}, **READ},
)
async def earnings_goals_remove(call: TheCall, goal_id: str) -> Response:
    """Remove a goal."""
    goal, account = await _found(call, goal_id, "market:write")
    async with call.runtime.database.transaction(Actor((account.id,), teller=True)) as tx:
        await earnings.drop_goal(tx, goal)
    return Response(status_code=204)


async def _found(call: Call, goal_id: str, scope: str) -> tuple[Goal, Account]:
    """Find a goal and its account. NotFound: there is none, or it is another's."""
    number = uuid_of(goal_id, "goal")
    async with call.runtime.database.read(PLATFORM) as tx:
        goal = await earnings.find_goal(tx, number)
        account = (await access.accounts_by_number(tx, [goal.account_id]))[goal.account_id]
    if not acts_for(call.authority, account.external_id):
        raise NotFound("There is no such goal, or it is not yours.")
    call.require(scope)
    return goal, account


async def _account(tx: Tx, external_id: str) -> Account:
    account = await access.find_account(tx, external_id)
    if account is None:
        raise NotFound("There is no such account.")
    return account


async def _told(tx: Tx, goals: list[Goal], account: Account) -> list[dict[str, Any]]:
    views = await insights.goal_views(tx, goals, account)
    return [_view(goal, found, account.external_id) for goal, found in views]


def _view(goal: Goal, progress: Progress, account_id: str) -> dict[str, Any]:
    return {
        "id": str(goal.id),
        "account_id": account_id,
        "name": goal.name,
        "amount_nano_usd": goal.nanos,
        "amount_usd": usd_text(goal.nanos),
        "model_id": goal.model_id,
        "from": goal.since,
        "by": goal.due_on,
        "state": progress.state,
        "earned_nano_usd": progress.earned,
        "earned_usd": usd_text(progress.earned),
        "percent": progress.percent,
        "forecast": progress.forecast,
        "forecast_reason": progress.no_forecast,
        "created_at": goal.created_at,
        "updated_at": goal.updated_at,
    }
