"""The chain: blocks over the acts and the ledger's records, each holding the digest of the block before.

Whoever alters a record has to write every later block anew, and then the head no longer is what was exported.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from tokenhouse.domain.ledger.rules import block_digest, broken_block, contents_digest
from tokenhouse.domain.ledger.types import Block, ChainProof, Fault, Head, Late, Moment, Sealed
from tokenhouse.infra.database import PLATFORM, Database, Query, Tx, arrays, load_queries, sqlstate

_Q = load_queries(__file__, "chain.sql")
_MOMENT = _Q.rows("moment", Moment)
_LAST_BLOCK = _Q.rows("last_block", Block)
_BLOCKS = _Q.rows("blocks", Block)
_LATE = _Q.rows("late", Late)
_AUDITS = _Q.rows("audits", Sealed)
_ENTRIES = _Q.rows("entries", Sealed)
_TRANSFERS = _Q.rows("transfers", Sealed)
_WAITING = _Q.rows("waiting", int)
_CLOSE_BLOCK = _Q.nothing("close_block")

MARGIN_SECONDS = 75
"""How old a record is before a block takes it.

A writer takes the time and commits some milliseconds later, so hardly anything comes late. More than the time between
two blocks: a clock that was set back is then noticed, or did no harm.
"""

_LOOK_BACK = timedelta(minutes=10)  # how long a writer may keep what it wrote to itself: ten times what a token lives
_TTL_SECONDS = 3600
_QUICKER = frozenset({"23505", "TH409"})
_EVER = "-infinity"


class _Span(NamedTuple):
    """Of which time rows are read: late ones from `since` on, the others from `after` on; `untils` part the places."""

    since: str
    after: str
    until: str
    untils: Sequence[datetime]


async def close_block(database: Database, *, margin_seconds: int = MARGIN_SECONDS) -> int:
    """Close a block over what was recorded since the last one; return how many rows it covers, 0 without any.

    Each row is in exactly one block, however late it was committed: what was open when the last block was closed is
    looked for again. Where another process closes one at the same time, one of the two does nothing.
    """
    try:
        async with database.transaction(PLATFORM, isolation="repeatable read", ttl_seconds=_TTL_SECONDS) as tx:
            return await _close(tx, margin_seconds)
    except Exception as error:
        if sqlstate(error) not in _QUICKER:
            raise
        return 0


async def verify_chain(database: Database, progress: Callable[[str], None] | None = None) -> ChainProof:
    """Derive every block again, on one snapshot, and name the first that does not fit. May run beside the service."""
    async with database.read(PLATFORM, ttl_seconds=_TTL_SECONDS) as tx:
        tell = progress or (lambda _: None)
        tell("links")
        blocks = await tx.all(_BLOCKS)
        fault = broken_block(blocks)
        sound = blocks if fault is None else blocks[: fault.number - 1]
        coming = Late([], [])
        if sound:
            # What came late to the last of them, a block behind it covers, or one that is yet to be closed.
            coming = await _late(tx, sound[-1], await tx.one(_MOMENT, margin=0))
            fault = await _contents_fault(tx, sound, coming, tell) or fault
        after = blocks[-1].until.isoformat() if blocks else _EVER
        waiting = await tx.one(_WAITING, after=after)
        if len(sound) == len(blocks):
            waiting += len(coming.audits) + len(coming.entries)
    return ChainProof(len(blocks), _head(blocks[-1]) if blocks else None, fault, waiting)


async def chain_head(tx: Tx) -> Head | None:
    """Return what to keep elsewhere: the last block's number and digest. None without a block."""
    last = await tx.first(_LAST_BLOCK)
    return None if last is None else _head(last)


async def check_head(database: Database, head: Head) -> Fault | None:
    """Compare the chain with a head that was kept elsewhere: None where that block stands as it stood, and all do.

    It looks at the blocks, not at the records that they cover: that is `verify_chain`'s.
    """
    async with database.read(PLATFORM, ttl_seconds=_TTL_SECONDS) as tx:
        blocks = await tx.all(_BLOCKS)
    found = next((block for block in blocks if block.number == head.number), None)
    if found is None:
        return Fault(head.number, "missing", "this block is no longer there")
    if found.digest.hex() != head.digest:
        return Fault(head.number, "head", f"its digest is {found.digest.hex()}, and was {head.digest}")
    return broken_block(blocks)


def _head(block: Block) -> Head:
    return Head(block.number, block.digest.hex(), block.made_at)


