"""Logs hold no secrets; figures of several processes add up."""

import json
import logging
import subprocess
import sys

import structlog

from tokenhouse.infra.telemetry import logs

WORKER = """
import sys
from tokenhouse.infra.telemetry.metrics import Metrics
metrics = Metrics(workers=2)
for _ in range(int(sys.argv[1])):
    metrics.outcome("charge")
metrics.observe_batch(int(sys.argv[1]), 0.01, waiting=int(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
sys.stdout.write(metrics.text().decode())
metrics.close()
"""


def _workers(*counts):
    return [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for count in counts
    ]


def _ask(worker):
    said, _ = worker.communicate("go\n", timeout=20)
    return {line.rpartition(" ")[0]: line.rpartition(" ")[2] for line in said.splitlines() if line[:1] != "#"}


def test_whichever_worker_is_asked_tells_of_all():
    first, second = _workers(3, 4)
    killed = None
    try:
        for worker in (first, second):
            assert worker.stdout.readline() == "ready\n"
        seen = _ask(first)
        assert seen['tokenhouse_charges_total{outcome="charge"}'] == "7.0"
        assert seen["tokenhouse_commit_batch_size_count"] == "2.0"
        assert seen["tokenhouse_commit_queue"] == "7.0"
        # Its counts stay, its queue goes with it; so does that of one that was killed.
        (killed,) = _workers(5)
        assert killed.stdout.readline() == "ready\n"
        killed.kill()
        killed.wait()
        seen = _ask(second)
        assert seen['tokenhouse_charges_total{outcome="charge"}'] == "12.0"
        assert seen["tokenhouse_commit_queue"] == "4.0"
    finally:
        for worker in (first, second, killed):
            if worker is not None:
                worker.kill()
                worker.wait()


def test_logs_are_json_without_secrets(capsys):
    root = logging.getLogger()
    before = root.handlers[:], root.level, structlog.get_config()
    try:
        logs.configure("info", "json")
        secret = "th_live_" + "0" * 32 + "_" + "x" * 43
        structlog.contextvars.bind_contextvars(request_id="r-1")
        log = structlog.stdlib.get_logger("tokenhouse.tests")
        log.info("made", key=secret, note=f"Bearer {secret} and password=hunter2 and postgresql://a:hunter2@h/d")
        log.debug("too much")
        try:
            int(secret)
        except ValueError:
            logging.getLogger("elsewhere").exception("it failed with %s", secret)
    finally:
        structlog.contextvars.clear_contextvars()
        root.handlers[:], config = before[0], before[2]
        root.setLevel(before[1])
        structlog.configure(**config)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["event"] for line in lines] == ["made", "it failed with (hidden)"]
    assert {line["request_id"] for line in lines} == {"r-1"}
    assert (lines[0]["level"], lines[1]["logger"]) == ("info", "elsewhere")
    assert "ValueError" in lines[1]["exception"]
    text = json.dumps(lines)
    assert "xxx" not in text
    assert "hunter2" not in text
