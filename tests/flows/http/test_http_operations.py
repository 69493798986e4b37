"""What operators and newcomers see: the pages, the description, the figures, request ids."""

import asyncio
import json
import re
from dataclasses import replace

import httpx2
import jsonschema_rs
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from http_face import ADMIN_KEY, Description, is_problem, key, serving
from tokenhouse.entrypoints.api.codes import CODES


async def test_a_request_id_is_kept_or_made(client):
    kept = await client.get("/livez", headers={"X-Request-ID": "abc-123"})
    assert kept.headers.get_list("x-request-id") == ["abc-123"]
    for odd in ("a b", "x" * 129, "é".encode()):
        made = await client.get("/v1/models", headers={"X-Request-ID": odd})
        assert re.fullmatch(r"[0-9a-f-]{36}", made.headers["x-request-id"])
    refused = await client.post("/v1/charges", {}, headers={"X-Request-ID": "mine"})
    assert (refused.headers["x-request-id"], refused.json["request_id"]) == ("mine", "mine")


async def test_head_answers_as_get_without_the_body(client):
    for path in ("/", "/livez", "/v1/models", "/docs", "/openapi.json"):
        whole, head = await client.get(path), await client.call("HEAD", path)
        assert (head.status, head.body, head.kind) == (200, b"", whole.kind)
    assert (await client.call("HEAD", "/v1/check")).status == 405


async def test_the_first_page_for_people_and_for_programs(client):
    page = await client.get("/", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert page.kind == "text/html"
    policy = page.headers["content-security-policy"]
    assert "unsafe" not in policy
    html = page.body.decode()
    assert client.http.base_url.host in html
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?:https?:)?//""", html)
    assert "{{" not in html
    assert "<!-- " not in html
    told = await client.get("/", headers={"Accept": "*/*"})
    assert (told.kind, told.json["name"]) == ("application/json", "Tokenhouse")
    strange = await client.get("/", headers={"Accept": "text/html", "Host": "<script>"})
    assert strange.status == 400 or b"<script>/v1" not in strange.body


async def test_the_reference_needs_no_other_host(client):
    page = (await client.get("/docs")).body.decode()
    parts = re.findall(r"""<(?:script|link)\b[^>]*?\b(?:src|href)="([^"]+)""", page)
    assert len(parts) == 5
    for part in parts:
        assert part.startswith("/static/docs/")
        assert (await client.by(None).get(part)).status == 200
    assert (await client.get("/static/docs/../app.py")).status == 404
    is_problem(await client.get("/static/docs/nothing.js"), 404)


async def test_every_code_is_explained(client):
    page = (await client.get("/docs/errors")).body.decode()
    assert all(f'id="{code}"' in page for code in CODES)


async def test_the_description_is_whole(client):
    document = client.description.document
    assert document["openapi"].startswith("3.1")
    names = []
    for path, item in document["paths"].items():
        for method, operation in item.items():
            names.append(operation["operationId"])
            assert operation["summary"], path
            assert operation["description"], path
            assert operation["tags"], path
            good = [status for status in operation["responses"] if status.startswith("2")]
            assert len(good) == 1 or good == ["200", "202"], (method, path)
            if path.startswith(("/v1/", "/api/")):
                assert {"401", "503"} <= operation["responses"].keys(), path
                assert operation.get("security") is None
            else:
                assert operation["security"] == []
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            if body:
                schema = json.dumps(body["schema"])
                for name in re.findall(r"#/components/schemas/(\w+)", schema):
                    shape = document["components"]["schemas"][name]
                    assert shape.get("examples") or name == "NoBody", f"{name} has no example"
            for shape in _shapes(document, operation["responses"][good[0]]):
                judge = jsonschema_rs.validator_for({**shape, "components": document["components"]})
                assert shape["examples"], (method, path)
                judge.validate(shape["examples"][0])
            for described in operation["responses"].values():
                for content in described.get("content", {}).values():
                    assert content.get("schema") or path == "/metrics", (method, path)
    assert len(set(names)) == len(names)
    references = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert references <= document["components"]["schemas"].keys()


