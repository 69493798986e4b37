"""The embedded server: private, shared, restarted after any crash, stopped by its last user."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import psycopg
import pytest

from tokenhouse.infra.database import embedded
from tokenhouse.infra.database.embedded import EmbeddedServer
from tokenhouse.infra.database.process import Lock, StartError, end, is_running, servers_of

SMALL = {"shared_buffers": "16MB", "min_wal_size": "32MB", "max_wal_size": "64MB"}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("embedded") / "data"


@pytest.fixture
def server(data_dir):
    server = EmbeddedServer(data_dir, settings=SMALL)
    server.start()
    yield server
    server.stop()
    server.release()


def ask(server, text):
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        return connection.execute(text).fetchone()[0]


def test_only_its_owner_with_the_password_gets_in(server):
    assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((server.data_dir / "postgres.secret").stat().st_mode) == 0o600
    assert not list(server.data_dir.glob("*.new"))
    assert ask(server, "show listen_addresses") == ""
    assert ask(server, "show data_checksums") == "on"
    assert ask(server, "select current_setting('server_version_num')::int / 10000") == 18
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.conninfo("postgres", password="wrong"))
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.conninfo("postgres", "someone"))


def test_it_is_as_durable_as_postgres_is(server):
    for setting in ("fsync", "synchronous_commit", "full_page_writes"):
        assert ask(server, f"select source from pg_settings where name = '{setting}'") == "default"
        assert ask(server, f"show {setting}") == "on"


def test_the_last_user_stops_it(server):
    pid = server.pid
    second = EmbeddedServer(server.data_dir, settings=SMALL)
    second.start()
    assert second.pid == pid
    assert not second.release()
    assert server.alive()
    assert not server.ensure()
    assert server.release()
    assert not server.alive()
    assert not is_running(pid)
    assert not server.release()


def test_it_is_in_no_session_of_ours(server):
    assert os.getsid(server.pid) == os.getpgid(server.pid) == server.pid


def test_a_killed_server_starts_again_at_once(server, monkeypatch):
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as connection:
        connection.execute("create table kept (n int); insert into kept values (1)")
    # One backend sleeps and notices the death; one computes, and would hold the memory for ever.
    monkeypatch.setattr(embedded, "_ORPHANS_SECONDS", 0.5)
    busy = [threading.Thread(target=_die_with, args=(server, text)) for text in ("select pg_sleep(60)", LOOP)]
    for thread in busy:
        thread.start()
    time.sleep(0.3)
    old = server.pid
    assert end(old, signal.SIGKILL, 5)
    assert server.ensure()
    assert server.pid != old
    assert ask(server, "select count(*) from kept") == 1
    for thread in busy:
        thread.join(10)
    assert not any(thread.is_alive() for thread in busy)
    assert old not in servers_of(server.folder)


LOOP = "do $$ begin loop end loop; end $$"


def _die_with(server, text):
    with pytest.raises(psycopg.OperationalError):
        ask(server, text)


def test_a_lock_file_of_another_life_is_no_obstacle(server):
    text = (server.folder / "postmaster.pid").read_text()
    server.stop()
    assert not server.alive()
    for pid in (os.getpid(), 1, 4194303):  # living processes that are no server of ours; none
        lines = text.splitlines()
        lines[0] = str(pid)
        (server.folder / "postmaster.pid").write_text("\n".join(lines) + "\n")
        (server.folder / ".s.PGSQL.5432.lock").write_text("\n".join(lines) + "\n")
        assert server.pid is None
        server.stop()
        assert server.ensure()
        assert ask(server, "select 1") == 1
        server.stop()


def test_a_server_without_its_socket_is_replaced(server):
    old = server.pid
    (server.folder / ".s.PGSQL.5432").unlink()
    assert server.ensure()
    assert server.pid != old
    assert ask(server, "select 1") == 1


START = """
import pathlib, sys, time
from tokenhouse.infra.database.embedded import EmbeddedServer
server = EmbeddedServer(pathlib.Path(sys.argv[1]), settings={"shared_buffers": "16MB"})
server.start()
print(server.pid, flush=True)
sys.stdin.read()
server.release()
"""


def _starter(folder):
    return subprocess.Popen(
        [sys.executable, "-c", START, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_several_processes_start_it_at_once_and_one_stops_it(tmp_path):
    starters = [_starter(tmp_path) for _ in range(3)]
    pids = {int(each.stdout.readline()) for each in starters}
    assert len(pids) == 1
    for each in starters[:2]:
        each.communicate("", timeout=60)
    assert is_running(*pids)
    starters[2].communicate("", timeout=60)
    assert not is_running(*pids)


def test_it_survives_the_death_of_who_started_it(tmp_path):
    starter = _starter(tmp_path)
    pid = int(starter.stdout.readline())
    os.killpg(starter.pid, signal.SIGKILL)
    starter.communicate(timeout=60)
    server = EmbeddedServer(tmp_path)
    assert server.alive()
    server.start()
    assert server.pid == pid
    assert server.release()
    assert not is_running(pid)


def test_half_a_folder_is_made_again(tmp_path):
    (tmp_path / "postgres18.new").mkdir()
    (tmp_path / "postgres18.new" / "PG_VERSION").write_text("18")
    (tmp_path / "postgres.secret.new").write_text("x")
    server = EmbeddedServer(tmp_path, settings=SMALL)
    server.start()
    assert ask(server, "select 1") == 1
    assert server.release()
    (tmp_path / "postgres.secret").unlink()
    server.start()
    with pytest.raises(StartError, match=r"postgres\.secret is missing"):
        server.conninfo("postgres")
    assert server.release()


def test_a_long_path_and_tcp(tmp_path):
    deep = tmp_path / ("very-long-" * 11) / "with, comma 'quote' and ünïcode"
    server = EmbeddedServer(deep, tcp=True, settings=SMALL)
    server.start()
    try:
        assert "127.0.0.1" in server.conninfo("postgres")
        assert ask(server, "select 1") == 1
        host, port = server._place()
        assert len(host) < 60
        assert stat.S_IMODE(Path(host).stat().st_mode) == 0o700
        with socket.create_connection(("127.0.0.1", port), timeout=2):
            pass
    finally:
        assert server.release()
    assert not Path(host).exists()


def test_what_cannot_work_says_so(tmp_path):
    with pytest.raises(StartError, match="16 or 18"):
        EmbeddedServer(tmp_path, 15)
    server = EmbeddedServer(tmp_path / "absent")
    assert not server.alive()
    assert server.pid is None
    with pytest.raises(StartError, match="not running"):
        server.conninfo("postgres")
    with pytest.raises(StartError, match="no-such-program"):
        server.binary("no-such-program")
    assert server.binary("psql").exists()
    broken = EmbeddedServer(tmp_path / "broken", settings={"shared_buffers": "lots"})
    with pytest.raises(StartError, match="shared_buffers"):
        broken.start()
    assert not broken.release()


def test_locks(tmp_path):
    first, second = Lock(tmp_path / "lock"), Lock(tmp_path / "lock")
    assert first.shared()
    assert second.shared()
    assert not second.exclusive(0.05)
    first.close()
    assert second.exclusive()
    second.close()
    assert not second.shared()
