"""Settings: the only reader of the environment and of tokenhouse.toml.

A later word wins: the built-in value, tokenhouse.toml, `TOKENHOUSE_*`, flags of the command line.
The file is `tokenhouse.toml` in the working directory, or the one that TOKENHOUSE_CONFIG names.
"""

import ipaddress
import os
import tomllib
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from tokenhouse.infra.kernel.money import nanos_of_decimal
from tokenhouse.infra.kernel.sealing import SealKey, new_key, parse_keys
from tokenhouse.settings_payouts import PayoutSettings

if TYPE_CHECKING:
    from tokenhouse.domain.alerts.types import Setup
    from tokenhouse.domain.payouts.types import Terms

PREFIX = "TOKENHOUSE_"
CONFIG_VARIABLE = "TOKENHOUSE_CONFIG"
DEFAULT_FILE = "tokenhouse.toml"
ADMIN_KEY_MIN_LENGTH = 32
SEAL_KEYS_FILE = "seal.keys"

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


class OidcProvider(BaseModel):
    """A provider of OpenID Connect, a table `[[oidc]]` of tokenhouse.toml.

    name: stands in its addresses; tell the provider to send people back to PUBLIC_URL/login/oidc/NAME/callback.
    title: as people know it. issuer: exactly as the provider writes it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
    title: Annotated[str, Field(min_length=1, max_length=60)] | None = None
    issuer: Annotated[str, Field(pattern=r"^https?://[^\s?#@]+$", max_length=500)]
    client_id: Annotated[str, Field(min_length=1)]
    client_secret: SecretStr | None = None

    @field_validator("issuer")
    @classmethod
    def _not_overheard(cls, issuer: str) -> str:
        if issuer.startswith("http://") and not is_loopback(urlsplit(issuer).hostname or ""):
            raise ValueError("must be an https address")
        return issuer


class Settings(BaseSettings, PayoutSettings):
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
    seal_keys: SecretStr | None = None
    """Keys that seal secrets in the database: `id:base64` of 32 bytes each, comma-separated.

    The first seals, all of them open. None in development: made once in data_dir (`seal.keys`).
    """
    demo_password: SecretStr | None = None
    catalog: Path | None = None
    """The catalog file; none: the shipped one."""
    upgrade_url: Annotated[str, Field(min_length=1)] = "/plans"

    earnings_maturity_days: Annotated[int, Field(ge=0, le=3650)] = 14
    payout_approval: Literal["none", "required"] = "none"
    """Whether a payout must be approved, by somebody else than who requested it, before it is sent."""
    payout_minimum_usd: Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=9)] = Decimal(0)
    """The least that is paid out at once."""
    creator_models: Literal["off", "approval"] = "off"
    """Whether users may submit models of their own, which an admin then approves."""
    reviews: Literal["open", "moderated"] = "open"
    """Whether reviews of models are published at once, or wait for a moderator."""
    hold_ttl_seconds: Annotated[int, Field(ge=1, le=604_800)] = 900
    """How long a hold lives that names no time of its own."""
    upload_max_bytes: Count = 25 * 1024 * 1024

    queue_limit: Count = 10_000
    """Charges that may wait for a commit in one process; more are told to come again (503)."""
    charge_batch_max: Annotated[int, Field(ge=1, le=1000)] = 256
    """Charges that one group commit takes at most."""
    shutdown_seconds: Annotated[int, Field(ge=0, le=600)] = 20
    """What requests under way get at SIGTERM."""

    sign_up: bool | None = None
    """Whether anybody may make an account at /signup; unless set: in development only."""
    public_url: Annotated[str, Field(pattern=r"^https?://[^\s/?#@]+$")] | None = None
    """Where people reach the pages, such as https://billing.example.com: links in mails begin with it."""
    session_idle_seconds: Annotated[int, Field(ge=300, le=31_536_000)] = 86_400
    """How long a session lives that is not used; its use is noted within some 80 seconds."""
    session_max_seconds: Annotated[int, Field(ge=60, le=31_536_000)] = 1_209_600
    """How long a session lives at all."""

    oidc: tuple[OidcProvider, ...] = ()
    """Providers by which people may sign in, each a table [[oidc]] of tokenhouse.toml."""

    rate_limit_per_minute: Limit = 0
    """Requests a minute of one account's key or session; 0: no limit. A key may have a limit of its own, and platform
    keys have none but their own."""
    rate_limit_account_per_minute: Limit = 0
    """Requests a minute of all keys and sessions of one account together; 0: no limit."""
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

    mail_url: SecretStr | None = None
    """The mail server: smtp://user:password@host:587, or smtps://. None: in development mail is put into a folder."""
    mail_from: Annotated[str, Field(min_length=3)] | None = None
    """Who mail is from, such as `Tokenhouse <no-reply@example.com>`; needed with mail_url."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] | None = None
    """None: console on a terminal, else JSON."""
    metrics_public: bool = False
    """Whether /metrics answers others than loopback."""
    otel_endpoint: str | None = Field(
        None, validation_alias=AliasChoices("otel_endpoint", "OTEL_EXPORTER_OTLP_ENDPOINT")
    )
    """Where traces go, by OpenTelemetry's own variable OTEL_EXPORTER_OTLP_ENDPOINT; none: nowhere."""

    @field_validator("oidc")
    @classmethod
    def _told_apart(cls, providers: tuple[OidcProvider, ...]) -> tuple[OidcProvider, ...]:
        if len({one.name for one in providers}) < len(providers):
            raise ValueError("two providers have the same name")
        return providers

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

    @field_validator("seal_keys")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys is not None:
            parse_keys(keys.get_secret_value())
        return keys

    @model_validator(mode="after")
    def _development_stays_home(self) -> Self:
        if self.env == "development" and not is_loopback(self.host):
            raise ValueError(
                f"in development only a loopback address is served, and {self.host} is none; "
                "set TOKENHOUSE_ENV=production to serve others"
            )
        return self

    @model_validator(mode="after")
    def _mail_can_be_sent(self) -> Self:
        if self.mail_url is None and self.mail_from is None:
            return self
        if self.mail_from is None:
            raise ValueError("mail_url needs mail_from beside it, such as: Tokenhouse <no-reply@example.com>")
        from tokenhouse.domain import alerts  # noqa: PLC0415 - loads the database's driver, which few commands want

        alerts.outlet_of("mail", self.channels)
        return self

    @property
    def channels(self) -> "Setup":
        """What channels are set up with. In development without a server, mail is put into a folder."""
        from tokenhouse.domain.alerts.types import Setup  # noqa: PLC0415 - the same

        return Setup(
            mail_url=self.mail_url.get_secret_value() if self.mail_url else None,
            mail_from=self.mail_from or "Tokenhouse <tokenhouse@localhost>",
            folder=None if self.production else self.data_dir.absolute() / "mail",
        )

    @property
    def payout_terms(self) -> "Terms":
        """What holds for payouts."""
        from tokenhouse.domain.payouts.types import Terms  # noqa: PLC0415 - the same

        return Terms(
            maturity_days=self.earnings_maturity_days,
            approval=self.payout_approval == "required",
            minimum=nanos_of_decimal(self.payout_minimum_usd),
        )

    @property
    def production(self) -> bool:
        """Whether this is the real thing: no demo, secure cookies."""
        return self.env == "production"

    @property
    def address(self) -> str | None:
        """Where people reach us. None: in production, where nobody said."""
        # In development we serve this machine only, so where we listen is where people reach us.
        return self.public_url or (None if self.production else f"http://{self.host}:{self.port}")

    @property
    def anybody_signs_up(self) -> bool:
        """Whether /signup makes accounts."""
        return self.sign_up if self.sign_up is not None else not self.production

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


def seal_keys(settings: Settings) -> tuple[SealKey, ...]:
    """Give the keys that seal secrets; in development they are made once, in a file for its owner alone.

    SettingsError: in production none are set.
    """
    if settings.seal_keys is not None:
        return parse_keys(settings.seal_keys.get_secret_value())
    if settings.production:
        raise SettingsError([f"{PREFIX}SEAL_KEYS is needed: k1:BASE64, made with: openssl rand -base64 32"])
    file = settings.data_dir / SEAL_KEYS_FILE
    if file.exists():
        return parse_keys(file.read_text(encoding="ascii"))
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        # Written whole beside it and linked: of two processes that come at once, both read what one wrote.
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as new:
            new.write(new_key("development"))
        with suppress(FileExistsError):
            file.hardlink_to(fresh)
    finally:
        fresh.unlink(missing_ok=True)
    return parse_keys(file.read_text(encoding="ascii"))


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
