"""The jobs look up what uses cost, and find nothing to do a second time."""

import pytest
import pytest_asyncio

from economy import Economy, source
from tokenhouse.domain import insights
from tokenhouse.entrypoints.jobs.runner import once
from tokenhouse.entrypoints.jobs.tasks import TASKS, Context

BY_NAME = {task.name: task for task in TASKS}


@pytest_asyncio.fixture
async def economy(db):
    made = await Economy.found(db, source())
    yield made
    await made.till.close()


@pytest.fixture
def context(worker_db):
    return Context(worker_db, lambda: False)


async def test_costs_are_looked_up_once(economy, context, admin):
    ann = await economy.account("ann", credits=100)
    tokens = {"input_token": 1000, "output_token": 100}
    for model in ("gpt-4o", "no-such-model"):
        await economy.charge(ann, operation="llm", quantity=tokens, upstream_model=model)
    await economy.charge(ann, operation="llm", quantity=tokens, upstream_model="gpt-4o", cost_nanos=1)
    await economy.charge(ann, operation="llm", quantity=tokens)
    await economy.charge(ann, amount=1, upstream_model="gpt-4o")
    assert await once(BY_NAME["look up costs"], context) == 0
    await insights.roll(economy.db)
    assert await once(BY_NAME["look up costs"], context) == 2
    assert await once(BY_NAME["look up costs"], context) == 0
    rows = admin.execute("select model, nanos, source from metering.cost order by model").fetchall()
    assert rows == [("gpt-4o", 3_500_000, "genai-prices"), ("no-such-model", None, None)]
