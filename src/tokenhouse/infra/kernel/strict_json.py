"""Read JSON as RFC 8259 means it and no wider, and name a request by a digest.

The standard library lets through what two programs may read in two ways: duplicate keys (the last
wins), NaN and Infinity, lone surrogates, nesting without end. A request that pays is refused instead.
"""

import hashlib
import json
import re
from typing import Never

from tokenhouse.infra.kernel.errors import MalformedJson, ValidationFailed

MAX_DEPTH = 64

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89abAB]|\\u[dD][c-fC-F]")
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_INFINITE = float("inf")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise MalformedJson(f"The key {name[:80]!a} stands twice in one object; send it once.")
            seen.add(name)
    return made


def _constant(name: str) -> Never:
    raise MalformedJson(f"{name} is not JSON; send a number or null.")


def _float(text: str) -> float:
    value = float(text)
    if value in (_INFINITE, -_INFINITE):
        raise MalformedJson("A number is too large to be read; send a smaller one.")
    return value


_decode = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float).decode
_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False, check_circular=False
).encode


def loads(raw: bytes, *, max_depth: int = MAX_DEPTH) -> object:
    """Parse a body. MalformedJson for whatever is not plain, unambiguous JSON in UTF-8.

    ValidationFailed for an integer of thousands of digits, which is JSON but no amount of anything.
    """
    try:
        body: object = _decode(raw.decode())
    except UnicodeDecodeError:
        raise MalformedJson("The body is not UTF-8; encode it as UTF-8.") from None
    except json.JSONDecodeError as error:
        raise MalformedJson(
            f"The body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise MalformedJson(f"The body nests deeper than {max_depth}; flatten it.") from None
    except ValueError:
        # The interpreter refuses to read integers of more than 4 300 digits.
        raise ValidationFailed.of("body", "holds a number of too many digits; send a smaller one") from None
    if raw.count(b"[") + raw.count(b"{") > max_depth and _deeper(raw, max_depth):
        raise MalformedJson(f"The body nests deeper than {max_depth}; flatten it.")
    if _SURROGATE_ESCAPE.search(raw) is not None:
        _refuse_lone_surrogates(body)
    return body


def _deeper(raw: bytes, max_depth: int) -> bool:
    """Whether valid JSON nests deeper: each round takes the innermost pairs of brackets away."""
    brackets = _STRING.sub(b"", raw).translate(None, _NOT_BRACKETS)
    for _ in range(max_depth):
        if not brackets:
            return False
        brackets = re.sub(rb"\[\]|\{\}", b"", brackets)
    return bool(brackets)


def _refuse_lone_surrogates(body: object) -> None:
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise MalformedJson("A text holds half of a surrogate pair; send whole characters.") from None


def digest(path: str, body: object) -> bytes:
    """Name a request: 16 bytes over its path and its parsed body, whatever the order of the keys."""
    named = f"{path}\0{_encode(body)}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(named, digest_size=16).digest()
