"""History, exports and forecasts over HTTP."""

import asyncio
import csv
import io
import uuid
from datetime import UTC, datetime, timedelta

import openpyxl
import pytest
import pytest_asyncio

from http_face import DATA, is_problem
from tokenhouse.domain import access, insights
from tokenhouse.entrypoints.jobs.runner import once
from tokenhouse.entrypoints.jobs.tasks import TASKS, Context
from tokenhouse.infra.database import PLATFORM, Database

FOLDER = DATA / "exports"
BY_NAME = {task.name: task for task in TASKS}


@pytest_asyncio.fixture
async def jobs(shared_database):
    """Runs a task as the jobs process does."""
    async with Database(shared_database.worker_conninfo, shared_database.signer) as database:

        async def run(name):
            return await once(BY_NAME[name], Context(database, lambda: False, exports=FOLDER))

        yield run


@pytest_asyncio.fixture
async def trade(client):
    """Accounts of a payer and an earner, with five uses of 10 to 50 credits between them."""
    payer, earner = await client.account("payer", credits_left=1000), await client.account("earner")
    model = await client.model(earner)
    for n in range(1, 6):
        body = {"account_id": payer, "model_id": model, "amount": n * 10, "user_id": "@cmd", "operation": "chat"}
        await client.must("/v1/charges", body)
    return payer, earner, model


async def test_history_in_pages_and_by_filters(client, trade):
    payer, earner, model = trade
    whole = (await client.get(f"/v1/history?account_id={payer}&limit=100")).json
    assert not whole["has_more"]
    assert [one["credits"] for one in whole["data"]][:5] == [-50, -40, -30, -20, -10]
    paged, cursor = [], ""
    while True:
        page = (await client.get(f"/v1/history?account_id={payer}&limit=2{cursor}")).json
        paged += page["data"]
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert paged == whole["data"]
    earned = (
        await client.get(f"/v1/history?account_id={earner}&kind=earning&model_id={model}&min_amount=4000000")
    ).json
    assert [one["usd"] for one in earned["data"]] == ["0.005", "0.004"]
    assert all(one["user_id"] not in ("@cmd", payer) for one in earned["data"])
    # The sixth brought the balance down to what the test begins with.
    for filters, count in (("kind=usage", 6), ("kind=allowance,usage", 7), ("q=CHAT", 5), ("user_id=@cmd", 5),
                           ("operation=chat&min_amount=30", 3), ("model_id=nobodys", 0), ("q=nowhere", 0)):  # fmt: skip
        got = (await client.get(f"/v1/history?account_id={payer}&{filters}")).json["data"]
        assert len([one for one in got if one["credit_type"] == "general"]) == count, filters
    later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat().replace("+", "%2B")
    assert (await client.get(f"/v1/history?account_id={payer}&from={later}")).json["data"] == []


@pytest.mark.parametrize(
    "query",
    ["kind=a b", "kind=,", "q=", "from=2030-01-01", "min_amount=-1", "limit=0", "cursor=AAAA", "q=a%00b",
     "from=2030-01-02T00:00:00Z&to=2030-01-01T00:00:00Z"],
)  # fmt: skip
async def test_history_refuses_what_it_cannot_read(client, query):
    account = await client.account("u")
    is_problem(await client.get(f"/v1/history?account_id={account}&{query}"), 422, "validation_failed")


async def test_downloads(client, trade):
    payer, earner, _ = trade
    reply = await client.get(f"/v1/exports/usage?account_id={payer}&format=csv&user_id=@cmd")
    assert reply.headers["content-disposition"] == f'attachment; filename="tokenhouse-usage-{payer}.csv"'
    assert reply.headers["cache-control"] == "no-store"
    rows = list(csv.DictReader(io.StringIO(reply.body.decode(), newline="")))
    assert [row["amount"] for row in rows] == ["50", "40", "30", "20", "10"]
    assert {row["user_id"] for row in rows} == {"'@cmd"}
    own = await client.key_of(earner)
    reply = await own.get(f"/v1/exports/earnings?account_id={earner}&format=xlsx")
    names, *cells = openpyxl.load_workbook(io.BytesIO(reply.body)).active.iter_rows(values_only=True)
    assert sum(dict(zip(names, one, strict=True))["nano_usd"] for one in cells) == 15_000_000
    reply = await own.get(f"/v1/exports/transactions?account_id={earner}&format=parquet&model_id=nobodys")
    assert (reply.status, reply.body[:4]) == (200, b"PAR1")
    for path in ("plans?account_id=x&format=csv", f"usage?account_id={payer}&format=pdf", f"usage?account_id={payer}"):
        is_problem(await client.get(f"/v1/exports/{path}"), 422)
    assert not list(FOLDER.glob("*.part"))


