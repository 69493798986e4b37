"""Refusals as pages, for browsers: what happened, and the way back. They tell no more than the problem details do."""

from html import escape
from importlib.resources import files

from tokenhouse.entrypoints.api.docs import style_policy
from tokenhouse.entrypoints.api.problems import Rendered
from tokenhouse.infra.kernel.errors import TokenhouseError

_PAGE = files(__package__).joinpath("static/refused.html").read_text()
_POLICY = style_policy(_PAGE).encode()
# What is meant for programs, said to people.
_TEXTS = {
    404: ("Not found", "There is nothing at this address. It may have moved, or the link is incomplete."),
    405: ("Not possible here", "This address cannot be used in this way."),
    500: ("Something went wrong", "It is our fault. Try again; if it stays so, tell the operator the number below."),
    503: ("Back in a moment", "The service is not available at the moment. Try again in a few seconds."),
}


def page_of(error: TokenhouseError, request_id: str) -> Rendered:
    """Write a refusal as a page."""
    title, detail = _TEXTS.get(error.status, (error.title, error.detail))
    page = _PAGE
    values = {"title": title, "detail": detail, "status": str(error.status), "request": request_id}
    for name, value in values.items():
        page = page.replace("{{ " + name + " }}", escape(value))
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-security-policy", _POLICY),
        (b"vary", b"Accept"),
    ]
    headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
    return Rendered(error.status, headers, page.encode())
