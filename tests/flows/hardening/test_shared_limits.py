"""One limit over several serving processes."""

import copy
import http.client
import json
import os
import re
import signal
import threading
import time

import pytest

from service import free_port

LIMIT = 40


def ask(service, key, path="/v1/accounts/ann"):
    """One request on a connection of its own, which any of the service's processes may take."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {key}", "Connection": "close"})
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("RateLimit"), answer.getheader("Retry-After")
    finally:
        connection.close()


def account_with_key(service, **more):
    assert service.call("POST", "/v1/accounts", {"id": "ann", "kind": "user", "name": "Ann"})[0] == 201
    status, made = service.call("POST", "/v1/accounts/ann/api-keys", more)
    assert status == 201
    return made["key"]


@pytest.fixture
def twin(service):
    """A second service on the same data."""
    twin = copy.copy(service)
    twin.port, twin.log = free_port(), service.folder / "twin.log"
    yield twin
    if twin.process is not None:
        twin.signal(signal.SIGTERM)
        twin.process.wait(30)


def test_four_racing_clients_and_four_processes_share_one_limit(service, twin):
    service.more |= {"TOKENHOUSE_RATE_LIMIT_PER_MINUTE": str(LIMIT)}
    service.start("serve", "--workers", "2")
    twin.start("serve", "--workers", "2", "--no-jobs")
    key = account_with_key(service)
    answers, lock = [], threading.Lock()

    def race(place):
        # Which process of a service takes a connection, the kernel says; so each client comes to both services.
        mine = [ask((service, twin)[(turn + place) % 2], key) for turn in range(30)]
        with lock:
            answers.extend(mine)

    began = time.monotonic()
    racers = [threading.Thread(target=race, args=[place]) for place in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    assert time.monotonic() - began < 55, "slower than the window: the test shows nothing"
    statuses = [status for status, *_ in answers]
    # Exactly the limit: not one more by racing, not one fewer by counting apart.
    assert (statuses.count(200), statuses.count(429), len(answers)) == (LIMIT, 120 - LIMIT, 120)
    left = [int(re.search(r"r=(\d+)", told)[1]) for status, told, _ in answers if status == 200]
    assert min(left) == 0
    assert all(1 <= int(wait) <= 61 for status, _, wait in answers if status == 429)
    assert service.call("GET", "/v1/accounts/ann")[0] == 200  # the platform's own key has no limit

    # A killed process takes nothing of the count with it.
    victim = next(pid for pid, line in service.children().items() if " web " in line)
    os.kill(victim, signal.SIGKILL)
    time.sleep(0.5)
    assert {ask(one, key)[0] for one in (service, twin) for _ in range(6)} == {429}


def test_without_the_table_everybody_is_let_through(service):
    """Charges go before limits: what cannot be counted is served, and the log says so once a process."""
    service.more = {"TOKENHOUSE_RATE_LIMIT_PER_MINUTE": "2", "TOKENHOUSE_LOG_FORMAT": "json"}
    service.start("serve", "--workers", "2")
    key = account_with_key(service)
    assert sorted(ask(service, key)[0] for _ in range(4)) == [200, 200, 429, 429]
    _sql(service, "revoke execute on function access.take_hits(text[], integer[], integer[], integer[]) from th_app")
    second = service.call("POST", "/v1/accounts/ann/api-keys", {})[1]["key"]
    assert {ask(service, second)[:2] for _ in range(30)} == {(200, None)}
    said = [json.loads(line) for line in service.log.read_text().splitlines() if "cannot be counted" in line]
    assert 1 <= len(said) <= 2
    assert said[0]["reason"] == "InsufficientPrivilege"
    assert _figure(service, "tokenhouse_requests_uncounted_total") == 30
    findings = {one["check"]: one for one in json.loads(service.run("doctor", "--json").stdout)}
    assert findings["limits"]["state"] == "failure"
    assert "InsufficientPrivilege" in findings["limits"]["detail"]


def _figure(service, name):
    """A figure of all workers together."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.partition(" ")[0] == name)


def _sql(service, statement):
    import psycopg
    from psycopg.conninfo import make_conninfo

    secret = (service.data / "postgres.secret").read_text().strip()
    place = make_conninfo(host=service.data / "postgres18", user="postgres", dbname="tokenhouse", password=secret)
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute(statement)
