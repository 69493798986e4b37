"""The tasks, and how often each runs.

Each does everything that is due, however long nobody did, and can be killed anywhere: what it did stays, the rest
is done next time. A new task is a function here and a line in TASKS.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from tokenhouse.domain import access, ledger, metering, wallets
from tokenhouse.domain import catalog as catalogs
from tokenhouse.infra.database import PLATFORM, Actor, Database

log = structlog.get_logger("tokenhouse.jobs")

_AT_ONCE = 500
_TELLER = Actor((0,), teller=True)


@dataclass(frozen=True, slots=True)
class Context:
    """What tasks work with. ended: whether the process is to stop; a task then leaves the rest for next time."""

    database: Database
    ended: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Task:
    """A task; `work` returns how much it did."""

    name: str
    every_seconds: float
    work: Callable[[Context], Awaitable[int]]


async def expire_holds(context: Context) -> int:
    """Give back what holds set aside whose time is over."""
    done = 0
    for bucket in await _buckets(context):
        while not context.ended():
            async with context.database.transaction(_TELLER) as tx:
                expired = await ledger.expire_holds(tx, bucket, most=_AT_ONCE)
            done += expired
            if expired < _AT_ONCE:
                break
    return done


async def settle_accounts(context: Context) -> int:
    """Renew allowances and let grants lapse, of every account whose time has come; one that fails harms no other."""
    done = 0
    for bucket in await _buckets(context):
        after = 0
        while not context.ended():
            async with context.database.read(PLATFORM) as tx:
                due = await wallets.due_accounts(tx, bucket, after=after, most=_AT_ONCE)
                catalog = await catalogs.load(tx) if due else None
            if catalog is None:
                break
            for party in due:
                if context.ended():
                    break
                try:
                    await metering.settle_account(context.database, catalog, party)
                    done += 1
                except Exception:
                    log.exception("an account cannot be settled", account=party.id)
            after = due[-1].id
    return done


async def close_block(context: Context) -> int:
    """Close a block of the chain over what was recorded since the last one."""
    return await ledger.close_block(context.database)


async def _buckets(context: Context) -> range:
    async with context.database.read(PLATFORM) as tx:
        return range((await access.deployment(tx)).buckets)


TASKS = (
    Task("expire holds", 5, expire_holds),
    Task("settle accounts", 5, settle_accounts),
    Task("close audit block", 60, close_block),
)
