"""Rows of the catalog's tables, to and from its items."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, cast

from tokenhouse.domain.catalog.prices import price_of, written_bulk, written_rates, written_tiers
from tokenhouse.domain.catalog.types import (
    AccountKind,
    Bonus,
    BonusKind,
    Catalog,
    Change,
    Document,
    EarningsPolicy,
    Operation,
    PaidInterval,
    Plan,
    TopUp,
)


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A version of the catalog."""

    id: int
    digest: str


@dataclass(frozen=True, slots=True)
class CreditTypeRow:
    """A credit type and its asset."""

    code: str
    asset_id: int
    retired: bool


@dataclass(frozen=True, slots=True)
class OperationRow:
    """An operation; price, tiers and bulk as JSON, written as in the catalog file."""

    id: str
    version: int
    retired: bool
    credit_type: str
    price: str
    tiers: str
    bulk: str


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A plan; allowances and limits as JSON."""

    id: str
    version: int
    retired: bool
    name: str
    price_nanos: int | None
    paid_interval: str
    allowances: str
    rollover: bool
    limits: str
    offered_to: list[str]
    lemonsqueezy_variant: int | None


@dataclass(frozen=True, slots=True)
class TopUpRow:
    """A pack of credits."""

    id: str
    version: int
    retired: bool
    credit_type: str
    credits: int
    price_nanos: int | None
    lemonsqueezy_variant: int | None


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """An earnings policy; tiers, multipliers and params as JSON, multipliers in basis points."""

    id: str
    version: int
    retired: bool
    per_use_nanos: int
    per_credit_nanos: int
    tiers: str
    type_multipliers: str
    earn_on: list[str]
    kind: str | None
    params: str


@dataclass(frozen=True, slots=True)
class BonusRow:
    """A bonus rule."""

    id: str
    version: int
    retired: bool
    kind: str
    threshold: int
    amount_nanos: int
    scope: str
    active: bool


def operation_of(row: OperationRow) -> Operation:
    """Build an operation of its row."""
    price = price_of(json.loads(row.price), json.loads(row.tiers), json.loads(row.bulk))
    return Operation(row.id, row.credit_type, price, row.version)


def plan_of(row: PlanRow) -> Plan:
    """Build a plan of its row."""
    return Plan(
        id=row.id,
        name=row.name,
        price_nanos=row.price_nanos,
        interval=cast("PaidInterval", row.paid_interval),
        allowances=_frozen(row.allowances),
        rollover=row.rollover,
        limits=_frozen(row.limits),
        offered_to=cast("tuple[AccountKind, ...]", tuple(row.offered_to)),
        lemonsqueezy_variant=row.lemonsqueezy_variant,
        version=row.version,
    )


def top_up_of(row: TopUpRow) -> TopUp:
    """Build a top-up of its row."""
    return TopUp(row.id, row.credit_type, row.credits, row.price_nanos, row.lemonsqueezy_variant, row.version)


def policy_of(row: PolicyRow) -> EarningsPolicy:
    """Build an earnings policy of its row."""
    return EarningsPolicy(
        id=row.id,
        per_use_nanos=row.per_use_nanos,
        per_credit_nanos=row.per_credit_nanos,
        tiers=tuple((uses, bps) for uses, bps in json.loads(row.tiers)),
        type_multipliers=_frozen(row.type_multipliers),
        earn_on=frozenset(row.earn_on),
        kind=row.kind,
        params=_frozen(row.params),
        version=row.version,
    )


def bonus_of(row: BonusRow) -> Bonus:
    """Build a bonus rule of its row."""
    return Bonus(
        row.id,
        cast("BonusKind", row.kind),
        row.threshold,
        row.amount_nanos,
        cast("Literal['model', 'creator']", row.scope),
        row.active,
        row.version,
    )


def changed_rows(changes: Iterable[Change], old: Catalog, new: Document) -> dict[str, list[dict[str, object]]]:
    """Write the rows that a new version brings: what is new or changed, and what is withdrawn as it was."""
    rows: dict[str, list[dict[str, object]]] = {
        "credit_type": [], "operation": [], "plan": [], "top_up": [], "earnings_policy": [], "bonus": [],
    }  # fmt: skip
    for change in changes:
        retired = change.sort == "removed"
        if change.kind == "credit_type":
            row: dict[str, object] = {"code": change.id}
        else:
            row = _row(change, old if retired else new)
        rows[change.kind].append(row | {"retired": retired})
    return rows


def _row(change: Change, where: Catalog | Document) -> dict[str, object]:
    if change.kind == "operation":
        return _operation_row(where.operations[change.id])
    if change.kind == "plan":
        return _plan_row(where.plans[change.id])
    if change.kind == "top_up":
        return _top_up_row(where.top_ups[change.id])
    if change.kind == "bonus":
        return _bonus_row(where.bonuses[change.id])
    return _policy_row(where.policies[change.id])


def _operation_row(operation: Operation) -> dict[str, object]:
    return {
        "id": operation.id,
        "credit_type": operation.credit_type,
        "price": written_rates(operation.price.rates),
        "tiers": written_tiers(operation.price),
        "bulk": written_bulk(operation.price),
    }


def _plan_row(plan: Plan) -> dict[str, object]:
    return {
        "id": plan.id,
        "name": plan.name,
        "price_nanos": plan.price_nanos,
        "paid_interval": plan.interval,
        "allowances": dict(plan.allowances),
        "rollover": plan.rollover,
        "limits": dict(plan.limits),
        "offered_to": list(plan.offered_to),
        "lemonsqueezy_variant": plan.lemonsqueezy_variant,
    }


def _top_up_row(pack: TopUp) -> dict[str, object]:
    return {
        "id": pack.id,
        "credit_type": pack.credit_type,
        "credits": pack.credits,
        "price_nanos": pack.price_nanos,
        "lemonsqueezy_variant": pack.lemonsqueezy_variant,
    }


def _policy_row(policy: EarningsPolicy) -> dict[str, object]:
    return {
        "id": policy.id,
        "per_use_nanos": policy.per_use_nanos,
        "per_credit_nanos": policy.per_credit_nanos,
        "tiers": [list(tier) for tier in policy.tiers],
        "type_multipliers": dict(policy.type_multipliers),
        "earn_on": sorted(policy.earn_on),
        "kind": policy.kind,
        "params": dict(policy.params),
    }


def _bonus_row(bonus: Bonus) -> dict[str, object]:
    return {
        "id": bonus.id,
        "kind": bonus.kind,
        "threshold": bonus.threshold,
        "amount_nanos": bonus.amount_nanos,
        "scope": bonus.scope,
        "active": bonus.active,
    }


def _frozen(text: str) -> Mapping[str, Any]:
    return MappingProxyType(json.loads(text))
