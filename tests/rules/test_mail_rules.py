"""Mail: how a server's URL is read, and that every letter is written."""

import re
import uuid
from datetime import UTC, datetime

import pytest

from tokenhouse.domain.alerts import outlet_of
from tokenhouse.domain.alerts.letters import written
from tokenhouse.domain.alerts.rules import TEMPLATES, one_line, wait_after
from tokenhouse.domain.alerts.types import Setup, Taken

FROM = "House <no-reply@house.example>"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("smtp://u:p@mail.example", "mail.example:587 (STARTTLS)"),
        ("smtp://u:p@mail.example:2525?starttls=false", "mail.example:2525 (not encrypted)"),
        ("smtp://u:p@mail.example:587?starttls=true", "mail.example:587 (STARTTLS)"),
        ("smtps://u:p@mail.example/", "mail.example:465 (TLS)"),
        ("smtp://localhost:25", "localhost:25 (not encrypted)"),
        ("smtp://127.0.0.1:25?starttls=true", "127.0.0.1:25 (STARTTLS)"),
    ],
)
def test_a_password_does_not_leave_in_the_clear_unless_one_says_so(url, told):
    assert outlet_of("mail", Setup(url, FROM)).where == f"by SMTP to {told}, from no-reply@house.example"


@pytest.mark.parametrize(
    "url",
    [
        "http://u:s3cret@mail.example", "smtp://", "u:s3cret@mail.example", "smtp://u:s3cret@mail.example:99999",
        "smtp://u:s3cret@mail.example?tls=1", "smtp://u:s3cret@mail.example?starttls=yes", "smtp://u:s3cret@m.e/x",
        "smtps://u:s3cret@mail.example?starttls=true", "smtp://u:s3cret@[",
    ],
)  # fmt: skip
def test_a_url_that_is_none_is_refused_without_telling_its_password(url):
    with pytest.raises(ValueError, match="mail_url") as error:
        outlet_of("mail", Setup(url, FROM))
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("sender", ["", "House", "House <no-reply>", "a@b.example\nBcc: eve@evil.example"])
def test_a_sender_that_is_none_is_refused(sender):
    with pytest.raises(ValueError, match="mail_from"):
        outlet_of("mail", Setup("smtp://localhost", sender))


def test_the_waits():
    assert [wait_after(tries) for tries in range(1, 7)] == [60, 300, 1800, 7200, None, None]


def test_one_line_is_one():
    assert one_line(" a\r\n\tb\x00\u2028\u202ec ") == "a b c"
    assert one_line("x" * 300) == "x" * 200


@pytest.mark.parametrize("template", sorted(TEMPLATES))
def test_every_letter_says_the_same_in_text_and_html_and_loads_nothing(template):
    values = {name: f"<{name} & co>" for name in TEMPLATES[template]} | {"link": "https://app.example/x?a=1&b=2"}
    letter = written(Taken(uuid.uuid4(), template, "ann@example.com", values, datetime(2026, 1, 1, tzinfo=UTC), 1))
    assert letter.subject
    assert "\n" not in letter.subject
    for name in TEMPLATES[template]:
        assert values[name] in letter.text, name
        escaped = values[name].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        assert escaped in letter.html, name
    assert "{{" not in letter.text + letter.html
    addresses = set(re.findall(r'(?:https?:)?//[^"\s<)]+', letter.html))
    assert addresses <= {
        "https://app.example/x?a=1&amp;b=2",
        "http://www.w3.org/1999/xhtml",
    }, "nothing is loaded from elsewhere, and nobody is told that the letter was opened"
    assert 'href="https://app.example/x?a=1&amp;b=2"' in letter.html
    assert "<mj-" not in letter.html
