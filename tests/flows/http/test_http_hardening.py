"""What every answer tells the browser, how browsers are refused, and bounds that hold on every path."""

import asyncio
import re

import httpx2
import psycopg
import pytest
from structlog.testing import capture_logs

from http_face import ADMIN_KEY, is_problem, serving
from tokenhouse.entrypoints.api import gate, ops
from tokenhouse.entrypoints.api.headers import TLS_ONLY, complete
from tokenhouse.main import create_app
from tokenhouse.settings import load_settings

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
ALWAYS = {"x-content-type-options": "nosniff", "x-frame-options": "DENY"}


def policy_of(reply):
    """A content security policy: directive → sources."""
    (policy,) = reply.headers.get_list("content-security-policy")
    return {name: sources for name, *sources in (part.split() for part in policy.split(";"))}


def is_hardened(reply):
    """Assert what holds for every answer, and more for a page."""
    for name, value in ALWAYS.items():
        assert reply.headers.get_list(name) == [value], (name, reply)
    assert reply.headers.get_list("cache-control")
    assert len(reply.headers.get_list("referrer-policy")) == 1
    policy = policy_of(reply)
    assert policy["default-src"] == ["'none'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:", "'strict-dynamic'"} & {
        source for sources in policy.values() for source in sources
    }, policy
    assert reply.headers["x-request-id"]
    assert "server" not in reply.headers
    if "text/html" in reply.headers.get("content-type", ""):
        assert policy["base-uri"] == ["'none'"]
        assert reply.headers["cross-origin-opener-policy"] == "same-origin"
        assert "camera=()" in reply.headers["permissions-policy"]
        if reply.content:  # of HEAD there is none
            _needs_nothing_inline(reply, policy)


def _needs_nothing_inline(reply, policy):
    """Assert that the page's own styles and scripts are those that its policy names."""
    for tag in ("style", "script"):
        inline = re.findall(rf"<{tag}>", reply.text)
        named = [source for source in policy.get(f"{tag}-src", []) if source.startswith("'sha256-")]
        assert len(inline) == len(named), (tag, inline, named)
    assert not re.search(r"<[a-z][^>]*\s(?:style|on[a-z]+)\s*=", reply.text), "inline"
    assert "javascript:" not in reply.text


def paths(application):
    """Every path that the application routes, whatever stands in it for ids."""
    found = [re.sub(r"\{[^}]+\}", "x", path) for path in _templates(application._app.routes)]
    return sorted({*found, "/static/docs/docs.css", "/static/docs/swagger/swagger-ui.css", "/nothing-here", "/v1/x"})


def _templates(routes):
    for route in routes:
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        if getattr(route, "path", None):
            yield route.path
        elif inner is not None:
            yield from _templates(inner.routes)


async def test_every_answer_of_every_route(face, client, shared_database):
    every = paths(create_app(load_settings(admin_key=ADMIN_KEY), shared_database))
    assert {"/", "/docs", "/docs/errors"} <= set(every), every
    assert len(every) > 25
    pages = set()
    for path in every:
        for method in ("GET", "POST", "HEAD", "OPTIONS", "DELETE"):
            for headers in ({}, BROWSER, {"Authorization": f"Bearer {ADMIN_KEY}"}):
                reply = await client.http.request(method, path, headers=headers)
                is_hardened(reply)
                if reply.headers.get("content-type", "").startswith("text/html"):
                    pages.add((path, reply.status_code))
    assert {("/", 200), ("/docs", 200), ("/docs/errors", 200), ("/nothing-here", 404), ("/docs", 405)} <= pages
    assert not [path for path, _ in pages if path.startswith(("/v1", "/api/"))]


def test_a_page_without_a_policy_gets_the_strict_one():
    made = complete([(b"content-type", b"text/html; charset=utf-8"), (b"x-request-id", b"1")], tls_only=False)
    reply = httpx2.Response(200, headers=made, content=b"<p>Hello</p>")
    is_hardened(reply)
    policy = policy_of(reply)
    assert {name for name, sources in policy.items() if sources == ["'self'"]} == {
        "script-src", "style-src", "font-src", "connect-src", "form-action",
    }  # fmt: skip
    own = complete(
        [(b"content-type", b"text/html"), (b"content-security-policy", b"default-src 'none'")], tls_only=True
    )
    assert [value for name, value in own if name == b"content-security-policy"] == [b"default-src 'none'"]
    assert TLS_ONLY in own


