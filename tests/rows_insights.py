"""Rows of the rollups, for the tests that want some in every table."""

from typing import TYPE_CHECKING

from tokenhouse.domain import insights

if TYPE_CHECKING:
    import psycopg

    from economy import Economy
    from tokenhouse.domain.access.types import Account

_TIME = "array['2020-01-01Z', '2100-01-01Z']::timestamptz[], array['month']"
READERS = {
    "insights.clock": "select * from insights.clock('earner', {0}, null, " + _TIME + ", 'UTC')",
    "insights.read": "select * from insights.read('earner', {0}, null, " + _TIME + ", array[0])",
    "insights.recent_of": "select * from insights.recent_of({0}, null, '2020-01-01Z', '2100-01-01Z', 10)",
    "insights.retention_of": "select * from insights.retention_of({0}, 0, " + _TIME + ", array[1])",
    "insights.users_of": "select nullif(users, 0) from insights.users_of({0}, 0, " + _TIME + ", array[2])",
}
"""How the readers are asked about an account."""


async def fill(economy: "Economy", people: "dict[str, Account]", admin: "psycopg.Connection") -> None:
    """Roll what was used; one row more is left to be read from the records."""
    await insights.roll(economy.db)
