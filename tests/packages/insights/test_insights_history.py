"""The log of an account: every movement once, newest first, payers by pseudonyms, searched a part at a time."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from economy import party, tenant
from tokenhouse.domain import insights
from tokenhouse.domain.insights import Place, Wanted

ALL = Wanted()


async def log(economy, account, wanted=ALL, *, most=1000, **more):
    async with economy.db.read(tenant(account)) as tx:
        return await insights.history_of(tx, party(account), wanted, most=most, **more)


async def lines(economy, account, **wanted):
    return (await log(economy, account, Wanted(**wanted))).lines


@pytest.fixture
def trade(economy):
    """A payer and an earner, with one of everything between them."""

    async def make():
        ann, bob = await economy.account("ann", plan="small"), await economy.account("bob", credits=500)
        await economy.model("m-1", bob, price_credits=20, credit_cost=None)
        await economy.grant(ann, 50, note="for the fair")
        first = await economy.charge(ann, model_id="m-1", amount=9, user_label="zoe", operation="chat")
        second = await economy.charge(ann, model_id="m-1", amount=4)
        await economy.reverse(ann, first.id, 2)
        hold = await economy.hold(ann, amount=10)
        await economy.capture(ann, hold, 7)
        return ann, bob, first, second

    return make


async def test_every_movement_is_told_once_and_sums_to_the_balance(economy, trade):
    ann, bob, first, second = await trade()
    told = (await log(economy, ann)).lines
    assert [(one.kind, one.credits) for one in told if one.credit_type == "general"] == [
        ("usage", -7), ("reversal", 2), ("usage", -4), ("usage", -9), ("grant", 50), ("allowance", 100),
    ]  # fmt: skip
    for credit_type in ("general", "forecast"):
        moved = sum(one.credits for one in told if one.credit_type == credit_type)
        assert moved == await economy.balance(ann, credit_type)
    assert told[1].charge_id == UUID(first.id)
    assert told[1].user_id == "zoe"
    assert [one.note for one in told if one.kind == "grant"] == ["for the fair"]
    assert [one.reversed for one in told if one.kind == "usage"] == [None, None, 2]
    earned = (await log(economy, bob)).lines
    assert [(one.kind, one.nanos) for one in earned if one.nanos is not None] == [
        ("reversal", -200_000), ("earning", 400_000), ("earning", 900_000),
    ]  # fmt: skip
    assert sum(one.nanos or 0 for one in earned) == await economy.earned(bob)
    assert sum(one.credits or 0 for one in earned) == await economy.balance(bob) == 480
    assert [(one.kind, one.model_id) for one in earned if one.credits == -20] == [("purchase", "m-1")]
    del second


async def test_payers_are_pseudonyms_and_nobody_sees_anothers(economy, trade):
    ann, bob, *_ = await trade()
    earned = [one for one in (await log(economy, bob)).lines if one.nanos is not None]
    (payer,) = {one.user_id for one in earned}
    assert len(payer) == 12
    text = repr(earned)
    for secret in ("zoe", "ann", "for the fair"):
        assert secret not in text.replace("channel", "")
    assert (await log(economy, bob, Wanted(user=payer))).lines == earned
    assert await lines(economy, bob, user="zoe") == []
    # With another's token: of the payer's rows nothing, of the earner's a refusal.
    async with economy.db.read(tenant(bob)) as tx:
        wanted = Wanted(kinds=("usage", "grant"))
        assert (await insights.history_of(tx, party(ann), wanted, most=10)).lines == []
    with pytest.raises(Exception, match="does not act for these accounts"):
        async with economy.db.read(tenant(ann)) as tx:
            await insights.history_of(tx, party(bob), ALL, most=10)


async def test_filters(economy, trade):
    ann, bob, first, second = await trade()

    async def found(account=ann, **wanted):
        return [(one.kind, one.credits if one.nanos is None else one.nanos)
                for one in await lines(economy, account, **wanted) if one.credit_type != "forecast"]  # fmt: skip

    assert await found(kinds=("usage",)) == [("usage", -7), ("usage", -4), ("usage", -9)]
    assert await found(kinds=("allowance", "reversal")) == [("reversal", 2), ("allowance", 100)]
    model = (await economy.rows("select id from market.model where external_id = 'm-1'"))[0][0]
    assert await found(model=model) == [("reversal", 2), ("usage", -4), ("usage", -9)]
    assert await found(bob, model=model, least=500_000) == [("earning", 900_000)]
    assert await found(operation="chat") == [("reversal", 2), ("usage", -9)]
    assert await found(user="zoe", kinds=("usage",)) == [("usage", -9)]
    assert await found(text="FAIR") == [("grant", 50)]
    assert await found(text="100%") == []
    assert await found(text=second.id) == [("usage", -4)]
    assert await found(bob, text=first.id) == [("reversal", -200_000), ("earning", 900_000)]
    assert await found(least=50) == [("grant", 50), ("allowance", 100)]
    now = datetime.now(UTC)
    assert await found(since=now + timedelta(minutes=1)) == []
    assert await found(until=now - timedelta(minutes=5)) == []
    assert len(await found(since=now - timedelta(hours=1), until=now + timedelta(hours=1))) == 6


async def test_late_events_lie_where_they_happened(economy):
    ann, bob = await economy.account("ann", credits=100), await economy.account("bob", credits=0)
    await economy.model("m-1", bob)
    past = datetime.now(UTC) - timedelta(days=40)
    await economy.charge(ann, model_id="m-1", amount=5, occurred_at=past.isoformat())
    around = {"since": past - timedelta(hours=1), "until": past + timedelta(hours=1)}
    assert [one.credits for one in await lines(economy, ann, **around)] == [-5]
    assert [one.nanos for one in await lines(economy, bob, **around)] == [500_000]
    assert await lines(economy, ann, since=past + timedelta(hours=1), kinds=("usage",)) == []


@pytest.mark.parametrize("wanted", [ALL, Wanted(kinds=("usage", "reversal", "earning"))], ids=["all", "some"])
async def test_pages_follow_each_other_while_more_is_recorded(economy, wanted):
    ann, bob = await economy.account("ann", credits=1000), await economy.account("bob", credits=0)
    await economy.model("m-1", bob)
    for n in range(9):
        done = await economy.charge(ann, model_id="m-1", amount=5)
        if n % 3 == 0:
            await economy.reverse(ann, done.id, 1)
    for who in (ann, bob):
        whole = (await log(economy, who, wanted)).lines
        paged, place = [], None
        while True:
            page = await log(economy, who, wanted, most=2, after=place)
            paged += page.lines
            await economy.charge(ann, model_id="m-1", amount=1)
            if page.following is None:
                break
            place = page.following
        assert paged == whole


async def test_legs_of_one_entry_are_told_apart(economy):
    """A renewal moves credits of several types: a page may end within it."""
    ann = await economy.account("ann", plan="small")
    first = await log(economy, ann, most=1)
    second = await log(economy, ann, most=1, after=first.following)
    assert first.lines[0].id == second.lines[0].id
    assert {first.lines[0].credit_type, second.lines[0].credit_type} == {"general", "forecast"}


async def filled(economy, admin, many):
    """A payer with so many charges of a model of an earner's, by rows like those that the service writes."""
    ann, bob, eve = [
        await economy.account(name, credits=1000 if name == "ann" else 0) for name in ("ann", "bob", "eve")
    ]
    await economy.model("m-1", bob)
    await economy.model("rare", eve)
    await economy.charge(ann, model_id="rare", amount=1)
    await economy.charge(ann, model_id="m-1", amount=1)
    at = f"timestamptz '{datetime.now(UTC)}' - make_interval(secs => n)"
    number = f"(lpad(to_hex((extract(epoch from {at}) * 1000)::bigint), 12, '0') || lpad(to_hex(n), 20, '0'))::uuid"
    for table, names in (
        ("metering.usage", {"id": number, "occurred_at": at, "recorded_at": at}),
        ("ledger.transfer", {"entry_id": number, "recorded_at": at}),
    ):
        columns = [one for (one,) in admin.execute(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped",
            [table])]  # fmt: skip
        key = "id" if table == "metering.usage" else "entry_id"
        newest = f"select max({key}::text)::uuid from {table} where account_id = {ann.id}"
        if table == "ledger.transfer":
            newest = f"select max(entry_id::text)::uuid from {table} where kind = 'earning'"
        made = ", ".join(names.get(one, f"t.{one}") for one in columns)
        admin.execute(
            f"insert into {table} ({', '.join(columns)}) "
            f"select {made} from {table} t, generate_series(60, 60 + {many}) n where t.{key} = ({newest})"
        )
    admin.execute("analyze")
    return ann, bob, eve


