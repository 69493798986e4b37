"""Hashing passwords: slow on purpose, so it runs in threads, a few at a time, and never on the event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tokenhouse.domain.access.signing import PASSWORD_MAX, as_typed
from tokenhouse.infra.kernel.errors import Unavailable

if TYPE_CHECKING:
    from argon2 import PasswordHasher

_AT_ONCE = 2
"""Each takes 64 MiB and some 50 ms of a core."""

_MOST_WAITING = 100
"""More than that are told to come again: whoever floods the form would else make everybody wait without end."""


class Passwords:
    """Hashes and checks passwords with argon2id. One for a whole process. Unavailable: too many wait for it already.

    hasher: with other parameters than the library's, which are those of RFC 9106 for little memory.
    """

    def __init__(self, hasher: "PasswordHasher | None" = None) -> None:
        from argon2 import PasswordHasher  # noqa: PLC0415 - commands that hash nothing need not load it

        self._hasher = hasher or PasswordHasher()
        self._free = asyncio.Semaphore(_AT_ONCE)
        self._waiting = 0
        one = self._hasher
        # What a password is checked against where there is none: it takes as long, and nothing fits.
        self._nobodys = (
            f"$argon2id$v=19$m={one.memory_cost},t={one.time_cost},p={one.parallelism}"
            f"${'A' * 22}${'A' * ((one.hash_len * 8 + 5) // 6)}"
        )

    async def hash(self, password: str) -> str:
        """Hash a password that `signing.check_password` gave."""
        async with self._turn():
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, hashed: str | None, password: str) -> bool:
        """Whether a password, as it was typed, is the one. It takes the same time where hashed is None."""
        typed = as_typed(password)
        async with self._turn():
            # One that is too long cannot be right, but is given the same time.
            right = await asyncio.to_thread(self._verify, hashed or self._nobodys, typed[:PASSWORD_MAX])
        return right and hashed is not None and len(typed) <= PASSWORD_MAX

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for one of the few places. Unavailable: too many wait already."""
        if self._waiting >= _MOST_WAITING:
            raise Unavailable("Too many people sign in at this moment. Come again in a few seconds.")
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()

    def is_old(self, hashed: str) -> bool:
        """Whether a hash was made with other parameters than the present ones."""
        return self._hasher.check_needs_rehash(hashed)

    def _verify(self, hashed: str, password: str) -> bool:
        from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415 - as above

        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False
