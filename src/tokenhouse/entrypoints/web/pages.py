"""All pages, put on the application."""

from pathlib import Path

from fastapi import FastAPI
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from tokenhouse.entrypoints.web import home, invitation, oidc, password, reset, sign_in, sign_up
from tokenhouse.entrypoints.web.site import Site

_STATIC = Path(__file__).parent / "static"


class _Kept(StaticFiles):
    """Files of the installed release: kept for an hour."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """Add how long to keep them."""
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type] # handed on as they came
        response.headers["Cache-Control"] = "public, max-age=3600"
        return response


def mount(app: FastAPI, site: Site) -> None:
    """Serve the pages and the files that they need."""
    for one in (home, sign_in, sign_up, reset, password, oidc, invitation):
        one.mount(app, site)
    app.mount("/static/web", _Kept(directory=_STATIC), name="web")
