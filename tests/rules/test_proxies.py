"""Whose word is taken for who calls."""

import ipaddress

import pytest

from tokenhouse.entrypoints.api.proxies import Proxies
from tokenhouse.settings import SettingsError, load_settings

LOOPBACK = ("127.0.0.0/8", "::1/128")


def seen(peer, *forwarded, proto=None, networks=LOOPBACK):
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    headers += [(b"x-forwarded-proto", proto.encode())] if proto else []
    scope = {"client": (peer, 5) if peer else None, "scheme": "http", "headers": headers}
    address = Proxies([ipaddress.ip_network(one) for one in networks]).see(scope, dict(headers))
    assert address == (scope["client"][0] if scope["client"] else "")
    return address, scope["scheme"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("::1", ["203.0.113.9"], "203.0.113.9"),
        ("::ffff:127.0.0.1", ["203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9, 127.0.0.2"], "203.0.113.9"),
        ("127.0.0.1", ["203.0.113.9:4711"], "203.0.113.9"),
        ("127.0.0.1", ["[2001:db8::7]:4711"], "2001:db8::7"),
        ("127.0.0.1", ["2001:DB8:0::7"], "2001:db8::7"),
        ("127.0.0.1", ["unknown"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.9, <script>"], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", [], "127.0.0.1"),
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),
        ("", ["203.0.113.9"], ""),
    ],
)
def test_callers(peer, forwarded, caller):
    assert seen(peer, *forwarded, proto="https")[0] == caller


def test_schemes():
    assert seen("127.0.0.1", proto="https")[1] == "https"
    assert seen("127.0.0.1", proto="gopher")[1] == "http"
    assert seen("192.0.2.1", proto="https")[1] == "http"
    assert seen("192.0.2.1", "203.0.113.9", proto="https", networks=["192.0.2.0/24"]) == ("203.0.113.9", "https")
    assert seen("127.0.0.1", "203.0.113.9", proto="https", networks=[]) == ("127.0.0.1", "http")


def test_the_setting(monkeypatch):
    assert [str(one) for one in load_settings().trusted_proxies] == list(LOOPBACK)
    monkeypatch.setenv("TOKENHOUSE_TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::/32,192.0.2.7")
    assert [str(one) for one in load_settings().trusted_proxies] == ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7/32"]
    monkeypatch.setenv("TOKENHOUSE_TRUSTED_PROXIES", "none")
    assert load_settings().trusted_proxies == ()
    monkeypatch.setenv("TOKENHOUSE_TRUSTED_PROXIES", "proxy.example.org")
    with pytest.raises(SettingsError, match="TOKENHOUSE_TRUSTED_PROXIES"):
        load_settings()


def test_where_hits_are_counted(monkeypatch):
    assert load_settings().rate_limit_storage.get_secret_value() == "database"
    for good in ("memory", "redis://:secret@cache:6379/1"):
        assert load_settings(rate_limit_storage=good).rate_limit_storage.get_secret_value() == good
    with pytest.raises(SettingsError, match="TOKENHOUSE_RATE_LIMIT_STORAGE") as refused:
        load_settings(rate_limit_storage="secret-place")
    assert "secret" not in str(refused.value)
