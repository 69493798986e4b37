"""A new password for who forgot theirs: `/reset` asks for the link, `/reset/{token}` is where it leads."""

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from tokenhouse.domain import access
from tokenhouse.domain.access import signing
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.access.types import LinkFound
from tokenhouse.entrypoints.web import mail
from tokenhouse.entrypoints.web.budget import at_least, sign_in_budget
from tokenhouse.entrypoints.web.forms import read_form
from tokenhouse.entrypoints.web.site import Site, by, notice, page, visitor_of
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import ValidationFailed


def mount(app: FastAPI, site: Site) -> None:
    """Serve the forms."""

    async def ask(_: Request) -> Response:
        return page("reset.html", email="", error=None)

    async def send(request: Request) -> Response:
        form = await read_form(site, request)
        typed = form.get("email", "")[:320]
        try:
            email = signing.check_email(typed)
        except ValidationFailed:
            return page("reset.html", 422, email=typed, error="Enter an e-mail address such as ada@example.com.")
        wait = await sign_in_budget(site, "reset", email, visitor_of(request).address)
        if wait:
            text = f"Too many tries. Wait {wait} seconds, then try again."
            return page("reset.html", 429, {"Retry-After": str(wait)}, email=typed, error=text)
        async with at_least(), site.database.transaction(PLATFORM) as tx:
            asked = await access.request_reset(tx, email)
            if asked is not None:
                await mail.send_link(site, tx, asked[0], "reset", asked[1])
        # The same for an e-mail that is nobody's, and in the same time.
        return notice("Look into your mail", f"If {email} has an account here, a link to set a new password is there.")

    async def choose(request: Request) -> Response:
        found = await _link(site, request)
        return _dead() if found is None else page("new_password.html", email=found.email, error=None)

    async def change(request: Request) -> Response:
        form = await read_form(site, request)
        found = await _link(site, request)
        if found is None:
            return _dead()
        try:
            password = signing.check_password(form.get("password", ""), found.email)
        except ValidationFailed as error:
            text = f"It {error.errors[0]['message']}."
            return page("new_password.html", 422, email=found.email, error=text)
        hashed = await site.passwords.hash(password)
        async with site.database.transaction(PLATFORM) as tx:
            changed = await access.reset_password(tx, request.path_params["token"], hashed)
            if changed:
                act = Act("password.set", "account", str(found.account_id), found.account_id)
                await access.record(tx, by(request, found.account_id), act)
        if not changed:
            return _dead()
        response = RedirectResponse("/login?said=password", 303)
        site.cookie.clear(response)
        return response

    app.add_route("/reset", ask, methods=["GET"], include_in_schema=False)
    app.add_route("/reset", send, methods=["POST"], include_in_schema=False)
    app.add_route("/reset/{token}", choose, methods=["GET"], include_in_schema=False)
    app.add_route("/reset/{token}", change, methods=["POST"], include_in_schema=False)


async def _link(site: Site, request: Request) -> LinkFound | None:
    async with site.database.read(PLATFORM) as tx:
        return await access.find_link(tx, request.path_params["token"], "reset")


def _dead() -> Response:
    text = "It was used before, or it is too old: a link lives an hour. Ask for another."
    return notice("This link does not work", text, 404, link=("/reset", "Ask for another link"))
