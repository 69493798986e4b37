"""The background jobs: everything that is due, by one process at a time, each account on its own."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from economy import TERMS, Economy, clean, party, source
from tokenhouse.domain import earnings, ledger, metering
from tokenhouse.domain.earnings.rules import closed_months
from tokenhouse.domain.metering import Thresholds
from tokenhouse.entrypoints.jobs.runner import once
from tokenhouse.entrypoints.jobs.tasks import TASKS, Context, Task
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.database.exclusive import exclusive

BY_NAME = {task.name: task for task in TASKS}


@pytest_asyncio.fixture
async def economy(db):
    made = await Economy.found(db, source())
    yield made
    await made.till.close()


@pytest.fixture
def context(worker_db):
    return Context(worker_db, lambda: False)


async def test_holds_whose_time_is_over_are_given_back(economy, context, admin):
    ann = await economy.account("ann", credits=100)
    for _ in range(3):
        await economy.hold(ann, amount=10)
    kept = await economy.hold(ann, amount=10)
    admin.execute("update ledger.hold set expires_at = clock_timestamp() - interval '1 day' where id <> %s", [kept.id])
    assert await once(BY_NAME["expire holds"], context) == 3
    assert await once(BY_NAME["expire holds"], context) == 0
    wallet = await economy.wallet(ann)
    assert (wallet.held, wallet.available) == (10, 90)
    await clean(economy.db)


async def test_accounts_are_settled_however_long_nobody_asked(economy, context, admin):
    # What each has is used up, so that the renewal shows.
    names = [f"u{n}" for n in range(5)]
    accounts = [await economy.account(name, plan="small") for name in names]
    for account in accounts:
        await economy.charge(account, amount=60)
    admin.execute(
        "update wallets.enrolment set anchor = anchor - interval '100 days',"
        " period_started_at = period_started_at - interval '100 days', renews_at = renews_at - interval '100 days'"
    )
    admin.execute("update ledger.account set due_at = due_at - interval '100 days' where due_at is not null")
    admin.execute("update wallets.lot set expires_at = expires_at - interval '100 days' where expires_at is not null")
    assert await once(BY_NAME["settle accounts"], context) == len(accounts)
    assert await once(BY_NAME["settle accounts"], context) == 0
    for account in accounts:
        assert await economy.balance(account) == 100
    await clean(economy.db)


async def test_a_block_is_closed_over_what_is_old_enough(economy, context, admin):
    ann = await economy.account("ann", credits=100)
    assert await once(BY_NAME["close audit block"], context) == 0  # too young
    await economy.charge(ann, amount=1)
    admin.execute("update ledger.entry set recorded_at = recorded_at - interval '2 minutes'")
    admin.execute("update ledger.transfer set recorded_at = recorded_at - interval '2 minutes'")
    assert await once(BY_NAME["close audit block"], context) == 4  # a grant and a charge, each with its transfer
    assert await once(BY_NAME["close audit block"], context) == 0
    proof = await ledger.verify_chain(economy.db)
    assert (proof.blocks, proof.fault, proof.waiting) == (1, None, 0)


async def test_an_account_that_fails_harms_no_other(economy, context, admin, monkeypatch):
    ann, bob = await economy.account("ann", plan="small"), await economy.account("bob", plan="small")
    admin.execute("update ledger.account set due_at = clock_timestamp() where due_at is not null")
    settle = metering.settle_account

    async def failing(database, catalog, party):
        if party.id == ann.id:
            raise ValueError("a bad day")
        await settle(database, catalog, party)

    monkeypatch.setattr(metering, "settle_account", failing)
    assert await once(BY_NAME["settle accounts"], context) == 1
    del bob


async def test_one_process_at_a_time_does_a_task(worker_db):
    running = 0
    most = 0

    async def work(_: Context) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.1)
        running -= 1
        return 1

    task = Task("tested", 1, work)
    context = Context(worker_db, lambda: False)
    assert sum(await asyncio.gather(*(once(task, context) for _ in range(3)))) == 1
    assert most == 1
    # Free again afterwards, and after a failure.
    with pytest.raises(ValueError, match="bad"):
        async with exclusive(worker_db, "jobs.tested"):
            raise ValueError("bad")
    assert await once(task, context) == 1


async def test_a_task_that_is_to_end_leaves_the_rest(economy, worker_db, admin):
    ann = await economy.account("ann", credits=100)
    await economy.hold(ann, amount=10)
    admin.execute("update ledger.hold set expires_at = clock_timestamp() - interval '1 day'")
    assert await once(BY_NAME["expire holds"], Context(worker_db, lambda: True)) == 0
    assert await once(BY_NAME["expire holds"], Context(worker_db, lambda: False)) == 1


async def test_bonuses_are_paid_and_odd_use_is_held(economy, context):
    owner, fan = await economy.account("owner"), await economy.account("fan", credits=100)
    await economy.model("m", owner)
    for _ in range(4):
        await economy.charge(fan, model_id="m", amount=1)
    await economy.apply(source(TERMS + '\n[[bonus]]\nid = "three"\nkind = "uses"\nat = 3\namount_usd = "1"\n'))
    assert await once(BY_NAME["pay bonuses"], context) == 1
    assert await once(BY_NAME["pay bonuses"], context) == 0
    assert await once(BY_NAME["hold odd use"], context) == 0  # nobody said from where on it is odd
    holding = replace(context, odd_use=Thresholds(uses=4))
    assert await once(BY_NAME["hold odd use"], holding) == 1
    assert await once(BY_NAME["hold odd use"], holding) == 0
    await clean(economy.db)


async def test_the_best_of_a_month_are_read_from_the_figures(economy, context, admin):
    owners = [await economy.account(f"o{n}") for n in range(3)]
    fan = await economy.account("fan", credits=1000)
    month = closed_months(datetime.now(UTC) - timedelta(days=62), datetime.now(UTC))[0][0]
    for number, owner in enumerate(owners):
        await economy.model(f"m{number}", owner)
        at = (month + timedelta(days=number)).isoformat()
        await economy.charge(fan, model_id=f"m{number}", amount=10 + number, occurred_at=at)
    await economy.charge(fan, model_id="m0", amount=500)  # this month's
    rule = '\n[[bonus]]\nid = "best"\nkind = "performance"\nat = 2\namount_usd = "5"\n'
    await economy.apply(source(TERMS + rule))
    admin.execute("update catalog.version set applied_at = now() - interval '62 days'")
    assert await once(BY_NAME["pay bonuses"], context) == 2
    assert await once(BY_NAME["pay bonuses"], context) == 0
    async with economy.db.read(PLATFORM) as tx:
        paid = [len(await earnings.bonuses_of(tx, party(owner))) for owner in owners]
    assert paid == [0, 1, 1]
