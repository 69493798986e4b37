"""Refusals as problem details (RFC 9457), the same for every way into the API."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from json import dumps as _text
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import to_json

from tokenhouse.infra.kernel.errors import TokenhouseError, ValidationFailed

PROBLEM_TYPE = b"application/problem+json"
JSON_TYPE = b"application/json"
MOST_ERRORS = 50
_MOST_INSTANCE = 300


class Rendered(NamedTuple):
    """An answer ready to be sent; headers are lower-case."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def document(error: TokenhouseError, instance: str | None = None, request_id: str | None = None) -> dict[str, Any]:
    """Describe a refusal as problem details."""
    told: dict[str, Any] = {
        "type": f"/docs/errors#{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "code": error.code,
    }
    if instance is not None and len(instance) <= _MOST_INSTANCE:
        told["instance"] = instance
    if request_id is not None:
        told["request_id"] = request_id
    for name, value in error.extra.items():
        told.setdefault(name, value)
    return told


def render(error: TokenhouseError, path: str, request_id: str | None = None) -> Rendered:
    """Write a refusal down; under /api with the sources' `success` and `message` too."""
    told = document(error, path, request_id)
    if is_compat(path):
        told = {"success": False, "message": error.detail, **told}
    headers = [(b"content-type", PROBLEM_TYPE)]
    headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
    return Rendered(error.status, headers, to_json(told, fallback=str))


def is_compat(path: str) -> bool:
    """Whether a path is one of the sources'."""
    return path.startswith("/api/") or path == "/api"


def refusal_of(error: ValidationError, prefix: Sequence[str | int] = ()) -> ValidationFailed:
    """Turn what Pydantic found into our refusal; `prefix` leads to the part that was looked at."""
    return invalid(
        (
            (*prefix, *one["loc"]),
            one["msg"],
        )
        for one in error.errors(include_url=False, include_context=False, include_input=False)
    )


def invalid(found: Iterable[tuple[Sequence[str | int], str]]) -> ValidationFailed:
    """Refuse fields: (place, message) each."""
    errors = [{"field": _field(place), "message": _message(message)} for place, message in found][:MOST_ERRORS]
    first = errors[0] if errors else {"field": "body", "message": "cannot be read"}
    more = f" (and {len(errors) - 1} more, see errors)" if len(errors) > 1 else ""
    return ValidationFailed(f"{first['field']}: {first['message']}{more}", errors=errors)


def _field(place: Sequence[str | int]) -> str:
    return ".".join(str(part)[:80] for part in place) or "body"


def _message(message: str) -> str:
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    return message[:1].lower() + message[1:300]


def exact_json(value: object) -> str:
    """Write JSON in which decimals stand as plain numbers, every digit of them, never as 1e-07."""
    if value is None or isinstance(value, bool | int | str):
        return _text(value, ensure_ascii=False)
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{_text(str(name))}:{exact_json(one)}" for name, one in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(exact_json(one) for one in value) + "]"
    return to_json(value).decode()
