"""Mail: in the outbox with the transaction, out of it at least once, and nothing personal left behind."""

import asyncio
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default

import pytest

from smtp_server import smtp_server
from tokenhouse.domain import alerts
from tokenhouse.domain.alerts.types import Setup
from tokenhouse.entrypoints.jobs.runner import once
from tokenhouse.entrypoints.jobs.tasks import TASKS, Context
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import ValidationFailed

VALUES = {"link": "https://app.example/verify?token=abc&x=1", "name": "Ann"}
FROM = "Tokenhouse <no-reply@house.example>"
DELIVER = next(task for task in TASKS if task.name == "deliver mail")
WAITS = [60, 300, 1800, 7200]


async def put(db, to="ann@example.com", template="verify_email", **values):
    async with db.transaction(PLATFORM) as tx:
        await alerts.send(tx, to=to, template=template, values=VALUES | values)


def outlet(url):
    return alerts.outlet_of("mail", Setup(url, FROM))


@dataclass
class Row:
    recipient: str | None
    vals: dict | None
    due_in: float | None
    tries: int
    trouble: str | None
    sent: bool
    given_up: bool


def rows(admin):
    return [
        Row(*row)
        for row in admin.execute(
            "select recipient, vals, extract(epoch from due_at - clock_timestamp())::float8, tries, trouble,"
            " sent_at is not null, given_up_at is not null from alerts.mail order by id"
        )
    ]


async def taken(admin, times=1):
    while rows(admin)[0].tries < times:  # noqa: ASYNC110 - the database tells, no event
        await asyncio.sleep(0.01)


def due_now(admin):
    admin.execute("update alerts.mail set due_at = clock_timestamp() where due_at is not null")


async def test_it_goes_out_with_the_transaction_or_not_at_all(db, worker_db, admin):
    async with smtp_server() as server:
        with pytest.raises(RuntimeError):
            async with db.transaction(PLATFORM) as tx:
                await alerts.send(tx, to="ann@example.com", template="verify_email", values=VALUES)
                raise RuntimeError
        assert rows(admin) == []
        await put(db)
        context = Context(worker_db, lambda: False, outlet(server.url))
        assert await once(DELIVER, context) == 1
        assert await once(DELIVER, context) == 0
    (got,) = server.received
    assert (got.sender, got.recipients) == ("no-reply@house.example", ["ann@example.com"])
    message = got.message
    assert (message["From"], message["To"]) == (FROM, "ann@example.com")
    assert message["Subject"] == "Confirm your e-mail address"
    text = message.get_body(("plain",)).get_content()
    assert "Hello Ann," in text
    assert VALUES["link"] in text
    assert "token=abc&amp;x=1" in message.get_body(("html",)).get_content()
    # Nothing of the person stays.
    (row,) = rows(admin)
    assert (row.recipient, row.vals, row.due_in, row.sent, row.trouble) == (None, None, None, True, None)
    assert "ann" not in str(admin.execute("select m::text from alerts.mail m").fetchall()).lower()


async def test_it_logs_in(db, admin):
    async with smtp_server(login=("us", "p:w/d")) as server:
        await put(db)
        done = await alerts.deliver_next(db, outlet(f"smtp://us:p%3Aw%2Fd@127.0.0.1:{server.port}"))
        assert done.trouble is None
        assert len(server.received) == 1
        await put(db)
        done = await alerts.deliver_next(db, outlet(f"smtp://us:wrong@127.0.0.1:{server.port}"))
        assert (done.trouble, done.again, done.away) == (
            "the mail server refused our user or password (535)",
            True,
            True,
        )
        assert len(server.received) == 1


async def test_a_server_without_starttls_hears_nothing_where_it_is_asked_for(db):
    async with smtp_server(login=("us", "secret")) as server:
        await put(db)
        done = await alerts.deliver_next(db, outlet(f"smtp://us:secret@127.0.0.1:{server.port}?starttls=true"))
        assert done.away
        assert server.received == []


