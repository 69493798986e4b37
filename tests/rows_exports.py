"""Rows of exports and forecasts for the tests of isolation."""

from tokenhouse.domain import insights
from tokenhouse.domain.insights import Wanted
from tokenhouse.infra.database import PLATFORM


async def fill(economy, people, admin):
    """An export and a forecast of each."""
    del admin
    for account in people.values():
        async with economy.db.transaction(PLATFORM) as tx:
            await insights.request_export(tx, account.id, "usage", "csv", Wanted())
            await insights.request_forecast(tx, account.id)
