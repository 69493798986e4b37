"""`doctor`: is everything as it must be? Each failure says how to mend it."""

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import typer

from tokenhouse.entrypoints.cli.output import Json, give, give_json, say

if TYPE_CHECKING:
    from tokenhouse.domain.alerts.types import MailState
    from tokenhouse.infra.database.inspection import DatabaseFacts
    from tokenhouse.settings import Settings

OLDEST_PYTHON = (3, 11)
OLDEST_POSTGRES = 16
MOST_SKEW_SECONDS = 5.0
SPARE_CONNECTIONS = 20  # the jobs, two for each of their tasks; a command, an administrator
LEAST_FREE_BYTES = 1 << 30
LOW_FREE_BYTES = 5 << 30
_MARKS = {"ok": "ok  ", "warning": "warn", "failure": "FAIL"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is and, where it is not well, how to mend it."""

    check: str
    state: Literal["ok", "warning", "failure"]
    detail: str
    fix: str | None = None


def doctor(as_json: Json = False) -> None:
    """Check this installation, its settings and its database; exit 1 where something fails."""
    findings = []
    for finding in _all():
        findings.append(finding)
        if not as_json:
            give(f"{_MARKS[finding.state]}  {finding.check}: {finding.detail}")
            if finding.fix:
                give(f"      {finding.fix}")
    failed = sum(finding.state == "failure" for finding in findings)
    if as_json:
        give_json([asdict(finding) for finding in findings])
    else:
        warned = sum(finding.state == "warning" for finding in findings)
        say(f"{len(findings)} checks: {failed} failed, {warned} with a warning.")
    if failed:
        raise typer.Exit(1)


def _all() -> Iterator[Finding]:
    from tokenhouse.settings import SettingsError, load_settings

    yield _python()
    try:
        settings = load_settings()
    except SettingsError as error:
        for problem in error.problems:
            yield Finding("settings", "failure", problem, "Mend it in tokenhouse.toml or the environment.")
        return
    yield from _settings()
    yield from _safety(settings)
    catalog_parses = True
    for finding in _catalog_file(settings):
        catalog_parses &= finding.state != "failure"
        yield finding
    if settings.database_url is None:
        yield from _folder(settings.data_dir)
    yield from _database(settings, with_catalog=catalog_parses)


def _python() -> Finding:
    version = platform.python_version()
    if sys.version_info < OLDEST_PYTHON:
        return Finding("Python", "failure", version, "Install Python 3.11 or newer and run `make install` again.")
    return Finding("Python", "ok", version)


def _settings() -> Iterator[Finding]:
    from tokenhouse.settings import unknown_names

    unknown = unknown_names()
    for name in unknown:
        yield Finding(
            "settings", "failure", f"{name} sets nothing", "Mend its spelling (`tokenhouse config show`), or unset it."
        )
    if not unknown:
        yield Finding("settings", "ok", "every TOKENHOUSE_* variable is known")


def _safety(settings: "Settings") -> Iterator[Finding]:
    if not settings.production:
        yield Finding("environment", "ok", "development: served on loopback only")
    elif settings.admin_key is None:
        yield Finding(
            "environment",
            "warning",
            "production without TOKENHOUSE_ADMIN_KEY",
            "Set one, or make platform keys with `tokenhouse keys create`.",
        )
    else:
        yield Finding("environment", "ok", "production")


def _catalog_file(settings: "Settings") -> Iterator[Finding]:
    from tokenhouse.domain import catalog as catalogs
    from tokenhouse.domain.catalog.types import CatalogInvalid

    try:
        source = catalogs.read_source(settings.catalog)
        document = catalogs.parse(source.text, source.name)
    except CatalogInvalid as error:
        yield Finding("catalog", "failure", error.detail, "Mend the file; `tokenhouse catalog apply FILE --dry-run`.")
        return
    yield Finding("catalog", "ok", f"{source.name} can be applied")
    for warning in catalogs.warnings(document):
        yield Finding("catalog", "warning", warning.text)


def _folder(data_dir: Path) -> Iterator[Finding]:
    import os

    from tokenhouse.entrypoints.cli.volume import encryption_of

    folder = data_dir.expanduser().absolute()
    existing = folder
    while not existing.exists():
        existing = existing.parent
    if not os.access(existing, os.W_OK | os.X_OK) or not existing.is_dir():
        yield Finding(
            "data folder", "failure", f"{existing} cannot be written", "Change its owner, or TOKENHOUSE_DATA_DIR."
        )
        return
    mode = folder.stat().st_mode if folder.exists() else 0o700
    if mode & 0o007 or mode & 0o020:
        yield Finding(
            "data folder", "failure", f"{folder} is open to others ({mode & 0o777:o})", f"Run: chmod 700 {folder}"
        )
    else:
        yield Finding("data folder", "ok", str(folder))
    free = shutil.disk_usage(existing).free
    words = f"{free / (1 << 30):.1f} GiB free"
    if free < LEAST_FREE_BYTES:
        yield Finding("disk", "failure", words, "Make room: PostgreSQL stops where the disk is full.")
    else:
        fix = "Make room soon." if free < LOW_FREE_BYTES else None
        yield Finding("disk", "warning" if fix else "ok", words, fix)
    encrypted, words = encryption_of(existing)
    fix = None if encrypted else "Put the data folder on an encrypted volume (LUKS); SECURITY.md says why."
    yield Finding("encryption at rest", "ok" if encrypted else "warning", words, fix)
    yield _unprivileged(folder, existing)


def _unprivileged(folder: Path, existing: Path) -> Finding:
    """PostgreSQL does not run as root: find a way not to be."""
    import os

    from tokenhouse.infra.database.embedded import EmbeddedServer
    from tokenhouse.infra.database.process import Runner, StartError

    try:
        programs = EmbeddedServer(folder).binary("postgres").parent
        runner = Runner(existing, programs) if os.geteuid() == 0 else None
    except StartError as error:
        return Finding("PostgreSQL's user", "failure", str(error))
    if runner is None:
        return Finding("PostgreSQL's user", "ok", "ours")
    if runner.account is not None:
        return Finding("PostgreSQL's user", "ok", f"{runner.account.pw_name}, for we are root")
    return Finding("PostgreSQL's user", "ok", "ours in a user namespace, for we are root")


def _database(settings: "Settings", *, with_catalog: bool) -> Iterator[Finding]:
    from tokenhouse.infra.database.inspection import examine
    from tokenhouse.infra.database.process import StartError

    url = settings.database_url.get_secret_value() if settings.database_url else None
    try:
        facts = examine(settings.data_dir, url)
    except StartError as error:
        yield Finding("PostgreSQL", "failure", str(error), "See the server's log; `tokenhouse serve` starts it.")
        return
    if facts is None:
        yield Finding("PostgreSQL", "ok", "not made yet; `tokenhouse serve` makes it")
        return
    if facts.version < OLDEST_POSTGRES:
        yield Finding("PostgreSQL", "failure", facts.version_text, f"Upgrade it to {OLDEST_POSTGRES} or later.")
    else:
        yield Finding("PostgreSQL", "ok", facts.version_text)
    yield from _durability(facts)
    yield from _roles(facts)
    yield _schema(facts)
    yield _clock(facts)
    yield _connections(settings, facts)
    if facts.encrypted_transport is False:
        yield Finding(
            "connection", "warning", "not encrypted on its way", "Add sslmode=verify-full to TOKENHOUSE_DATABASE_URL."
        )
    if facts.schema.current:
        if with_catalog:
            yield _in_force(settings)
        yield from _mail(settings)
        yield _limits(settings)


def _durability(facts: "DatabaseFacts") -> Iterator[Finding]:
    off = [name for name, value in facts.durability.items() if value == "off"]
    for name in off:
        yield Finding(
            "durability", "failure", f"{name} is off", f"Run: alter system set {name} = on; select pg_reload_conf();"
        )
    if not off:
        yield Finding("durability", "ok", ", ".join(f"{name} {value}" for name, value in facts.durability.items()))
    if not facts.checksums:
        yield Finding("checksums", "warning", "pages have none", "Stop the server and run: pg_checksums --enable")


def _roles(facts: "DatabaseFacts") -> Iterator[Finding]:
    for role in facts.roles:
        if role.powers:
            fix = f"Run: alter role {role.name} nosuperuser nobypassrls nocreaterole nocreatedb noreplication;"
            if any(power.startswith("member") for power in role.powers):
                fix += f" revoke th_owner from {role.name};"
            yield Finding("roles", "failure", f"{role.name} is {', '.join(role.powers)}", fix)
    if facts.roles and not any(role.powers for role in facts.roles):
        yield Finding("roles", "ok", f"{', '.join(role.name for role in facts.roles)} may do their part only")


def _schema(facts: "DatabaseFacts") -> Finding:
    schema = facts.schema
    if schema.later:
        return Finding(
            "schema",
            "failure",
            f"migrated by a later version ({', '.join(schema.later)})",
            "Start that version or a later one, or restore the backup made before the upgrade.",
        )
    if not schema.current:
        words = f"{len(schema.missing)} migrations missing" if schema.missing else "functions of another version"
        return Finding("schema", "failure", words, "Back up, then run: tokenhouse migrate")
    return Finding("schema", "ok", f"{len(schema.applied)} migrations, current")


def _clock(facts: "DatabaseFacts") -> Finding:
    skew = facts.skew_seconds
    if abs(skew) > MOST_SKEW_SECONDS:
        return Finding("clock", "failure", f"{skew:+.1f} s to the database's", "Run NTP on both machines.")
    return Finding("clock", "ok", f"{abs(skew) * 1000:.0f} ms to the database's")


def _connections(settings: "Settings", facts: "DatabaseFacts") -> Finding:
    from tokenhouse.domain.metering import LANES

    wanted = settings.workers * (settings.database_pool_size + LANES * settings.buckets) + SPARE_CONNECTIONS
    words = f"{facts.max_connections} allowed, up to {wanted} used"
    if wanted > facts.max_connections:
        return Finding(
            "connections",
            "warning",
            words,
            "Lower TOKENHOUSE_WORKERS or TOKENHOUSE_DATABASE_POOL_SIZE, or raise max_connections.",
        )
    return Finding("connections", "ok", words)


def _mail(settings: "Settings") -> Iterator[Finding]:
    from tokenhouse.domain import alerts
    from tokenhouse.entrypoints.cli.session import run

    state = run(_outbox(settings))
    outlet = alerts.outlet_of("mail", settings.channels)
    words = f"{outlet.where if outlet else 'goes nowhere'}; {state.waiting} wait, {state.failing} of them failed before"
    if outlet is None:
        fix = "Set TOKENHOUSE_MAIL_URL and TOKENHOUSE_MAIL_FROM; what waits is then sent."
        yield Finding("mail", "warning", words, fix)
    elif state.failing:
        yield Finding("mail", "warning", words, "The log of the jobs says why; it is tried again by itself.")
    else:
        yield Finding("mail", "ok", words)
    if state.given_up:
        fix = "The log of the jobs says why; whoever waits for it must ask for another."
        yield Finding("mail given up", "warning", f"{state.given_up} in all", fix)


async def _outbox(settings: "Settings") -> "MailState":
    from tokenhouse.domain import alerts
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import PLATFORM

    async with opened(settings) as session, session.database.read(PLATFORM) as tx:
        return await alerts.mail_state(tx)


def _limits(settings: "Settings") -> Finding:
    """Whether hits can be counted: where not, requests pass uncounted and tries at passwords are refused."""
    import time

    from tokenhouse.entrypoints.cli.session import run

    storage = settings.rate_limit_storage.get_secret_value()
    if storage == "memory":
        words = f"each of {settings.workers} processes counts alone"
        fix = "Set TOKENHOUSE_RATE_LIMIT_STORAGE=database, or every limit holds for each of them."
        return Finding(
            "limits", "warning" if settings.workers > 1 else "ok", words, fix if settings.workers > 1 else None
        )
    if storage != "database":
        return Finding("limits", "ok", "counted in Redis, which is not asked here")
    began = time.monotonic()
    try:
        run(_counted(settings))
    except Exception as error:  # noqa: BLE001 - whatever it is, nothing is counted
        fix = "Run `tokenhouse migrate`. Until then requests pass uncounted, and nobody signs in by password."
        return Finding("limits", "failure", f"hits cannot be counted ({type(error).__name__})", fix)
    seconds = time.monotonic() - began
    return Finding("limits", "ok", f"counted in the database; joining it and one hit took {seconds * 1000:.0f} ms")


async def _counted(settings: "Settings") -> None:
    """Ask for a hit and take none, as the service's own role does."""
    from tokenhouse.domain import access
    from tokenhouse.domain.access.types import HitsAsked
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import Database

    async with (
        opened(settings) as session,
        Database(session.booted.app_conninfo, session.booted.signer, max_size=2, name="tokenhouse command") as database,
    ):
        await access.take_hits(database, [HitsAsked("doctor", most=1, seconds=60, wanted=0)])


def _in_force(settings: "Settings") -> Finding:
    from tokenhouse.entrypoints.cli.session import run

    applied, configured = run(_digests(settings))
    if not applied:
        return Finding("catalog in force", "ok", "none yet; `tokenhouse serve` applies it")
    if applied != configured:
        return Finding(
            "catalog in force",
            "warning",
            "another than the configured one",
            "The next start applies the configured one; see `tokenhouse catalog apply FILE --dry-run`.",
        )
    return Finding("catalog in force", "ok", "the configured one")


async def _digests(settings: "Settings") -> tuple[str, str]:
    from tokenhouse.domain import catalog as catalogs
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import PLATFORM

    async with opened(settings) as session, session.database.read(PLATFORM) as tx:
        return (await catalogs.load(tx)).digest, catalogs.read_source(settings.catalog).digest
