"""A creator's figures: of any time and of all models or one, at which hours, and who came again."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import Query, Response
from pydantic import Field

from tokenhouse.domain import access, insights, ledger
from tokenhouse.domain.access.types import Identity
from tokenhouse.domain.insights.rules import months, weeks
from tokenhouse.domain.insights.types import Creator, Point, Range, Sums, Users
from tokenhouse.entrypoints.api.reference import LIST, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, router
from tokenhouse.entrypoints.api.types import Answer, Instant
from tokenhouse.infra.database import Actor, Tx
from tokenhouse.infra.kernel.errors import ValidationFailed
from tokenhouse.infra.kernel.money import round_half_even, usd_text
from tokenhouse.infra.kernel.periods import zone

routes = router("Analytics")

_MOST_DAYS = 800
_DAYS = 30

AccountId = Annotated[str, Query(max_length=128, description="Whose models.")]
ModelId = Annotated[str | None, Query(max_length=128, description="Of this model alone; another's shows nothing.")]
Since = Annotated[Instant | None, Query(alias="from", description="Used at or after this time.")]
Until = Annotated[Instant | None, Query(alias="to", description="Used before this time.")]
Days = Annotated[
    int | None, Query(ge=1, le=366, description="Instead: today and the days before, so many in all (30).")
]


class CreatorSumsOut(Answer):
    """Others' uses of an account's models."""

    uses: int
    credits: int
    earnings_nano_usd: int
    earnings_usd: str


class CreatorPeriodOut(Answer):
    """The time asked for, and the one before that it is compared with."""

    since: datetime = Field(alias="from")
    until: datetime = Field(alias="to")
    previous_from: datetime
    time_zone: str = Field(description="The account's; days, weeks and months are cut by its clocks.")


class CreatorTotalsOut(CreatorSumsOut):
    """All of a period. `average_…`: by model used in it; `users` are whoever paid, each counted once."""

    active_models: int
    average_nano_usd: int
    average_usd: str
    users: int
    new_users: int = Field(description="Those who never used these models before.")


class CreatorPreviousOut(CreatorSumsOut):
    """The period before."""

    users: int


class CreatorModelOut(CreatorSumsOut):
    """A model, and its figures of the period before."""

    model_id: str
    name: str
    category: str
    previous: CreatorSumsOut


class CreatorPointOut(CreatorSumsOut):
    """A day, or the first of a week (Monday) or month."""

    date: date


class CreatorTrendsOut(Answer):
    """The period in days, weeks and months, where nothing happened as well."""

    daily: list[CreatorPointOut]
    weekly: list[CreatorPointOut]
    monthly: list[CreatorPointOut]


class CreatorFiguresOut(Answer):
    """A creator's figures of a time; models used in it, the highest earnings first."""

    account_id: str
    model_id: str | None
    period: CreatorPeriodOut
    totals: CreatorTotalsOut
    previous: CreatorPreviousOut
    models: list[CreatorModelOut]
    trends: CreatorTrendsOut


class CreatorHourOut(CreatorSumsOut):
    """An hour of the week; weekday 1 is Monday."""

    weekday: int
    hour: int


class PeakHoursOut(Answer):
    """At which hours of the week models are used, where there was any use."""

    account_id: str
    model_id: str | None
    period: CreatorPeriodOut
    data: list[CreatorHourOut]


class CreatorCohortOut(Answer):
    """Users who came for the first time in a week or month: how many, and how many of them came in it and later."""

    start: date
    users: int
    retained: list[int] = Field(description="In the first stretch, in the next one, and so on until now.")


class RetentionOut(Answer):
    """Who came again; weeks begin on Monday, and weeks and months are UTC's."""

    account_id: str
    model_id: str | None
    interval: str
    data: list[CreatorCohortOut]


@routes.get(
    "/v1/analytics/creator",
    operation_id="analytics_creator",
    summary="A creator's figures",
    responses={**found(CreatorFiguresOut), **LIST},
)
async def analytics_creator(
    call: TheCall,
    account_id: AccountId,
    since: Since = None,
    until: Until = None,
    days: Days = None,
    model_id: ModelId = None,
) -> Response:
    """Read what others' uses of an account's models brought in a time, beside as long a time before."""
    identity = await call.account(account_id, "wallets:read")
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        place, asked = await _asked(tx, identity, since, until, days)
        model = await _model(tx, model_id)
        figures = await insights.creator(tx, identity.id, asked, model)
        users = await insights.users(tx, identity.id, asked, model)
    return answer({**_about(identity, model_id, asked, place), **_told(figures, users)})


