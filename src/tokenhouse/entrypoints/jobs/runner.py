"""The jobs process: each task on its own clock, by one process at a time."""

import asyncio
import signal
import time
from contextlib import suppress

import structlog

from tokenhouse.domain import alerts
from tokenhouse.entrypoints.jobs.tasks import TASKS, Context, Task
from tokenhouse.infra.database import Database
from tokenhouse.infra.database.boot import prepare
from tokenhouse.infra.database.exclusive import exclusive
from tokenhouse.infra.kernel.errors import Unavailable
from tokenhouse.infra.kernel.sealing import Sealer
from tokenhouse.settings import Settings, seal_keys

log = structlog.get_logger("tokenhouse.jobs")

_CONNECTIONS_A_TASK = 2  # one holds its lock, one works


async def run(settings: Settings) -> None:
    """Run every task when it is due, until SIGTERM; then end those under way in order."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    url = settings.database_url.get_secret_value() if settings.database_url else None
    booted = await prepare(settings.data_dir, url, settings.buckets)
    try:
        async with Database(
            booted.worker_conninfo,
            booted.signer,
            max_size=_CONNECTIONS_A_TASK * len(TASKS) + 1,  # an export reads on one and tells how far it is on another
            name="tokenhouse jobs",
        ) as database:
            context = Context(
                database,
                ended.is_set,
                mail=alerts.outlet_of("mail", settings.channels),
                exports=settings.exports_folder,
                payouts=settings.payout_terms,
                sealer=lambda: Sealer(seal_keys(settings)),
            )
            log.info("jobs begin", tasks=[task.name for task in TASKS])
            async with asyncio.TaskGroup() as group:
                for task in TASKS:
                    group.create_task(_repeat(task, context, ended), name=task.name)
    finally:
        if booted.server is not None:
            await asyncio.to_thread(booted.server.release)


async def _repeat(task: Task, context: Context, ended: asyncio.Event) -> None:
    away = False
    while not ended.is_set():
        try:
            await once(task, context)
            away = False
        except Unavailable:
            if not away:
                log.warning("the database is away; trying again", task=task.name)
            away = True
        except Exception:
            log.exception("a task failed; trying again", task=task.name)
        with suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), task.every_seconds)


async def once(task: Task, context: Context) -> int:
    """Run a task now, unless another process does; return how much it did."""
    async with exclusive(context.database, f"jobs.{task.name}") as mine:
        if not mine:
            return 0
        began = time.monotonic()
        done = await task.work(context)
    if done:
        seconds = round(time.monotonic() - began, 3)
        log.info("done", task=task.name, count=done, seconds=seconds)
    return done
