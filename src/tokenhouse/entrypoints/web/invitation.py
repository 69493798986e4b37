"""Joining an organization: `/invitations/{token}` is where the mailed link leads."""

from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from tokenhouse.domain import access
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.access.rules import digest_of
from tokenhouse.domain.access.types import SessionFound
from tokenhouse.entrypoints.web.forms import guard
from tokenhouse.entrypoints.web.site import Site, by, notice, page, visitor_of
from tokenhouse.infra.database import PLATFORM

_START = ("/", "To the start")


def mount(app: FastAPI, site: Site) -> None:
    """Serve the form."""

    async def show(request: Request) -> Response:
        who = await site.who(request)
        return _sign_in(request) if who is None else page("invitation.html", who=who)

    async def accept(request: Request) -> Response:
        guard(site, request)
        who = await site.who(request)
        if who is None:
            return _sign_in(request)
        async with site.database.transaction(PLATFORM) as tx:
            accepted = await access.accept_invitation(tx, digest_of(request.path_params["token"]), who.account_id)
            if accepted is None:
                return notice(*_dead(who), 404, link=_START)
            organization, role = accepted
            # Who may do more has a new session: nobody else knows its token.
            token = await access.open_session(
                tx, who.account_id, visitor_of(request), site.sessions.limits, instead=site.token(request)
            )
            target = f"{organization.id}/{who.account_id}"
            act = Act("invitation.accept", "member", target, who.account_id, None, role)
            await access.record(tx, by(request, who.account_id, who.id), act)
        response = notice(f"Welcome to {organization.name}", f"Your role there: {role}.", link=_START)
        if token is not None:
            site.cookie.set(response, token)
        return response

    app.add_route("/invitations/{token}", show, methods=["GET"], include_in_schema=False)
    app.add_route("/invitations/{token}", accept, methods=["POST"], include_in_schema=False)


def _dead(who: SessionFound) -> tuple[str, str]:
    text = f"It was used, is too old, or went to another address than {who.email}. Ask for a new one."
    return "This invitation does not work", text


def _sign_in(request: Request) -> Response:
    return RedirectResponse(f"/login?next={request.url.path}", 303)
