"""Idempotency, decided: the same key and request give the first answer again, another request is refused."""

from tokenhouse.infra.kernel.errors import IdempotencyMismatch


def refuse_other(first: str, now: str) -> None:
    """Compare the fingerprints of the first request under a key and of this one; IdempotencyMismatch if they differ."""
    if first != now:
        raise IdempotencyMismatch(
            "This Idempotency-Key was used before for another request. Send the first request again to get its "
            "answer, or use a new key for a new one."
        )
