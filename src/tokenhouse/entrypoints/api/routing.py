"""How the framework is used: bodies as the gate parsed them, answers as bytes that we wrote."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic_core import to_json

from tokenhouse.entrypoints.api.call import NO_BODY, SCOPE, Call
from tokenhouse.entrypoints.api.problems import Rendered


class _Parsed(Request):
    """A request whose body the gate has read and parsed: once, strictly."""

    async def body(self) -> bytes:
        """Say only whether there is one; `json` has what it holds."""
        return b"" if self.scope[SCOPE].body is NO_BODY else b"{}"

    async def json(self) -> Any:  # noqa: ANN401 - the framework's signature
        """Give the parsed body."""
        return self.scope[SCOPE].body


class _Route(APIRoute):
    """A route whose endpoint sees what the gate parsed."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Hand the framework our request instead of its own."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            return await handle(_Parsed(request.scope, request.receive))

        return handler


def router(tag: str) -> APIRouter:
    """Make a router for one noun."""
    return APIRouter(route_class=_Route, tags=[tag])


async def _the_call(request: Request) -> Call:
    call: Call = request.scope[SCOPE]
    return call


TheCall = Annotated[Call, Depends(_the_call)]
"""The request as the gate let it through."""


def answer(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(to_json(value), status, headers, "application/json")


def replayable(value: object, status: int, *, replayed: bool) -> Response:
    """Answer a command: the same again for a replay, which says so."""
    return answer(value, status, {"Idempotency-Replayed": "true"} if replayed else None)


def response_of(rendered: Rendered) -> Response:
    """Answer with what a fast route would."""
    response = Response(rendered.body, rendered.status)
    for name, value in rendered.headers:
        response.headers.append(name.decode(), value.decode())
    return response


def page(data: list[Any], next_cursor: str | None) -> dict[str, Any]:
    """Wrap a page of a list."""
    return {"data": data, "next_cursor": next_cursor, "has_more": next_cursor is not None}
