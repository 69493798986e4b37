"""Spoils requests: their JSON, the bytes of their body, their head, or any byte of all of it."""

import json
import random
from dataclasses import dataclass
from typing import Any, Literal

from soak import nasty
from soak.corpus import Seed

Level = Literal["json", "body", "head", "bytes"]


@dataclass(frozen=True, slots=True)
class Case:
    """A spoilt request. strict: it is proper HTTP, so it must be answered."""

    level: Level
    raw: bytes
    strict: bool


def spoil(seed: Seed, dice: random.Random, admin_key: str) -> Case:
    """Make one case of a request."""
    levels: tuple[Level, ...] = ("json", "body", "head", "bytes")
    (level,) = dice.choices(levels, (50, 20, 18, 12))
    body = seed.body
    if level == "json" and body is not None:
        for _ in range(dice.choice((1, 1, 1, 2, 4))):
            body = _spoil_json(body, dice)
    raw = b"" if seed.body is None else json.dumps(body).encode("utf-8", "surrogatepass")
    if level == "body":
        raw = _spoil_text(raw or b"{}", dice)
    path = seed.path.encode()
    if level == "json" and (seed.body is None or dice.random() < 0.2):
        path = _spoil_path(path, dice)
    head = _head(seed, dice, path, raw, admin_key)
    if level == "head":
        head = _spoil_head(head, dice)
    request = b"\r\n".join([*head, b"", b""]) + raw
    if level == "bytes":
        for _ in range(dice.randint(1, 4)):
            request = _spoil_bytes(request, dice)
    return Case(level, request, level in {"json", "body"})


def _head(seed: Seed, dice: random.Random, path: bytes, raw: bytes, admin_key: str) -> list[bytes]:
    lines = [
        seed.method.encode() + b" " + path + b" HTTP/1.1",
        b"Host: 127.0.0.1",
        b"Authorization: Bearer " + admin_key.encode(),
    ]
    if raw or seed.method == "POST":
        lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(raw)]
    if dice.random() < 0.9:
        lines.append(b"Idempotency-Key: fuzz-%016x" % dice.getrandbits(64))
    if dice.random() < 0.3:
        lines.append(b"X-User-ID: u100")
    return lines


def _spoil_json(value: Any, dice: random.Random) -> Any:  # noqa: ANN401 - any JSON
    """Replace, remove or add at a random place."""
    if isinstance(value, dict) and value and dice.random() < 0.9:
        name = dice.choice(list(value))
        kind = dice.random()
        if kind < 0.1:
            return {other: one for other, one in value.items() if other != name}
        if kind < 0.2:
            return value | {
                dice.choice(("x", "", "__class__", "account_id", "amount", "\x00")): dice.choice(nasty.VALUES)
            }
        return value | {name: _spoil_json(value[name], dice)}
    if isinstance(value, list) and value and dice.random() < 0.7:
        place = dice.randrange(len(value))
        if dice.random() < 0.1:
            return value * dice.choice((2, 30, 1001))
        return [*value[:place], _spoil_json(value[place], dice), *value[place + 1 :]]
    if isinstance(value, str) and dice.random() < 0.3:
        return value[: dice.randrange(len(value) + 1)] + str(dice.choice(nasty.VALUES))
    return dice.choice(nasty.VALUES)


def _spoil_text(raw: bytes, dice: random.Random) -> bytes:
    place = dice.randrange(len(raw) + 1)
    if dice.random() < 0.5:
        text = dice.choice(nasty.TEXTS).encode("utf-8", "surrogatepass")
        return raw[:place] + text + raw[place + dice.choice((0, 1, 3)) :]
    return _spoil_bytes(raw, dice)


def _spoil_path(path: bytes, dice: random.Random) -> bytes:
    part = dice.choice(nasty.PATHS)
    place = dice.randrange(1, len(path) + 1)
    return path[:place] + part + (b"" if dice.random() < 0.5 else path[place:])


def _spoil_head(head: list[bytes], dice: random.Random) -> list[bytes]:
    lines = list(head)
    for _ in range(dice.choice((1, 1, 2, 3))):
        kind = dice.random()
        if kind < 0.5:
            lines.insert(dice.randrange(1, len(lines) + 1), dice.choice(nasty.HEADERS))
        elif kind < 0.65 and len(lines) > 1:
            del lines[dice.randrange(1, len(lines))]
        elif kind < 0.75:
            _, _, rest = lines[0].partition(b" ")
            lines[0] = dice.choice(nasty.METHODS) + b" " + rest
        elif kind < 0.85:
            lines[0] = lines[0].replace(
                b"HTTP/1.1", dice.choice((b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"", b"HTP/1.1", b"HTTP/1.1 x"))
            )
        else:
            place = dice.randrange(len(lines))
            lines[place] = _spoil_bytes(lines[place] or b"x", dice)
    return lines


def _spoil_bytes(raw: bytes, dice: random.Random) -> bytes:
    if not raw:
        return dice.choice(nasty.BYTES)
    place = dice.randrange(len(raw))
    kind = dice.random()
    if kind < 0.3:
        return raw[:place] + bytes([raw[place] ^ (1 << dice.randrange(8))]) + raw[place + 1 :]
    if kind < 0.5:
        return raw[:place] + raw[place + dice.randint(1, 20) :]
    if kind < 0.8:
        return raw[:place] + dice.choice(nasty.BYTES) + raw[place:]
    if kind < 0.9:
        return raw[:place] + raw[place : place + 40] * dice.randint(2, 20) + raw[place + 40 :]
    return raw[:place]
