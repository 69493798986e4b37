"""Rules of signing in: what e-mails, passwords, tokens and same-site requests look like. Pure."""

import hashlib
import re
import unicodedata
from base64 import urlsafe_b64encode

from tokenhouse.domain.access.rules import organizations_in
from tokenhouse.domain.access.types import Authority, Identity, SessionFound
from tokenhouse.infra.kernel.errors import ValidationFailed

PASSWORD_MIN = 10
PASSWORD_MAX = 200
USER_AGENT_MAX = 200
EMAIL_MAX = 254
EMAIL_PATTERN = r"""^[^\s@<>()\[\],:;"\\\x00-\x1f\x7f]{1,64}@[^\s@<>()\[\],:;"\\\x00-\x1f\x7f]{1,253}$"""
"""What can be written to as one address: no name, no list, no quotes, no header. What is invisible is refused too."""
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

_TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}", re.ASCII)
_EMAIL = re.compile(EMAIL_PATTERN)
_SAME_ORIGIN = "same-origin"


def as_matched(email: str) -> str:
    """Give an e-mail address as it is matched: without blanks around it, in plain letters, lower-cased."""
    return unicodedata.normalize("NFKC", email.strip()).lower()


def is_email(text: str) -> bool:
    """Whether a text is one e-mail address that can be written to. The one rule: for pages, the API and letters."""
    return len(text) <= EMAIL_MAX and text.isprintable() and _EMAIL.fullmatch(text) is not None


def check_email(text: str) -> str:
    """Give an e-mail address as it is matched. ValidationFailed: it is none."""
    email = as_matched(text)
    if not is_email(email):
        raise ValidationFailed.of("email", "is no e-mail address such as ada@example.com")
    return email


def as_typed(password: str) -> str:
    """Give a password the same whatever keyboard it was typed on (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def check_password(password: str, email: str) -> str:
    """Give a new password as it is hashed. ValidationFailed: shorter than 10 characters, over 200, or the e-mail."""
    wanted = as_typed(password)
    if len(wanted) < PASSWORD_MIN:
        raise ValidationFailed.of("password", f"needs at least {PASSWORD_MIN} characters")
    if len(wanted) > PASSWORD_MAX:
        raise ValidationFailed.of("password", f"may have {PASSWORD_MAX} characters at most")
    if wanted.lower() == email:
        raise ValidationFailed.of("password", "is the e-mail address; choose something else")
    return wanted


def token_of(random: bytes) -> str:
    """Write 32 random bytes as the token of a session or of a mailed link."""
    if len(random) != _TOKEN_BYTES:
        raise ValueError("a token takes 32 random bytes")
    return urlsafe_b64encode(random).rstrip(b"=").decode()


def looks_like_a_token(text: str) -> bool:
    """Whether it is worth looking up."""
    return _TOKEN.fullmatch(text) is not None


def token_digest(token: str) -> bytes:
    """Give what is kept of a token: its SHA-256. A slow hash adds nothing to 256 random bits."""
    return hashlib.sha256(token.encode()).digest()


def from_our_pages(fetch_site: str | None, origin: str | None, host: str | None, *, tls: bool) -> bool:
    """Whether a browser says that a request that changes something comes from our own pages.

    fetch_site, origin, host: the headers Sec-Fetch-Site, Origin and Host, None where they were not sent. Where neither
    of the first two was, nobody says so. tls: whether the request came by TLS; a page that did not, which anybody on
    the way may have written, is then another's. Behind a proxy that does not say how it was reached we cannot tell.
    """
    if fetch_site is not None:
        return fetch_site == _SAME_ORIGIN
    if origin is None or not host:
        return False
    scheme, _, place = origin.lower().partition("://")
    return place == host.lower() and scheme in (("https",) if tls else ("https", "http"))


def authority_of_session(found: SessionFound, *, reading: bool) -> Authority:
    """Say on whose behalf a session acts. reading: whether its request changes nothing.

    An admin acts for anyone. Support sees what an admin sees, and changes only what is their own. An auditor reads the
    audit and nothing else. Everybody else acts for themselves, and for their organizations.
    """
    scopes: frozenset[str] | None = None
    if found.platform_role == "admin" or (found.platform_role == "support" and reading):
        scopes = frozenset({"admin"})
    elif found.platform_role == "auditor":
        scopes = frozenset({"audit:read"})
    account = Identity(found.account_id, found.bucket, found.external_id, found.kind)
    return Authority(account, scopes, organizations_in(found.memberships), session_id=found.id)
