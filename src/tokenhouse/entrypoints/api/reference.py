"""What the reference says of answers: the same words for the same refusals everywhere."""

from functools import lru_cache
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from tokenhouse.entrypoints.api.types import Answer

Responses = dict[int | str, dict[str, Any]]


class FieldError(Answer):
    """One thing that is wrong with a request."""

    field: str
    message: str


class Problem(Answer):
    """A refusal (RFC 9457): what happened, and what to do next."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Where the code is explained.")
    title: str
    status: int
    detail: str
    code: str = Field(description="For programs: it does not change.")
    instance: str | None = None
    request_id: str | None = Field(None, description="The operator finds the request in the logs by it.")
    errors: list[FieldError] | None = Field(None, description="With 422: every field that is wrong.")


class CompatProblem(Problem):
    """A refusal as the sources' clients expect it."""

    success: bool = False
    message: str


_TEXTS: dict[int, tuple[str, str, str]] = {
    400: ("malformed_json", "Malformed JSON", "The body is not JSON, or a header that is needed is missing."),
    401: ("unauthorized", "Unauthorized", "No key, or none that is valid: the same words for all."),
    402: ("insufficient_tokens", "Insufficient tokens", "The credits do not suffice; nothing was taken."),
    403: ("forbidden", "Forbidden", "The right account, without the scope or the role."),
    404: ("not_found", "Not found", "Not there, or not yours to know of."),
    409: ("conflict", "Conflict", "The state of things forbids it; `code` says which."),
    413: ("body_too_large", "Body too large", "The body is over 1 MiB."),
    415: ("unsupported_media_type", "Unsupported media type", "The body is not application/json."),
    422: ("validation_failed", "Validation failed", "The body was read and its content refused."),
    429: ("rate_limited", "Too many requests", "Wait as Retry-After says."),
    503: ("unavailable", "Unavailable for the moment", "Retry with the same key, as Retry-After says."),
}


def refusals(*statuses: int, compat: bool = False) -> Responses:
    """Describe refusals by their statuses."""
    made: Responses = {}
    for status in statuses:
        code, title, text = _TEXTS[status]
        example: dict[str, Any] = {
            "type": f"/docs/errors#{code}",
            "title": title,
            "status": status,
            "detail": text,
            "code": code,
        }
        if status == 402:
            example |= {"required": 5000, "available": 2000, "upgrade_url": "/plans"}
        if compat:
            example = {"success": False, "message": text, **example}
        reference = "CompatProblem" if compat else "Problem"
        made[status] = {
            "description": text,
            "content": {
                "application/problem+json": {
                    "schema": {"$ref": f"#/components/schemas/{reference}"},
                    "example": example,
                }
            },
        }
        if status in (429, 503):
            made[status]["headers"] = {
                "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}
            }
    return made


READ = refusals(401, 403, 404, 429, 503)
"""A single thing is read."""

LIST = refusals(401, 403, 404, 422, 429, 503)
"""A list is read."""

WRITE = refusals(400, 401, 403, 404, 409, 413, 415, 422, 429, 503)
"""Something is changed."""

COMMAND = refusals(400, 401, 402, 403, 404, 409, 413, 415, 422, 429, 503)
"""Credits or money move."""

COMPAT_READ = refusals(400, 401, 403, 404, 422, 429, 503, compat=True)
COMPAT_COMMAND = refusals(400, 401, 402, 403, 404, 409, 413, 415, 422, 429, 503, compat=True)

_REPLAYED = {
    "Idempotency-Replayed": {
        "description": "`true` where this is the first answer to the same key, given again.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}


def created(model: type[BaseModel], status: int = 201, description: str = "Done.") -> Responses:
    """Describe the answer to a command."""
    return {status: {"model": model, "description": description, "headers": _REPLAYED}}


def found(model: type[BaseModel], status: int = 200, description: str = "Found.", *, listed: bool = False) -> Responses:
    """Describe what is read; listed: a page of them."""
    return {status: {"model": paged(model) if listed else model, "description": description}}


@lru_cache
def paged(model: type[BaseModel]) -> type[BaseModel]:
    """Describe a page of a list."""
    return create_model(
        f"{model.__name__.removesuffix('Out')}Page",
        __base__=Answer,
        __doc__="A page of a list.",
        data=(list[model], ...),  # type: ignore[valid-type]
        next_cursor=(str | None, Field(description="Send it as `cursor` for the next page.")),
        has_more=(bool, ...),
    )
