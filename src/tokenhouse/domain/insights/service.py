"""Insights' verbs on figures: keep the cells up to date, and read them with what is not in them yet."""

from collections.abc import Sequence
from datetime import datetime

from tokenhouse.domain.insights.rules import grains, pieces
from tokenhouse.domain.insights.types import Cube, Found, Mark, Piece, Row
from tokenhouse.infra.database import PLATFORM, Database, Tx, arrays, load_queries

_Q = load_queries(__file__)
_ROLL = _Q.rows("roll", int)
_READ = _Q.rows("read", Found)
_MARK = _Q.rows("mark", Mark)
_FORGET = _Q.nothing("forget")

_ROLL_TTL_SECONDS = 24 * 3600


async def roll(database: Database) -> int:
    """Add to the cells what was recorded since the last time; return how many records there were."""
    return await _roll(database, anew=False)


async def rebuild(database: Database) -> int:
    """Derive every cell again; return from how many records. Figures stay right and readable meanwhile."""
    return await _roll(database, anew=True)


async def _roll(database: Database, *, anew: bool) -> int:
    async with database.transaction(PLATFORM, ttl_seconds=_ROLL_TTL_SECONDS) as tx:
        return await tx.one(_ROLL, anew=anew)


async def mark(tx: Tx) -> Mark:
    """Return how far the records are in the cells. Needs the platform's token."""
    return await tx.one(_MARK)


async def forget(tx: Tx, account_id: int, label: str, opaque: str) -> None:
    """Take an erased person's id out of the cells. Call in the transaction that took it out of the records."""
    await tx.run(_FORGET, account_id=account_id, label=label, opaque=opaque)


def cut_params(cut: Sequence[Piece]) -> dict[str, str]:
    """Give the parameters of pieces that follow each other: where they lie, and their grains."""
    return {
        "bounds": arrays.texts([*(piece.since.isoformat() for piece in cut), cut[-1].until.isoformat()]),
        "grains": arrays.texts(piece.grain for piece in cut),
    }


async def read(
    tx: Tx, cube: Cube, owner_id: int | None, bounds: Sequence[datetime], model_id: int | None = None
) -> list[Row]:
    """Return the figures of a cube between ascending bounds, n of them for n - 1 points; rows that are zero as well.

    owner_id: whose; 0 of the platform's cubes; None, of the cubes of payers, all of them. model_id: of one model
    alone, where the cube is by model. They equal what the records say at the transaction's snapshot: cells and what
    is not in them yet are read by one statement.
    """
    cut = pieces(grains(cube), bounds)
    if not cut:
        return []
    found = await tx.all(
        _READ,
        cube=cube,
        owner_id=owner_id,
        model_id=model_id,
        **cut_params(cut),
        points=arrays.ints(piece.point for piece in cut),
    )
    return [
        Row(
            row.point,
            row.owner_id,
            row.model_id,
            row.asset_id,
            row.operation,
            row.usage_type,
            row.user_label,
            row.uses,
            int(row.credits),
            row.counted,
            int(row.counted_credits),
            int(row.nanos),
            int(row.cost_nanos),
            int(row.allowance),
            int(row.top_up),
        )
        for row in found
    ]
