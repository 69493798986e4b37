"""What may be sent to whom, and when it is tried again: pure."""

import re
from types import MappingProxyType

from tokenhouse.domain.access.signing import is_email
from tokenhouse.domain.alerts.types import Values
from tokenhouse.infra.kernel.errors import ValidationFailed

TEMPLATES = MappingProxyType(
    {
        "verify_email": frozenset({"link", "name"}),
        "reset_password": frozenset({"link", "name"}),
        "invitation": frozenset({"link", "name", "inviter", "organization"}),
    }
)
"""The letters there are, and the values that each takes."""

_WAITS_SECONDS = (60, 300, 1800, 7200)
_MOST_VALUE = 200
_MOST_LINK = 2000
_LINK = re.compile(r"https?://[!-~]+", re.ASCII)
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def wait_after(tries: int) -> int | None:
    """Say how many seconds to wait after a try that failed, the first being 1; None: give up."""
    return _WAITS_SECONDS[tries - 1] if tries <= len(_WAITS_SECONDS) else None


def check_address(address: str) -> str:
    """Give back an address that one can write to. ValidationFailed for a name, a list, or a header in it."""
    if not is_email(address):
        raise ValidationFailed.of("email", "must be one e-mail address, such as ann@example.com")
    return address


def check_values(template: str, values: Values) -> dict[str, str]:
    """Give the values as they are kept: one line each. ValueError: not the template's; a defect of the caller's.

    A name may be anything that somebody typed, so it is made harmless and cut. The link is ours.
    """
    if template not in TEMPLATES:
        raise ValueError(f"there is no template {template!r}; there are {', '.join(sorted(TEMPLATES))}")
    if values.keys() != TEMPLATES[template]:
        raise ValueError(f"{template} takes {sorted(TEMPLATES[template])}, got {sorted(values)}")
    link = values["link"]
    if len(link) > _MOST_LINK or not _LINK.fullmatch(link):
        raise ValueError(f"{template}: the link is no http address")
    return {name: value if name == "link" else one_line(value) for name, value in values.items()}


def one_line(text: str) -> str:
    """Make one line of a text: without line ends, control characters and turns of direction, of 200 characters."""
    return " ".join(_UNSEEN.sub(" ", text).split())[:_MOST_VALUE]
