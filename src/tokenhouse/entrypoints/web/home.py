"""The first page: what this is, that it runs, and the first calls to try. Programs get the same in JSON."""

import base64
import hashlib
import re

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from tokenhouse import __version__
from tokenhouse.domain.access.types import SessionFound
from tokenhouse.entrypoints.web.site import Site, text_of
from tokenhouse.infra.kernel.accept import wants_page

_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")


def mount(app: FastAPI, site: Site) -> None:
    """Serve `/`: to whoever is signed in with their name and the way out."""
    policy = _policy(_page(site, "", None))

    async def home(request: Request) -> Response:
        base = _base(request)
        if not wants_page(request.headers.get("accept", "")):
            return JSONResponse(_told(base))
        page = _page(site, base, await site.who(request))
        return HTMLResponse(page, headers={"Content-Security-Policy": policy, "Vary": "Accept, Cookie"})

    app.add_route("/", home, include_in_schema=False)


def _page(site: Site, base: str, who: SessionFound | None) -> str:
    return text_of("home.html", base=base, key=site.has_admin_key, who=who)


def _told(base: str) -> dict[str, object]:
    return {
        "name": "Tokenhouse",
        "version": __version__,
        "description": "Billing of tokens and credits for AI apps: wallets, holds, charges, and what models earn.",
        "docs": f"{base}/docs",
        "openapi": f"{base}/openapi.json",
        "ready": f"{base}/readyz",
    }


def _base(request: Request) -> str:
    """Give the address by which the caller reached us; a strange Host header is not repeated."""
    host = request.headers.get("host", "")
    return f"{request.url.scheme}://{host if _HOST.fullmatch(host) else 'localhost'}"


def _policy(page: str) -> str:
    """Allow the page's own style and script by their digests, and nothing else."""
    allowed = {}
    for tag in ("style", "script"):
        found = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in found]
        allowed[tag] = " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
    return (
        f"default-src 'none'; style-src {allowed['style']}; script-src {allowed['script']}; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
