"""Views over the market: by category, models side by side, those who earn; and the facts that advice is made of.

Days are UTC's. Each view is of a time and of the one as long before it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple

from tokenhouse.domain.insights.advice import Allowance, Facts, OfferedModel, OwnModel
from tokenhouse.domain.insights.margins import parts_of
from tokenhouse.domain.insights.portfolio import portfolio
from tokenhouse.domain.insights.service import read
from tokenhouse.domain.insights.spending import today
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

    models: that they own or made; accrued: all that they earned.
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


class CategoryView(NamedTuple):
    """A category: models on offer, models that were used, their uses, and those of the time before."""

    category: str
    on_offer: int
    used: int
    now: Use
    before: Use


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
_USERS = _Q.rows("users_between", ModelUsers)
_CREATORS = _Q.rows("creators_between", CreatorSums)
_ALLOWANCES = _Q.rows("allowance_now", AllowanceNow)


def midnights(first: date, last: date) -> list[datetime]:
    """Return the bounds (UTC) of the days from the first to the last, both included."""
    return [datetime.combine(first + timedelta(days=n), time(), UTC) for n in range((last - first).days + 2)]


async def model_uses(tx: Tx, first: date, last: date) -> tuple[dict[int, Use], dict[int, Use]]:
    """Return others' uses of every model from `first` to `last`, and of as many days before. As the platform."""
    days = (last - first).days + 1
    bounds = [midnights(first - timedelta(days=days), first)[0], *midnights(first, last)[:: max(days, 1)]]
    found: tuple[dict[int, Use], dict[int, Use]] = ({}, {})
    for row in await read(tx, "platform_model", 0, bounds):
        if row.model_id:
            sums = found[row.point]
            use = Use(row.counted, row.counted_credits, row.nanos)
            sums[row.model_id] = sums.get(row.model_id, Use()).plus(use)
    return found[1], found[0]


async def market_view(tx: Tx, first: date, last: date) -> list[CategoryView]:
    """Return what others' uses of the models of each category came to, the most used first. As the platform."""
    now, before = await model_uses(tx, first, last)
    models = await tx.all(_MODEL_FACTS, ids=arrays.ints({*now, *before}))
    views: dict[str, CategoryView] = {}
    for model in models:
        view = views.get(model.category, CategoryView(model.category, 0, 0, Use(), Use()))
        use = now.get(model.id, Use())
        views[model.category] = CategoryView(
            model.category,
            view.on_offer + model.on_offer,
            view.used + (use.uses > 0),
            view.now.plus(use),
            view.before.plus(before.get(model.id, Use())),
        )
    return sorted(views.values(), key=lambda view: (-view.now.uses, view.category))


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
    parts = parts_of(first, last, await today(tx))
    users = {
        row.model_id: row.users
        for row in await tx.all(
            _USERS,
            account_id=account_id or 0,
            models=arrays.ints(model.id for model in models),
            grains=arrays.texts(part.grain for part in parts),
            starts=arrays.texts(f"{part.first.isoformat()}T00:00Z" for part in parts),
            ends=arrays.texts(f"{part.beyond.isoformat()}T00:00Z" for part in parts),
        )
    }
    return [
        Compared(model, users.get(model.id, 0), *await _by_day(tx, account_id, model.id, first, last))
        for model in models
    ]


async def _by_day(
    tx: Tx, account_id: int | None, model_id: int, first: date, last: date
) -> tuple[Use, Use, tuple[tuple[date, Use], ...]]:
    count = (last - first).days + 1
    bounds = [midnights(first - timedelta(days=count), first)[0], *midnights(first, last)]
    cube: Literal["platform_model", "earner_model"] = "platform_model" if account_id is None else "earner_model"
    sums: dict[int, Use] = {}
    for row in await read(tx, cube, account_id or 0, bounds, model_id):
        use = Use(row.counted, row.counted_credits, row.nanos)
        sums[row.point] = sums.get(row.point, Use()).plus(use)
    days = tuple((first + timedelta(days=n), sums.get(n + 1, Use())) for n in range(count))
    total = Use()
    for _, use in days:
        total = total.plus(use)
    return total, sums.get(0, Use()), days


async def creators(
    tx: Tx, first: date, last: date, *, sort: CreatorSort = "earnings", skipped: int = 0, most: int = 50
) -> list[CreatorSums]:
    """Return who earned by others' uses from `first` to `last`, or in as many days before. As the platform."""
    now = await today(tx)
    days = last - first + timedelta(days=1)
    asked = [(1, part) for part in parts_of(first, last, now)]
    asked += [(0, part) for part in parts_of(first - days, first - timedelta(days=1), now)]
    return await tx.all(
        _CREATORS,
        grains=arrays.texts(part.grain for _, part in asked),
        starts=arrays.texts(f"{part.first.isoformat()}T00:00Z" for _, part in asked),
        ends=arrays.texts(f"{part.beyond.isoformat()}T00:00Z" for _, part in asked),
        points=arrays.ints(point for point, _ in asked),
        sort=sort,
        skipped=skipped,
        most=most,
    )


async def facts(tx: Tx, account_id: int) -> Facts:
    """Gather what advice for an account is made of: the last thirty days and those before. As the platform."""
    last = await today(tx)
    first = last - timedelta(days=_PERIOD_DAYS - 1)
    now, before = await model_uses(tx, first, last)
    models = await tx.all(_MODEL_FACTS, ids=arrays.ints({*now, *before}))
    shelf = await portfolio(tx, account_id)
    mine = {one.model_id for one in shelf.owned} | {one.model_id for one in shelf.earned}
    buyable = set(shelf.to_buy)
    bounds = [midnights(first - timedelta(days=_PERIOD_DAYS), first)[0], *midnights(first, last)[::_PERIOD_DAYS]]
    own: dict[tuple[int, int], Use] = {}
    for row in await read(tx, "earner_model", account_id, bounds):
        own[row.model_id, row.point] = Use(row.counted, row.counted_credits, row.nanos)
    return Facts(
        days=_PERIOD_DAYS,
        own=tuple(
            OwnModel(
                model.model_id,
                model.name,
                model.category,
                model.monetized,
                own.get((model.id, 1), Use()).uses,
                own.get((model.id, 0), Use()).uses,
                own.get((model.id, 1), Use()).nanos,
            )
            for model in models
            if model.model_id in mine
        ),
        market=tuple(
            OfferedModel(
                model.model_id,
                model.name,
                model.category,
                model.price_credits,
                now.get(model.id, Use()).uses,
                now.get(model.id, Use()).nanos,
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
