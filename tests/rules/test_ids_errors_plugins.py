"""Ids, the errors that requests get, and how extensions are found."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenhouse.infra.kernel import errors
from tokenhouse.infra.kernel.ids import is_external_id, uuid7
from tokenhouse.infra.kernel.plugins import discover


@pytest.mark.parametrize("text", ["a", "A-z0.9_:@-", "x" * 128, "demo-user", "user@example.com"])
def test_is_an_id(text):
    assert is_external_id(text)


@pytest.mark.parametrize("text", ["", "x" * 129, "a b", "a/b", "ä", "a\n", "\0", "a+b", "\uff11"])
def test_is_no_id(text):
    assert not is_external_id(text)


def test_uuids_are_of_version_7_and_ascend():
    made = [uuid7() for _ in range(5_000)]
    assert all(isinstance(one, uuid.UUID) and one.version == 7 for one in made)
    assert made == sorted(set(made))


def all_errors(kind=errors.TokenhouseError):
    yield from (kind, *(deeper for one in kind.__subclasses__() for deeper in all_errors(one)))


def test_every_error_has_a_status_a_code_and_a_title():
    kinds = list(all_errors())
    assert all(400 <= kind.status < 600 and kind.code.isascii() and kind.title for kind in kinds)


def test_what_an_error_carries():
    short = errors.InsufficientTokens("Buy more.", required=5, available=2, upgrade_url="/plans")
    assert (short.status, short.code, short.detail) == (402, "insufficient_tokens", "Buy more.")
    assert short.extra == {"required": 5, "available": 2, "upgrade_url": "/plans"}
    assert errors.Unavailable("Come again.", retry_after=3).headers == {"Retry-After": "3"}
    assert errors.Conflict("Ended.", code="hold_ended").code == "hold_ended"
    assert errors.Conflict("Ended.").code == "conflict"
    refused = errors.ValidationFailed.of("amount", "must be above 0")
    assert refused.extra["errors"] == [{"field": "amount", "message": "must be above 0"}]
    assert errors.Unauthorized().detail == errors.Unauthorized().detail


def test_plugins_are_found_once_by_name_without_private_ones(tmp_path, monkeypatch):
    package = tmp_path / "some_plugins"
    package.mkdir()
    for name in ("__init__", "zebra", "ant", "_private"):
        (package / f"{name}.py").write_text(f"NAME = {name!r}\n")
    (tmp_path / "elsewhere.py").write_text("NAME = 'elsewhere'\n")
    info = tmp_path / "other-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[some.group]\nx = elsewhere\nagain = some_plugins.ant\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert [module.NAME for module in discover("some_plugins", "some.group")] == ["ant", "zebra", "elsewhere"]
    assert [module.NAME for module in discover("some_plugins", "no.group")] == ["ant", "zebra"]


def test_an_entry_point_must_name_a_module(tmp_path, monkeypatch):
    info = tmp_path / "wrong-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wrong\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[wrong.group]\nx = decimal:Decimal\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(TypeError, match="must name a module"):
        discover("tokenhouse.infra.kernel", "wrong.group")


@given(st.text(max_size=140))
def test_an_id_is_ascii_and_short(text):
    if is_external_id(text):
        assert text.isascii()
        assert 1 <= len(text) <= 128
        assert not set(text) & set(" /\\\n\t\0")
