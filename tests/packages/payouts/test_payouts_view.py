"""Payouts as the view with the sources' name tells them."""

from decimal import Decimal

from psycopg.rows import dict_row

from economy import FLAT_RATE, tenant
from tokenhouse.infra.database import PLATFORM
from withdrawing import act, earner, request


async def ask(economy, actor, query):
    async with economy.db.read(actor) as tx:
        cursor = tx.connection.cursor(row_factory=dict_row)
        return await (await cursor.execute(query)).fetchall()


async def test_payouts_are_the_creators_transactions(economy):
    """What is on its way counts as pending; a creator sees their own."""
    one, two = (
        await earner(economy, "one", 10 * FLAT_RATE),
        await earner(economy, "two", 10 * FLAT_RATE),
    )
    made = [await request(economy, one, FLAT_RATE + place) for place in range(5)]
    for payout, action in zip(made, ("complete", "fail", "cancel", "approve"), strict=False):
        await act(economy, one, payout["id"], action, reason="a reason" if action == "fail" else None, reference="ref")
    await request(economy, two, FLAT_RATE)
    query = "select * from earnings_transactions order by id"
    rows = await ask(economy, tenant(one), query)
    assert [(row["creator_id"], row["transaction_type"], row["status"]) for row in rows] == [
        ("one", "payout", status) for status in ("completed", "failed", "cancelled", "pending", "pending")
    ]  # fmt: skip
    assert [row["amount"] for row in rows] == [Decimal("0.0001") + Decimal(place) / 10**9 for place in range(5)]
    assert [row["description"] for row in rows] == [
        "Payout by manual", "a reason", "Payout by manual", "Payout by manual", "Payout by manual",
    ]  # fmt: skip
    assert rows[0]["metadata"] == {"method": "manual", "reference": "ref"}
    assert [row["processed_at"] is None for row in rows] == [False, False, False, True, True]
    assert len(await ask(economy, tenant(two), query)) == 1
    assert len(await ask(economy, PLATFORM, query)) == 6
