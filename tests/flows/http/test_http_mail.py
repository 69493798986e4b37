"""From the form to the inbox and back: the link that a mail brings does what the mail says."""

import re
from dataclasses import replace
from urllib.parse import urlsplit

import httpx2
import pytest_asyncio

from http_face import serving
from smtp_server import smtp_server
from tokenhouse.domain import alerts
from tokenhouse.domain.alerts.types import Setup

ANN = {"name": "Ann <b>", "email": "Ann@Example.com", "password": "correct horse battery"}


@pytest_asyncio.fixture
async def browser(booted):
    # Without the server: it is the test session's own, which a service must not stop.
    async with (
        serving(replace(booted, server=None)) as base,
        httpx2.AsyncClient(base_url=base, timeout=30, headers={"Sec-Fetch-Site": "same-origin"}) as http,
    ):
        yield http


def link_in(letter):
    text = letter.message.get_body(("plain",)).get_content()
    parts = urlsplit(re.search(r"http\S+", text)[0])
    return parts.path + (f"?{parts.query}" if parts.query else "")


async def test_a_person_signs_up_and_sets_another_password_by_mail(browser, worker_db, admin):
    async with smtp_server() as server:
        outlet = alerts.outlet_of("mail", Setup(server.url, "House <no-reply@house.example>"))

        async def inbox():
            assert (await alerts.deliver_next(worker_db, outlet)).trouble is None
            assert await alerts.deliver_next(worker_db, outlet) is None
            return server.received[-1]

        assert (await browser.post("/signup", data=ANN)).status_code == 200
        letter = await inbox()
        assert letter.recipients == ["ann@example.com"]
        html = letter.message.get_body(("html",)).get_content()
        assert "Hello ann@example.com," in html  # whoever typed the address may have typed anything as the name
        assert "Ann &lt;b&gt;" not in html
        verified = "select verified_at is not null from access.credential"
        assert admin.execute(verified).fetchone() == (False,)
        page = await browser.get(link_in(letter))
        assert page.status_code == 200
        assert admin.execute(verified).fetchone() == (False,)
        token = re.search(r'name="token" value="([^"]+)"', page.text)[1]
        assert (await browser.post("/verify", data={"token": token})).status_code == 200
        assert admin.execute(verified).fetchone() == (True,)

        assert (await browser.post("/reset", data={"email": "ann@example.com"})).status_code == 200
        letter = await inbox()
        assert letter.message["Subject"] == "Choose a new password"
        assert "Hello Ann &lt;b&gt;," in letter.message.get_body(("html",)).get_content()
        path = link_in(letter)
        answer = await browser.post(path, data={"password": "another horse battery"})
        assert answer.status_code in (200, 303), answer.text
        for password, status in ((ANN["password"], 401), ("another horse battery", 303)):
            told = {"email": "ann@example.com", "password": password}
            assert (await browser.post("/login", data=told)).status_code == status

        # To nobody nothing is sent.
        assert (await browser.post("/reset", data={"email": "nobody@example.com"})).status_code == 200
        assert await alerts.deliver_next(worker_db, outlet) is None