async def test_an_export_from_its_order_to_its_file(client, trade, jobs):
    payer, *_ = trade
    own = await client.key_of(payer)
    asked = await own.post("/v1/exports", {"account_id": payer, "kind": "transactions", "format": "csv"}, idem=False)
    assert asked.status == 202
    place = asked.headers["location"]
    assert (asked.json["state"], asked.json["progress"], asked.json["href"]) == ("queued", None, None)
    is_problem(await own.get(f"{place}/file"), 409, "export_not_done")
    while await jobs("make exports"):
        pass
    done = (await own.get(place)).json
    assert (done["state"], done["progress"], done["rows"]) == ("done", 1.0, done["total"])
    file = await own.get(done["href"])
    assert len(file.body) == done["bytes"] == int(file.headers["content-length"])
    rows = list(csv.DictReader(io.StringIO(file.body.decode(), newline="")))
    assert sum(int(row["credits"]) for row in rows) == await client.balance(payer)
    assert [one["id"] for one in (await own.get(f"/v1/exports/jobs?account_id={payer}")).json["data"]] == [done["id"]]
    stranger = await client.key_of(await client.account("stranger"))
    for path in (place, done["href"]):
        is_problem(await stranger.get(path), 404)
    is_problem(await client.get(f"/v1/exports/jobs/{uuid.uuid4()}"), 404)
    is_problem(await client.get("/v1/exports/jobs/..%2Fetc%2Fpasswd"), 404)
    acts = (await client.get(f"/v1/audit?act=export.create&target=export:{done['id']}")).json["data"]
    assert [one["account"] for one in acts] == [payer]
    (FOLDER / f"{done['id']}.csv").unlink()
    is_problem(await own.get(done["href"]), 404)


@pytest.mark.parametrize(
    "change",
    [{"kind": "plans"}, {"format": "pdf"}, {"from": "2030-01-02T00:00:00Z", "to": "2030-01-01T00:00:00Z"},
     {"more": 1}, {"since": None}, {"user_id": "a\0b"}],
)  # fmt: skip
async def test_orders_that_cannot_be_carried_out(client, change):
    account = await client.account("u")
    body = {"account_id": account, "kind": "usage", "format": "csv"} | change
    is_problem(await client.post("/v1/exports", body, idem=False), 422, "validation_failed")


async def test_charges_go_on_while_exports_are_read(client, face, trade):
    """Exports have connections of their own: as many callers as there are wait for each other, not charges for them."""
    payer, *_ = trade
    paths = [f"/v1/exports/transactions?account_id={payer}&format=csv"] * 12
    exports = [asyncio.create_task(client.get(path)) for path in paths]
    charges = [client.post("/v1/charges", {"account_id": payer, "amount": 1}) for _ in range(20)]
    assert {reply.status for reply in await asyncio.gather(*charges)} == {201}
    assert {reply.status for reply in await asyncio.gather(*exports)} == {200}


# ---- forecasts ----


def charges_of(payer, model, days):
    """A batch's charges: so many credits so many days ago."""
    now = datetime.now(UTC)
    return {
        "charges": [
            {"account_id": payer, "model_id": model, "amount": amount, "idempotency_key": uuid.uuid4().hex,
             "occurred_at": (now - timedelta(days=ago)).isoformat()}
            for ago, amount in days
        ]
    }  # fmt: skip


