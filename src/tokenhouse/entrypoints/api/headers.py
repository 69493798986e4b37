"""What every answer tells the browser that it may not do. A page may name a policy of its own; it then stands alone."""

from collections.abc import Iterable

Headers = list[tuple[bytes, bytes]]

DATA: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
]
"""Of every answer that is no page."""

PAGE: Headers = [
    *(one for one in DATA if one[0] not in {b"content-security-policy", b"referrer-policy"}),
    (b"referrer-policy", b"same-origin"),
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
            b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
    ),
    (
        b"permissions-policy",
        (
            b"accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), "
            b"microphone=(), midi=(), payment=(), usb=()"
        ),
    ),
    (b"cross-origin-opener-policy", b"same-origin"),
]
"""Of every page: nothing inline, nothing from elsewhere, shown in nobody's frame."""

TLS_ONLY = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
"""Of answers over TLS in production: a browser then comes by TLS for a year."""


def complete(given: Iterable[tuple[bytes, bytes]], *, tls_only: bool) -> Headers:
    """Add to an answer's headers what is missing."""
    headers = list(given)
    kinds = [value for name, value in headers if name == b"content-type"]
    names = {name for name, _ in headers}
    wanted = PAGE if kinds and kinds[0].startswith(b"text/html") else DATA
    headers += [one for one in wanted if one[0] not in names]
    if tls_only:
        headers.append(TLS_ONLY)
    return headers
