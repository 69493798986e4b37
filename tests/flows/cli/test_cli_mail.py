"""Mail by real processes: the jobs deliver it, a kill on the way loses nothing, `doctor` tells how it stands."""

import asyncio
import os
import signal
import subprocess
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from service import COMMAND, environment, until
from smtp_server import smtp_server
from tokenhouse.domain import alerts
from tokenhouse.infra.database import PLATFORM

VALUES = {"link": "https://app.example/verify?token=abc", "name": "Ann"}
FROM = "House <no-reply@house.example>"


@pytest.fixture
def worker(cli):
    """Starts `tokenhouse worker`; ended after the test."""
    running = []

    def start(**settings):
        log = (cli.folder / "worker.log").open("ab")
        process = subprocess.Popen(
            [*COMMAND, "worker"],
            env=environment(**cli.env, **settings),
            cwd=cli.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.terminate()
        process.wait(30)


async def put(db):
    async with db.transaction(PLATFORM) as tx:
        await alerts.send(tx, to="ann@example.com", template="verify_email", values=VALUES)


def child_of(process):
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(child)


async def reached(holds):
    await asyncio.to_thread(until, holds, 30)


async def test_a_killed_worker_leaves_the_letter_to_the_next(cli, worker, db, admin):
    held = asyncio.Event()
    async with smtp_server(held=held) as server:
        await put(db)
        process = worker(TOKENHOUSE_MAIL_URL=server.url, TOKENHOUSE_MAIL_FROM=FROM)
        await reached(lambda: server.connections)
        os.kill(child_of(process), signal.SIGKILL)
        held.set()
        admin.execute("update alerts.mail set due_at = clock_timestamp()")
        await reached(lambda: admin.execute("select sent_at from alerts.mail").fetchone()[0])
        assert admin.execute("select tries, recipient from alerts.mail").fetchone() == (2, None)
        assert server.connections == 2
        assert {one.recipients[0] for one in server.received} == {"ann@example.com"}
        assert len({one.message["Message-ID"] for one in server.received}) == 1


async def test_in_development_a_worker_puts_it_into_the_data_folder(cli, worker, db):
    await put(db)
    worker()
    folder = cli.folder / "data" / "mail"
    await reached(lambda: list(folder.glob("*.eml")))
    (file,) = folder.glob("*.eml")
    assert message_from_bytes(file.read_bytes(), policy=default)["To"] == "ann@example.com"


async def test_in_production_without_a_server_it_waits_and_the_log_says_so(cli, worker, db, admin):
    await put(db)
    worker(TOKENHOUSE_ENV="production")
    log = cli.folder / "worker.log"
    await reached(lambda: "TOKENHOUSE_MAIL_URL" in log.read_text())
    assert "ann@" not in log.read_text()
    assert admin.execute("select tries, recipient from alerts.mail").fetchone() == (0, "ann@example.com")


async def test_doctor_tells_where_mail_goes_and_what_waits(cli, db, admin, monkeypatch):
    def told():
        return {one["check"]: one for one in cli.json("doctor") if one["check"].startswith("mail")}

    (mail,) = (await asyncio.to_thread(told)).values()
    assert (mail["state"], mail["fix"]) == ("ok", None)
    assert "data/mail; 0 wait" in mail["detail"]
    await put(db)
    monkeypatch.setenv("TOKENHOUSE_ENV", "production")
    (mail,) = (await asyncio.to_thread(told)).values()
    assert (mail["state"], "1 wait" in mail["detail"], "TOKENHOUSE_MAIL_URL" in mail["fix"]) == ("warning", True, True)
    monkeypatch.setenv("TOKENHOUSE_MAIL_URL", "smtp://us:s3cret@mail.example")
    monkeypatch.setenv("TOKENHOUSE_MAIL_FROM", FROM)
    admin.execute("update alerts.mail set trouble = 'x', tries = 1")
    (mail,) = (await asyncio.to_thread(told)).values()
    assert mail["state"] == "warning"
    assert "mail.example:587 (STARTTLS), from no-reply@house.example; 1 wait, 1 of them failed" in mail["detail"]
    assert "s3cret" not in str(mail)
    admin.execute(
        "update alerts.mail set given_up_at = clock_timestamp(), due_at = null, recipient = null, vals = null"
    )
    found = await asyncio.to_thread(told)
    assert found["mail given up"]["detail"] == "1 in all"
    assert found["mail"]["state"] == "ok"
