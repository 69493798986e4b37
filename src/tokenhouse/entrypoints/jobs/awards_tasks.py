"""Tasks of what is paid beside uses, and of uses that look odd."""

from typing import TYPE_CHECKING

from tokenhouse.domain import catalog as catalogs
from tokenhouse.domain import earnings, insights, metering
from tokenhouse.infra.database import PLATFORM

if TYPE_CHECKING:
    from tokenhouse.entrypoints.jobs.tasks import Context


async def pay_bonuses(context: "Context") -> int:
    """Pay the bonuses that are due by the catalog's rules, each once."""
    async with context.database.read(PLATFORM) as tx:
        catalog = await catalogs.load(tx)
    return await earnings.pay_bonuses(context.database, catalog, insights.best_models, context.ended)


async def open_reviews(context: "Context") -> int:
    """Hold uses of the last day that look odd for review."""
    if context.odd_use is None:
        return 0
    return await metering.open_reviews(context.database, context.odd_use)
