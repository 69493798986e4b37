"""The framework's application: the documented routes, and how refusals leave it."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Route

from tokenhouse import __version__
from tokenhouse.entrypoints.api import compat, compat_analytics, docs, openapi, ops
from tokenhouse.entrypoints.api.call import SCOPE
from tokenhouse.entrypoints.api.problems import invalid, render
from tokenhouse.entrypoints.api.refused import page_of
from tokenhouse.entrypoints.api.routing import response_of
from tokenhouse.entrypoints.api.safety import from_database, our_fault
from tokenhouse.entrypoints.api.v1 import (
    accounts,
    audit,
    batch,
    characters,
    charges,
    checks,
    creators,
    earnings,
    holds,
    keys,
    members,
    model_bulk,
    model_reviews,
    models,
    payees,
    payout_batches,
    payouts,
    privacy,
    sales,
    sessions,
    statements,
    wallets,
)
from tokenhouse.infra.kernel.errors import (
    BadRequest,
    MethodNotAllowed,
    NotFound,
    TokenhouseError,
)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_NOUNS: tuple[APIRouter, ...] = tuple(
    module.routes
    for module in (
        accounts,
        wallets,
        charges,
        batch,
        holds,
        checks,
        model_bulk,
        models,
        characters,
        sales,
        model_reviews,
        earnings,
        payouts,
        payees,
        payout_batches,
        statements,
        creators,
        keys,
        members,
        sessions,
        privacy,
        audit,
        compat,
        compat_analytics,
        ops,
    )
)


def make_app(lifespan: Lifespan, telemetry: dict[str, Any]) -> FastAPI:
    """Make the application that the gate stands in front of."""
    app = FastAPI(
        title="Tokenhouse",
        version=__version__,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=telemetry,  # type: ignore[arg-type] # a dictionary of its options
    )
    for routes in _NOUNS:
        app.include_router(routes)
    openapi.describe(app)
    docs.mount(app)
    app.add_exception_handler(TokenhouseError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_exception_handler(Exception, _broken)
    return app


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, TokenhouseError)  # noqa: S101 - registered for it
    call = request.scope.get(SCOPE)
    request.scope["tokenhouse.code"] = error.code
    if call is not None and call.page:
        return response_of(page_of(error, call.request_id))
    return response_of(render(error, request.scope["path"], call.request_id if call else None))


async def _broken(request: Request, error: Exception) -> Response:
    """Say that it is our fault, and no more; the framework then raises it to the gate, which logs it."""
    call = request.scope.get(SCOPE)
    return await _refused(request, from_database(error) or our_fault(call.request_id if call else "unknown"))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    found = error.errors()
    # The framework leads with where it looked: body, query, path, header.
    return await _refused(request, invalid((one["loc"][1:] or one["loc"], one["msg"]) for one in found))


async def _unrouted(request: Request, error: Exception) -> Response:
    """Say 404 and 405 as problems, and 405 with every method that there is."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    if error.status_code == 405:
        refusal: TokenhouseError = MethodNotAllowed("This path has no such method; Allow names those it has.")
        refusal.headers["Allow"] = ", ".join(_methods(request))
    elif error.status_code == 404:
        refusal = NotFound("There is nothing at this path. GET /openapi.json lists what there is.")
    else:
        refusal = BadRequest("The request cannot be read.")
        refusal.status = error.status_code
    return await _refused(request, refusal)


def _methods(request: Request) -> list[str]:
    """List the methods of a path over all the routes that share it."""
    path = request.scope["path"]
    routes = [route for noun in _NOUNS for route in noun.routes] + list(request.app.routes)
    found = [route for route in routes if isinstance(route, Route) and route.path_regex.match(path)]
    named = [route for route in found if route.path == path]
    return sorted({method for route in named or found for method in route.methods or ()})
