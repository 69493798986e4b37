"""Settings: the only reader of the environment and of tokenhouse.toml.

A later word wins: the built-in value, tokenhouse.toml, `TOKENHOUSE_*`, flags of the command line.
The file is `tokenhouse.toml` in the working directory, or the one that TOKENHOUSE_CONFIG names.
"""

import ipaddress
import os
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

PREFIX = "TOKENHOUSE_"
CONFIG_VARIABLE = "TOKENHOUSE_CONFIG"
DEFAULT_FILE = "tokenhouse.toml"
ADMIN_KEY_MIN_LENGTH = 32

# Read by the tests and by make, never by the service.
_NOT_OURS = ("TOKENHOUSE_TEST_", CONFIG_VARIABLE)


class SettingsError(Exception):
    """Settings that cannot be used; `problems` has a line for each, none with a value in it."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


Count = Annotated[int, Field(ge=1)]
Limit = Annotated[int, Field(ge=0, le=1_000_000)]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOOPBACK: tuple[Network, ...] = (ipaddress.IPv4Network("127.0.0.0/8"), ipaddress.IPv6Network("::1/128"))


class Settings(BaseSettings):
    """All that may be set. Each name is also a variable: `port` is TOKENHOUSE_PORT."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore", frozen=True)

    env: Literal["development", "production"] = "development"
    data_dir: Path = Path(".tokenhouse")
    database_url: SecretStr | None = None
    """Any PostgreSQL of 16 or newer; none: the embedded one in data_dir."""
    buckets: Annotated[int, Field(ge=1, le=1024)] = 1
    """Over how many buckets accounts are spread; fixed when the database is made."""
    database_pool_size: Annotated[int, Field(ge=2, le=1000)] = 10
    """Connections that one serving process may hold."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    admin_key: SecretStr | None = None
    """A platform key that is accepted from the first start on."""
    demo_password: SecretStr | None = None
    catalog: Path | None = None
    """The catalog file; none: the shipped one."""
    upgrade_url: Annotated[str, Field(min_length=1)] = "/plans"

    earnings_maturity_days: Annotated[int, Field(ge=0, le=3650)] = 14
    hold_ttl_seconds: Annotated[int, Field(ge=1, le=604_800)] = 900
    """How long a hold lives that names no time of its own."""
    upload_max_bytes: Count = 25 * 1024 * 1024

    queue_limit: Count = 10_000
    """Charges that may wait for a commit in one process; more are told to come again (503)."""
    charge_batch_max: Annotated[int, Field(ge=1, le=1000)] = 256
    """Charges that one group commit takes at most."""
    shutdown_seconds: Annotated[int, Field(ge=0, le=600)] = 20
    """What requests under way get at SIGTERM."""

    rate_limit_per_minute: Limit = 0
    """Requests a minute of one account's key or session; 0: no limit. A key may have a limit of its own, and platform
    keys have none but their own."""
    rate_limit_address_per_minute: Limit = 0
    """Requests a minute without valid credentials from one address (of IPv6: one /64); 0: no limit."""
    rate_limit_named_user_per_minute: Limit = 0
    """Requests a minute that platform keys make for one user; 0: no limit."""
    rate_limit_storage: SecretStr = SecretStr("database")
    """Where hits are counted: `database` (all processes together), `memory` (each its own), or `redis://…`."""
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = _LOOPBACK
    """Networks whose X-Forwarded-For and X-Forwarded-Proto are believed; as a variable: separated by commas, or
    `none`."""
    login_tries_per_minute: Annotated[int, Field(ge=1)] = 10

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] | None = None
    """None: console on a terminal, else JSON."""
    metrics_public: bool = False
    """Whether /metrics answers others than loopback."""
    otel_endpoint: str | None = Field(
        None, validation_alias=AliasChoices("otel_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT")
    )
    """Where traces go, by OpenTelemetry's own variable OTEL_EXPORTER_OTLP_ENDPOINT; none: nowhere."""

    @field_validator("data_dir", "catalog")
    @classmethod
    def _expanded(cls, path: Path | None) -> Path | None:
        return path.expanduser() if path is not None else None

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, level: object) -> object:
        return level.lower() if isinstance(level, str) else level

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, given: object) -> object:
        if not isinstance(given, str):
            return given
        return () if given.strip() == "none" else tuple(part.strip() for part in given.split(","))

    @field_validator("rate_limit_storage")
    @classmethod
    def _known_storage(cls, storage: SecretStr) -> SecretStr:
        text = storage.get_secret_value()
        if text not in {"database", "memory"} and not text.startswith(("redis://", "rediss://")):
            raise ValueError("must be database, memory or redis://HOST:PORT/NUMBER")
        return storage

    @field_validator("admin_key")
    @classmethod
    def _long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is None:
            return None
        text = key.get_secret_value()
        if len(text) < ADMIN_KEY_MIN_LENGTH:
            raise ValueError(
                f"has {len(text)} characters and needs at least {ADMIN_KEY_MIN_LENGTH}; "
                "make one with: openssl rand -hex 32"
            )
        if not (text.isascii() and text.isprintable()) or " " in text:
            raise ValueError("may hold visible ASCII only, for it travels in a header")
        return key

    @model_validator(mode="after")
    def _development_stays_home(self) -> Self:
        if self.env == "development" and not is_loopback(self.host):
            raise ValueError(
                f"in development only a loopback address is served, and {self.host} is none; "
                "set TOKENHOUSE_ENV=production to serve others"
            )
        return self

    @property
    def production(self) -> bool:
        """Whether this is the real thing: no demo, secure cookies."""
        return self.env == "production"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the framework's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take flags, then the environment, then the file; no .env, no secrets folder."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, toml_file=config_file())


def load_settings(**flags: object) -> Settings:
    """Read the settings; a flag of None was not given. SettingsError says all that is wrong at once."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named and not config_file().is_file():
        raise SettingsError([f"{CONFIG_VARIABLE} names a file that is not there: {named}"])
    given = {name: value for name, value in flags.items() if value is not None}
    unknown = sorted(given.keys() - Settings.model_fields.keys())
    if unknown:
        raise TypeError(f"no such settings: {', '.join(unknown)}")
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except tomllib.TOMLDecodeError as error:
        raise SettingsError([f"{config_file()} is not TOML: {error}"]) from None
    except ValidationError as error:
        raise SettingsError([_problem(list(one["loc"]), one["msg"]) for one in error.errors()]) from None


def config_file() -> Path:
    """Name the file that is read, whether it is there or not."""
    return Path(os.environ.get(CONFIG_VARIABLE) or DEFAULT_FILE)


def unknown_names() -> list[str]:
    """List the TOKENHOUSE_* variables and keys of tokenhouse.toml that set nothing: misspelt, most likely."""
    known = Settings.model_fields.keys()
    variables = [
        name
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and not name.startswith(_NOT_OURS) and name.removeprefix(PREFIX).lower() not in known
    ]
    file = config_file()
    if not file.is_file():
        return variables
    try:
        keys = tomllib.loads(file.read_text(encoding="utf-8")).keys()
    except tomllib.TOMLDecodeError:
        return variables
    return variables + [f"{key} in {file}" for key in sorted(keys - known)]


def is_loopback(host: str) -> bool:
    """Whether a host is this machine's own, reachable from nowhere else."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _problem(place: list[int | str], message: str) -> str:
    message = message.removeprefix("Value error, ")
    if not place:
        return message
    name = str(place[0])
    return f"{name if name.isupper() else PREFIX + name.upper()}: {message}"