@pytest.mark.parametrize(
    ("at", "reply", "trouble", "away"),
    [
        ("RCPT", "450 later", "the recipient was refused (450)", False),
        ("BODY", "451 later", "the letter was refused (451)", False),
        ("MAIL", "550 not you", "our sender was refused (550)", True),
        ("CONNECT", "554 not now", "the mail server does not let us in (554)", True),
        ("CONNECT", "close", "the mail server cannot be used (SMTPConnectError)", True),
        ("BODY", "close", "the connection was lost (SMTPServerDisconnected)", False),
    ],
)
async def test_a_failure_is_tried_again_later_and_later_and_then_given_up(db, admin, at, reply, trouble, away):
    async with smtp_server(refuse={at: reply}) as server:
        await put(db)
        sender = outlet(server.url)
        for wait in WAITS:
            done = await alerts.deliver_next(db, sender)
            assert (done.trouble, done.again, done.away) == (trouble, True, away)
            (row,) = rows(admin)
            assert wait - 5 < row.due_in <= wait
            assert (row.recipient, row.trouble, row.sent, row.given_up) == ("ann@example.com", trouble, False, False)
            assert await alerts.deliver_next(db, sender) is None
            due_now(admin)
        done = await alerts.deliver_next(db, sender)
        assert (done.trouble, done.again, done.tries) == (trouble, False, 5)
        (row,) = rows(admin)
        assert row == Row(None, None, None, 5, trouble, sent=False, given_up=True)
        assert server.received == []
        async with db.read(PLATFORM) as tx:
            state = await alerts.mail_state(tx)
        assert (state.waiting, state.failing, state.given_up) == (0, 0, 1)


@pytest.mark.parametrize(("at", "reply"), [("RCPT", "550 ann@example.com is nobody"), ("BODY", "554 spam")])
async def test_what_can_never_be_delivered_is_given_up_at_once(db, admin, at, reply):
    async with smtp_server(refuse={at: reply}) as server:
        await put(db)
        done = await alerts.deliver_next(db, outlet(server.url))
        assert not done.again
        (row,) = rows(admin)
        assert (row.recipient, row.vals, row.given_up) == (None, None, True)
        assert "ann" not in row.trouble, "what the server says may hold the address"


async def test_it_recovers_after_a_failure(db, admin):
    async with smtp_server(refuse={"RCPT": "450 later"}) as server:
        await put(db)
        sender = outlet(server.url)
        await alerts.deliver_next(db, sender)
        server.refuse.clear()
        due_now(admin)
        assert (await alerts.deliver_next(db, sender)).trouble is None
        (row,) = rows(admin)
        assert (row.sent, row.given_up, row.trouble, len(server.received)) == (True, False, None, 1)


async def test_who_is_killed_on_the_way_leaves_it_to_be_sent_again(db, admin):
    held = asyncio.Event()
    async with smtp_server(held=held) as server:
        await put(db)
        sender = outlet(server.url)
        task = asyncio.create_task(alerts.deliver_next(db, sender))
        await taken(admin)
        # Outside of a transaction: the row is not locked while the server thinks.
        admin.execute("set lock_timeout = '1s'")
        admin.execute("select 1 from alerts.mail for update nowait")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (row,) = rows(admin)
        assert 120 < row.due_in <= 180, "leased"
        assert await alerts.deliver_next(db, sender) is None
        held.set()
        due_now(admin)
        done = await alerts.deliver_next(db, sender)
        assert (done.trouble, done.tries) == (None, 2)


async def test_a_twin_can_be_told_by_its_message_id(db, admin):
    """The server took it and hung up before it said so: we cannot know, and send it again."""
    async with smtp_server(refuse={"TAKEN": "close"}) as server:
        await put(db)
        sender = outlet(server.url)
        assert (await alerts.deliver_next(db, sender)).again
        server.refuse.clear()
        due_now(admin)
        assert (await alerts.deliver_next(db, sender)).trouble is None
    first, second = (one.message for one in server.received)
    assert first["Message-ID"] == second["Message-ID"]
    assert first["Date"] == second["Date"]
    assert first["Message-ID"].endswith("@house.example>")


