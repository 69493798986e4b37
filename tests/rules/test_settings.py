"""Settings: which word wins, and what is refused."""

import pytest

from tokenhouse.infra.kernel.sealing import new_key
from tokenhouse.settings import SettingsError, load_settings, seal_keys, unknown_names

KEY = "k" * 32


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """A folder without a file, an environment without our names."""
    import os

    for name in list(os.environ):
        if name.startswith(("TOKENHOUSE_", "OTEL_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_is_built_in():
    settings = load_settings()
    assert (settings.env, settings.host, settings.port, settings.workers) == (
        "development",
        "127.0.0.1",
        8000,
        1,
    )
    assert (str(settings.data_dir), settings.earnings_maturity_days, settings.buckets) == (
        ".tokenhouse",
        14,
        1,
    )
    assert (settings.upgrade_url, settings.rate_limit_per_minute, settings.database_url) == (
        "/plans",
        0,
        None,
    )


def test_flags_beat_the_environment_and_that_beats_the_file(nowhere, monkeypatch):
    (nowhere / "tokenhouse.toml").write_text("port = 1\nworkers = 2\nbuckets = 3\n")
    monkeypatch.setenv("TOKENHOUSE_PORT", "10")
    monkeypatch.setenv("TOKENHOUSE_WORKERS", "20")
    settings = load_settings(port=100, host=None)
    assert (settings.port, settings.workers, settings.buckets, settings.host) == (100, 20, 3, "127.0.0.1")


def test_the_file_may_be_elsewhere(nowhere, monkeypatch):
    (nowhere / "other.toml").write_text("port = 7\n")
    monkeypatch.setenv("TOKENHOUSE_CONFIG", "other.toml")
    assert load_settings().port == 7
    monkeypatch.setenv("TOKENHOUSE_CONFIG", "missing.toml")
    with pytest.raises(SettingsError, match="missing"):
        load_settings()


def test_an_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv("TOKENHOUSE_ADMIN_KEY", "")
    assert load_settings().admin_key is None


def test_all_problems_at_once_and_no_value(monkeypatch):
    monkeypatch.setenv("TOKENHOUSE_PORT", "secret-port")
    monkeypatch.setenv("TOKENHOUSE_ADMIN_KEY", "secret-key")
    monkeypatch.setenv("TOKENHOUSE_BUCKETS", "0")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    text = str(caught.value)
    assert [name in text for name in ("TOKENHOUSE_PORT", "TOKENHOUSE_ADMIN_KEY", "TOKENHOUSE_BUCKETS")] == [True] * 3
    assert "secret" not in text
    assert "at least 32" in text


@pytest.mark.parametrize("key", ["k" * 31, "k" * 31 + " ", "k" * 31 + "ü"])
def test_an_admin_key_is_long_and_fits_a_header(key):
    with pytest.raises(SettingsError, match="TOKENHOUSE_ADMIN_KEY"):
        load_settings(admin_key=key)


def test_secrets_do_not_show():
    settings = load_settings(admin_key=KEY, database_url="postgresql://u:hidden@h/d", demo_password="hidden")
    assert KEY not in repr(settings)
    assert "hidden" not in repr(settings)
    assert settings.admin_key.get_secret_value() == KEY


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_development_is_served_on_loopback_only(host):
    with pytest.raises(SettingsError, match="TOKENHOUSE_ENV=production"):
        load_settings(host=host)
    assert load_settings(host=host, env="production").production


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback(host):
    assert load_settings(host=host).host == host


def test_a_file_that_is_no_toml_is_named(nowhere):
    (nowhere / "tokenhouse.toml").write_text("port =\n")
    with pytest.raises(SettingsError, match="is not TOML"):
        load_settings()


def test_misspelt_names_are_listed(nowhere, monkeypatch):
    (nowhere / "tokenhouse.toml").write_text("prot = 1\nport = 2\n")
    monkeypatch.setenv("TOKENHOUSE_PROT", "1")
    monkeypatch.setenv("TOKENHOUSE_TEST_BUCKETS", "4")
    assert unknown_names() == ["TOKENHOUSE_PROT", "prot in tokenhouse.toml"]


def test_traces_go_where_opentelemetry_says(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318")
    assert load_settings().otel_endpoint == "http://collector:4318"


def test_an_unknown_flag_is_a_defect():
    with pytest.raises(TypeError, match="prot"):
        load_settings(prot=1)


def test_where_mail_goes(nowhere, monkeypatch):
    assert load_settings().channels.folder == nowhere / ".tokenhouse" / "mail"
    assert load_settings(env="production").channels.folder is None
    monkeypatch.setenv("TOKENHOUSE_MAIL_URL", "smtp://us:s3cret@mail.example")
    with pytest.raises(SettingsError, match="mail_from"):
        load_settings()
    monkeypatch.setenv("TOKENHOUSE_MAIL_FROM", "House <no-reply@house.example>")
    settings = load_settings()
    assert settings.channels.mail_url == "smtp://us:s3cret@mail.example"
    assert "s3cret" not in repr(settings)
    monkeypatch.setenv("TOKENHOUSE_MAIL_URL", "http://us:s3cret@mail.example")
    with pytest.raises(SettingsError, match="mail_url") as error:
        load_settings()
    assert "s3cret" not in str(error.value)


def test_providers_are_tables_of_the_file(nowhere, monkeypatch):
    assert load_settings().oidc == ()
    file = nowhere / "tokenhouse.toml"
    one = '[[oidc]]\nname = "house"\nissuer = "https://id.example"\nclient_id = "us"\nclient_secret = "s3cret"\n'
    file.write_text(one)
    (provider,) = load_settings().oidc
    assert (provider.name, provider.title, provider.issuer, provider.client_id) == (
        "house",
        None,
        "https://id.example",
        "us",
    )
    assert provider.client_secret.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(load_settings())
    for wrong in (
        one * 2,
        one.replace("house", "My House"),
        one.replace("https://id.example", "http://id.example"),
        one.replace("https://id.example", "https://id.example?x=1"),
        one.replace("client_id", "client"),
    ):
        file.write_text(wrong)
        with pytest.raises(SettingsError, match="OIDC") as error:
            load_settings()
        assert "s3cret" not in str(error.value)
    file.write_text(one.replace("https://id.example", "http://127.0.0.1:9"))
    assert len(load_settings().oidc) == 1


def test_keys_that_seal():
    one, two = new_key("one"), new_key("two")
    settings = load_settings(seal_keys=f"{two}, {one}")
    assert [key.id for key in seal_keys(settings)] == ["two", "one"]
    assert one.partition(":")[2] not in repr(settings) + repr(seal_keys(settings))
    for bad in ("x", "one:", "one:????", "one:YWJj", f"{one},{one}", f"a b:{one}"):
        with pytest.raises(SettingsError) as refused:
            load_settings(seal_keys=bad)
        assert one.partition(":")[2] not in str(refused.value)


def test_in_development_the_key_is_made_once(nowhere):
    first = seal_keys(load_settings(data_dir=nowhere / "data"))
    assert seal_keys(load_settings(data_dir=nowhere / "data")) == first
    assert [path.name for path in (nowhere / "data").iterdir()] == ["seal.keys"]
    assert (nowhere / "data" / "seal.keys").stat().st_mode & 0o777 == 0o600
    with pytest.raises(SettingsError, match="TOKENHOUSE_SEAL_KEYS"):
        seal_keys(load_settings(env="production"))


def test_a_session_in_use_never_ends_as_unused():
    """Its use is noted within some 80 seconds: an end sooner than that would come while somebody works."""
    with pytest.raises(SettingsError, match="SESSION_IDLE_SECONDS"):
        load_settings(session_idle_seconds=60)
    assert load_settings(session_idle_seconds=300).session_idle_seconds == 300
