"""The reference to read: Swagger UI from files in our own package, and what each error code means."""

import base64
import hashlib
from html import escape
from pathlib import Path

import fastapi_offline
from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from tokenhouse.entrypoints.api.codes import CODES

_FILES = Path(fastapi_offline.__file__).parent / "static"
_HERE = Path(__file__).parent / "static"
_STATIC = "/static/docs"
# Scripts and styles come from here alone; Swagger UI sets styles on its elements by script, which needs no leave.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class _Kept(StaticFiles):
    """Files of the installed release: kept for a day."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """Add how long to keep them."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "public, max-age=86400"
        return response


def mount(app: FastAPI) -> None:
    """Serve /docs, /docs/errors and the files that they need."""
    page = (_HERE / "docs.html").read_text()
    errors = _errors_page()

    async def docs(_: Request) -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})

    async def codes(_: Request) -> HTMLResponse:
        return HTMLResponse(errors, headers={"Content-Security-Policy": style_policy(errors)})

    app.add_route("/docs", docs, include_in_schema=False)
    app.add_route("/docs/errors", codes, include_in_schema=False)
    app.mount(f"{_STATIC}/swagger", _Kept(directory=_FILES), name="swagger")
    app.mount(_STATIC, _Kept(directory=_HERE), name="docs")


def _errors_page() -> str:
    rows = "\n".join(
        f'<tr id="{code}"><th scope="row"><code>{code}</code></th><td class="n">{status}</td>'
        f"<td>{escape(meaning)}</td><td>{escape(action)}</td></tr>"
        for code, (status, meaning, action) in CODES.items()
    )
    return (_HERE / "errors.html").read_text().replace("<!-- rows -->", rows)


def style_policy(page: str) -> str:
    """Allow the page's one style sheet by its digest, and nothing else."""
    style = page.split("<style>", 1)[1].split("</style>", 1)[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; frame-ancestors 'none'"