async def test_a_server_that_says_goodbye_badly_has_the_letter_all_the_same(db, admin):
    async with smtp_server(refuse={"QUIT": "close"}) as server:
        await put(db)
        assert (await alerts.deliver_next(db, outlet(server.url))).trouble is None
        assert rows(admin)[0].sent


async def test_two_at_once_send_each_letter_once(db, worker_db):
    async with smtp_server() as server:
        for number in range(10):
            await put(db, to=f"p{number}@example.com")
        sender = outlet(server.url)

        async def drain():
            while await alerts.deliver_next(worker_db, sender) is not None:
                pass

        await asyncio.gather(*(drain() for _ in range(4)))
        assert sorted(one.recipients[0] for one in server.received) == [
            f"p{number}@example.com" for number in range(10)
        ]


async def test_the_end_of_an_old_try_does_not_undo_a_later_one(db, admin):
    """The lease of the first was over; the second sent it; then the first reports a failure."""
    held = asyncio.Event()
    async with smtp_server(held=held, refuse={"BODY": "451 later"}) as server, smtp_server() as other:
        await put(db)
        first = asyncio.create_task(alerts.deliver_next(db, outlet(server.url)))
        await taken(admin)
        due_now(admin)
        assert (await alerts.deliver_next(db, outlet(other.url))).trouble is None
        held.set()
        assert (await first).trouble is not None
        (row,) = rows(admin)
        assert (row.sent, row.due_in, row.trouble) == (True, None, None)


@pytest.mark.parametrize("reply", ["451 later", "554 never"])
async def test_a_later_failure_does_not_undo_what_an_old_try_sent(db, admin, reply):
    slow, slower = asyncio.Event(), asyncio.Event()
    async with smtp_server(held=slow) as server, smtp_server(held=slower, refuse={"BODY": reply}) as other:
        await put(db)
        first = asyncio.create_task(alerts.deliver_next(db, outlet(server.url)))
        await taken(admin)
        due_now(admin)
        second = asyncio.create_task(alerts.deliver_next(db, outlet(other.url)))
        await taken(admin, 2)
        slow.set()
        assert (await first).trouble is None
        slower.set()
        assert (await second).trouble is not None
        (row,) = rows(admin)
        assert (row.sent, row.given_up, row.due_in, row.trouble) == (True, False, None, None)


async def test_a_dead_server_stops_the_round(db, worker_db, admin):
    async with smtp_server(refuse={"CONNECT": "close"}) as server:
        for number in range(3):
            await put(db, to=f"p{number}@example.com")
        assert await once(DELIVER, Context(worker_db, lambda: False, outlet(server.url))) == 0
        assert sorted(row.tries for row in rows(admin)) == [0, 0, 1]


async def test_a_letter_that_cannot_be_written_holds_up_no_other(db, worker_db, admin):
    async with smtp_server() as server:
        await put(db)
        admin.execute("update alerts.mail set template = 'of another version'")
        await put(db, to="bob@example.com")
        assert await once(DELIVER, Context(worker_db, lambda: False, outlet(server.url))) == 1
        assert [row.sent for row in rows(admin)] == [False, True]


async def test_without_a_server_it_waits(db, worker_db, admin):
    assert alerts.outlet_of("mail", Setup()) is None
    await put(db)
    for task in TASKS:
        if "mail" in task.name:
            assert await once(task, Context(worker_db, lambda: False, None)) == 0
    (row,) = rows(admin)
    assert (row.recipient, row.tries) == ("ann@example.com", 0)


