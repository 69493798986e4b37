"""What nobody foresaw is answered as a problem too, tells nothing, and is in the log once with its traceback."""

import psycopg
import pytest
from structlog.testing import capture_logs

from tokenhouse.domain import metering
from tokenhouse.domain.access import Identities
from tokenhouse.entrypoints.api.v1 import models


def _raising(error):
    async def broken(*_args, **_kwargs):
        raise error

    return broken


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("secret inside"), 500, "internal_error"),
        (psycopg.errors.SerializationFailure("secret inside"), 503, "unavailable"),
        (psycopg.errors.NumericValueOutOfRange("secret inside"), 422, "validation_failed"),
        (psycopg.errors.ForeignKeyViolation("secret inside"), 409, "conflict"),
    ],
)
async def test_by_either_route(client, monkeypatch, error, status, code):
    user = await client.account(credits_left=1)
    monkeypatch.setattr(models.market, "list_models", _raising(error))
    monkeypatch.setattr(metering.GroupCommit, "submit", _raising(error))
    monkeypatch.setattr(Identities, "find_all", _raising(error))
    for method, path, body in (
        ("GET", "/api/models", None),
        ("POST", "/v1/charges", {"account_id": user, "amount": 1}),
        ("POST", "/v1/holds", {"account_id": user, "amount": 1}),
    ):
        with capture_logs() as logs:
            reply = await client.http.request(
                method, path, json=body, headers={"Authorization": f"Bearer {client.key}", "Idempotency-Key": "k"}
            )
        assert (reply.status_code, reply.headers["content-type"]) == (status, "application/problem+json")
        told = reply.json()
        assert told["code"] == code
        assert (told.get("success") is False) is path.startswith("/api/")
        assert "secret" not in reply.text
        assert told["request_id"] == reply.headers["x-request-id"]
        failures = [line for line in logs if line["event"] == "request failed"]
        assert [(line["request_id"], line["exc_info"]) for line in failures] == [(told["request_id"], error)]
