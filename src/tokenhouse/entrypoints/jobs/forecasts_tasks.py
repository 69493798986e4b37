"""The tasks of forecasts: asking for everybody's once a day, and making those that were asked for."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

import structlog

from tokenhouse.domain import insights
from tokenhouse.infra.database import PLATFORM

if TYPE_CHECKING:
    from tokenhouse.entrypoints.jobs.tasks import Context

log = structlog.get_logger("tokenhouse.jobs")


async def request_forecasts(context: "Context") -> int:
    """Ask for the forecasts that are a day old."""
    async with context.database.transaction(PLATFORM) as tx:
        return await insights.request_forecasts(tx)


async def make_forecasts(context: "Context") -> int:
    """Make the forecasts that were asked for; one that fails harms no other.

    The fitting is done in a process of its own, which ends with the work: what it loads takes seconds and a hundred
    megabytes, and other tasks go on meanwhile.
    """
    done = 0
    failed: set[int] = set()
    pool: ProcessPoolExecutor | None = None

    async def fitter(values: Sequence[float]) -> insights.Fit:
        nonlocal pool
        if pool is None:
            pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        return await asyncio.get_running_loop().run_in_executor(pool, insights.fit, values)

    try:
        while not context.ended():
            wanted = [one for one in await insights.wanted_forecasts(context.database) if one.account_id not in failed]
            if not wanted:
                break
            for one in wanted:
                if context.ended():
                    break
                try:
                    await insights.make_forecast(context.database, one, fitter)
                    done += 1
                except Exception:
                    log.exception("a forecast cannot be made", account=one.account_id)
                    failed.add(one.account_id)
    finally:
        if pool is not None:
            pool.shutdown(wait=False)
    return done
