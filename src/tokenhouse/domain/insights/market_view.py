"""Views over the market: by category, models side by side, those who earn; and the facts that advice is made of.

Days are UTC's. Each view is of a time and of the one as long before it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal, NamedTuple

from tokenhouse.domain.insights import service
from tokenhouse.domain.insights.advice import Allowance, Facts, OfferedModel, OwnModel
from tokenhouse.domain.insights.margins import parts_of
from tokenhouse.domain.insights.portfolio import portfolio
from tokenhouse.infra.database import Tx, arrays, load_queries

CreatorSort = Literal["earnings", "credits", "uses"]

_PERIOD_DAYS = 30


class Use(NamedTuple):
    """Others' uses: how many, the credits that they took, and the nano-dollars that they earned."""

    uses: int = 0
    credits: int = 0
    nanos: int = 0

    def plus(self, other: "Use") -> "Use":
        """Add figure by figure."""
        return Use(self.uses + other.uses, self.credits + other.credits, self.nanos + other.nanos)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A model, whether it is on offer, its price in credits, and how many own it."""

    id: int
    model_id: str
    name: str
    category: str
    on_offer: bool
    monetized: bool
    price_credits: int
    ownership: str
    owners: int


@dataclass(frozen=True, slots=True)
class ModelFound:
    """A model by the app's id; own: whether an account earns, or ever earned, by it."""

    id: int
    model_id: str
    name: str
    category: str
    own: bool


@dataclass(frozen=True, slots=True)
class ModelName:
    """How a model is called."""

    id: int
    model_id: str
    name: str


@dataclass(frozen=True, slots=True)
class ModelUsers:
    """How many used a model."""

    model_id: int
    users: int


@dataclass(frozen=True, slots=True)
class CreatorSums:
    """What others' uses brought somebody in a time and in the one before. Nano-dollars and credits.

    models: that they own or made; accrued: all that others' uses earned them since ever, paid out or not.
    """

    account_id: str | None
    name: str | None
    uses: int
    credits: int
    nanos: int
    uses_before: int
    nanos_before: int
    models: int
    accrued: int


@dataclass(frozen=True, slots=True)
class AllowanceNow:
    """What was used of an allowance of this period, in credits, and how far the period is."""

    credit_type: str
    allowance: int
    used: int
    renews_at: datetime
    elapsed_seconds: int
    period_seconds: int


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """A category: models on offer, models that were used, their uses, and how many those were in the time before."""

    category: str
    on_offer: int
    used: int
    uses: int
    credits: int
    nanos: int
    uses_before: int


@dataclass(frozen=True, slots=True)
class ModelUse:
    """Others' uses of a model in a part of what was asked for: 1, or 0 for the time before."""

    part: int
    model_id: int
    uses: int
    credits: int
    nanos: int


@dataclass(frozen=True, slots=True)
class ModelDay:
    """Others' uses of a model on a day."""

    model_id: int
    at: date
    uses: int
    credits: int
    nanos: int


class Compared(NamedTuple):
    """A model beside others: its uses of a time, by whom, day by day, and those of the time before."""

    model: ModelFound
    users: int
    now: Use
    before: Use
    days: tuple[tuple[date, Use], ...]


_Q = load_queries(__file__, "market_view.sql")
_MODEL_FACTS = _Q.rows("model_facts", ModelFacts)
_MODELS_FOUND = _Q.rows("models_found", ModelFound)
_MODEL_NAMES = _Q.rows("model_names", ModelName)
_MODELS_BETWEEN = _Q.rows("models_between", ModelUse)
_CATEGORIES = _Q.rows("categories", CategoryRow)
_MODELS_BY_DAY = _Q.rows("models_by_day", ModelDay)
_USERS = _Q.rows("users_between", ModelUsers)
_CREATORS = _Q.rows("creators_between", CreatorSums)
_ALLOWANCES = _Q.rows("allowance_now", AllowanceNow)


async def _asked(tx: Tx, first: date, last: date) -> dict[str, str]:
    """Give the parameters of a time, part 1, and of as many days before, part 0."""
    now = await service.today(tx)
    days = last - first + timedelta(days=1)
    asked = [(1, part) for part in parts_of(first, last, now)]
    asked += [(0, part) for part in parts_of(first - days, first - timedelta(days=1), now)]
    return {
        "grains": arrays.texts(part.grain for _, part in asked),
        "starts": arrays.texts(_midnight(part.first) for _, part in asked),
        "ends": arrays.texts(_midnight(part.beyond) for _, part in asked),
        "points": arrays.ints(point for point, _ in asked),
    }


