"""Rules of signing in: e-mails, passwords, tokens, who sent a form, what a session may do."""

import secrets
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from tokenhouse.domain.access import signing
from tokenhouse.domain.access.rules import acts_for, acts_for_anyone, manages, may
from tokenhouse.domain.access.types import SCOPES, SessionFound
from tokenhouse.domain.alerts.rules import check_address
from tokenhouse.entrypoints.api.types import Email
from tokenhouse.infra.kernel.errors import ValidationFailed

Typed = TypeAdapter(Email)


def test_an_email_is_matched_lower_cased():
    assert signing.check_email("  Ada@Example.COM ") == "ada@example.com"
    assert signing.check_email("ａda@example.com") == "ada@example.com"  # noqa: RUF001 - as a wide keyboard writes it


@pytest.mark.parametrize(
    "text",
    [
        "", "ada", "@example.com", "ada@", "a b@example.com", "a@b@c", "a\0@b.c", "a@b.c\r\nBcc: x@y.z", "é" * 400,
        '"ada"@example.com', "ada,eve@example.com", "ada@example.com,eve", "<ada@example.com>", "a;b@example.com",
        "a\uff0cb@example.com", "a\u200bb@example.com", f"ada@{'a' * 253}.example",
        "a@[127.0.0.1]", "a@" + "x" * 253, "a\\b@c.d",
    ],
)  # fmt: skip
def test_what_is_no_email(text):
    with pytest.raises(ValidationFailed) as refused:
        signing.check_email(text)
    assert refused.value.errors[0]["field"] == "email"


def test_who_can_sign_up_can_be_written_to():
    """One rule, for what is typed and for what letters go to."""
    for text in ("Ada@Example.COM", "o'hara+x@example.com", "ада@example.com", "a@b"):
        assert check_address(signing.check_email(text)) == text.lower()
        assert Typed.validate_python(text) == text
    for text in ('"a"@example.com', "a,b@example.com", "a\u200bb@example.com", f"ada@{'a' * 253}.example"):
        for check in (signing.check_email, check_address, Typed.validate_python):
            with pytest.raises((ValidationFailed, ValidationError)):
                check(text)


def test_a_password_is_ten_to_two_hundred_characters_and_nothing_else():
    for good in ("a" * 10, "a" * 200, "pass phrase with blanks", "密碼密碼密碼密碼密碼", "🔑" * 10):
        assert signing.check_password(good, "ada@example.com") == good
    for bad in ("", "a" * 9, "a" * 201, "ada@example.com", "ADA@example.com"):
        with pytest.raises(ValidationFailed) as refused:
            signing.check_password(bad, "ada@example.com")
        assert refused.value.errors[0]["field"] == "password"
        assert not bad or bad not in refused.value.detail


def test_a_password_is_the_same_from_any_keyboard():
    composed, taken_apart = "Zürich-12345", "Zu\u0308rich-12345"
    assert composed != taken_apart
    assert signing.check_password(composed, "") == signing.check_password(taken_apart, "")


def test_tokens():
    token = signing.token_of(b"\xff" * 32)
    assert len(token) == 43
    assert signing.looks_like_a_token(token)
    assert len(signing.token_digest(token)) == 32
    for text in ("", token[:-1], token + "A", token[:-1] + "\n", token[:-1] + "é", "' OR 1=1 --"):
        assert not signing.looks_like_a_token(text)
    with pytest.raises(ValueError, match="32"):
        signing.token_of(secrets.token_bytes(16))


@pytest.mark.parametrize(
    ("fetch_site", "origin", "host", "ours"),
    [
        ("same-origin", None, "h", True),
        ("none", None, "h", False),  # of no page at all, such as an address typed: that changes nothing
        ("same-site", "https://h", "h", False),
        ("cross-site", "https://h", "h", False),
        ("", "https://h", "h", False),
        ("same-origin", "https://evil.example", "h", True),  # a page cannot write Sec-Fetch-Site
        (None, "https://h", "h", True),
        (None, "http://h:8000", "h:8000", True),
        (None, "HTTPS://H", "h", True),
        (None, "https://h:8000", "h", False),
        (None, "https://h.evil.example", "h", False),
        (None, "https://evil.example/h", "h", False),
        (None, "https://u@h", "h", False),
        (None, "null", "h", False),
        (None, "h", "h", False),
        (None, "ftp://h", "h", False),
        (None, "", "", False),
        (None, "https://h", None, False),
        (None, None, "h", False),
    ],
)
def test_who_sent_a_form(fetch_site, origin, host, ours):
    assert signing.from_our_pages(fetch_site, origin, host, tls=False) is ours
    plain = fetch_site is None and origin is not None and origin.startswith("http:")
    assert signing.from_our_pages(fetch_site, origin, host, tls=True) is (ours and not plain)


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_other_origin_passes(origin, host):
    if signing.from_our_pages(None, origin, host, tls=False):
        assert origin.lower().endswith(f"://{host.lower()}")


def found(role):
    return SessionFound(
        b"d", uuid.uuid4(), 7, 0, "ada", "user", "Ada", "a@b.c", True, role, False, {"org": [9, 0, "member"]}
    )


def test_what_a_session_may_do():
    """(role, reading) → the scopes that it has, and whether it acts for anyone."""
    own = set(SCOPES) - {"admin", "usage:write", "audit:read"}
    wanted = {
        (None, True): (own, False),
        (None, False): (own, False),
        ("admin", True): (set(SCOPES), True),
        ("admin", False): (set(SCOPES), True),
        ("support", True): (set(SCOPES), True),
        ("support", False): (own, False),
        ("auditor", True): ({"audit:read"}, False),
        ("auditor", False): ({"audit:read"}, False),
    }
    for (role, reading), (scopes, anyone) in wanted.items():
        authority = signing.authority_of_session(found(role), reading=reading)
        assert {scope for scope in SCOPES if may(authority, scope)} == scopes, (role, reading)
        assert acts_for_anyone(authority) is anyone
        assert acts_for(authority, "bob") is anyone
        assert acts_for(authority, "ada")
        assert acts_for(authority, "org")
        assert manages(authority, "bob") is anyone
        assert manages(authority, "ada") is (role != "auditor")
        assert not (manages(authority, "org") and not anyone)
        assert authority.session_id is not None
        assert authority.key_id is None
