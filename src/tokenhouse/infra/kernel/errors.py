"""What can go wrong in a request, each with the status, the code and the words that the caller gets.

A verb raises one of these; an entrypoint renders it (problem details, a page, a line on stderr).
`detail` says what happened and what to do next. `extra` becomes members of the problem document.
"""


class TokenhouseError(Exception):
    """Base of all expected failures. `code` may be narrowed by the one who raises.

    `retry_after` (whole seconds) becomes the header Retry-After.
    """

    status: int = 500
    code: str = "internal_error"
    title: str = "Internal error"

    def __init__(
        self, detail: str, *, code: str | None = None, retry_after: int | None = None, **extra: object
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra: dict[str, object] = extra
        self.headers: dict[str, str] = {}
        if code is not None:
            self.code = code
        if retry_after is not None:
            self.headers["Retry-After"] = str(retry_after)


class BadRequest(TokenhouseError):
    """The request as a whole cannot be understood."""

    status, code, title = 400, "bad_request", "Bad request"


class MalformedJson(BadRequest):
    """The body is not JSON as we accept it."""

    code, title = "malformed_json", "Malformed JSON"


class IdempotencyKeyInvalid(BadRequest):
    """Idempotency-Key is missing, or is not 1-255 visible ASCII characters."""

    code, title = "idempotency_key_invalid", "Idempotency key invalid"


class Unauthorized(TokenhouseError):
    """No, bad, revoked or expired credentials: one text for all, so that it tells nothing."""

    status, code, title = 401, "unauthorized", "Unauthorized"
    DETAIL = "Sign in, or send a valid key as `Authorization: Bearer KEY`."

    def __init__(self) -> None:
        super().__init__(self.DETAIL)
        self.headers["WWW-Authenticate"] = "Bearer"


class InsufficientTokens(TokenhouseError):
    """The balance does not cover what was asked; carries both figures and where to upgrade."""

    status, code, title = 402, "insufficient_tokens", "Insufficient tokens"

    def __init__(self, detail: str, *, required: int, available: int, upgrade_url: str) -> None:
        super().__init__(detail, required=required, available=available, upgrade_url=upgrade_url)
        self.required = required
        self.available = available
        self.upgrade_url = upgrade_url


class InsufficientEarnings(TokenhouseError):
    """A payout over the payable balance. Both figures are nano-dollars."""

    status, code, title = 402, "insufficient_earnings", "Insufficient earnings"

    def __init__(self, detail: str, *, required_nano_usd: int, payable_nano_usd: int) -> None:
        super().__init__(detail, required_nano_usd=required_nano_usd, payable_nano_usd=payable_nano_usd)


class Forbidden(TokenhouseError):
    """Known and the right account, without the scope or role."""

    status, code, title = 403, "forbidden", "Forbidden"


class CrossSite(Forbidden):
    """A browser that is signed in was sent here by another site, or does not say that it was not."""

    code, title = "cross_site", "Sent by another site"

    def __init__(self) -> None:
        super().__init__("This was not sent from our own pages. Open the page here and send it again, or use a key.")


class NotFound(TokenhouseError):
    """Not there, or not the caller's to know of."""

    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowed(TokenhouseError):
    """The path exists, the method on it does not."""

    status, code, title = 405, "method_not_allowed", "Method not allowed"


class Conflict(TokenhouseError):
    """The state of things forbids it: hold_ended, capture_exceeds_hold, model_inactive, already_owned."""

    status, code, title = 409, "conflict", "Conflict"


class TooLarge(TokenhouseError):
    """The body is over the limit."""

    status, code, title = 413, "body_too_large", "Body too large"


class UnsupportedMediaType(TokenhouseError):
    """Another media type than the endpoint reads."""

    status, code, title = 415, "unsupported_media_type", "Unsupported media type"


class ValidationFailed(TokenhouseError):
    """The body was read and its content refused; `errors` lists {"field", "message"}."""

    status, code, title = 422, "validation_failed", "Validation failed"

    def __init__(
        self,
        detail: str,
        *,
        errors: list[dict[str, str]] | None = None,
        code: str | None = None,
    ) -> None:
        self.errors = errors or []
        super().__init__(detail, code=code, errors=self.errors)

    @classmethod
    def of(cls, field: str, message: str, *, code: str | None = None) -> "ValidationFailed":
        """Build the refusal of one field: `message` goes to both the detail and the list."""
        return cls(f"{field}: {message}", errors=[{"field": field, "message": message}], code=code)


class UnknownReference(ValidationFailed):
    """A field names something that does not exist (an operation, a policy, a plan)."""

    code, title = "unknown_reference", "Unknown reference"


class IdempotencyMismatch(TokenhouseError):
    """The key was used before with another request."""

    status, code, title = 422, "idempotency_mismatch", "Idempotency key used for another request"


class RateLimited(TokenhouseError):
    """Too many requests; wait `retry_after` seconds."""

    status, code, title = 429, "rate_limited", "Too many requests"


class Unavailable(TokenhouseError):
    """Something that we need is away for the moment; the same request may be sent again."""

    status, code, title = 503, "unavailable", "Unavailable for the moment"

    def __init__(self, detail: str, *, retry_after: int = 1) -> None:
        super().__init__(detail, retry_after=retry_after)
