"""Changing one's own password: `/account/password`."""

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from tokenhouse.domain import access
from tokenhouse.domain.access.types import Credential
from tokenhouse.entrypoints.web.budget import sign_in_budget
from tokenhouse.entrypoints.web.forms import read_form
from tokenhouse.entrypoints.web.site import Site, notice, page, visitor_of
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import Conflict, NotFound, ValidationFailed

_PATH = "/account/password"
_CHANGED = "Your new password is set. You are signed out everywhere else."


def mount(app: FastAPI, site: Site) -> None:
    """Serve the form to whoever is signed in; others sign in first."""

    async def ask(request: Request) -> Response:
        person = await _person(site, request)
        if person is None:
            return _sign_in()
        if person.hash is None:
            return _none_yet(person)
        return _form(person, said=_CHANGED if request.query_params.get("said") == "changed" else None)

    async def change(request: Request) -> Response:
        form = await read_form(site, request)
        person = await _person(site, request)
        if person is None:
            return _sign_in()
        if person.hash is None:
            return _none_yet(person)
        errors = _missing(form)
        if errors:
            return _form(person, 422, errors)
        visitor = visitor_of(request)
        # Counted with the tries to sign in: whoever has a session only has no more guesses than anybody.
        wait = await sign_in_budget(site, "sign-in", person.email, visitor.address)
        if wait:
            text = f"Too many tries. Wait {wait} {'second' if wait == 1 else 'seconds'}, then try again."
            return _form(person, 429, {"old_password": text}, {"Retry-After": str(wait)})
        old, new = form["old_password"], form["password"]
        try:
            token = await access.change_password(
                site.database, site.passwords, person.account_id, old, new, visitor, site.sessions.limits
            )
        except ValidationFailed as error:
            return _form(person, 422, {one["field"]: f"It {one['message']}." for one in error.errors})
        except (Conflict, NotFound) as error:
            return notice("Your password is not changed", str(error), 409)
        response = RedirectResponse(f"{_PATH}?said=changed", 303)
        site.cookie.set(response, token)
        return response

    app.add_route(_PATH, ask, methods=["GET"], include_in_schema=False)
    app.add_route(_PATH, change, methods=["POST"], include_in_schema=False)


async def _person(site: Site, request: Request) -> Credential | None:
    """Say how whoever is signed in does so."""
    found = await site.sessions.find(site.token(request))
    if found is None:
        return None
    async with site.database.read(PLATFORM) as tx:
        return await access.credential_of(tx, found.account_id)


def _missing(form: dict[str, str]) -> dict[str, str]:
    """Say what is missing, by field."""
    old, new = form.get("old_password"), form.get("password")
    errors = {} if old else {"old_password": "Enter your present password."}
    errors |= {} if new else {"password": "Enter a new password."}
    if new and form.get("again") != new:
        errors["again"] = "It is not the same as the new password."
    return errors


def _form(
    person: Credential,
    status: int = 200,
    errors: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
    *,
    said: str | None = None,
) -> Response:
    return page("password.html", status, headers, email=person.email, errors=errors or {}, said=said)


def _none_yet(person: Credential) -> Response:
    """Who signs in by a provider has no password to be asked for: only their mail shows that they may set one."""
    if person.verified:
        text = f"You sign in by a provider and have no password here. To set one, have a link sent to {person.email}."
        return notice("Set a password by mail", text, link=("/reset", "Send the link"))
    text = "You sign in by a provider, and no e-mail of yours is known here to which a link could be sent."
    return notice("You have no password", text, link=("/", "To the start"))


def _sign_in() -> Response:
    return RedirectResponse(f"/login?next={_PATH}", 303)
