"""What a use of a model earns, and whose use it counts as: pure, like the rules that call it."""

from collections.abc import Iterable
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
    standing = scene.standing.setdefault(terms.model_id, [terms.uses, terms.nanos])
    formula = scene.formulas.get(terms.policy or DEFAULT_POLICY) if terms.monetized and terms.active else None
    paid = amount if burned is None else earning_credits(burned, formula.policy.earn_on) if formula else 0
    gross = formula.accrue(paid, standing[0], priced.usage_type) if formula and paid else 0
    shares = split(gross, terms.creator_share_bps, terms.creator_id, terms.owner_ids)
    total = sum(nanos for _, nanos in shares)
    owed = scene.owed
    for earner, _ in shares:
        owed.setdefault(earner, terms.accounts[earner][1])
    fits = standing[1] + total <= MAX_NANOS and all(owed[earner] + nanos <= MAX_NANOS for earner, nanos in shares)
    reason = earning_reason(
        self_use=order.command.party.id in terms.names or order.user_label in terms.names.values(),
        has_model=True,
        has_earner=bool(shares),
        monetized=formula is not None,
        earning_credits=paid,
        total_nanos=gross if fits else MAX_NANOS + 1,
    )
    if reason in ("self_use", "no_owner"):
        return Earned((), 0, reason, None)
    if reason is not None:
        total, shares = 0, [(earner, 0) for earner, _ in shares]
    standing[0] += 1
    standing[1] += total
    _pay(scene, order, terms, amount, total, shares, new_id, leg, posting)
    paid_shares = tuple(Share(terms.names[earner], terms.external_id, nanos) for earner, nanos in shares if nanos)
    return Earned(paid_shares, total, reason, tuple(earner for earner, _ in shares))


def _pay(
    scene: Scene,
    order: Order,
    terms: Terms,
    amount: int,
    total: int,
    shares: Iterable[tuple[int, int]],
    new_id: str,
    leg: int,
    posting: MeteringPosting,
) -> None:
    """Post a use: to the model, and to each of its earners."""
    at = order.occurred_at or scene.at_text
    _add(posting.uses, terms.model_id, amount, total, at)
    for earner, nanos in shares:
        _add(posting.shares, (terms.model_id, earner), amount, nanos, at)
        if nanos:
            scene.owed[earner] += nanos
            posting.earners[earner] = posting.earners.get(earner, 0) + nanos
            account = terms.accounts[earner][0]
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
