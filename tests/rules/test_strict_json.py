"""JSON as RFC 8259 means it: what two programs might read in two ways is refused."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenhouse.infra.kernel import strict_json
from tokenhouse.infra.kernel.errors import MalformedJson, ValidationFailed

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=20,
)

MALFORMED = {
    "nothing": b"",
    "not JSON": b"hello",
    "two documents": b"{} {}",
    "a trailing comma": b'{"a": 1,}',
    "single quotes": b"{'a': 1}",
    "a comment": b'{"a": 1} // so',
    "a leading zero": b"01",
    "a plus": b"+1",
    "a bare point": b".5",
    "NaN": b'{"a": NaN}',
    "Infinity": b"[Infinity]",
    "-Infinity": b"-Infinity",
    "a number that overflows": b"1e999",
    "a negative one": b'{"a": -1e999}',
    "a duplicate key": b'{"amount": 1, "amount": 1000}',
    "a duplicate key within": b'[{"a": {"b": 1, "b": 1}}]',
    "a duplicate key by escape": b'{"a": 1, "\\u0061": 2}',
    "a lone high surrogate": b'"\\ud800"',
    "a lone low surrogate": b'{"a": "\\uDC00"}',
    "a lone surrogate as a key": b'{"\\ud83d": 1}',
    "surrogates in the wrong order": b'"\\ude00\\ud83d"',
    "surrogates in UTF-8": b'"\xed\xa0\x80"',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "Latin-1": '"ü"'.encode("latin-1"),
    "a raw control character": b'"a\nb"',
    "a raw NUL": b'"a\0b"',
    "a NUL at the end": b"{}\0",
    "lists 65 deep": b"[" * 65 + b"]" * 65,
    "objects 65 deep": b'{"a":' * 65 + b"1" + b"}" * 65,
    "a depth beyond recursion": b"[" * 100_000,
    "the same, closed": b"[" * 100_000 + b"]" * 100_000,
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED.keys())
def test_is_malformed(raw):
    with pytest.raises(MalformedJson) as caught:
        strict_json.loads(raw)
    assert (caught.value.status, caught.value.code) == (400, "malformed_json")
    caught.value.detail.encode("ascii")


def test_an_integer_of_thousands_of_digits_is_json_but_no_amount():
    with pytest.raises(ValidationFailed):
        strict_json.loads(b'{"amount": ' + b"9" * 5000 + b"}")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b' \n{"a": 1}\t', {"a": 1}),
        (b"[" * 64 + b"]" * 64, None),
        (b'"\\ud83d\\ude00"', "😀"),
        ('"😀"'.encode(), "😀"),
        (b'"\\u0000"', "\0"),
        (b'{"a": {"b": 1}, "c": {"b": 1}}', {"a": {"b": 1}, "c": {"b": 1}}),
        (b'{"a": "[[[[{{{{\\"]"}', {"a": '[[[[{{{{"]'}),
        (b"5.0", 5.0),
        (b"true", True),
    ],
)
def test_is_json(raw, value):
    parsed = strict_json.loads(raw)
    if value is not None:
        assert (parsed, type(parsed)) == (value, type(value))


def test_depth_counts_only_what_nests():
    many = json.dumps([{"text": "[{" * 80, "list": [[1], {}]}] * 200).encode()
    assert len(strict_json.loads(many)) == 200
    with pytest.raises(MalformedJson, match="deeper than 3"):
        strict_json.loads(b"[[[[]]]]", max_depth=3)


@given(VALUES)
def test_reads_what_is_written(value):
    assert strict_json.loads(json.dumps(value).encode()) == value
    assert strict_json.loads(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=200))
def test_bytes_never_raise_anything_else(raw):
    with contextlib.suppress(MalformedJson, ValidationFailed):
        strict_json.loads(raw)


def test_a_digest_names_path_and_body():
    one = strict_json.digest("/v1/charges", {"a": 1, "b": [1, 2], "c": "ü"})
    assert len(one) == 16
    assert one == strict_json.digest("/v1/charges", {"c": "ü", "b": [1, 2], "a": 1})
    others = [
        ("/v1/holds", {"a": 1, "b": [1, 2], "c": "ü"}),
        ("/v1/charges", {"a": 1, "b": [2, 1], "c": "ü"}),
    ]
    others += [("/v1/charges", {"a": value}) for value in (1, 1.0, True, "1", None, [1], {})]
    assert len({one, *(strict_json.digest(*other) for other in others)}) == len(others) + 1
