"""Rows of costs and prices, for the tests that want some in every table."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

    from economy import Economy
    from tokenhouse.domain.access.types import Account

USERS = (
    "select * from insights.users_between({}, (select array_agg(m.id) from market.model m), array['month'], "
    "array['2020-01-01Z'::timestamptz], array['2100-01-01Z'::timestamptz])"
)
BY_DAY = (
    "select * from insights.models_by_day({}, (select array_agg(m.id) from market.model m), '2020-01-01Z', "
    "'2100-01-01Z')"
)
"""Ask for the users and the days of the models of an earner."""


async def fill(economy: "Economy", people: "dict[str, Account]", admin: "psycopg.Connection") -> None:
    """Add a price, and a cost of each use."""
    admin.execute(
        "insert into metering.upstream_price (provider, model, valid_from, version, input_nanos, cached_nanos, "
        "output_nanos, imported_at) values ('', 'large-1', now(), 1, 1, 1, 1, now())"
    )
    admin.execute(
        "insert into metering.cost (bucket, usage_id, provider, model) select bucket, id, '', 'large-1' "
        "from metering.usage"
    )
