"""`serve`: starts, survives what dies around it, ends in order and leaves nothing behind."""

import http.client
import json
import os
import signal
import socket
import time

import pytest

from service import arguments_of, until


def test_it_serves_ends_what_is_under_way_and_exits_with_0(service):
    service.start("serve", "--workers", "2")
    said = service.said()
    assert f"http://127.0.0.1:{service.port}" in said
    children = service.children()
    assert sorted(line.split("child ")[1].split()[0] for line in children.values()) == ["jobs", "web", "web"]
    secret = (service.data / "postgres.secret").read_text().strip()
    for line in [*children.values(), arguments_of(service.process.pid)]:
        assert service.admin_key not in line
        assert secret not in line
    # A child that dies is started again.
    victim = next(pid for pid, line in children.items() if " web " in line)
    os.kill(victim, signal.SIGKILL)
    until(lambda: len(service.children()) == 3 and victim not in service.children(), 10, service.said)

    # A request that is under way when SIGTERM comes, twice as under make.
    body = json.dumps({"id": "late", "kind": "user", "name": "Late"}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=20)
    connection.putrequest("POST", "/v1/accounts")
    connection.putheader("Authorization", f"Bearer {service.admin_key}")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(body)))
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    # The service asks for the body: the request is under way, however busy the machine is.
    assert connection.sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.send(body[:5])
    service.signal(signal.SIGTERM, group=True)
    service.signal(signal.SIGTERM)
    until(lambda: not service.answers(), 5, service.said)
    time.sleep(0.3)
    connection.send(body[5:])
    assert connection.getresponse().status == 201
    assert service.process.wait(25) == 0, service.said()
    assert service.postgres() is None
    assert not any(arguments_of(pid) for pid in children)


def test_it_brings_postgresql_back(service):
    service.start()
    assert service.call("POST", "/v1/accounts", {"id": "ann", "kind": "user", "name": "Ann"})[0] == 201
    os.kill(service.postgres(), signal.SIGKILL)
    statuses = set()

    def back() -> bool:
        status, _ = service.call("GET", "/v1/accounts/ann")
        statuses.add(status)
        return status == 200 and service.is_ready()

    time.sleep(0.1)
    assert until(back, 15, service.said) < 15
    assert statuses <= {200, 503}
    service.signal(signal.SIGTERM)
    assert service.process.wait(25) == 0
    assert service.postgres() is None


def test_a_killed_group_leaves_postgresql_for_the_next_start(service):
    service.start()
    assert service.call("POST", "/v1/accounts", {"id": "ann", "kind": "user", "name": "Ann"})[0] == 201
    pid = service.postgres()
    service.signal(signal.SIGKILL, group=True)
    service.process.wait(5)
    assert service.postgres() == pid
    service.start()
    assert service.postgres() == pid
    assert service.call("GET", "/v1/accounts/ann")[0] == 200
    # Commands join the running server and leave it running.
    done = service.run("verify", "--json")
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["holds"] is True
    assert service.postgres() == pid
    # The supervisor alone is killed: its children end by themselves and the port is free.
    children = service.children()
    service.signal(signal.SIGKILL)
    service.process.wait(5)
    until(lambda: not any(arguments_of(child) for child in children), 10, service.said)
    assert not service.answers()


def test_what_cannot_be_served_is_refused_in_words(service, cli):
    assert "loopback" in str(cli("serve", "--host", "0.0.0.0", status=1))
    cli("serve", "--port", "http", status=2)
    with socket.create_server(("127.0.0.1", service.port)):
        done = service.run("serve", "--port", str(service.port))
    assert done.returncode == 1
    assert "--port" in done.stderr


def test_jobs_alone_on_an_external_database(service, cli):
    service.more = cli.env
    service.start("worker", wait=False)
    until(lambda: "tokenhouse.jobs" in service.said(), 30, service.said)
    assert service.postgres() is None
    service.signal(signal.SIGTERM)
    assert service.process.wait(25) == 0, service.said()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_starts_ends_it(service, number):
    service.start(wait=False)
    until(lambda: service.postgres() is not None, 20, service.said)
    time.sleep(0.2)
    service.signal(number, group=True)
    assert service.process.wait(30) == 0, service.said()
    assert service.postgres() is None
