"""Figures equal the records at any moment: while others charge, reverse and report, and while they are rolled."""

import asyncio
import random
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from economy import Economy, tenant
from insights_records import of_earner, of_payer, of_platform
from tokenhouse.domain import insights, metering
from tokenhouse.infra.database import PLATFORM

CUBES_OF_EARNERS = ("earner", "earner_model")
CUBES_OF_PAYERS = ("payer", "payer_mix")
CUBES_OF_PLATFORM = ("platform", "platform_work", "platform_model")


async def holds(economy: Economy, *, more: bool = False) -> None:
    """Assert that every cell is what the records below the mark say; more: there are records without books."""
    proof = await insights.verify(economy.db)
    wrong = [f"{one.name}: {one.differences[:3]}" for one in proof.findings if one.count]
    assert not [line for line in wrong if line.startswith("rollups") or not more], "\n".join(wrong)


async def equal(economy: Economy, people, bounds) -> None:
    """Assert on one snapshot that the figures of everybody are those of the records."""
    async with economy.db.read(PLATFORM) as tx:
        for cube in CUBES_OF_PLATFORM:
            assert await insights.read(tx, cube, 0, bounds) == await of_platform(tx, cube, bounds)
        for account in people:
            for cube in CUBES_OF_PAYERS:
                got = await insights.read(tx, cube, account.id, bounds)
                assert got == await of_payer(tx, cube, account.id, bounds)
            for cube in CUBES_OF_EARNERS:
                got = await insights.read(tx, cube, account.id, bounds)
                assert got == await of_earner(tx, cube, account.id, bounds)


class Crowd:
    """Payers who use models of two creators, now and in the past, and get some of it back."""

    def __init__(self, economy, payers, seed):
        self.economy = economy
        self.payers = payers
        self.random = random.Random(seed)
        self.done = []

    async def act(self) -> None:
        economy, some = self.economy, self.random
        payer = some.choice(self.payers)
        dice = some.random()
        if dice < 0.2 and self.done:
            payer, charge, amount = self.done.pop(some.randrange(len(self.done)))
            part = some.randint(1, amount)
            await economy.reverse(payer, charge, part)
            if part < amount:
                self.done.append((payer, charge, amount - part))
            return
        back = timedelta(seconds=some.choice((0, 0, some.randint(1, 3 * 86400), some.randint(1, 200 * 86400))))
        more = {"occurred_at": (datetime.now(UTC) - back - timedelta(seconds=1)).isoformat()} if back else {}
        if some.random() < 0.3:
            more["user_label"] = some.choice(("ada", "bob"))
        if some.random() < 0.3:
            more["cost_nanos"] = some.randint(0, 10**6)
        model = some.choice(("alone", "shared", "made", None))
        amount = some.randint(1, 9)
        if model is None:
            more["operation"] = some.choice(("chat", "llm"))
        done = await economy.charge(payer, amount=amount, **({"model_id": model} if model else {}), **more)
        self.done.append((payer, done.id, amount))


@pytest.fixture
async def crowd(economy):
    ada, bea = await economy.account("ada"), await economy.account("bea")
    cyd = await economy.account("cyd")
    await economy.model("alone", ada, earnings_policy="odd")
    await economy.model("shared", ada, bea, creator_id="cyd", creator_share_bps=3333)
    await economy.model("made", creator_id="cyd", creator_share_bps=5000)
    payers = [await economy.account(f"p{n}", plan="large") for n in range(3)]
    for payer in payers:
        await economy.grant(payer, 10_000)
    return Crowd(economy, [*payers, ada], 7), [ada, bea, cyd, *payers]


def around(now: datetime):
    """Bounds on no whole quarter, on whole days and on months, over the time of all that happens here."""
    days = [now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=n) for n in (-240, -90, -2, 0)]
    return [*days, now - timedelta(hours=1, minutes=7), now + timedelta(days=1)]


async def test_equal_after_each_step(crowd, worker_db):
    crowd, people = crowd
    bounds = around(datetime.now(UTC))
    for step in range(60):
        await crowd.act()
        if step % 7 == 3:
            await insights.roll(worker_db)
        if step % 5 == 0:
            await equal(crowd.economy, people, bounds)
    await equal(crowd.economy, people, bounds)
    await insights.roll(worker_db)
    await equal(crowd.economy, people, bounds)
    await holds(crowd.economy)


@pytest.mark.parametrize("seed", range(2))
async def test_equal_under_four_writers(crowd, worker_db, seed):
    """The same while four write at once and the cells are rolled without a pause; looked at whenever it comes about."""
    first, people = crowd
    economy = first.economy
    ended = asyncio.Event()
    looks = 0

    async def write(crowd: Crowd) -> None:
        for _ in range(60):
            await crowd.act()

    async def roll() -> int:
        rolled = 0
        while not ended.is_set():
            rolled += await insights.roll(worker_db)
            await asyncio.sleep(0)
        return rolled

    async def look() -> None:
        nonlocal looks
        while not ended.is_set():
            await equal(economy, people, around(datetime.now(UTC)))
            looks += 1

    rolling, looking = asyncio.create_task(roll()), asyncio.create_task(look())
    writers = [Crowd(economy, first.payers, seed * 10 + n) for n in range(4)]
    await asyncio.gather(*(write(one) for one in writers))
    ended.set()
    await looking
    assert await rolling > 100
    assert looks > 1
    await insights.roll(worker_db)
    await equal(economy, people, around(datetime.now(UTC)))
    await holds(economy)


