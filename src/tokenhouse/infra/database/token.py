"""The signed tenant token: who a transaction acts for.

Row-level security reads it from the setting ``tokenhouse.token``. A plain setting would let any SQL that
runs as the app role name another tenant; the signature's key cannot be read by that role.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from dataclasses import dataclass

KEY_BYTES = 32
_BLOCK_BYTES = 64


@dataclass(frozen=True, slots=True)
class Actor:
    """The internal account ids that a transaction may see; ``(0,)`` is the whole platform.

    A ``teller`` may also post for these accounts: only the verbs that move value act as one, so that SQL run
    under any other token can change no balance. Raises ValueError for no account, a negative id, or 0
    beside others.
    """

    accounts: tuple[int, ...]
    teller: bool = False

    def __post_init__(self) -> None:
        ids = self.accounts
        if not ids or min(ids) < 0 or (0 in ids and len(ids) > 1):
            raise ValueError("An actor names one or more positive account ids, or only 0 for the platform.")


PLATFORM = Actor((0,))
_TELLER = -1  # no account's id: the capability to post


class Signer:
    """Makes tokens ``<expiry>.<ids>.<hex hmac-sha256 of "expiry.ids">`` that ``access.scope()`` accepts."""

    __slots__ = ("_mac",)

    def __init__(self, key: bytes) -> None:
        """Take the 32 byte key that boot keeps in ``access.secret``."""
        if len(key) != KEY_BYTES:
            raise ValueError(f"The token key has {len(key)} bytes; it must have {KEY_BYTES}.")
        self._mac = hmac.new(key, digestmod=hashlib.sha256)

    def derived(self, purpose: str) -> bytes:
        """Return a key for another purpose, the same in every process on this database. No token has such a body."""
        mac = self._mac.copy()
        mac.update(f"key for {purpose}".encode())
        return mac.digest()

    def sign(self, actor: Actor, ttl_seconds: int = 60, skew_seconds: float = 0.0) -> str:
        """Return a token for ``actor``, valid for ``ttl_seconds``.

        ``skew_seconds`` is the database's clock minus ours: the database's clock judges the expiry.
        """
        expiry = int(time.time() + skew_seconds) + ttl_seconds
        ids = ",".join(map(str, actor.accounts))
        body = f"{expiry}.{f'{_TELLER},{ids}' if actor.teller else ids}"
        mac = self._mac.copy()  # the key's two blocks are hashed once, not once a transaction
        mac.update(body.encode())
        return f"{body}.{mac.hexdigest()}"


def pads(key: bytes) -> tuple[bytes, bytes]:
    """Return the inner and outer HMAC pads of ``key``, so that SQL needs only ``sha256()``."""
    block = key.ljust(_BLOCK_BYTES, b"\0")
    return bytes(b ^ 0x36 for b in block), bytes(b ^ 0x5C for b in block)
