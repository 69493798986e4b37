"""What leaves the service as traces, seen by a collector of our own: routes, and no secret of any address."""

import asyncio
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx2
import pytest

from http_face import ADMIN_KEY, serving
from tokenhouse.domain import access
from tokenhouse.infra import telemetry
from tokenhouse.infra.database import PLATFORM
from tokenhouse.main import _telemetry
from tokenhouse.settings import load_settings


@pytest.fixture
def collector(monkeypatch):
    """A collector of OTLP over HTTP: its address, and all bytes that it was sent."""
    # Set by the service for the exporters, which read nothing else: taken back afterwards.
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME"):
        monkeypatch.setenv(name, "x")
        del os.environ[name]
    # Figures go by routes alone, and would go on being sent after the test.
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    sent = []

    class Collects(BaseHTTPRequestHandler):
        def do_POST(self):
            sent.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collects)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", sent
    server.shutdown()
    server.server_close()


async def test_no_secret_of_an_address_is_in_a_trace(shared_database, own, someone, collector):
    ada = await someone()
    async with own.transaction(PLATFORM) as tx:
        _, reset = await access.request_reset(tx, ada.email)
        verify = await access.issue_link(tx, (await access.find_account(tx, ada.account)).id, "verify")
    where, sent = collector
    invitation, code = "i" * 43, "canary-code-of-a-provider"
    async with serving(shared_database, otel_endpoint=where) as base, httpx2.AsyncClient(base_url=base) as http:
        for path in (
            f"/reset/{reset}",
            f"/%72eset/{reset}",
            f"/verify?token={verify}",
            f"/invitations/{invitation}",
            f"/login?next=/invitations/{invitation}",
            f"/login/oidc/x/callback?code={code}&state={code}",
        ):
            await http.get(path)
        await http.post(f"/reset/{reset}", data={"password": "short"})
        key = {"Authorization": f"Bearer {ADMIN_KEY}"}
        assert (await http.get("/v1/accounts?limit=1", headers=key)).status_code == 200
    await asyncio.sleep(0.1)
    told = b"".join(sent)
    assert b"/reset/{token}" in told  # the route stands there
    assert b"/v1/accounts" in told
    for secret in (reset, verify, invitation, code, ADMIN_KEY):
        assert secret.encode() not in told


def test_without_their_packages_there_are_no_traces_and_a_service_all_the_same(collector, monkeypatch):
    monkeypatch.delitem(sys.modules, "tokenhouse.infra.telemetry.traces", raising=False)
    monkeypatch.delattr(telemetry, "traces", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)  # what Python then says is that it is not there
    where, _ = collector
    assert _telemetry(load_settings(otel_endpoint=where))["tracing"] is False