_READ = (
    "select sum(pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid))::bigint "
    "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
    "where n.nspname in ('metering', 'ledger') and c.relkind in ('r', 'i')"
)


async def reading(db, account, wanted, **more):
    """A page of the log, and how many rows and entries of indexes it looked at."""
    async with db.read(tenant(account)) as tx:
        (before,) = await (await tx.connection.execute(_READ)).fetchone()
        page = await insights.history_of(tx, party(account), wanted, most=50, **more)
        (after,) = await (await tx.connection.execute(_READ)).fetchone()
    return page, after - before


async def test_a_page_reads_a_page_not_the_log(economy, admin):
    ann, bob, eve = await filled(economy, admin, 100_000)
    middle = int((datetime.now(UTC) - timedelta(seconds=50_000)).timestamp() * 1000)
    for after in (None, Place(UUID(int=middle << 80), 0)):
        for who in (ann, bob, eve) * 4:
            page, read = await reading(economy.db, who, ALL, after=after)
            # eve earned once, after all the others' uses
            assert len(page.lines) == (50 if who is not eve else 1 if after is None else 0)
            assert read < 1_000, (who.external_id, after, read)


async def test_a_search_looks_at_a_part_at_a_time(economy, admin):
    ann, bob, _ = await filled(economy, admin, 100_000)
    for who in (ann, bob):
        page, read = await reading(economy.db, who, Wanted(text="nowhere to be found"), patience_ns=0)
        assert page.lines == []
        assert page.following is not None
        assert read < 40_000
        # Followed to its end it has looked at everything, and found the oldest line.
        kept, place, rounds = [], None, 0
        oldest = (await economy.rows(
            "select min(id::text)::uuid from metering.usage"))[0][0]  # fmt: skip
        while True:
            found = await log(economy, who, Wanted(text=str(oldest)), after=place, patience_ns=0)
            kept += found.lines
            rounds += 1
            if found.following is None:
                break
            place = found.following
        assert [one.id for one in kept] == [oldest]
        assert rounds > 10


async def test_the_index_of_moves_has_no_charge(economy, admin):
    """A charge writes nothing more than before."""
    ann = await economy.account("ann", credits=1000)
    before = admin.execute("select pg_relation_size('ledger.transfer_of_owner')").fetchone()
    for _ in range(200):
        await economy.charge(ann, amount=1)
    assert admin.execute("select pg_relation_size('ledger.transfer_of_owner')").fetchone() == before
    definition = admin.execute("select pg_get_indexdef('ledger.transfer_of_owner'::regclass)").fetchone()[0]
    assert "'charge'" in definition
    assert "'capture'" in definition
