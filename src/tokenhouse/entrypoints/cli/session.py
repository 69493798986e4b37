"""A command's use of the database: joined or started, and left as it was found."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tokenhouse.domain.access.types import Account
    from tokenhouse.infra.database import Database
    from tokenhouse.infra.database.boot import Booted
    from tokenhouse.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """What a command works with: the settings, the database made ready, a pool of th_worker."""

    settings: "Settings"
    booted: "Booted"
    database: "Database"


def run(work: "Coroutine[Any, Any, T]") -> T:
    """Run a command's coroutine on an event loop of its own."""
    import uvloop

    return uvloop.run(work)


@asynccontextmanager
async def opened(settings: "Settings | None" = None, *, connections: int = 4) -> AsyncIterator[Session]:
    """Join the database (or start the embedded one), migrate it if need be, and leave it at the end.

    Whoever leaves last stops the embedded server.
    """
    from tokenhouse.entrypoints.cli.startup import prepare
    from tokenhouse.infra.database import Database
    from tokenhouse.settings import load_settings

    settings = settings or load_settings()
    booted = await asyncio.to_thread(prepare, settings)
    try:
        name = "tokenhouse command"
        async with Database(
            booted.worker_conninfo, booted.signer, max_size=connections, wait_seconds=30, name=name
        ) as database:
            yield Session(settings, booted, database)
    finally:
        if booted.server is not None:
            await asyncio.to_thread(booted.server.release)


async def account_of(session: Session, external_id: str) -> "Account":
    """Find the account that a command names. NotFound where there is none."""
    from tokenhouse.domain import access
    from tokenhouse.infra.database import PLATFORM
    from tokenhouse.infra.kernel.errors import NotFound

    async with session.database.read(PLATFORM) as tx:
        account = await access.find_account(tx, external_id)
    if account is None:
        raise NotFound(f"There is no account {external_id!r}. Make it with: tokenhouse accounts create {external_id}")
    return account
