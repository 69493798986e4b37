"""What bodies and parameters are made of: strict, so that nothing is guessed about money."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError, to_json

from tokenhouse.domain.access.signing import EMAIL_MAX, EMAIL_PATTERN, is_email
from tokenhouse.entrypoints.api.problems import refusal_of
from tokenhouse.infra.kernel.errors import ValidationFailed

MAX_CREDITS = 10**15
METADATA_BYTES = 8192
_MOST_TIME_TEXT = 40


class Body(BaseModel):
    """A request's body: unknown fields refused, nothing converted."""

    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True)


class Answer(BaseModel):
    """An answer, as the reference describes it."""

    model_config = ConfigDict(use_attribute_docstrings=True)


def _email(text: str) -> str:
    if not is_email(text):
        raise PydanticCustomError("email", "must be one e-mail address, such as ada@example.com")
    return text


def _instant(value: object) -> object:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError('must be a text such as "2030-01-31T12:00:00Z"')  # noqa: TRY004 - Pydantic's way
    try:
        at = datetime.fromisoformat(value) if len(value) <= _MOST_TIME_TEXT else None
    except ValueError:
        at = None
    if at is None:
        raise ValueError('is no time; write it as "2030-01-31T12:00:00Z"')
    if at.tzinfo is None:
        raise ValueError("names no time zone; end it with Z or an offset such as +02:00")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("lies outside of the years 1 to 9999") from None


def _metadata(value: object) -> object:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("must be an object")  # noqa: TRY004 - Pydantic's way
    text = to_json(value)
    if len(text) > METADATA_BYTES:
        raise ValueError(f"takes {len(text):,} bytes as JSON and may take {METADATA_BYTES:,}")
    return text.decode()


Id = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9._:@-]{1,128}$",
        json_schema_extra={"examples": ["u-42"]},
    ),
]
"""An id of the app's own."""

Credits = Annotated[int, Field(ge=1, le=MAX_CREDITS, json_schema_extra={"examples": [5]})]
"""Whole credits, at least one."""

AnyCredits = Annotated[int, Field(ge=0, le=MAX_CREDITS)]
"""Whole credits, none included."""

Email = Annotated[str, Field(max_length=EMAIL_MAX, pattern=EMAIL_PATTERN), AfterValidator(_email)]
Word = Annotated[str, Field(min_length=1, max_length=128)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Note = Annotated[str, Field(max_length=500)]

Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A point in time that names its zone."""

METADATA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": True,
    "description": "What the app wants to find again: any object, at most 8 KiB as JSON.",
    "examples": [{"conversation": "c-7"}],
}

Metadata = Annotated[str, BeforeValidator(_metadata), WithJsonSchema(METADATA)]
"""An object, kept as JSON text."""

Count = Annotated[int, Field(ge=0, le=MAX_CREDITS)]
Quantity = Count | Annotated[dict[Annotated[str, Field(min_length=1, max_length=64)], Count], Field(max_length=16)]
UsageType = Literal["chat", "image_generation", "other"]

KEY_LENGTH = 255
IdempotencyKey = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,255}$")]
"""1 to 255 visible ASCII characters."""

B = TypeVar("B", bound=BaseModel)


def checked(model: type[B], body: object) -> B:
    """Validate a parsed body. ValidationFailed says all that is wrong with it."""
    try:
        return model.__pydantic_validator__.validate_python(body)  # type: ignore[no-any-return]
    except ValidationError as error:
        raise refusal_of(error) from None


def an_object(body: object) -> dict[str, Any]:
    """Give the body as an object. ValidationFailed where it is something else."""
    if not isinstance(body, dict):
        raise ValidationFailed.of("body", "must be a JSON object")
    return body