async def _close(tx: Tx, margin_seconds: int) -> int:
    moment = await tx.one(_MOMENT, margin=margin_seconds)
    last = await tx.first(_LAST_BLOCK)
    until = moment.horizon if last is None else max(last.until, moment.horizon)
    late = await _late(tx, last, moment)
    after = _EVER if last is None else last.until.isoformat()
    # Late ones are older than the last block's end, by as much as they were looked for.
    since = _EVER if last is None else _window(last, moment).isoformat()
    span = _Span(since, after, until.isoformat(), [until])
    audits = await _sealed(tx, _AUDITS, [(late.audits, 1)], span)
    entries = await _sealed(tx, _ENTRIES, [(late.entries, 1)], span)
    transfers = await _sealed(tx, _TRANSFERS, [(late.entries, 1)], span)
    found = [one.get(1) for one in (audits, entries, transfers)]
    acts = found[0]
    counts = [one.count if one else 0 for one in found]
    if not any(counts):
        return 0
    block = Block(
        number=last.number + 1 if last else 1,
        made_at=moment.at,
        until=until,
        seen=moment.seen,
        cluster=moment.cluster,
        late_audits=late.audits,
        late_entries=late.entries,
        first_audit=acts.first if acts else None,
        last_audit=acts.last if acts else None,
        audits=counts[0],
        entries=counts[1],
        transfers=counts[2],
        contents=contents_digest(found),
        previous=last.digest if last else b"",
        digest=b"",
    )
    await tx.run(_CLOSE_BLOCK, **_params(block))
    return sum(counts)


def _window(last: Block, moment: Moment) -> datetime:
    """Say from when on rows may have come late. Where the clock was set back, they may be older than usual."""
    return min(last.until, moment.horizon) - _LOOK_BACK


async def _late(tx: Tx, last: Block | None, moment: Moment) -> Late:
    """Find what was recorded before the last block's end, and committed only after it was closed.

    The rows of a cluster that was restored elsewhere have other transactions, of which the snapshot says nothing; a
    dump has none that were open.
    """
    if last is None or last.cluster != moment.cluster:
        return Late([], [])
    behind = moment.horizon < last.until or last.made_at < last.until
    if not behind and last.seen.endswith(":"):
        return Late([], [])  # nothing was open
    return await tx.one(
        _LATE,
        seen=last.seen,
        since=_window(last, moment).isoformat(),
        before=last.until.isoformat(),
        all_later=behind,
    )


async def _contents_fault(tx: Tx, blocks: Sequence[Block], coming: Late, tell: Callable[[str], None]) -> Fault | None:
    """Derive the contents of blocks that hang together, and name the first whose contents differ.

    coming: rows of their time that belong to a block behind them.
    """
    behind = len(blocks) + 1
    span = _Span(_EVER, _EVER, blocks[-1].until.isoformat(), [block.until for block in blocks])
    tell("acts")
    late_audits = [(block.late_audits, block.number) for block in blocks]
    audits = await _sealed(tx, _AUDITS, [*late_audits, (coming.audits, behind)], span)
    late = [*((block.late_entries, block.number) for block in blocks), (coming.entries, behind)]
    tell("entries")
    entries = await _sealed(tx, _ENTRIES, late, span)
    tell("transfers")
    transfers = await _sealed(tx, _TRANSFERS, late, span)
    for block in blocks:
        found = (audits.get(block.number), entries.get(block.number), transfers.get(block.number))
        said = (block.audits, block.entries, block.transfers)
        for name, one, count in zip(("acts", "entries", "transfers"), found, said, strict=True):
            there = 0 if one is None else one.count
            if there != count:
                return Fault(block.number, "rows", f"it covers {count:,} {name}, and there are {there:,}")
        if contents_digest(found) != block.contents:
            return Fault(block.number, "contents", "a row that it covers is not what it was")
    return None


async def _sealed(
    tx: Tx, query: Query[Sealed], late: Iterable[tuple[Iterable[int] | Iterable[UUID], int]], span: _Span
) -> Mapping[int, Sealed]:
    """Count and digest rows by the place that they belong to; late: ids, and the place of each."""
    pairs = [(str(one), place) for ids, place in late for one in ids]
    rows = await tx.all(
        query,
        since=span.since,
        after=span.after,
        until=span.until,
        untils=arrays.texts(at.isoformat() for at in span.untils),
        late=arrays.ints(one for one, _ in pairs),
        places=arrays.ints(place for _, place in pairs),
    )
    return {row.place: row for row in rows}


def _params(block: Block) -> dict[str, object]:
    return {
        "number": block.number,
        "made_at": block.made_at.astimezone(UTC).isoformat(),
        "until": block.until.astimezone(UTC).isoformat(),
        "seen": block.seen,
        "cluster": block.cluster,
        "late_audits": arrays.ints(block.late_audits),
        "late_entries": arrays.ints(str(one) for one in block.late_entries),
        "first_audit": block.first_audit,
        "last_audit": block.last_audit,
        "audits": block.audits,
        "entries": block.entries,
        "transfers": block.transfers,
        "contents": block.contents,
        "previous": block.previous,
        "digest": block_digest(block),
    }
