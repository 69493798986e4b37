"""What a use of a model earns, and whose use it counts as: pure, like the rules that call it."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tokenhouse.domain.earnings.rules import earning_credits, earning_reason, split
from tokenhouse.domain.ledger import chart
from tokenhouse.domain.ledger.types import LegRow
from tokenhouse.domain.metering.types import MeteringPosting, Order, Priced, Scene, Share
from tokenhouse.infra.kernel.money import MAX_NANOS

DEFAULT_POLICY = "flat"


class Earned(NamedTuple):
    """What a use earned: the shares above 0, their sum, why there is none, and whose use it counts as, if anybody's."""

    shares: tuple[Share, ...]
    nanos: int
    reason: str | None
    earners: tuple[int, ...] | None


_NO_MODEL = Earned((), 0, "no_model", None)
_NOBODYS = ("self_use", "no_owner")
"""Reasons that make it no use by somebody else: it counts for nobody."""


def earn(
    scene: Scene,
    order: Order,
    priced: Priced,
    amount: int,
    burned: Iterable[tuple[str, int]] | None,
    new_id: str,
    leg: int,
    posting: MeteringPosting,
) -> Earned:
    """Decide what a use of `amount` credits earns, and post it from `leg` on.

    burned: (source of the grant, credits); None: every credit earns.
    """
    terms = priced.terms
    if terms is None:
        return _NO_MODEL
    party, key, _ = order.command
    formula = scene.formulas.get(terms.policy or DEFAULT_POLICY) if terms.monetized and terms.active else None
    paid = amount if burned is None else earning_credits(burned, formula.policy.earn_on) if formula else 0
    model_id, uses = terms.model_id, scene.uses
    gross = formula.accrue(paid, uses.get(model_id, 0), priced.usage_type) if formula and paid else 0
    shares = split(gross, terms.creator_share_bps, terms.creator_id, terms.owner_ids)
    reason = earning_reason(
        self_use=party.id in terms.names or order.user_label in terms.names.values(),
        has_model=True,
        has_earner=bool(shares),
        monetized=formula is not None,
        earning_credits=paid,
        total_nanos=MAX_NANOS + 1 if (party.id, key) in scene.unearned else gross,
    )
    if reason in _NOBODYS:
        return Earned((), 0, reason, None)
    if model_id in uses:
        uses[model_id] += 1
    at, total = _time(scene, order), 0
    told, earners = [], []
    for earner, nanos in shares:
        earned = nanos if reason is None else 0
        earners.append(earner)
        _add(posting.shares, (model_id, earner), amount, earned, at)
        if earned:
            total += earned
            posting.earners[earner] = posting.earners.get(earner, 0) + earned
            account = terms.accounts[earner]
            posting.legs.append(
                LegRow(new_id, leg, "earning", chart.USD, chart.EARNINGS_COST, account, earned, earner, None)
            )
            leg += 1
            told.append(Share(terms.names[earner], terms.external_id, earned))
    _add(posting.uses, model_id, amount, total, at)
    return Earned(tuple(told), total, reason, tuple(earners))


def _time(scene: Scene, order: Order) -> str:
    """Say when a use was, in UTC for all, for the latest of a batch is found by text."""
    if order.occurred_at is None:
        return scene.at_text
    return datetime.fromisoformat(order.occurred_at).astimezone(UTC).isoformat()


def _add(table: dict[Any, list[Any]], key: object, credit_sum: int, nanos: int, at: str) -> None:
    row = table.get(key)
    if row is None:
        table[key] = [1, credit_sum, nanos, at]
    else:
        row[0] += 1
        row[1] += credit_sum
        row[2] += nanos
        row[3] = max(row[3], at)
