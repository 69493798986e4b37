"""Secrets sealed for the database: AES-256-GCM under a key that never goes there, bound to the row they stand in.

A sealed value: the byte 1, the length of the key's id, the id, 12 random bytes, the ciphertext with its tag. What names
the row (table, column, id) is authenticated with it, so that a value copied into another row does not open.
"""

import re
import secrets
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32

_VERSION = 1
_NONCE_BYTES = 12
_TAG_BYTES = 16
_KEY_ID = re.compile(r"[A-Za-z0-9_.-]{1,32}", re.ASCII)


class Unsealable(Exception):
    """A value that does not open: altered, of another row, cut, or sealed by a key that is not given."""


@dataclass(frozen=True, slots=True)
class SealKey:
    """A key of 32 bytes and its id, which stands in what it seals."""

    id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value stands: `schema.table`, column, and the row's own id."""

    table: str
    column: str
    id: str


def parse_keys(text: str) -> tuple[SealKey, ...]:
    """Read `id:base64` pairs, comma-separated. ValueError says what is wrong, and no key's bytes."""
    keys: list[SealKey] = []
    for number, part in enumerate(text.split(","), 1):
        name, colon, written = part.strip().partition(":")
        if not colon or not _KEY_ID.fullmatch(name):
            raise ValueError(f"key {number} is not `id:base64`, the id of 1 to 32 letters, digits, - _ .")
        try:
            secret = b64decode(written, validate=True)
        except NotBase64:
            raise ValueError(f"key {name} is not base64; make one with: openssl rand -base64 32") from None
        if len(secret) != KEY_BYTES:
            raise ValueError(f"key {name} has {len(secret)} bytes and needs {KEY_BYTES}: openssl rand -base64 32")
        if name in {key.id for key in keys}:
            raise ValueError(f"key {name} stands twice")
        keys.append(SealKey(name, secret))
    return tuple(keys)


def new_key(name: str) -> str:
    """Write a new random key as `id:base64`."""
    return f"{name}:{b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"


class Sealer:
    """Seals with the first of its keys, opens what any of them sealed."""

    def __init__(self, keys: Sequence[SealKey]) -> None:
        if not keys:
            raise ValueError("a sealer needs a key")
        self._first = keys[0].id
        self._ciphers = {key.id: AESGCM(key.secret) for key in keys}

    def seal(self, plain: bytes, place: Place) -> bytes:
        """Seal a value for its place."""
        head = bytes((_VERSION, len(self._first))) + self._first.encode()
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return head + nonce + self._ciphers[self._first].encrypt(nonce, plain, _bound(head, place))

    def open(self, sealed: bytes, place: Place) -> bytes:
        """Open a value that was sealed for this place. Unsealable tells no more than why in general."""
        head, name, rest = _split(sealed)
        cipher = self._ciphers.get(name)
        if cipher is None:
            raise Unsealable(f"It was sealed by the key {name!r}, which TOKENHOUSE_SEAL_KEYS does not have.")
        try:
            return cipher.decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], _bound(head, place))
        except InvalidTag:
            raise Unsealable("It was altered, or sealed for another row.") from None

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key sealed it."""
        return _split(sealed)[1] == self._first


def _split(sealed: bytes) -> tuple[bytes, str, bytes]:
    """Take a sealed value apart: its head, the key's id, the rest."""
    length = 2 + sealed[1] if len(sealed) > 2 and sealed[0] == _VERSION else 0
    head, rest = sealed[:length], sealed[length:]
    if not head or len(rest) < _NONCE_BYTES + _TAG_BYTES:
        raise Unsealable("It is no sealed value.")
    return head, head[2:].decode("ascii", "replace"), rest


def _bound(head: bytes, place: Place) -> bytes:
    """Write what is authenticated beside the secret; each part with its length, so that no two places look alike."""
    parts = [head, *(one.encode() for one in (place.table, place.column, place.id))]
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)
