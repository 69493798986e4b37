"""What a use of a model earns, and whose use it counts as: pure, like the rules that call it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tokenhouse.domain.earnings.rules import earning_credits, earning_reason, split
from tokenhouse.domain.ledger import chart
from tokenhouse.domain.ledger.types import LegRow
from tokenhouse.domain.metering.types import MeteringPosting, Order, Priced, Scene, Share, Terms
from tokenhouse.infra.kernel.money import MAX_NANOS

DEFAULT_POLICY = "flat"


class Earned(NamedTuple):
    """What a use earned: the shares above 0, their sum, why there is none, and whose use it counts as, if anybody's."""

    shares: tuple[Share, ...]
    nanos: int
    reason: str | None
    earners: tuple[int, ...] | None


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
        return Earned((), 0, "no_model", None)
    command = order.command
    formula = scene.formulas.get(terms.policy or DEFAULT_POLICY) if terms.monetized and terms.active else None
    paid = amount if burned is None else earning_credits(burned, formula.policy.earn_on) if formula else 0
    gross = formula.accrue(paid, scene.uses.get(terms.model_id, 0), priced.usage_type) if formula and paid else 0
    shares = split(gross, terms.creator_share_bps, terms.creator_id, terms.owner_ids)
    reason = earning_reason(
        self_use=command.party.id in terms.names or order.user_label in terms.names.values(),
        has_model=True,
        has_earner=bool(shares),
        monetized=formula is not None,
        earning_credits=paid,
        total_nanos=MAX_NANOS + 1 if (command.party.id, command.key) in scene.unearned else gross,
    )
    if reason in ("self_use", "no_owner"):
        return Earned((), 0, reason, None)
    if reason is not None:
        shares = [(earner, 0) for earner, _ in shares]
    if terms.model_id in scene.uses:
        scene.uses[terms.model_id] += 1
    _pay(scene, order, terms, amount, shares, new_id, leg, posting)
    return Earned(
        tuple([Share(terms.names[earner], terms.external_id, nanos) for earner, nanos in shares if nanos]),
        sum([nanos for _, nanos in shares]),
        reason,
        tuple([earner for earner, _ in shares]),
    )


def _pay(
    scene: Scene,
    order: Order,
    terms: Terms,
    amount: int,
    shares: Sequence[tuple[int, int]],
    new_id: str,
    leg: int,
    posting: MeteringPosting,
) -> None:
    """Post a use: to the model, and to each of its earners."""
    at = scene.at_text
    if order.occurred_at is not None:  # in UTC like the other, for the latest of a batch is found by text
        at = datetime.fromisoformat(order.occurred_at).astimezone(UTC).isoformat()
    _add(posting.uses, terms.model_id, amount, sum([nanos for _, nanos in shares]), at)
    for earner, nanos in shares:
        _add(posting.shares, (terms.model_id, earner), amount, nanos, at)
        if nanos:
            posting.earners[earner] = posting.earners.get(earner, 0) + nanos
            account = terms.accounts[earner]
            posting.legs.append(
                LegRow(new_id, leg, "earning", chart.USD, chart.EARNINGS_COST, account, nanos, earner, None)
            )
            leg += 1


def _add(table: dict[Any, list[Any]], key: object, credit_sum: int, nanos: int, at: str) -> None:
    row = table.get(key)
    if row is None:
        table[key] = [1, credit_sum, nanos, at]
    else:
        row[0] += 1
        row[1] += credit_sum
        row[2] += nanos
        row[3] = max(row[3], at)
