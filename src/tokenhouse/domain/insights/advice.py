"""Advice for one account, each with its reason in figures: pure. Nothing is said that the figures do not bear out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tokenhouse.infra.kernel.money import round_half_even, usd_said

_BETTER_TENTHS = 15
_FELL_PERCENT = 30
_ROSE_PERCENT = 50
_ENOUGH_USES = 10
_ENOUGH_MODELS = 3
_EARLY_PERCENT = 10
_RUNS_OUT_PERCENT = 90
_MOST = 10


class OwnModel(NamedTuple):
    """A model that the account earns by: others' uses of these days and of those before, and nano-dollars of these."""

    model_id: str
    name: str
    category: str
    monetized: bool
    uses: int
    uses_before: int
    nanos: int


class OfferedModel(NamedTuple):
    """A model on offer: its price in credits, others' uses of these days, and the nano-dollars that they earned.

    buyable: whether the account may still buy it.
    """

    model_id: str
    name: str
    category: str
    price_credits: int
    uses: int
    nanos: int
    buyable: bool


class Allowance(NamedTuple):
    """What was used of this period's allowance, in credits, and how much of the period is over."""

    credit_type: str
    amount: int
    used: int
    elapsed_seconds: int
    period_seconds: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an account and of the market in the last so many days."""

    days: int
    own: tuple[OwnModel, ...]
    market: tuple[OfferedModel, ...]
    allowances: tuple[Allowance, ...]


@dataclass(frozen=True, slots=True)
class Advice:
    """One recommendation. kind: for programs; title: what to do; reason: why, in figures.

    model_id, category, credit_type: what it is about. weight: how much it matters, beside the others.
    """

    kind: str
    title: str
    reason: str
    model_id: str | None = None
    category: str | None = None
    credit_type: str | None = None
    weight: int = 0


def advise(facts: Facts) -> list[Advice]:
    """Give at most ten recommendations, those that matter most first."""
    found = [
        *_allowances(facts),
        *_better_category(facts),
        *_changes(facts),
        *_switched_off(facts),
        *_idle(facts),
        *_to_buy(facts),
    ]
    return sorted(found, key=lambda one: (-one.weight, one.kind, one.model_id or "", one.category or ""))[:_MOST]


def _allowances(facts: Facts) -> Iterable[Advice]:
    """Say where an allowance will not last: at the rate of this period so far."""
    for one in facts.allowances:
        if one.amount <= 0 or one.used <= 0 or one.elapsed_seconds * 100 < one.period_seconds * _EARLY_PERCENT:
            continue
        used_percent = round_half_even(one.used * 100, one.amount)
        passed_percent = min(100, round_half_even(one.elapsed_seconds * 100, one.period_seconds))
        by_the_end = one.used * one.period_seconds * 100 // (one.elapsed_seconds * one.amount)
        if by_the_end <= 100 and used_percent < _RUNS_OUT_PERCENT:
            continue
        yield Advice(
            "allowance_short",
            f"Buy {one.credit_type} credits or move to a larger plan",
            f"{one.used:,} of {one.amount:,} {one.credit_type} credits of this period ({used_percent} %) are used, and "
            f"{passed_percent} % of the period are over: at this rate it takes {by_the_end:,} % of the allowance.",
            credit_type=one.credit_type,
            weight=900 + min(99, used_percent),
        )


def _better_category(facts: Facts) -> Iterable[Advice]:
    """Say which category earned most for each of its models, where that is far more than the account's own did."""
    own = {one.category for one in facts.own}
    known = {
        category: nanos
        for category in {one.category for one in facts.market}
        if (nanos := _mean([one for one in facts.market if one.category == category])) is not None
    }
    mine = max((one for one in own if one in known), key=lambda one: (known[one], one), default=None)
    best = max(known, key=lambda one: (known[one], one), default=None)
    if mine is None or best is None or best in own:
        return
    had, has = known[mine], known[best]
    if had <= 0 or has * 10 < had * _BETTER_TENTHS:
        return
    times = round_half_even(has * 10, had)
    yield Advice(
        "category_earns_more",
        f"Offer a model in {best}",
        f"{best} earned {times // 10}.{times % 10} times what {mine}, your best category, did per model in the last "
        f"{facts.days} days: {usd_said(has)} against {usd_said(had)}.",
        category=best,
        weight=700,
    )


def _mean(models: Sequence[OfferedModel]) -> int | None:
    """Give what models earned on average; None for too few to tell nobody's own figures."""
    if len(models) < _ENOUGH_MODELS:
        return None
    return round_half_even(sum(one.nanos for one in models), len(models))


def _changes(facts: Facts) -> Iterable[Advice]:
    """Say which of the account's models are used much less, or much more, than before."""
    for one in facts.own:
        if one.uses_before < _ENOUGH_USES:
            continue
        change = round_half_even((one.uses - one.uses_before) * 100, one.uses_before)
        figures = (
            f"from {one.uses_before:,} uses in the {facts.days} days before to {one.uses:,} in the last {facts.days}"
        )
        if change <= -_FELL_PERCENT:
            yield Advice(
                "model_falling",
                f"Look after {one.name}",
                f"Its use fell by {-change} %: {figures}.",
                one.model_id,
                weight=800 + min(99, -change),
            )
        elif change >= _ROSE_PERCENT:
            yield Advice(
                "model_rising",
                f"Make more of {one.name}",
                f"Its use rose by {change:,} %: {figures}.",
                one.model_id,
                weight=500 + min(99, change // 10),
            )


def _switched_off(facts: Facts) -> Iterable[Advice]:
    """Say which used models earn nothing because they are not monetized."""
    for one in facts.own:
        if not one.monetized and one.uses > 0:
            yield Advice(
                "not_monetized",
                f"Ask to have {one.name} monetized",
                f"Others used it {one.uses:,} times in the last {facts.days} days, and it earned nothing: "
                "monetization is off.",
                one.model_id,
                weight=600 + min(99, one.uses // 10),
            )


def _idle(facts: Facts) -> Iterable[Advice]:
    """Say which models nobody uses while others of their category are used."""
    for one in facts.own:
        others = [
            other.uses for other in facts.market if other.category == one.category and other.model_id != one.model_id
        ]
        if one.uses or len(others) < _ENOUGH_MODELS or not sum(others):
            continue
        mean = round_half_even(sum(others) * 10, len(others))
        yield Advice(
            "model_idle",
            f"Bring {one.name} before people, or change its price",
            f"Nobody used it in the last {facts.days} days; the other {len(others):,} models in {one.category} were "
            f"used {mean // 10:,}.{mean % 10} times on average.",
            one.model_id,
            weight=400,
        )


def _to_buy(facts: Facts) -> Iterable[Advice]:
    """Say which models that can still be bought are used far more than most."""
    uses = sorted(one.uses for one in facts.market)
    if len(uses) < _ENOUGH_MODELS:
        return
    median = uses[(len(uses) - 1) // 2]
    best = sorted((one for one in facts.market if one.buyable), key=lambda one: (-one.uses, one.model_id))[:3]
    for place, one in enumerate(best):
        if one.uses < _ENOUGH_USES or one.uses * 10 < median * _BETTER_TENTHS:
            continue
        yield Advice(
            "model_to_buy",
            f"Buy {one.name}",
            f"Others used it {one.uses:,} times in the last {facts.days} days, where half of the models on offer had "
            f"at most {median:,} uses; it costs {one.price_credits:,} credits.",
            one.model_id,
            one.category,
            weight=300 - place,
        )
