"""The tasks, and how often each runs.

Each does everything that is due, however long nobody did, and can be killed anywhere: what it did stays, the rest
is done next time. A new task is a function here and a line in TASKS.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from tokenhouse.domain import access, alerts, insights, ledger, metering, wallets
from tokenhouse.domain import catalog as catalogs
from tokenhouse.domain.alerts.types import Outlet
from tokenhouse.domain.payouts.types import Setup, Terms
from tokenhouse.entrypoints.jobs import payouts_tasks
from tokenhouse.infra.database import PLATFORM, Actor, Database
from tokenhouse.infra.kernel.sealing import Sealer

log = structlog.get_logger("tokenhouse.jobs")

_AT_ONCE = 500
_TELLER = Actor((0,), teller=True)


@dataclass(frozen=True, slots=True)
class Context:
    """What tasks work with. ended: whether the process is to stop; a task then leaves the rest for next time.

    mail: what delivers it; None: nothing is set up, it waits. payouts: what holds for them; methods: what is set up of
    those that send by themselves; sealer: gives what opens payees' details, None where no keys are set.
    """

    database: Database
    ended: Callable[[], bool]
    mail: Outlet | None = None
    payouts: Terms = field(default_factory=Terms)
    methods: Setup = field(default_factory=Setup)
    sealer: Callable[[], Sealer] | None = None


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


async def roll_figures(context: Context) -> int:
    """Add to the sums of use what was recorded since the last time."""
    return await insights.roll(context.database)


async def deliver_mail(context: Context) -> int:
    """Deliver what is due in the outbox; where the server cannot be used, the rest next time."""
    if context.mail is None:
        return 0
    done = 0
    while not context.ended():
        one = await alerts.deliver_next(context.database, context.mail)
        if one is None:
            break
        if one.trouble is None:
            done += 1
            continue
        outcome = "will be tried again" if one.again else "given up"
        log.warning("mail was not delivered", mail=str(one.id), tries=one.tries, trouble=one.trouble, outcome=outcome)
        if one.away:
            break
    return done


async def notice_waiting_mail(context: Context) -> int:
    """Say in the log that mail waits which nothing delivers."""
    if context.mail is not None:
        return 0
    async with context.database.read(PLATFORM) as tx:
        waiting = (await alerts.mail_state(tx)).waiting
    if waiting:
        log.warning("mail waits, for no mail server is set up; set TOKENHOUSE_MAIL_URL", waiting=waiting)
    return 0


async def sweep_mail(context: Context) -> int:
    """Delete the letters that were sent a month ago; give up those that wait for a week."""
    async with context.database.transaction(PLATFORM) as tx:
        return await alerts.sweep_mail(tx)


async def forget_sessions(context: Context) -> int:
    """Delete the sessions that ended a month ago, and mailed links and invitations that nobody can use."""
    async with context.database.transaction(PLATFORM) as tx:
        return await access.forget_sessions(tx)


async def sweep_rate_windows(context: Context) -> int:
    """Drop the windows of rate limits that nobody hit any more."""
    done = 0
    while not context.ended():
        async with context.database.transaction(PLATFORM) as tx:
            swept = await access.sweep_rate_windows(tx)
        done += swept
        if not swept:
            break
    return done


async def _buckets(context: Context) -> range:
    async with context.database.read(PLATFORM) as tx:
        return range((await access.deployment(tx)).buckets)


TASKS = (
    Task("expire holds", 5, expire_holds),
    Task("settle accounts", 5, settle_accounts),
    Task("close audit block", 60, close_block),
    Task("roll figures", 2, roll_figures),
    Task("deliver mail", 2, deliver_mail),
    Task("notice waiting mail", 600, notice_waiting_mail),
    Task("sweep mail", 3600, sweep_mail),
    Task("forget sessions", 3600, forget_sessions),
    Task("request due payouts", 600, payouts_tasks.request_due_payouts),
    Task("send payouts", 20, payouts_tasks.send_payouts),
    Task("sweep rate windows", 60, sweep_rate_windows),
)