def _shapes(document, response):
    """What an answer's schema names, a list's items for a list."""
    for content in response.get("content", {}).values():
        schema = content.get("schema", {})
        reference = schema.get("$ref") or schema.get("items", {}).get("$ref")
        if reference:
            yield document["components"]["schemas"][reference.rpartition("/")[2]]


async def test_the_figures(client):
    before = _figures((await client.get("/metrics")).body)
    user = await client.account(credits_left=10)
    await client.must("/v1/charges", {"account_id": user, "amount": 1}, idem="m")
    await client.must("/v1/charges", {"account_id": user, "amount": 1}, idem="m")
    await client.post("/v1/charges", {"account_id": user, "amount": 100})
    await client.by(None).get("/v1/models")
    after = _figures((await client.get("/metrics")).body)
    grown = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
    assert grown['tokenhouse_charges_total{outcome="replayed"}'] == 1
    assert grown['tokenhouse_charges_total{outcome="refused"}'] == 1
    assert grown['tokenhouse_refusals_total{code="insufficient_tokens"}'] == 1
    assert grown['tokenhouse_refusals_total{code="unauthorized"}'] == 1
    assert grown['tokenhouse_http_requests_total{method="POST",route="/v1/charges",status="402"}'] == 1
    assert grown["tokenhouse_commit_batch_size_count"] >= 2
    assert "tokenhouse_commit_queue" in after
    assert not any(user in name for name in after)


def _figures(text):
    lines = [line for line in text.decode().splitlines() if line and not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


async def test_figures_are_not_for_others(client):
    for header in ("X-Forwarded-For", "Forwarded"):
        is_problem(await client.get("/metrics", headers={header: "203.0.113.9"}), 403)


async def test_without_its_database_it_says_so_and_recovers(postgres, booted):
    name = conninfo_to_dict(booted.app_conninfo)["dbname"]
    switch = sql.SQL("alter database {} allow_connections {}")
    async with (
        serving(replace(booted, server=None)) as base,
        httpx2.AsyncClient(base_url=base, headers={"Authorization": f"Bearer {ADMIN_KEY}"}) as http,
        await psycopg.AsyncConnection.connect(postgres.conninfo("postgres"), autocommit=True) as admin,
    ):
        assert (await http.get("/readyz")).status_code == 200
        await admin.execute(switch.format(sql.Identifier(name), sql.SQL("false")))
        await admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        unready = await http.get("/readyz")
        assert (unready.status_code, unready.headers["retry-after"]) == (503, "1")
        assert unready.json()["code"] == "unavailable"
        assert (await http.get("/livez")).status_code == 200
        refused = await http.get("/v1/models", timeout=20)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        await admin.execute(switch.format(sql.Identifier(name), sql.SQL("true")))
        for _ in range(50):
            if (await http.get("/readyz")).status_code == 200:
                break
            await asyncio.sleep(0.1)
        assert (await http.get("/v1/models")).status_code == 200


async def test_one_more_service_on_the_same_data(shared_database, client):
    """Keys made here work there at once; the description is the same."""
    user = await client.account(credits_left=5)
    made = await client.must(f"/v1/accounts/{user}/api-keys", {})
    async with serving(shared_database) as base, httpx2.AsyncClient(base_url=base) as http:
        assert Description((await http.get("/openapi.json")).json()).document == client.description.document
        headers = {"Authorization": f"Bearer {made['key']}", "Idempotency-Key": key()}
        body = {"account_id": user, "amount": 5}
        assert (await http.post("/v1/charges", json=body, headers=headers)).status_code == 201
        assert (await client.call("DELETE", f"/v1/accounts/{user}/api-keys/{made['id']}")).status == 204
        assert (await http.get(f"/v1/accounts/{user}", headers=headers)).status_code == 401