def _midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00Z"


async def market_view(tx: Tx, first: date, last: date) -> list[CategoryRow]:
    """Return what others' uses of the models of each category came to, the most used first. As the platform."""
    return await tx.all(_CATEGORIES, **await _asked(tx, first, last))


async def models_found(tx: Tx, model_ids: Iterable[str], account_id: int | None) -> dict[str, ModelFound]:
    """Return models by the app's ids, and whether an account earns by them."""
    wanted = arrays.texts(sorted(set(model_ids)))
    return {one.model_id: one for one in await tx.all(_MODELS_FOUND, model_ids=wanted, account_id=account_id)}


async def model_names(tx: Tx, ids: Iterable[int]) -> dict[int, ModelName]:
    """Return how models are called, by their numbers."""
    return {one.id: one for one in await tx.all(_MODEL_NAMES, ids=arrays.ints(sorted(set(ids))))}


async def compare(
    tx: Tx, account_id: int | None, models: Sequence[ModelFound], first: date, last: date
) -> list[Compared]:
    """Put models side by side, as they count for an account that earns by them; None: for all, as the platform."""
    parts = parts_of(first, last, await service.today(tx))
    numbers = arrays.ints(model.id for model in models)
    users = {
        row.model_id: row.users
        for row in await tx.all(
            _USERS,
            account_id=account_id or 0,
            models=numbers,
            grains=arrays.texts(part.grain for part in parts),
            starts=arrays.texts(_midnight(part.first) for part in parts),
            ends=arrays.texts(_midnight(part.beyond) for part in parts),
        )
    }
    count = (last - first).days + 1
    began = first - timedelta(days=count)
    rows = await tx.all(
        _MODELS_BY_DAY,
        account_id=account_id or 0,
        models=numbers,
        since=_midnight(began),
        until=_midnight(last + timedelta(days=1)),
    )
    uses = {(row.model_id, row.at): Use(row.uses, row.credits, row.nanos) for row in rows}
    found = []
    for model in models:
        days = [uses.get((model.id, began + timedelta(days=n)), Use()) for n in range(2 * count)]
        dated = tuple((first + timedelta(days=n), use) for n, use in enumerate(days[count:]))
        found.append(Compared(model, users.get(model.id, 0), _sum(days[count:]), _sum(days[:count]), dated))
    return found


def _sum(uses: Iterable[Use]) -> Use:
    total = Use()
    for use in uses:
        total = total.plus(use)
    return total


async def creators(
    tx: Tx, first: date, last: date, *, sort: CreatorSort = "earnings", skipped: int = 0, most: int = 50
) -> list[CreatorSums]:
    """Return who earned by others' uses from `first` to `last`, or in as many days before. As the platform."""
    return await tx.all(_CREATORS, **await _asked(tx, first, last), sort=sort, skipped=skipped, most=most)


async def facts(tx: Tx, account_id: int) -> Facts:
    """Gather what advice for an account is made of: the last thirty days and those before. As the platform."""
    last = await service.today(tx)
    first = last - timedelta(days=_PERIOD_DAYS - 1)
    rows = await tx.all(_MODELS_BETWEEN, **await _asked(tx, first, last))
    now = {row.model_id: row for row in rows if row.part == 1}
    models = await tx.all(_MODEL_FACTS, ids=arrays.ints({row.model_id for row in rows}))
    shelf = await portfolio(tx, account_id)
    mine = {one.model_id for one in shelf.owned} | {one.model_id for one in shelf.earned}
    buyable = set(shelf.to_buy)
    monetized = {model.id: model.monetized for model in models}
    found = [
        ModelFound(one.id, one.model_id, one.name, one.category, own=True) for one in models if one.model_id in mine
    ]
    own = await compare(tx, account_id, found, first, last)
    return Facts(
        days=_PERIOD_DAYS,
        own=tuple(
            OwnModel(
                one.model.model_id,
                one.model.name,
                one.model.category,
                monetized[one.model.id],
                one.now.uses,
                one.before.uses,
                one.now.nanos,
            )
            for one in own
        ),
        market=tuple(
            OfferedModel(
                model.model_id,
                model.name,
                model.category,
                model.price_credits,
                now[model.id].uses if model.id in now else 0,
                now[model.id].nanos if model.id in now else 0,
                buyable=model.model_id in buyable,
            )
            for model in models
            if model.on_offer
        ),
        allowances=tuple(
            Allowance(row.credit_type, row.allowance, row.used, row.elapsed_seconds, row.period_seconds)
            for row in await tx.all(_ALLOWANCES, account_id=account_id)
        ),
    )