async def test_an_open_transaction_is_waited_for(crowd, worker_db, admin):
    """What commits after the cells were rolled, by a transaction that is older, is not forgotten."""
    crowd, people = crowd
    bounds = around(datetime.now(UTC))
    for _ in range(5):
        await crowd.act()
    with admin.transaction():
        admin.execute(
            "insert into metering.usage (bucket, id, account_id, asset_id, kind, counted, usage_type, amount, credits, "
            "balance_after, nanos, occurred_at, recorded_at) select bucket, gen_random_uuid(), account_id, asset_id, "
            "'charge', false, 'other', 7, 7, 0, 0, now(), now() from metering.usage limit 1"
        )
        for _ in range(5):
            await crowd.act()
        await insights.roll(worker_db)
        await equal(crowd.economy, people, bounds)
    await equal(crowd.economy, people, bounds)
    await insights.roll(worker_db)
    await equal(crowd.economy, people, bounds)
    await holds(crowd.economy, more=True)


async def test_restored_into_another_cluster(crowd, worker_db, admin):
    """Another cluster counts its transactions from the beginning: nothing is missed and nothing counted twice."""
    crowd, people = crowd
    bounds = around(datetime.now(UTC))
    for _ in range(10):
        await crowd.act()
    await insights.roll(worker_db)
    # As after a restore: the records bear numbers of another cluster, far above those that this one has given.
    admin.execute("update metering.usage set xact = xact + 1000000")
    admin.execute("update metering.reversal set xact = xact + 1000000")
    admin.execute("update insights.watermark set cluster = 'another', upto = upto + 1000000")
    await crowd.act()
    await equal(crowd.economy, people, bounds)
    await insights.roll(worker_db)
    await crowd.act()
    await equal(crowd.economy, people, bounds)
    await insights.roll(worker_db)
    await equal(crowd.economy, people, bounds)
    await holds(crowd.economy)
    (left,) = admin.execute(
        "select count(*) from metering.usage where xact > pg_current_xact_id()::text::bigint"
    ).fetchone()
    assert left == 0


async def test_derived_anew(crowd, worker_db, admin):
    crowd, people = crowd
    for _ in range(20):
        await crowd.act()
    await insights.roll(worker_db)
    admin.execute("update insights.cell set uses = uses + 1 where grain = 'day'")
    admin.execute("delete from insights.audience where grain = 'month'")
    wrong = {one.name for one in (await insights.verify(crowd.economy.db)).findings if one.count}
    assert wrong == {"rollups_of_longer", "rollups_of_audiences"}
    assert await insights.rebuild(worker_db) >= 20
    await equal(crowd.economy, people, around(datetime.now(UTC)))
    await holds(crowd.economy)


async def test_verification_finds_what_is_wrong(crowd, worker_db, admin):
    crowd, _ = crowd
    for _ in range(20):
        await crowd.act()
    await insights.roll(worker_db)
    await holds(crowd.economy)
    admin.execute("update insights.cell set top_up = top_up + 1 where cube = 'payer_mix' and grain = 'quarter'")
    admin.execute("update insights.cell set nanos = nanos + 1 where cube = 'earner_model' and grain = 'quarter'")
    wrong = {one.name: one.count for one in (await insights.verify(crowd.economy.db)).findings}
    assert wrong["rollups_of_charges"] > 0
    assert wrong["rollups_of_earners"] > 0


async def test_an_erased_persons_id_leaves_the_cells(crowd, worker_db, admin):
    crowd, people = crowd
    payer = crowd.payers[0]
    for label in ("p0", "other", None):
        await crowd.economy.charge(payer, amount=2, user_label=label)
    await crowd.economy.charge(crowd.payers[1], amount=3, user_label="p0")
    await insights.roll(worker_db)
    async with worker_db.transaction(PLATFORM) as tx:
        opaque = await metering.erase(tx, payer.id)
        await insights.forget(tx, payer.id, "p0", opaque)
    (left,) = admin.execute("select count(*) from insights.cell where user_label in ('p0', 'other')").fetchone()
    assert left == 0
    await equal(crowd.economy, people, around(datetime.now(UTC)))
    await holds(crowd.economy)


async def test_a_tenant_reads_its_own_alone(crowd, worker_db):
    crowd, people = crowd
    ada, bea = people[:2]
    for _ in range(10):
        await crowd.act()
    bounds = around(datetime.now(UTC))
    async with crowd.economy.db.read(tenant(ada)) as tx:
        mine = await insights.read(tx, "earner", ada.id, bounds)
    async with crowd.economy.db.read(PLATFORM) as tx:
        assert mine == await insights.read(tx, "earner", ada.id, bounds) != []
    for cube, owner in (("earner", bea.id), ("payer", bea.id), ("platform", 0), ("payer", None)):
        async with crowd.economy.db.read(tenant(ada)) as tx:
            with pytest.raises(psycopg.Error, match=r"platform|accounts") as error:
                await insights.read(tx, cube, owner, bounds)
            assert error.value.sqlstate == "TH403"
