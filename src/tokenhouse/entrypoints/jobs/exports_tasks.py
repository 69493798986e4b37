"""The tasks of exports: making those that were asked for, and deleting their files a day later."""

from typing import TYPE_CHECKING

import structlog

from tokenhouse.domain import insights

if TYPE_CHECKING:
    from tokenhouse.entrypoints.jobs.tasks import Context

log = structlog.get_logger("tokenhouse.jobs")


async def make_exports(context: "Context") -> int:
    """Make the exports that wait, one after the other; one that fails is tried again, and harms no other."""
    done = 0
    while context.exports is not None and not context.ended():
        try:
            made = await insights.make_export(context.database, context.exports, context.ended)
        except OSError as error:
            log.warning("an export cannot be written; trying again", trouble=type(error).__name__)
            break
        if not made:
            break
        done += 1
    return done


async def sweep_exports(context: "Context") -> int:
    """Delete the files of exports that ended a day ago, and of people who were erased."""
    if context.exports is None:
        return 0
    return await insights.sweep_exports(context.database, context.exports)
