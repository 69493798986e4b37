"""The sign-in forms in a real browser: by keyboard, phone and desktop, light and dark, under their own policy."""

import os
import uuid
from pathlib import Path

import pytest
import pytest_asyncio

from tokenhouse.domain import access
from tokenhouse.domain.access import Passwords
from tokenhouse.domain.access.types import NewAccount
from tokenhouse.infra.database import PLATFORM, Database

RIGHT = "correct horse battery"
PICTURES = os.environ.get("TOKENHOUSE_TEST_PICTURES")  # a folder to look at what the browser saw


@pytest_asyncio.fixture(scope="module")
async def email(shared_database):
    """Somebody who can sign in."""
    address = f"ada-{uuid.uuid4().hex[:8]}@example.com"
    async with Database(shared_database.app_conninfo, shared_database.signer) as database:
        hashed = await Passwords().hash(RIGHT)
        async with database.transaction(PLATFORM) as tx:
            account = await access.create_account(tx, NewAccount("user", "Ada <b>Lovelace</b>"))
            await access.add_credential(tx, account, address, hashed, verified=True)
            await access.set_platform_role(tx, account.id, "support")
    return address


class Watched:
    """A page, what it complained of, and what it looked like."""

    def __init__(self, page, face, name):
        self.page, self.name, self.complaints = page, name, []
        page.on("console", lambda said: self.hear(said) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on(
            "request", lambda asked: None if asked.url.startswith((face, "data:")) else self.complaints.append(asked)
        )

    def hear(self, said):
        # That an answer was 401 or 422 is no fault of the page.
        if "Failed to load resource" not in said.text:
            self.complaints.append(said.text)

    async def look(self, step):
        assert await self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), step
        assert self.complaints == [], step
        if PICTURES:
            await self.page.screenshot(path=Path(PICTURES) / f"{step}-{self.name}.png", full_page=True)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_signing_in_with_enter_and_out(face, browser, email, width, scheme):
    context = await browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = await context.new_page()
    seen = Watched(page, face, f"{width}-{scheme}")
    await page.goto(face + "/")
    await page.get_by_role("link", name="Sign in").click()
    await page.wait_for_url(face + "/login")
    assert await page.evaluate("document.activeElement.name") == "email"
    await seen.look("login")
    await page.keyboard.type(email)
    await page.keyboard.press("Tab")
    await page.keyboard.type("wrong horse battery")
    await page.keyboard.press("Enter")
    await page.get_by_role("alert").wait_for()
    assert await page.get_by_label("E-mail").input_value() == email
    assert await page.get_by_label("Password").input_value() == ""
    assert await page.evaluate("document.activeElement.name") == "password"
    await seen.look("wrong")
    await page.keyboard.type(RIGHT)
    await page.keyboard.press("Enter")
    await page.wait_for_url(face + "/")
    await page.get_by_text("Signed in as Ada <b>Lovelace</b>, support").wait_for()
    await seen.look("home")
    await page.get_by_role("link", name="Password").click()
    assert await page.evaluate("document.activeElement.name") == "old_password"
    await seen.look("password")
    for text in (RIGHT, "another horse battery", "another horse"):
        await page.keyboard.type(text)
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await page.get_by_text("It is not the same as the new password.").wait_for()
    assert await page.evaluate("document.activeElement.name") == "again"
    await seen.look("password-wrong")
    await page.get_by_role("link", name="To the start").click()
    (cookie,) = await context.cookies()
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == ("tokenhouse", True, "Lax", "/")
    assert await page.evaluate("document.cookie") == ""
    # The session is the page's authority in the API, for what its own site sends.
    status = "async (method) => (await fetch('/v1/sessions', {method})).status"
    assert await page.evaluate(status, "GET") == 200
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_text("You are signed out.").wait_for()
    assert await context.cookies() == []
    await page.goto(face + "/")
    assert await page.evaluate(status, "GET") == 401
    await context.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
async def test_the_other_forms(face, browser, email, width, scheme, shared_database):
    context = await browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = await context.new_page()
    seen = Watched(page, face, f"{width}-{scheme}")
    await page.goto(face + "/login")
    await page.get_by_role("link", name="Make an account").click()
    await page.get_by_label("Name").fill("Nils")
    new = f"{uuid.uuid4().hex[:8]}@example.com"
    await page.get_by_label("E-mail").fill(new)
    await page.get_by_label("Password").fill("short")
    await page.keyboard.press("Enter")
    await page.get_by_text("It needs at least 10 characters.").wait_for()
    assert await page.get_by_label("Password").get_attribute("aria-invalid") == "true"
    assert await page.evaluate("document.activeElement.name") == "password"
    await seen.look("signup")
    await page.get_by_label("Password").fill(RIGHT)
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Look into your mail").wait_for()
    await seen.look("mailed")
    async with (
        Database(shared_database.app_conninfo, shared_database.signer) as database,
        database.transaction(PLATFORM) as tx,
    ):
        found = await access.find_credential(tx, new)
        token = await access.issue_link(tx, found.account_id, "verify")
    await page.goto(f"{face}/verify?token={token}")
    await seen.look("verify")
    await page.get_by_role("button", name="Confirm the address").click()
    await page.get_by_role("heading", name="Your e-mail is confirmed").wait_for()
    await page.goto(face + "/login")
    await page.get_by_role("link", name="Forgot your password?").click()
    await page.get_by_label("E-mail").fill(email)
    await seen.look("reset")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Look into your mail").wait_for()
    async with (
        Database(shared_database.app_conninfo, shared_database.signer) as database,
        database.transaction(PLATFORM) as tx,
    ):
        _, token = await access.request_reset(tx, email)
    await page.goto(f"{face}/reset/{token}")
    await seen.look("new-password")
    await page.get_by_label("New password").fill(RIGHT)
    await page.keyboard.press("Enter")
    await page.get_by_text("Your new password is set.").wait_for()
    await seen.look("done")
    await page.goto(f"{face}/reset/{token}")
    await page.get_by_role("heading", name="This link does not work").wait_for()
    await seen.look("dead")
    await context.close()


async def test_a_form_on_another_site_is_refused(face, browser, email):
    """A real browser says by itself where a form comes from: neither signed in as somebody else, nor signed out."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(face + "/login")
    await page.get_by_label("E-mail").fill(email)
    await page.get_by_label("Password").fill(RIGHT)
    await page.keyboard.press("Enter")
    await page.wait_for_url(face + "/")
    for path in ("/login", "/logout"):
        await page.goto(
            "data:text/html,<form method=post action='" + face + path + "'><button>Win a prize</button></form>"
        )
        async with page.expect_response(face + path) as answered:
            await page.get_by_role("button").click()
        answer = await answered.value
        assert answer.status == 403
        assert "not sent from our own pages" in await answer.text()
    await page.goto(face + "/")
    await page.get_by_role("button", name="Sign out").wait_for()
    await context.close()
