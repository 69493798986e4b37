"""Who calls: the key of a request becomes the authority that it acts with."""

import asyncio
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from contextlib import suppress
from uuid import UUID

from tokenhouse.domain import access
from tokenhouse.domain.access.rules import authority_of, looks_like_a_secret
from tokenhouse.domain.access.types import Authority, KeyFound
from tokenhouse.infra.database import PLATFORM, Database
from tokenhouse.infra.database.gather import Gather
from tokenhouse.infra.kernel.errors import TokenhouseError, Unauthorized

_SCHEME = b"bearer "
_MOST_KEY_BYTES = 512
_NOTE_SECONDS = 20.0

PLATFORM_AUTHORITY = Authority(None)


class Keys:
    """Finds keys: the platform's own of the settings by its digest, all others in the database at every request.

    Nothing is kept of what was found, so a key that is revoked ends at once; requests that come at the same time
    share a query.
    """

    def __init__(self, database: Database, admin_key: str | None) -> None:
        self._database = database
        # A digest that no key has, where there is no admin key.
        self._admin = hashlib.sha256(admin_key.encode()).digest() if admin_key else b"\0" * 32
        self._found: Gather[bytes, KeyFound] = Gather(self._load)
        self._used: set[UUID] = set()
        self._noting: asyncio.Task[None] | None = None

    def admin(self, header: bytes) -> Authority | None:
        """Recognise the platform's own key in an Authorization header, without asking the database."""
        if header[:7].lower() != _SCHEME or len(header) > _MOST_KEY_BYTES:
            return None
        if hmac.compare_digest(hashlib.sha256(header[7:]).digest(), self._admin):
            return PLATFORM_AUTHORITY
        return None

    async def authority(self, header: bytes) -> Authority:
        """Say on whose behalf any other Authorization header acts. Unauthorized: on nobody's."""
        if header[:7].lower() != _SCHEME or len(header) > _MOST_KEY_BYTES or not header.isascii():
            raise Unauthorized
        if not looks_like_a_secret(header[7:].decode()):
            raise Unauthorized
        found = await self._found.get(hashlib.sha256(header[7:]).digest())
        if found is None:
            raise Unauthorized
        if found.stale:
            self._used.add(found.id)
            if self._noting is None or self._noting.done():
                self._noting = asyncio.create_task(self._note())
        return authority_of(found)

    async def close(self) -> None:
        """Note the last uses."""
        if self._noting is not None:
            self._noting.cancel()
        with suppress(TokenhouseError):
            await self._note_now()

    async def _load(self, digests: Sequence[bytes]) -> Mapping[bytes, KeyFound]:
        async with self._database.read(PLATFORM) as tx:
            return await access.find_keys(tx, digests)

    async def _note(self) -> None:
        """Write down which keys were used, those of some seconds in one go."""
        await asyncio.sleep(_NOTE_SECONDS)
        with suppress(TokenhouseError):
            await self._note_now()

    async def _note_now(self) -> None:
        used, self._used = self._used, set()
        if used:
            async with self._database.transaction(PLATFORM) as tx:
                await access.touch_keys(tx, used)
