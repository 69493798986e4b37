"""The API's own description: OpenAPI 3.1, made once a process."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema
from pydantic_core import to_json
from starlette.responses import Response

from tokenhouse import __version__
from tokenhouse.entrypoints.api.examples import EXAMPLES, page_of
from tokenhouse.entrypoints.api.reference import CompatProblem, Problem, refusals
from tokenhouse.entrypoints.api.v1.batch import BatchBody
from tokenhouse.entrypoints.api.v1.payouts import PayoutsBulkBody

_TAGS = [
    ("Accounts", "Users and organizations, and the plans that they are on."),
    ("Wallets", "What an account has to spend, and the grants that it is made of."),
    ("Charges", "Credits taken for what was used, with a receipt for each."),
    ("Holds", "Credits set aside before the work, captured or given back after it."),
    ("Models", "Models on sale, their characters, and buying one."),
    ("Reviews", "What those who used a model say of it."),
    ("Earnings", "What others' uses of a model brought its owners and its creator."),
    ("Payouts", "Earnings on their way out: asked for, approved, sent; how and when an account is paid."),
    ("History", "One log of what moved an account's credits and dollars."),
    ("Exports", "The same as files: CSV, XLSX and Parquet."),
    ("Forecasts", "What is likely to come: estimates."),
    ("Analytics", "Figures of uses, earnings, cost and margin, equal to the records at any time."),
    ("Access", "Keys, sessions, the members of organizations, and invitations."),
    ("Privacy", "What is kept of a person: giving it out, and taking the person out of it."),
    ("Audit", "Who did what: every administrative and security act, as it was recorded."),
    ("Compatibility", "The paths and field names of the apps that Tokenhouse takes over, over the same verbs."),
    ("Operations", "For those who run it."),
]

_ABOUT = """\
Billing of tokens and credits for AI apps: wallets, holds, charges, and what models earn.

**Keys.** Send `Authorization: Bearer KEY`. A platform key acts for anyone and names whom, by a field of the body or by
`X-User-ID`; an account's own key acts for itself, and for its organizations by role. Somebody else's account is not
found (404). A person who signed in at [/login](/login) needs no key: their session, in its cookie, acts for them, for
requests of this host's own pages.

**Commands.** Whatever moves credits or money takes an `Idempotency-Key`: a new one for each thing to do, the same one
to try that thing again. The same key with the same body gives the first answer again, for ever, with
`Idempotency-Replayed: true`; with another body it is refused (422).

**Money.** Credits are whole numbers. Dollars are whole nano-dollars (`…_nano_usd`) with the exact decimal beside them
(`…_usd`). Nothing is rounded on the way.

**Refusals.** `application/problem+json`: `code` is for programs, `detail` says what to do next;
[all codes](/docs/errors).

**Lists.** `limit` is 1 to 100; `next_cursor` of one page is `cursor` of the next.
"""

_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Names this command: 1 to 255 visible ASCII characters.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "example": "order-1001",
}
_USER = {
    "name": "X-User-ID",
    "in": "header",
    "required": False,
    "description": "Whom a platform key acts for.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:@-]{1,128}$"},
    "example": "u-42",
}
_KEYED = {
    "charges_create", "charges_reverse", "holds_create", "holds_capture", "holds_void", "grants_create",
    "models_purchase", "models_refund", "payouts_create", "payouts_approve", "payouts_complete", "payouts_fail",
    "payouts_cancel", "payout_batches_create", "earnings_adjust", "earnings_reviews_reject",
}  # fmt: skip
_KEY_HONOURED = {
    "payouts_bulk",
    "compat_deduct_token",
    "compat_track_model_usage",
    "compat_check_balance",
    "compat_purchase_model",
}
_FOR_WHOM = {
    "models_purchase", "sessions_list", "sessions_end", "sessions_end_all", "compat_track_model_usage",
    "compat_models", "compat_model_analytics", "compat_creator_analytics", "compat_purchase_model",
    "invitations_accept", "models_list", "model_reviews_put", "model_reviews_remove",
}  # fmt: skip
_OPEN = {"livez", "readyz", "metrics"}


def describe(app: FastAPI) -> None:
    """Serve /openapi.json."""
    written: list[bytes] = []

    async def openapi(_: Request) -> Response:
        if not written:
            written.append(to_json(schema(app)))
        return Response(written[0], media_type="application/json")

    app.add_route("/openapi.json", openapi, include_in_schema=False)


def schema(app: FastAPI) -> dict[str, Any]:
    """Give the description as an object."""
    made = get_openapi(
        title="Tokenhouse",
        version=__version__,
        openapi_version="3.1.0",
        summary="Billing of tokens and credits for AI apps.",
        description=_ABOUT,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in _TAGS],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    components = made.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    _, extra = models_json_schema(
        [
            (Problem, "serialization"),
            (CompatProblem, "serialization"),
            (BatchBody, "validation"),
            (PayoutsBulkBody, "validation"),
        ],
        ref_template="#/components/schemas/{model}",
    )
    for name, one in extra.get("$defs", {}).items():
        schemas.setdefault(name, one)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "A platform key, or an account's own."},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "__Host-tokenhouse",
            "description": "Signed in at /login, in a browser on this host (in development: `tokenhouse`).",
        },
    }
    made["security"] = [{"key": []}, {"session": []}]
    for path, item in made["paths"].items():
        for operation in item.values():
            _finish(operation, path)
    _rename(made)
    _show(made["components"]["schemas"])
    return made


def _rename(made: dict[str, Any]) -> None:
    """Call answers by their nouns: a Receipt, not a ReceiptOut."""
    schemas = made["components"]["schemas"]
    nouns = {name: name.removesuffix("Out") for name in schemas}
    if len(set(nouns.values())) < len(nouns):
        raise ValueError(f"two schemas would have one name: {sorted(schemas)}")
    made["components"]["schemas"] = {nouns[name]: {**one, "title": nouns[name]} for name, one in schemas.items()}
    for one in _objects(made):
        reference = one.get("$ref")
        if isinstance(reference, str):
            one["$ref"] = "#/components/schemas/" + nouns[reference.rpartition("/")[2]]


def _show(schemas: dict[str, Any]) -> None:
    """Give each answer its example."""
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
        if f"{name}Page" in schemas:
            schemas[f"{name}Page"]["examples"] = [page_of(example)]


def _objects(value: object) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for one in value.values():
            yield from _objects(one)
    elif isinstance(value, list):
        for one in value:
            yield from _objects(one)


def _finish(operation: dict[str, Any], path: str) -> None:
    name = operation["operationId"]
    parameters = operation.setdefault("parameters", [])
    if name in _KEYED:
        parameters.append(_KEY)
    if name in _KEY_HONOURED:
        parameters.append({**_KEY, "required": False})
    if name in _FOR_WHOM:
        parameters.append(_USER)
    if not parameters:
        del operation["parameters"]
    if name in _OPEN:
        operation["security"] = []
    responses = operation["responses"]
    if _is_framework_refusal(responses.get("422")):
        del responses["422"]
    # What an X-User-ID that names another gets, wherever it is sent.
    if path.startswith("/v1/"):
        responses.setdefault("404", refusals(404)[404])
    elif path.startswith("/api/"):
        responses.setdefault("403", refusals(403, compat=True)[403])


def _is_framework_refusal(response: dict[str, Any] | None) -> bool:
    """Whether it is the framework's own description of a refusal, which we never give."""
    return response is not None and "application/json" in response.get("content", {})