async def test_in_development_it_is_put_into_a_folder(db, worker_db, admin, tmp_path):
    folder = tmp_path / "data" / "mail"
    sender = alerts.outlet_of("mail", Setup(folder=folder))
    assert str(folder) in sender.where
    await put(db)
    assert (await alerts.deliver_next(worker_db, sender)).trouble is None
    (file,) = folder.iterdir()
    assert (file.suffix, file.stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (".eml", 0o600, 0o700)
    message = message_from_bytes(file.read_bytes(), policy=default)
    assert message["To"] == "ann@example.com"
    assert VALUES["link"] in message.get_body(("plain",)).get_content()
    assert rows(admin)[0].sent
    # A folder that cannot be written is a failure like any other.
    blocked = tmp_path / "file"
    blocked.write_text("")
    await put(db)
    assert (await alerts.deliver_next(worker_db, alerts.outlet_of("mail", Setup(folder=blocked)))).away


HEADERS = "Ann\r\nBcc: eve@evil.example\r\n\r\nBuy now"


async def test_no_value_makes_a_header_or_markup(db):
    async with smtp_server() as server:
        values = {"inviter": HEADERS, "organization": "<b>Acme</b>\nX-Evil: 1\u2028", "name": '<img src=x>"&{{ link }}'}
        await put(db, template="invitation", **values)
        assert (await alerts.deliver_next(db, outlet(server.url))).trouble is None
    (got,) = server.received
    message = got.message
    assert got.recipients == ["ann@example.com"]
    assert {name.lower() for name in message} == {
        "from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type",
    }  # fmt: skip
    flat = "Ann Bcc: eve@evil.example Buy now"
    assert message["Subject"].strip() == f"{flat} invites you to <b>Acme</b> X-Evil: 1"
    assert f"\n{flat} invites you to work" in message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    assert "<b>Acme" not in html
    assert "&lt;b&gt;Acme&lt;/b&gt;" in html
    assert "<img" not in html
    assert "&lt;img src=x&gt;&#34;&amp;{{ link }}" in html, "a value is not read as a template"


async def test_letters_beyond_ascii(db, admin):
    async with smtp_server() as server:
        await put(db, to="o'ann+x@b\u00fccher.example", name="\u00c4nne \U0001f600")
        assert (await alerts.deliver_next(db, outlet(server.url))).trouble is None
        (got,) = server.received
        assert got.recipients == ["o'ann+x@xn--bcher-kva.example"]
        assert "Hello \u00c4nne \U0001f600," in got.message.get_body(("plain",)).get_content()
        assert got.raw.isascii()
        assert max(map(len, got.raw.split(b"\r\n"))) < 998, "the longest line that mail may have"
        for to, trouble in (
            ("\u00e4nne@example.com", "the mail server takes no address with letters beyond ASCII"),
            ("ann@example..com", "the domain of the address is none"),
        ):
            await put(db, to=to)
            done = await alerts.deliver_next(db, outlet(server.url))
            assert (done.trouble, done.again) == (trouble, False)
        assert len(server.received) == 1


@pytest.mark.parametrize(
    "to",
    [
        "ann", "a@b@c", "ann@example.com\r\nBcc: eve@evil.example", "ann@example.com, eve@evil.example", "",
        "Ann <ann@example.com>", "ann@example.com\n", "ann @example.com", "a" * 250 + "@example.com", "ann@ex\0.com",
        '"a b"@example.com', "@example.com", "ann@",
    ],
)  # fmt: skip
async def test_no_address_is_two_or_a_header(db, admin, to):
    with pytest.raises(ValidationFailed, match="email"):
        await put(db, to=to)
    assert rows(admin) == []


@pytest.mark.parametrize(
    ("letter", "values"),
    [
        ("nothing", VALUES),
        ("../rules", VALUES),
        ("verify_email", {"link": "https://x.example"}),
        ("verify_email", VALUES | {"more": "x"}),
        ("verify_email", VALUES | {"link": "javascript:alert(1)"}),
        ("verify_email", VALUES | {"link": "https://x.example/\nBcc: eve"}),
    ],
)
async def test_a_defect_of_the_caller_is_said_at_once(db, letter, values):
    async with db.transaction(PLATFORM) as tx:
        with pytest.raises(ValueError, match=r"template|takes|link"):
            await alerts.send(tx, to="ann@example.com", template=letter, values=values)


async def test_only_the_platform_may_send(db):
    from tokenhouse.infra.database import Actor, sqlstate

    with pytest.raises(Exception, match="platform") as error:
        async with db.transaction(Actor((1,), teller=True)) as tx:
            await alerts.send(tx, to="ann@example.com", template="verify_email", values=VALUES)
    assert sqlstate(error.value) == "TH403"
