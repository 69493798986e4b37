"""Bank files and statements over HTTP."""

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pypdf
import pytest
import sepaxml
import xmlschema

from http_face import Client, Description, is_problem, key, serving
from tokenhouse.settings import SettingsError, load_settings

IBAN = "DE02120300000000202051"
CENT = 10_000_000


async def payee(client, credits_used=5000, method="bank", **details):
    """Somebody who earned so many credits' worth long ago, and is paid by bank."""
    owner, fan = await client.account("c"), await client.account("fan", credits_left=credits_used)
    model = await client.model(owner=owner)
    at = (datetime.now(UTC) - timedelta(days=20)).isoformat()
    await client.must("/v1/charges", {"account_id": fan, "amount": credits_used, "model_id": model, "occurred_at": at})
    given = {"method": method, "details": details or {"name": "Ada", "iban": IBAN}}
    reply = await client.call("PUT", f"/v1/accounts/{owner}/payout-method", given)
    assert reply.status == 200, reply
    return owner


async def test_a_file_for_the_bank(client, superuser):
    owner = await payee(client)
    own = await client.key_of(owner)
    made = await own.must("/v1/payouts", {"account_id": owner, "amount_nano_usd": 20 * CENT + 5})
    assert (made["method"], made["amount_nano_usd"]) == ("bank", 20 * CENT)
    body = {"format": "csv", "ids": [made["id"]]}
    is_problem(await client.post("/v1/payout-batches", body, idem=False), 400, "idempotency_key_invalid")
    is_problem(await own.post("/v1/payout-batches", body), 403)
    one = key()
    first = await client.post("/v1/payout-batches", body, idem=one)
    assert first.status == 201, first
    again = await client.post("/v1/payout-batches", body, idem=one)
    assert (again.status, again.json, again.replayed) == (201, first.json, True)
    is_problem(await client.post("/v1/payout-batches", {"format": "csv"}, idem=one), 422, "idempotency_mismatch")
    is_problem(await client.post("/v1/payout-batches", body), 409, "nothing_to_pay")
    is_problem(await client.post("/v1/payout-batches", {"format": "pain.001"}), 409, "bank_not_set_up")
    for wrong in ({}, {"format": "xml"}, {"format": "csv", "ids": []}, {"format": "csv", "ids": ["x"]},
                  {"format": "csv", "execution_date": "2026-02-30"}, {"format": "csv", "more": 1},
                  {"format": "csv", "execution_date": "2020-01-01"}):  # fmt: skip
        is_problem(await client.post("/v1/payout-batches", wrong), 422, "validation_failed")
    path = f"/v1/payout-batches/{first.json['id']}"
    files = [await client.get(f"{path}/file") for _ in range(2)]
    assert files[0].body == files[1].body
    assert (files[0].kind, files[0].headers["cache-control"]) == ("text/csv", "no-store")
    assert f"{first.json['id']}.csv" in files[0].headers["content-disposition"]
    (row,) = csv.DictReader(io.StringIO(files[0].body.decode(), newline=""))
    assert (row["payout_id"], row["iban"], row["amount"], row["currency"]) == (made["id"], IBAN, "0.20", "USD")
    is_problem(await own.get(f"{path}/file"), 403)
    is_problem(await client.get(f"/v1/payout-batches/{made['id']}"), 404)
    done = await client.post("/v1/payouts/bulk", {"ids": [made["id"]], "action": "complete"})
    assert done.json["data"][0]["payout"]["state"] == "completed"
    assert (await client.get(path)).json["payouts"][0]["state"] == "completed"
    listed = (await client.get("/v1/payout-batches?limit=1")).json["data"][0]
    assert (listed["id"], listed["payouts_count"], listed["total"]) == (first.json["id"], 1, "0.20")
    acts = superuser.execute("select act from access.audit where target_id = %s order by id", [first.json["id"]])
    assert [act for (act,) in acts] == ["batch.create", "batch.read", "batch.read"]


async def test_euros(shared_database):
    settings = {"payout_currency": "EUR", "payout_rate": "0.9", "payout_debtor_name": "House GmbH",
                "payout_debtor_iban": "DE89 3704 0044 0532 0130 00", "payout_pain": "001.001.03"}  # fmt: skip
    async with serving(shared_database, **settings) as base, httpx2.AsyncClient(base_url=base, timeout=30) as http:
        client = Client(http, Description((await http.get("/openapi.json")).json()))
        owner = await payee(client)
        made = await client.must("/v1/payouts", {"account_id": owner, "amount_nano_usd": 11 * CENT})
        batch = await client.must("/v1/payout-batches", {"format": "pain.001", "ids": [made["id"]]})
        assert (batch["total"], batch["total_usd"], batch["rate"]) == ("0.09", "0.11", "0.90")
        file = await client.get(f"/v1/payout-batches/{batch['id']}/file")
        assert file.kind == "application/xml"
        assert b"pain.001.001.03" in file.body
        assert b"DE89370400440532013000" in file.body


