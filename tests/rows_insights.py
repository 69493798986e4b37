"""Rows of the rollups, for the tests that want some in every table."""

from typing import TYPE_CHECKING

from tokenhouse.domain import insights

if TYPE_CHECKING:
    import psycopg

    from economy import Economy
    from tokenhouse.domain.access.types import Account

READ = (
    "select * from insights.read('earner', {}, null, array['2020-01-01Z', '2100-01-01Z']::timestamptz[], "
    "array['month'], array[0])"
)
"""Ask for the figures of an earner."""


async def fill(economy: "Economy", people: "dict[str, Account]", admin: "psycopg.Connection") -> None:
    """Roll what was used; one row more is left to be read from the records."""
    await insights.roll(economy.db)
