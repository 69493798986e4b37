"""The task that looks up what uses cost at the provider."""

from typing import TYPE_CHECKING

from tokenhouse.domain import insights

if TYPE_CHECKING:
    from tokenhouse.entrypoints.jobs.tasks import Context


async def look_up_costs(context: "Context") -> int:
    """Look up what uses cost that did not say, by the tables of prices as they are now."""
    done = 0
    while not context.ended():
        found = await insights.cost_uses(context.database)
        done += found
        if not found:
            break
    return done
