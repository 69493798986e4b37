"""What the pages are served with, and how they are written: templates, their policy, the session's cookie."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final
from uuid import UUID

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from tokenhouse import __version__
from tokenhouse.domain.access import Passwords, Sessions
from tokenhouse.domain.access.acts import By
from tokenhouse.domain.access.types import SessionFound, Visitor
from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.entrypoints.web import mail
from tokenhouse.entrypoints.web.budget import Budget
from tokenhouse.entrypoints.web.oidc_provider import Provider
from tokenhouse.infra.database import Database
from tokenhouse.infra.kernel.errors import TokenhouseError

POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    # Not `no-referrer`: with that a browser sends `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_TEMPLATES = Environment(
    loader=FileSystemLoader(str(files(__package__).joinpath("templates"))),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals["version"] = __version__


@dataclass(frozen=True, slots=True)
class Cookie:
    """The cookie that sessions travel in. secure: over HTTPS only, and bound to this very host by its name.

    plain_name: its name without the prefix that goes with that.
    """

    secure: bool
    max_seconds: int
    plain_name: str = "tokenhouse"

    @property
    def name(self) -> str:
        """Its name: with the prefix by which browsers refuse it from another host or over plain HTTP."""
        return f"__Host-{self.plain_name}" if self.secure else self.plain_name

    def set(self, response: Response, token: str) -> None:
        """Give the browser a session."""
        response.set_cookie(
            self.name, token, max_age=self.max_seconds, path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def clear(self, response: Response) -> None:
        """Take the session from the browser."""
        response.delete_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite="lax")


@dataclass(frozen=True, slots=True)
class Site:
    """What pages work with, made once a process.

    base: where links in mails begin, None where nobody said. sign_up: whether anybody may make an account. unverified:
    whether somebody signs in whose e-mail is not verified. catalog: gives the one in force.
    providers: of OpenID Connect; flow_cookie: what travels while somebody is there, signed by flow_key.
    """

    database: Database
    sessions: Sessions
    passwords: Passwords
    cookie: Cookie
    catalog: Callable[[], Awaitable[Catalog]]
    base: str | None
    sign_up: bool
    unverified: bool
    tries_per_minute: int
    has_admin_key: bool
    providers: tuple[Provider, ...]
    flow_key: bytes = field(repr=False)
    flow_cookie: Cookie
    budget: Budget
    send: mail.Send

    def token(self, request: Request) -> str | None:
        """Give the token that the browser sent, if it sent one."""
        return request.cookies.get(self.cookie.name)

    async def who(self, request: Request) -> SessionFound | None:
        """Find who is signed in. Nobody is while the database is away: a page without it is served all the same."""
        try:
            return await self.sessions.find(self.token(request))
        except TokenhouseError:
            return None


def visitor_of(request: Request) -> Visitor:
    """Say where a request comes from."""
    return Visitor(request.client.host if request.client else None, request.headers.get("user-agent"))


def by(request: Request, account_id: int, session_id: UUID | None = None) -> By:
    """Say who acts on a page, and whence, for the record."""
    return By("api", account_id, session_id=session_id, address=visitor_of(request).address)


def text_of(template: str, **values: object) -> str:
    """Write a page; every value is escaped."""
    return _TEMPLATES.get_template(template).render(**values)


def page(template: str, status: int = 200, headers: dict[str, str] | None = None, **values: Any) -> Response:  # noqa: ANN401 - whatever the template shows
    """Answer with a page under the strict policy."""
    return HTMLResponse(text_of(template, **values), status, {**_HEADERS, **(headers or {})})


def notice(
    title: str,
    text: str,
    status: int = 200,
    *,
    link: tuple[str, str] = ("/login", "Sign in"),
    headers: dict[str, str] | None = None,
) -> Response:
    """Answer with a page that says one thing. link: where to go from there, and what that is called."""
    return page("notice.html", status, headers, title=title, text=text, link=link)
