"""What operators and their tools ask: is it alive, can it serve, how is it doing."""

import ipaddress

from fastapi import Request, Response

from tokenhouse.entrypoints.api.reference import refusals
from tokenhouse.entrypoints.api.routing import TheCall, answer, router
from tokenhouse.entrypoints.api.types import Answer
from tokenhouse.infra.kernel.errors import Forbidden
from tokenhouse.infra.telemetry.metrics import CONTENT_TYPE

routes = router("Operations")


class StatusOut(Answer):
    """That it answers."""

    status: str


@routes.get("/livez", operation_id="livez", summary="Is it alive?", responses={200: {"model": StatusOut}})
async def livez() -> Response:
    """Answer 200 as long as the process runs."""
    return answer({"status": "alive"})


@routes.get(
    "/readyz",
    operation_id="readyz",
    summary="Can it serve?",
    responses={200: {"model": StatusOut}, **refusals(503)},
)
async def readyz(call: TheCall) -> Response:
    """Answer 200 while the database answers and its schema fits, else 503."""
    await call.runtime.ready()
    return answer({"status": "ready"})


@routes.get(
    "/metrics",
    operation_id="metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {}}, "description": "Of all workers."}, **refusals(403)},
)
async def metrics(call: TheCall, request: Request) -> Response:
    """Give the figures in Prometheus' format, those of all workers together. From this machine only."""
    if not (call.runtime.metrics_public or _is_local(request)):
        raise Forbidden("Metrics are for this machine only. Set TOKENHOUSE_METRICS_PUBLIC=true to change that.")
    return Response(call.runtime.metrics.text(), media_type=CONTENT_TYPE.decode())


def _is_local(request: Request) -> bool:
    """Whether the caller is on this machine; what a proxy passes on is not."""
    if request.client is None or "x-forwarded-for" in request.headers or "forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