@routes.get(
    "/v1/analytics/creator/peak-hours",
    operation_id="analytics_creator_peak_hours",
    summary="At which hours models are used",
    responses={**found(PeakHoursOut), **LIST},
)
async def analytics_creator_peak_hours(
    call: TheCall,
    account_id: AccountId,
    since: Since = None,
    until: Until = None,
    days: Days = None,
    model_id: ModelId = None,
) -> Response:
    """Read others' uses of an account's models by weekday and hour, on the account's clocks."""
    identity = await call.account(account_id, "wallets:read")
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        place, asked = await _asked(tx, identity, since, until, days)
        model = await _model(tx, model_id)
        rows = await insights.clock(tx, identity.id, asked, place, model)
    data = [{"weekday": weekday, "hour": hour, **_sums(sums)} for weekday, hour, sums in rows]
    return answer({**_about(identity, model_id, asked, place), "data": data})


@routes.get(
    "/v1/analytics/creator/retention",
    operation_id="analytics_creator_retention",
    summary="Who came again",
    responses={**found(RetentionOut), **LIST},
)
async def analytics_creator_retention(
    call: TheCall,
    account_id: AccountId,
    interval: Annotated[Literal["week", "month"], Query(description="How long a stretch is.")] = "month",
    count: Annotated[int, Query(ge=1, le=24, description="How many stretches, this one the last.")] = 12,
    model_id: ModelId = None,
) -> Response:
    """Read how many of those who used an account's models for the first time in a week or month came again later."""
    identity = await call.account(account_id, "wallets:read")
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        model = await _model(tx, model_id)
        begins = insights.begins(interval, count, (await ledger.now(tx)).date())
        cohorts = await insights.retention(tx, identity.id, begins, model)
    data = []
    for number, start in enumerate(begins[:-1], 1):
        kept = cohorts.get(number, {})
        retained = [kept.get(later, 0) for later in range(count - number + 1)]
        data.append({"start": start.date(), "users": retained[0], "retained": retained})
    return answer({"account_id": identity.external_id, "model_id": model_id, "interval": interval, "data": data})


async def _asked(
    tx: Tx, identity: Identity, since: datetime | None, until: datetime | None, days: int | None
) -> tuple[ZoneInfo, Range]:
    """Read which time is meant, and by whose clocks."""
    account = await access.find_account(tx, identity.external_id)
    place = zone(account.time_zone if account else "UTC")
    if since is None and until is None:
        return place, await insights.last_days(tx, days or _DAYS, place)
    if days is not None:
        raise ValidationFailed.of("days", "goes without `from` and `to`")
    until = until or await ledger.now(tx)
    since = since or until - timedelta(days=_DAYS)
    if since >= until:
        raise ValidationFailed.of("from", "must be before `to`")
    if until - since > timedelta(days=_MOST_DAYS):
        raise ValidationFailed.of("from", f"may lie at most {_MOST_DAYS} days before `to`; ask for it in parts")
    return place, insights.between(since, until, place)


async def _model(tx: Tx, model_id: str | None) -> int | None:
    return None if model_id is None else await insights.model_number(tx, model_id)


def _about(identity: Identity, model_id: str | None, asked: Range, place: ZoneInfo) -> dict[str, Any]:
    return {
        "account_id": identity.external_id,
        "model_id": model_id,
        "period": {
            "from": asked.since,
            "to": asked.until,
            "previous_from": asked.before,
            "time_zone": place.key,
        },
    }


def _sums(sums: Sums) -> dict[str, Any]:
    return {
        "uses": sums.uses,
        "credits": sums.credits,
        "earnings_nano_usd": sums.nanos,
        "earnings_usd": usd_text(sums.nanos),
    }


def _points(points: list[Point]) -> list[dict[str, Any]]:
    return [{"date": point.day, **_sums(point.sums)} for point in points]


def _told(figures: Creator, users: Users) -> dict[str, Any]:
    active = sum(1 for one in figures.models if one.sums.uses > 0)
    average = round_half_even(figures.total.nanos, active) if active else 0
    return {
        "totals": {
            **_sums(figures.total),
            "active_models": active,
            "average_nano_usd": average,
            "average_usd": usd_text(average),
            "users": users.users,
            "new_users": users.new_users,
        },
        "previous": {**_sums(figures.previous), "users": users.previous_users},
        "models": [
            {
                "model_id": one.model.external_id,
                "name": one.model.name,
                "category": one.model.category,
                **_sums(one.sums),
                "previous": _sums(one.previous),
            }
            for one in figures.models
        ],
        "trends": {
            "daily": _points(figures.days),
            "weekly": _points(weeks(figures.days)),
            "monthly": _points(months(figures.days)),
        },
    }
