"""Figures worked out from the raw records in plain Python: what the rollups are held to."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from tokenhouse.domain.insights.types import Row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from tokenhouse.infra.database import Tx


class Part(NamedTuple):
    """A use, or a reversal of it with its amounts below zero. earned: earner → nano-dollars."""

    use: Any
    at: datetime
    uses: int
    credits: int
    counted: int
    counted_credits: int
    cost: int
    earned: dict[int, int]
    sources: dict[str, int]


class Use(NamedTuple):
    """A row of metering.usage, as far as figures go."""

    bucket: int
    id: Any
    account_id: int
    asset_id: int
    kind: str
    counted: bool
    usage_type: str
    amount: int
    credits: int
    operation: str | None
    model_id: int | None
    earners: list[int] | None
    user_label: str | None
    cost_nanos: int | None
    occurred_at: datetime


async def parts(tx: Tx) -> list[Part]:
    """All that this snapshot sees."""

    async def rows(query: str) -> list[tuple[Any, ...]]:
        return await (await tx.connection.execute(query)).fetchall()

    earned: dict[Any, dict[int, int]] = defaultdict(dict)
    sources: dict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for entry, asset, credit, amount, owner, source in await rows(
        "select t.entry_id, t.asset_id, t.credit_id, t.amount, t.owner_id, l.source from ledger.transfer t "
        "left join wallets.lot l on l.bucket = t.bucket and l.account_id = t.owner_id and l.id = t.lot_id"
    ):
        if asset == 0:
            earned[entry][owner] = amount if credit > 0 else -amount
        elif source:
            sources[entry][source] += -amount if credit > 0 else amount
    uses = {row[1]: Use(*row) for row in await rows(f"select {', '.join(Use._fields)} from metering.usage")}
    found = [
        Part(
            use, use.occurred_at, int(use.kind != "report"), use.amount, int(use.counted),
            use.credits if use.counted else 0, use.cost_nanos or 0, earned[use.id], sources[use.id],
        )
        for use in uses.values()
    ]  # fmt: skip
    for entry, usage, amount, whole in await rows("select id, usage_id, amount, whole from metering.reversal"):
        use = uses[usage]
        found.append(
            Part(
                use, use.occurred_at, -int(whole), -amount, -int(whole and use.counted), -amount if use.counted else 0,
                0, earned[entry], sources[entry],
            )
        )  # fmt: skip
    return found


def _sum(
    found: list[Part], bounds: list[datetime], keys: Callable[[Part], Iterator[tuple[Any, ...]]], figures: Callable
) -> list[Row]:
    sums: dict[tuple[Any, ...], list[int]] = {}
    for part in found:
        point = bisect_right(bounds, part.at) - 1
        if not 0 <= point < len(bounds) - 1:
            continue
        for key in keys(part):
            row = sums.setdefault((point, *key), [0] * 8)
            for index, figure in enumerate(figures(part, key)):
                row[index] += figure
    return [Row(*key, *row) for key, row in sorted(sums.items())]


def _charged(part: Part, _key: object) -> tuple[int, ...]:
    return (
        part.uses, part.credits, part.counted, part.counted_credits, sum(part.earned.values()), part.cost,
        part.sources.get("allowance", 0), part.sources.get("top_up", 0),
    )  # fmt: skip


async def of_payer(tx: Tx, cube: str, owner: int, bounds: list[datetime]) -> list[Row]:
    """Give the rows of the cubes `payer` and `payer_mix`."""

    def keys(part: Part) -> Iterator[tuple[Any, ...]]:
        use = part.use
        if use.account_id == owner:
            mix = (use.operation or "", use.usage_type, use.user_label or "")
            yield (owner, use.model_id or 0, use.asset_id, *mix) if cube == "payer_mix" else (
                owner, 0, use.asset_id, "", "", "",
            )  # fmt: skip

    return _sum(await parts(tx), bounds, keys, _charged)


async def of_platform(tx: Tx, cube: str, bounds: list[datetime]) -> list[Row]:
    """Give the rows of the platform's cubes."""

    def keys(part: Part) -> Iterator[tuple[Any, ...]]:
        use = part.use
        model = (use.model_id or 0) if cube == "platform_model" else 0
        work = (use.operation or "", use.usage_type) if cube == "platform_work" else ("", "")
        yield 0, model, use.asset_id, *work, ""

    return _sum(await parts(tx), bounds, keys, _charged)


async def of_earner(tx: Tx, cube: str, owner: int, bounds: list[datetime]) -> list[Row]:
    """Give the rows of the cubes `earner` and `earner_model`."""

    def keys(part: Part) -> Iterator[tuple[Any, ...]]:
        if part.use.counted and owner in part.use.earners:
            yield owner, part.use.model_id if cube == "earner_model" else 0, 0, "", "", ""

    def earned(part: Part, _key: object) -> tuple[int, ...]:
        figures = (part.counted, part.counted_credits)
        return (*figures, *figures, part.earned.get(owner, 0), 0, 0, 0)

    return _sum(await parts(tx), bounds, keys, earned)