async def test_earnings_are_forecast(client, jobs):
    payer, earner = await client.account("payer", credits_left=100_000), await client.account("earner")
    model = await client.model(earner)
    path = f"/v1/forecasts/earnings?account_id={earner}"
    young = await client.get(path)
    assert (young.status, young.json["state"], young.json["days"]) == (200, "not_enough_history", 0)
    amounts = [(ago, 100 + 37 * (ago * 7 % 5)) for ago in range(1, 41)]
    await client.must("/v1/charges/batch", charges_of(payer, model, [(0, 5000), *amounts[:13]]), idem=False)
    young = await client.get(path)
    assert (young.json["state"], young.json["days"]) == ("not_enough_history", 13)  # today is not over
    await client.must("/v1/charges/batch", charges_of(payer, model, amounts[13:]), idem=False)
    reply = await client.get(path)
    assert (reply.status, reply.json["state"], reply.headers["retry-after"]) == (202, "pending", "2")
    assert await jobs("make forecasts") >= 1
    reply = await client.get(path)
    assert (reply.status, reply.json["state"], reply.json["days"]) == (200, "ready", 40)
    first, second = reply.json["forecasts"]
    assert (first["days"], second["days"]) == (30, 90)
    earned = sum(amount for _, amount in amounts) * 100_000
    assert abs(first["mean_nano_usd"] - earned * 30 / 40) < earned * 0.2
    assert first["low_nano_usd"] < first["mean_nano_usd"] < first["high_nano_usd"]
    assert second["mean_nano_usd"] > 2 * first["mean_nano_usd"]
    # Asked again it is the same, and nothing is made anew.
    assert (await client.get(path)).json == reply.json
    assert await jobs("make forecasts") == 0


async def test_the_days_forecasts_are_made_for_everybody_who_earns(client, superuser, jobs, own):
    payer, earner = await client.account("payer", credits_left=1000), await client.account("earner")
    await client.must("/v1/charges", {"account_id": payer, "model_id": await client.model(earner), "amount": 5})
    assert await jobs("request forecasts") >= 1
    assert await jobs("make forecasts") >= 1
    async with own.transaction(PLATFORM) as tx:
        account = await access.find_account(tx, earner)
        assert await insights.request_forecasts(tx) == 0
    superuser.execute(
        "update insights.forecast set made_at = made_at + interval '1 day' where account_id = %s", [account.id]
    )
    async with own.transaction(PLATFORM) as tx:  # made by a clock that was set back since: made anew
        assert await insights.request_forecasts(tx) == 1


async def test_the_day_a_wallet_runs_out(client):
    payer = await client.account("payer")
    model = await client.model()
    used = [(ago, 10_000 + 100 * (ago % 3)) for ago in range(1, 9)]
    path = f"/v1/forecasts/run-out?account_id={payer}"
    general = {one["credit_type"]: one for one in (await client.get(path)).json["data"]}["general"]
    assert (general["reason"], general["runs_out_on"]) == ("not_used", None)
    await client.must("/v1/charges/batch", charges_of(payer, model, used), idem=False)
    reply = (await client.get(path)).json
    found = {one["credit_type"]: one for one in reply["data"]}
    have, burned = await client.balance(payer), sum(amount for _, amount in used)
    assert (found["general"]["available"], found["general"]["burned"], found["general"]["days"]) == (have, burned, 8)
    assert found["general"]["reason"] == "runs_out"
    # The balance at the mean of the eight days, before the allowance is renewed.
    days = (datetime.fromisoformat(found["general"]["runs_out_on"]).date() - datetime.now(UTC).date()).days
    assert abs(days - have / (burned / 8)) <= 1
    assert {found[name]["reason"] for name in found if name != "general"} == {"not_used"}
    # What never expires and is not used up lasts.
    await client.must(f"/v1/accounts/{payer}/grants", {"credit_type": "general", "amount": 10**9, "source": "gift"})
    found = {one["credit_type"]: one for one in (await client.get(path)).json["data"]}
    assert (found["general"]["reason"], found["general"]["runs_out_on"]) == ("lasts", None)
