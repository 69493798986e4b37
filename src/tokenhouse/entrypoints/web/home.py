"""The first page: what this is, that it runs, and the first calls to try. Programs get the same in JSON."""

import base64
import hashlib
import re
from html import escape
from importlib.resources import files

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from tokenhouse import __version__
from tokenhouse.infra.kernel.accept import wants_page

_IF_KEY = re.compile(r"<!-- if key -->(.*?)<!-- end -->", re.DOTALL)
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")


def mount(app: FastAPI, *, has_admin_key: bool) -> None:
    """Serve `/`. has_admin_key: whether the settings name a platform key."""
    template = files(__package__).joinpath("templates/home.html").read_text()
    template = _IF_KEY.sub(r"\1" if has_admin_key else "", template)
    policy = _policy(template)

    async def home(request: Request) -> Response:
        base = _base(request)
        if not wants_page(request.headers.get("accept", "")):
            return JSONResponse(_told(base))
        page = template.replace("{{ version }}", escape(__version__)).replace("{{ base }}", escape(base))
        return HTMLResponse(page, headers={"Content-Security-Policy": policy, "Vary": "Accept"})

    app.add_route("/", home, include_in_schema=False)


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
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
