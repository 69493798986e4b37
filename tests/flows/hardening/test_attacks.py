"""Whatever is sent to any endpoint: no 5xx, no text of SQL, of paths or of secrets in any answer, none in the log."""

import asyncio
import json
import random
import socket
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from soak.client import Reply
from soak.corpus import Seed, of_reference
from soak.fuzz import Connection, wrong_with
from soak.mutate import Case, spoil

HERE = Path(__file__).parent
KNOWN = {"account_id": "u-42", "userId": "u-42", "organizationId": "org-1", "model_id": "m1", "id": "m1"}
LEAKS = (b"Traceback", b"psycopg", b"site-packages", b"SELECT ", b"th_owner", b"/tmp/th-", b"syntax error at")


def seeds(target):
    """A request for every operation, by its example, and for every other path; some by the canary key."""
    status, reference = target.service.call("GET", "/openapi.json")
    assert status == 200
    found = list(of_reference(reference, KNOWN))
    operations = {(method.upper(), path) for path, item in reference["paths"].items() for method in item}
    assert len({(seed.method, seed.path) for seed in found}) >= len(operations)
    pages = ("/", "/docs", "/docs/errors", "/openapi.json", "/static/docs/docs.css", "/nothing-here", "/v1/nothing")
    return found + [Seed("GET", path, None) for path in pages]


async def fuzz(target, found, seconds):
    """Spoilt requests for each seed in turn, from several callers, until the time is over; at least two a seed."""
    answers: Counter[int] = Counter()
    findings: list[str] = []
    deadline = time.monotonic() + seconds
    password = target.secrets["password"].decode()
    dice = random.Random(28)
    order = [seed for _ in range(2) for seed in dice.sample(found, len(found))]

    async def caller():
        connection = Connection("127.0.0.1", target.service.port)
        while len(findings) < 5:
            if order:
                seed = order.pop()
            elif time.monotonic() < deadline:
                seed = dice.choice(found)
            else:
                break
            if isinstance(seed.body, dict) and dice.random() < 0.3:
                seed = Seed(seed.method, seed.path, {**seed.body, "password": password})
            case = spoil(seed, dice, dice.choice((target.service.admin_key, target.key)))
            reply = await connection.send(case)
            answers[reply.status if reply else 0] += 1
            if wrong := wrong_with(case, reply, target.secrets):
                findings.append(f"{wrong}: {case.raw[:1500]!r} was answered with {reply}")
        await connection.close()

    await asyncio.gather(*(caller() for _ in range(6)))
    return answers, findings


async def test_spoilt_bytes_on_every_endpoint(target):
    found = await asyncio.to_thread(seeds, target)
    answers, findings = await fuzz(target, found, target.seconds)
    assert findings == []
    assert sum(answers.values()) >= 2 * len(found)
    assert {200, 400, 401, 404, 422} <= answers.keys(), answers
    assert target.service.is_ready()
    target.check_log()


def test_every_check_of_schemathesis(target, tmp_path):
    """Its examples, its edge cases, its fuzz, and sequences of calls that follow one another by their answers."""
    recorded = tmp_path / "answers.har"
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(HERE / "schemathesis.toml"),
        "run", f"http://127.0.0.1:{target.service.port}/openapi.json",
        "-H", f"Authorization: Bearer {target.service.admin_key}",
        "--phases", "examples,coverage,fuzzing,stateful",
        "-n", str(max(1, int(target.seconds / 12))),
        "--seed", "28", "--no-shrink", "--report-har-path", str(recorded), "--output-sanitize", "false",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    failures = done.stdout.partition(" FAILURES ")[2].partition(" WARNINGS ")[0]
    assert done.returncode == 0, failures[:6000] + done.stdout[-1500:] + done.stderr[-2000:]
    for phase in ("Examples", "Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in done.stdout, done.stdout[-1500:]
    entries = json.loads(recorded.read_text())["log"]["entries"]
    assert len(entries) > 500
    for entry in entries:
        answer = json.dumps(entry["response"], ensure_ascii=False).encode("utf-8", "surrogatepass")
        assert entry["response"]["status"] < 500, entry
        assert [name for name, secret in target.secrets.items() if secret in answer] == []
        assert [leak for leak in LEAKS if leak in answer] == []
    target.check_log()


def test_credentials_are_repeated_nowhere(target):
    """Secrets where they do not belong: in paths, queries, fields and headers of refused requests."""
    call, key = target.service.call, target.key
    password = target.secrets["password"].decode()
    tries = [
        call("GET", "/v1/accounts", Authorization=f"Bearer {key}x"),
        call("GET", "/v1/accounts", Authorization=f"Basic {key}"),
        call("GET", "/v1/accounts", Authorization=f"Bearer {key}, Bearer {target.service.admin_key}"),
        call("GET", f"/v1/charges?account_id=u-42&limit={password}"),
        call("GET", f"/v1/charges?account_id=u-42&cursor={key}"),
        call("POST", "/v1/accounts", {"id": "a", "kind": "user", "name": "n", "password": password}),
        call("POST", "/v1/accounts/u-42/api-keys", {"name": "n", "expires_at": password}),
        call("POST", "/v1/accounts/u-42/api-keys", {"name": "n", "key": key, "password": [password]}),
        call("POST", "/v1/charges", {"account_id": "u-42", "amount": password}, Idempotency_Key="k"),
        call("POST", "/v1/charges", {"account_id": "u-42", "amount": 1}, Idempotency_Key=f"{password} x"),
        call("POST", "/login", {"email": "a@example.org", "password": password}),
    ]
    for status, body in tries:
        assert 400 <= status < 500, body
        text = json.dumps(body).encode()
        assert [name for name, secret in target.secrets.items() if secret in text] == [], body
    target.check_log()


def test_a_head_without_an_end_is_refused(target):
    with socket.create_connection(("127.0.0.1", target.service.port), 10) as connection, suppress(ConnectionError):
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"x-field: " + b"a" * (1 << 20))
        assert connection.recv(1000).startswith(b"HTTP/1.1 431 ")
    assert target.service.is_ready()


@pytest.mark.parametrize("text", [b"Traceback (most", b'relation "ledger.hold"', b"at /usr/lib/x"])
def test_the_judge_sees_a_leak(text):
    case = Case("json", b"POST /v1/x HTTP/1.1", strict=True)
    assert wrong_with(case, Reply(400, {}, b'{"code": "x"}'), {}) is None
    assert wrong_with(case, Reply(400, {}, text), {}) == "a leak"
    assert wrong_with(case, Reply(500, {}, b""), {}) == "a 500"
    assert wrong_with(case, Reply(200, {"x": "canary"}, b""), {"key": b"canary"}) == "the key"
