"""Forms as browsers send them: read within bounds, taken from our own pages only."""

import asyncio
from urllib.parse import parse_qsl

from fastapi import Request

from tokenhouse.domain.access.signing import from_our_pages
from tokenhouse.entrypoints.web.site import Site
from tokenhouse.infra.kernel.errors import BadRequest, CrossSite, TooLarge, UnsupportedMediaType

_FORM = "application/x-www-form-urlencoded"
_MOST_BYTES = 16 * 1024
_MOST_FIELDS = 20
_SECONDS = 30.0


async def read_form(site: Site, request: Request) -> dict[str, str]:
    """Read a form's fields. CrossSite where another site's page sent it; BadRequest, TooLarge, UnsupportedMediaType."""
    guard(site, request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise UnsupportedMediaType(f"Send the form as {_FORM}.")
    body = b""
    try:
        async with asyncio.timeout(_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > _MOST_BYTES:
                    raise TooLarge("The form is larger than 16 KiB.")
    except TimeoutError:
        raise BadRequest("The form did not come within 30 seconds. Send it again.") from None
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise BadRequest("The form cannot be read. Open the page again.") from None
    if any("\0" in value for value in fields.values()):
        raise BadRequest("The form holds the character NUL. Open the page again.")
    return fields


def guard(site: Site, request: Request) -> None:
    """Refuse with CrossSite what a browser sends from another site's page.

    Whoever says nothing of where from is a program, unless a session comes along: an old browser may have added that by
    itself.
    """
    told = [request.headers.get(name) for name in ("sec-fetch-site", "origin", "host")]
    if told[0] is None and told[1] is None and site.token(request) is None:
        return
    if not from_our_pages(*told, tls=request.url.scheme == "https"):
        raise CrossSite


def local_path(text: str) -> str:
    """Give a path of this site; `/` for whatever leads elsewhere."""
    plain = text.isascii() and text.isprintable() and not set(text) & set(' \\"<>')
    return text if plain and text.startswith("/") and not text.startswith("//") else "/"