@pytest.mark.parametrize("env", ["development", "production"])
async def test_tls_is_remembered_where_it_is_real(shared_database, env):
    tls = {"X-Forwarded-Proto": "https"}
    async with serving(shared_database, env=env) as base, httpx2.AsyncClient(base_url=base) as http:
        key = {"Authorization": f"Bearer {ADMIN_KEY}"}
        for path, headers in (("/", BROWSER), ("/docs", {}), ("/v1/accounts", key), ("/v1/accounts", {}), ("/x", {})):
            over_tls = (await http.get(path, headers=headers | tls)).headers
            assert ("strict-transport-security" in over_tls) is (env == "production"), path
            assert "strict-transport-security" not in (await http.get(path, headers=headers)).headers
        charge = await http.post("/v1/charges", headers=key | tls, json={})
        assert ("strict-transport-security" in charge.headers) is (env == "production")
        assert "https://" in (await http.get("/", headers=tls)).text
    untrusting = serving(shared_database, env="production", trusted_proxies=())
    async with untrusting as base, httpx2.AsyncClient(base_url=base) as http:
        assert "strict-transport-security" not in (await http.get("/", headers=tls)).headers


# ---- refusals as pages ----


def is_page(reply, status, words):
    assert (reply.status_code, reply.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert words in reply.text
    assert reply.headers["x-request-id"] in reply.text
    assert reply.headers["vary"] == "Accept"
    assert len(reply.content) < 2500
    is_hardened(reply)


def _raising(error):
    async def broken(*_args, **_kwargs):
        raise error

    return broken


async def test_a_browser_is_refused_with_a_page_and_a_program_with_a_problem(client):
    is_page(await client.http.get("/nothing-here", headers=BROWSER), 404, "There is nothing at this address")
    is_page(await client.http.delete("/docs", headers=BROWSER), 405, "cannot be used")
    strange = await client.http.get("/%3Cscript%3Ealert(1)%3C/script%3E?a=<b>", headers=BROWSER)
    is_page(strange, 404, "There is nothing")
    assert "alert(1)" not in strange.text
    named = await client.http.get("/nothing-here", headers=BROWSER | {"X-Request-ID": "<script>alert(1)</script>"})
    assert "<script>" not in named.text
    assert "&lt;script&gt;" in named.text
    for accept in ("application/json", "*/*", "application/json, text/html", ""):
        reply = await client.get("/nothing-here", headers={"Accept": accept})
        is_problem(reply, 404, "not_found")
    for path in ("/v1/nothing-here", "/api/nothing-here", "/v1", "/api"):
        is_problem(await client.get(path, headers=BROWSER), 404, "not_found")
        is_problem(await client.by(None).get(path, headers=BROWSER), 401, "unauthorized")


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (RuntimeError("secret inside"), 500, "our fault"),
        (psycopg.errors.SerializationFailure("secret inside"), 503, "not available at the moment"),
    ],
)
async def test_what_goes_wrong_here_is_a_page_that_tells_nothing(client, monkeypatch, error, status, words):
    monkeypatch.setattr(ops, "answer", lambda *_: (_ for _ in ()).throw(error))
    with capture_logs() as logs:
        reply = await client.http.get("/livez", headers=BROWSER)
    is_page(reply, status, words)
    assert "secret" not in reply.text
    assert "RuntimeError" not in reply.text
    assert [line["exc_info"] for line in logs if line["event"] == "request failed"] == [error]
    assert all(line.get("address") == "127.0.0.1" for line in logs if line["event"] == "request")


# ---- bounds on every path ----

OPEN = ("/", "/docs", "/livez", "/openapi.json", "/nothing-here")


async def test_a_large_body_is_refused_everywhere(client):
    async def chunks():
        for _ in range(40):
            yield b" " * 65_536

    for path in (*OPEN, "/v1/accounts"):
        for method in ("POST", "GET", "PUT"):
            for content in (b" " * ((1 << 20) + 1), chunks()):
                reply = await client.http.request(
                    method, path, content=content, headers={"Authorization": f"Bearer {client.key}"}
                )
                assert reply.status_code == 413, (method, path)
                assert reply.json()["code"] == "body_too_large"
    assert (await client.http.post("/livez", content=b" " * (1 << 20))).status_code == 405
    assert (await client.http.request("GET", "/livez", content=b"{}")).status_code == 200


async def test_a_slow_body_is_refused_everywhere(client, monkeypatch):
    monkeypatch.setattr(gate, "BODY_SECONDS", 0.2)
    base = client.http.base_url
    for path in (*OPEN, "/v1/accounts"):
        for method in ("POST", "GET"):
            reader, writer = await asyncio.open_connection(base.host, base.port)
            key = f"Authorization: Bearer {client.key}"
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{key}\r\nContent-Length: 10\r\n\r\n[".encode())
            answer = await asyncio.wait_for(reader.readuntil(b"}"), 5)
            assert answer.startswith(b"HTTP/1.1 408 "), (method, path, answer[:100])
            writer.close()
