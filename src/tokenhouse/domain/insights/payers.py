"""What one account spent: by day on its own clocks, and by operation, model, usage type, credit type and user."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tokenhouse.domain.insights.market_view import model_names
from tokenhouse.domain.insights.rules import midnight
from tokenhouse.domain.insights.service import read
from tokenhouse.domain.insights.spending import Purchases, purchases_between
from tokenhouse.domain.insights.types import Row
from tokenhouse.infra.database import Tx


class Spent(NamedTuple):
    """Charges less what was given back, and their credits."""

    uses: int = 0
    credits: int = 0

    def plus(self, row: Row) -> "Spent":
        """Add a row of a cube."""
        return Spent(self.uses + row.uses, self.credits + row.credits)


@dataclass(frozen=True, slots=True)
class AccountSpending:
    """What an account spent in a time, and in one as long before it. Lists: (id, name, spent), the most credits first.

    id None: of charges that named none. users: by the label that a charge gave.
    """

    first: date
    last: date
    total: Spent
    before: Spent
    days: tuple[tuple[date, Spent], ...]
    purchases: Purchases
    by: Mapping[str, list[tuple[str | None, str | None, Spent]]]


async def account_spending(
    tx: Tx, account_id: int, first: date, last: date, zone: ZoneInfo, codes: Mapping[int, str], most: int
) -> AccountSpending:
    """Return what an account spent from `first` to `last`, days of its own zone, both included.

    codes: credit types by asset. most: how long each list may be.
    """
    count = (last - first).days + 1
    begin = midnight(first - timedelta(days=count), zone)
    bounds = [midnight(first + timedelta(days=n), zone) for n in range(count + 1)]
    sums: dict[int, Spent] = {}
    types: dict[str | None, Spent] = {}
    for row in await read(tx, "payer", account_id, [begin, *bounds]):
        sums[row.point] = sums.get(row.point, Spent()).plus(row)
        if row.point:
            code = codes.get(row.asset_id)
            types[code] = types.get(code, Spent()).plus(row)
    mix = await read(tx, "payer_mix", account_id, [bounds[0], bounds[-1]])
    models: dict[str | None, Spent] = {}
    titles: dict[str | None, str] = {}
    named = await model_names(tx, (row.model_id for row in mix if row.model_id))
    for row in mix:
        model = named.get(row.model_id)
        key = model.model_id if model else None
        models[key] = models.get(key, Spent()).plus(row)
        if model:
            titles[key] = model.name
    days = tuple((first + timedelta(days=n), sums.get(n + 1, Spent())) for n in range(count))
    return AccountSpending(
        first,
        last,
        Spent(sum(one.uses for _, one in days), sum(one.credits for _, one in days)),
        sums.get(0, Spent()),
        days,
        await purchases_between(tx, account_id, bounds[0], bounds[-1]),
        {
            "credit_type": _listed(types, {}, most),
            "operation": _listed(_summed((row.operation, row) for row in mix), {}, most),
            "model": _listed(models, titles, most),
            "usage_type": _listed(_summed((row.usage_type, row) for row in mix), {}, most),
            "user": _listed(_summed((row.user_label, row) for row in mix), {}, most),
        },
    )


def _summed(rows: Iterable[tuple[str, Row]]) -> dict[str | None, Spent]:
    found: dict[str | None, Spent] = {}
    for key, row in rows:
        found[key or None] = found.get(key or None, Spent()).plus(row)
    return found


def _listed(
    found: Mapping[str | None, Spent], titles: Mapping[str | None, str], most: int
) -> list[tuple[str | None, str | None, Spent]]:
    """Put the most credits first; what came to nothing is left out."""
    rows = [(key, titles.get(key), spent) for key, spent in found.items() if spent != Spent()]
    return sorted(rows, key=lambda one: (-one[2].credits, -one[2].uses, one[0] or ""))[:most]
