"""Idempotency, decided: the same key and request give the first answer again. And what a block of the chain is."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from tokenhouse.domain.ledger.types import Block, Fault, Sealed
from tokenhouse.infra.kernel.errors import IdempotencyMismatch


def refuse_other(first: str, now: str) -> None:
    """Compare the fingerprints of the first request under a key and of this one; IdempotencyMismatch if they differ."""
    if first != now:
        raise IdempotencyMismatch(
            "This Idempotency-Key was used before for another request. Send the first request again to get its "
            "answer, or use a new key for a new one."
        )


def contents_digest(found: Iterable[Sealed | None]) -> bytes:
    """Give the digest of the rows that a block covers: of each sort how many, and their digest."""
    parts: list[object] = []
    for one in found:
        parts += (0, None, None, None) if one is None else (one.count, one.digest, one.first, one.last)
    return _digest("contents", parts)


def block_digest(block: Block) -> bytes:
    """Give the digest of a block: of all that stands in it, the digest of the block before among it."""
    return _digest(
        "block",
        [
            block.number, block.made_at, block.until, block.seen, block.cluster, ",".join(map(str, block.late_audits)),
            ",".join(map(str, block.late_entries)), block.first_audit, block.last_audit, block.audits, block.entries,
            block.transfers, block.contents, block.previous,
        ],
    )  # fmt: skip


def broken_block(blocks: Sequence[Block]) -> Fault | None:
    """Name the first block that does not fit the one before, or is not what its digest says. None: all fit."""
    before: Block | None = None
    for number, block in enumerate(blocks, 1):
        if block.number != number:
            return Fault(number, "missing", f"after block {number - 1} comes block {block.number}")
        if block.digest != block_digest(block):
            return Fault(number, "digest", "the block is not what it was")
        if block.previous != (before.digest if before else b""):
            return Fault(number, "link", "it does not hang on the block before it")
        if before is not None and block.until < before.until:
            return Fault(number, "link", "it ends before the block before it")
        before = block
    return None


def _digest(what: str, parts: Sequence[object]) -> bytes:
    """Give the SHA-256 over parts, each behind its length, so that no two lists of parts read the same."""
    made = hashlib.sha256(f"tokenhouse {what} 1".encode())
    for part in parts:
        if isinstance(part, bytes):
            text = part
        elif isinstance(part, datetime):
            text = part.astimezone(UTC).isoformat(timespec="microseconds").encode()
        else:
            text = b"" if part is None else str(part).encode()
        made.update(len(text).to_bytes(8, "big") + text)
    return made.digest()