def test_settings_that_cannot_pay():
    for wrong in (
        {"payout_currency": "EUR"}, {"payout_rate": "0"}, {"payout_debtor_name": "House"},
        {"payout_debtor_name": "House", "payout_debtor_iban": IBAN[:-1] + "9"},
        {"payout_webhook_url": "https://pay.example"}, {"payout_webhook_secret": "whsec_" + "a" * 44},
        {"payout_webhook_url": "http://pay.example", "payout_webhook_secret": "whsec_" + "a" * 44},
        {"payout_webhook_url": "https://pay.example", "payout_webhook_secret": "short"},
    ):  # fmt: skip
        with pytest.raises(SettingsError):
            load_settings(**wrong)
    assert load_settings(payout_currency="EUR", payout_rate="0.920000001").payout_bank.rate == 920_000_001
    assert load_settings(payout_rate="0.92").payout_bank.rate == 10**9


async def test_ibans_are_checked(client):
    account = await client.account("c")
    path = f"/v1/accounts/{account}/payout-method"
    for details in ({"name": "Ada", "iban": IBAN[:-1] + "2"}, {"iban": IBAN}, {"name": "Ada"}):
        is_problem(await client.call("PUT", path, {"method": "bank", "details": details}), 422, "validation_failed")
    put = await client.call("PUT", path, {"method": "bank", "details": {"name": "Ada", "iban": IBAN}})
    assert (put.json["method"], put.json["hint"]) == ("bank", "•••• 2051")


async def test_statements(client):
    owner = await payee(client)
    own = await client.key_of(owner)
    path = f"/v1/accounts/{owner}/statements?month={datetime.now(UTC):%Y-%m}"
    payout = await own.must("/v1/payouts", {"account_id": owner, "amount_nano_usd": 20 * CENT})
    await client.must(f"/v1/payouts/{payout['id']}/fail", {})
    told = (await own.get(path)).json
    assert (told["opening_nano_usd"], told["closing_usd"], told["ended"]) == (0, "0.50", False)
    assert told["message"] is None
    assert [(one["kind"], one["nano_usd"]) for one in told["data"]] == [
        ("earning", 50 * CENT), ("payout", -20 * CENT), ("payout_back", 20 * CENT),
    ]  # fmt: skip
    assert told["data"][1]["payout_id"] == told["data"][2]["payout_id"] == payout["id"]
    assert (told["data"][0]["uses"], told["data"][0]["credits"]) == (1, 5000)
    sheet = await own.get(f"{path}&format=csv")
    assert sheet.kind == "text/csv"
    rows = list(csv.DictReader(io.StringIO(sheet.body.decode(), newline="")))
    assert [(row["kind"], row["amount_usd"], row["balance_usd"]) for row in rows] == [
        ("opening", "", "0.00"), ("earning", "0.50", "0.50"), ("payout", "-0.20", "0.30"),
        ("payout_back", "0.20", "0.50"), ("closing", "", "0.50"),
    ]  # fmt: skip
    paper = await own.get(f"{path}&format=pdf")
    assert (paper.kind, paper.body) == ("application/pdf", (await own.get(f"{path}&format=pdf")).body)
    text = "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(paper.body)).pages)
    assert "Statement" in text
    assert "$0.50" in text
    empty = (await client.get(f"/v1/accounts/{await client.account('new')}/statements?month=2024-02")).json
    assert (empty["data"], empty["closing_nano_usd"]) == ([], 0)
    assert "Put a model on the market" in empty["message"]
    for wrong in ("month=2026-13", "month=2999-01", "month=2026-10&format=xlsx", ""):
        is_problem(await own.get(f"/v1/accounts/{owner}/statements?{wrong}"), 422, "validation_failed")
    is_problem(await own.get(path.replace(owner, "nobody-there")), 404)


def test_the_validator_can_fail():
    """The schema that bank files are held against refuses what it should."""

    schema = xmlschema.XMLSchema(Path(sepaxml.__file__).parent / "schemas" / "pain.001.001.09.xsd")
    assert not schema.is_valid('<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"/>')
