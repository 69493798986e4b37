"""Signing in and out: `/login`, `/logout`."""

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from tokenhouse.domain import access
from tokenhouse.domain.access.acts import Act
from tokenhouse.entrypoints.web import mail
from tokenhouse.entrypoints.web.budget import sign_in_budget
from tokenhouse.entrypoints.web.forms import guard, local_path, read_form
from tokenhouse.entrypoints.web.site import Site, by, notice, page, visitor_of
from tokenhouse.infra.database import PLATFORM

_WRONG = "That e-mail and password do not fit together. Try again, or set a new password."
_NOTICES = {"password": "Your new password is set. Sign in with it.", "out": "You are signed out."}


def mount(app: FastAPI, site: Site) -> None:
    """Serve the forms."""

    async def ask(request: Request) -> Response:
        there = local_path(request.query_params.get("next", "/"))
        if await site.who(request) is not None:
            return RedirectResponse(there, 303)
        return _form(site, there, said=_NOTICES.get(request.query_params.get("said", "")))

    async def sign_in(request: Request) -> Response:
        form = await read_form(site, request)
        there = local_path(form.get("next", "/"))
        email, password = form.get("email", "").strip(), form.get("password", "")
        missing = {} if email else {"email": "Enter your e-mail address."}
        missing |= {} if password else {"password": "Enter your password."}
        if missing:
            return _form(site, there, 422, email, errors=missing)
        visitor = visitor_of(request)
        wait = await sign_in_budget(site, "sign-in", email, visitor.address)
        if wait:
            return _too_many(site, there, email, wait)
        signed = await access.sign_in(
            site.database,
            site.passwords,
            email,
            password,
            visitor,
            site.sessions.limits,
            instead=site.token(request),
            unverified=site.unverified,
        )
        if signed is None:
            return _form(site, there, 401, email, problem=_WRONG)
        if signed.token is None:
            async with site.database.transaction(PLATFORM) as tx:
                link = await access.issue_link(tx, signed.credential.account_id, "verify")
                await mail.send_link(site, tx, signed.credential, "verify", link)
            return notice("Confirm your e-mail", "We have sent you a link. Open it, then sign in.", 403)
        response = RedirectResponse(there, 303)
        site.cookie.set(response, signed.token)
        return response

    async def sign_out(request: Request) -> Response:
        guard(site, request)
        found = await site.sessions.find(site.token(request))
        if found is not None:
            async with site.database.transaction(PLATFORM) as tx:
                await access.end_session(tx, found.account_id, found.id)
                act = Act("session.end", "session", str(found.id), found.account_id, before={"live": True})
                await access.record(tx, by(request, found.account_id, found.id), act)
        response = RedirectResponse("/login?said=out", 303)
        site.cookie.clear(response)
        return response

    app.add_route("/login", ask, methods=["GET"], include_in_schema=False)
    app.add_route("/login", sign_in, methods=["POST"], include_in_schema=False)
    app.add_route("/logout", sign_out, methods=["POST"], include_in_schema=False)


def _form(
    site: Site,
    there: str,
    status: int = 200,
    email: str = "",
    *,
    said: str | None = None,
    problem: str | None = None,
    errors: dict[str, str] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    return page(
        "login.html",
        status,
        headers,
        next=there,
        email=email[:320],
        said=said,
        problem=problem,
        errors=errors or {},
        sign_up=site.sign_up,
        providers=site.providers,
    )


def _too_many(site: Site, there: str, email: str, wait: int) -> Response:
    text = f"Too many tries. Wait {wait} {'second' if wait == 1 else 'seconds'}, then try again."
    return _form(site, there, 429, email, problem=text, headers={"Retry-After": str(wait)})
