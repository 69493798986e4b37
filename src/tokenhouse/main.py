"""The composition root: settings, database, what serves requests, and the one ASGI application made of them.

`uvicorn --factory tokenhouse.main:app_factory` serves it; `tokenhouse serve` does, for any number of processes.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from fastapi import FastAPI

from tokenhouse.domain import access, alerts
from tokenhouse.domain import catalog as catalogs
from tokenhouse.domain.access import Identities, Passwords, Sessions
from tokenhouse.domain.access.acts import By
from tokenhouse.domain.access.types import SessionLimits
from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.domain.metering import Checks, GroupCommit
from tokenhouse.domain.wallets import Looks
from tokenhouse.entrypoints.api import fast
from tokenhouse.entrypoints.api.app import make_app
from tokenhouse.entrypoints.api.gate import Gate
from tokenhouse.entrypoints.api.keys import Keys
from tokenhouse.entrypoints.api.limits import Limits
from tokenhouse.entrypoints.api.proxies import Proxies
from tokenhouse.entrypoints.api.runtime import Runtime
from tokenhouse.entrypoints.api.windows import storage_of
from tokenhouse.entrypoints.web import pages
from tokenhouse.entrypoints.web.oidc import FLOW_SECONDS
from tokenhouse.entrypoints.web.oidc_provider import Provider
from tokenhouse.entrypoints.web.site import Cookie, Site
from tokenhouse.infra.database import PLATFORM, Database
from tokenhouse.infra.database.boot import Booted, check_serving, prepare_blocking
from tokenhouse.infra.kernel import collector
from tokenhouse.infra.kernel.errors import TokenhouseError, Unavailable
from tokenhouse.infra.kernel.sealing import Sealer
from tokenhouse.infra.telemetry import logs
from tokenhouse.infra.telemetry.metrics import Metrics
from tokenhouse.settings import OidcProvider, Settings, SettingsError, load_settings, seal_keys

_READY_SECONDS = 2.0
_CATALOG_SECONDS = 5.0

_log = structlog.stdlib.get_logger("tokenhouse.main")


def app_factory() -> Gate:
    """Make the application of a serving process by its settings, on a database that is made ready first."""
    settings = load_settings()
    logs.configure(settings.log_level, settings.log_format)
    logging.getLogger("yoyo").setLevel(logging.WARNING)
    url = settings.database_url.get_secret_value() if settings.database_url else None
    return create_app(settings, prepare_blocking(settings.data_dir, url, settings.buckets))


def create_app(settings: Settings, booted: Booted) -> Gate:
    """Make the application on a database that is ready. Nothing is opened before its lifespan begins."""
    metrics = Metrics(settings.workers)
    database = Database(booted.app_conninfo, booted.signer, max_size=settings.database_pool_size)
    commit = GroupCommit(
        database,
        buckets=booted.buckets,
        batch_limit=settings.charge_batch_max,
        queue_limit=settings.queue_limit,
        upgrade_url=settings.upgrade_url,
        observe=metrics.observe_batch,
    )
    metrics.watch_queue(lambda: commit.waiting)
    admin_key = settings.admin_key.get_secret_value() if settings.admin_key else None

    cookie = Cookie(settings.production, settings.session_max_seconds)
    runtime = Runtime(
        database=database,
        commit=commit,
        checks=Checks(database, commit),
        looks=Looks(database),
        identities=Identities(database),
        keys=Keys(database, admin_key),
        sessions=Sessions(database, SessionLimits(settings.session_idle_seconds, settings.session_max_seconds)),
        cookie=cookie.name.encode(),
        limits=Limits(
            storage_of(settings.rate_limit_storage.get_secret_value(), database),
            uncounted=metrics.uncounted.inc,
            per_minute=settings.rate_limit_per_minute,
            account_per_minute=settings.rate_limit_account_per_minute,
            address_per_minute=settings.rate_limit_address_per_minute,
            named_user_per_minute=settings.rate_limit_named_user_per_minute,
        ),
        proxies=Proxies(settings.trusted_proxies),
        metrics=metrics,
        upgrade_url=settings.upgrade_url,
        public_url=settings.address,
        hold_ttl_seconds=settings.hold_ttl_seconds,
        payouts=settings.payout_terms,
        bank=settings.payout_bank,
        sealer=_sealer(settings),
        creator_models=settings.creator_models == "approval",
        moderated_reviews=settings.reviews == "moderated",
        live=settings.production,
        ready=_ready(database, booted),
        metrics_public=settings.metrics_public,
        log_requests=settings.log_level == "debug",
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with _serving(runtime, booted, settings.catalog):
            yield

    traced = _telemetry(settings)
    app = make_app(lifespan, traced)
    pages.mount(app, _site(settings, runtime, cookie))
    # Traced, every request goes through the framework, which makes the spans.
    return Gate(runtime, app, {} if traced["tracing"] else fast.routes())


def _sealer(settings: Settings) -> Callable[[], Sealer]:
    """Make what gives the sealer, once it is needed. Unavailable: the settings have no keys."""

    @cache
    def sealer() -> Sealer:
        try:
            return Sealer(seal_keys(settings))
        except SettingsError as error:
            raise Unavailable(f"Secrets cannot be sealed. {error}", retry_after=60) from None

    return sealer


def _ready(database: Database, booted: Booted) -> Callable[[], Awaitable[None]]:
    """Make the question whether the service can serve."""

    async def ready() -> None:
        try:
            async with asyncio.timeout(_READY_SECONDS), database.read(PLATFORM) as tx:
                fits = (await access.deployment(tx)).buckets == booted.buckets
        except TimeoutError:
            raise Unavailable("The database does not answer.") from None
        if not fits:
            raise Unavailable("The database is another than at the start. Start again.")

    return ready


@asynccontextmanager
async def _serving(runtime: Runtime, booted: Booted, catalog_file: Path | None) -> AsyncIterator[None]:
    """Open what requests need, and close it once the last of them is answered."""
    database, commit = runtime.database, runtime.commit
    await database.open()
    try:
        async with database.connection() as connection:
            await check_serving(connection)
        await commit.reload()
        await _first_catalog(runtime, catalog_file)
        collector.calm()
        watching = asyncio.create_task(_watch(runtime))
        try:
            yield
        finally:
            watching.cancel()
            await commit.close()
            await runtime.keys.close()
            await runtime.sessions.close()
    finally:
        await database.close()
        runtime.metrics.close()
        if booted.server is not None:
            await asyncio.to_thread(booted.server.release)


def _site(settings: Settings, runtime: Runtime, cookie: Cookie) -> Site:
    """Make what the pages are served with."""

    async def catalog() -> Catalog:
        return (await runtime.commit.rates()).catalog

    return Site(
        database=runtime.database,
        sessions=runtime.sessions,
        passwords=Passwords(),
        cookie=cookie,
        catalog=catalog,
        base=settings.address,
        sign_up=settings.anybody_signs_up,
        unverified=not settings.production,
        tries_per_minute=settings.login_tries_per_minute,
        has_admin_key=settings.admin_key is not None,
        providers=tuple(_provider(one) for one in settings.oidc),
        flow_key=runtime.database.signer.derived("signing in by a provider"),
        flow_cookie=Cookie(cookie.secure, FLOW_SECONDS, "tokenhouse-oidc"),
        budget=runtime.limits,
        send=alerts.send,
    )


def _provider(one: OidcProvider) -> Provider:
    secret = one.client_secret.get_secret_value() if one.client_secret else None
    return Provider(one.name, one.title or one.name.capitalize(), one.issuer, one.client_id, secret)


async def _first_catalog(runtime: Runtime, file: Path | None) -> None:
    """Apply the catalog to a database that has none; `tokenhouse serve` does so before it starts us."""
    if (await runtime.commit.rates()).catalog.version:
        return
    async with runtime.database.transaction(PLATFORM) as tx:
        await catalogs.apply_source(tx, catalogs.read_source(file), By("service"))
    await runtime.commit.reload()


async def _watch(runtime: Runtime) -> None:
    """See what another process did: a catalog that it applied (a charge sees it by itself), a person that it erased."""
    while True:
        await asyncio.sleep(_CATALOG_SECONDS)
        with suppress(TokenhouseError):
            await runtime.commit.reload()
            await runtime.identities.forget_erased()


def _telemetry(settings: Settings) -> dict[str, Any]:
    """Configure the framework's own tracing: off, unless the settings say where traces go."""
    off = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
    if settings.otel_endpoint is None:
        return off
    try:
        from tokenhouse.infra.telemetry import traces  # noqa: PLC0415 - an extra; nobody else need load it
    except ImportError:
        _log.warning("traces go nowhere: their packages are not installed; install tokenhouse[otel]")
        return off
    # The exporters read the environment; the setting may come from tokenhouse.toml.
    os.environ.setdefault("OTEL_EXPORTER_OTLP_ENDPOINT", settings.otel_endpoint)  # noqa: TID251 - see above
    os.environ.setdefault("OTEL_SERVICE_NAME", "tokenhouse")  # noqa: TID251 - the same
    options = {"tracing": True, "metrics": True, "logs": False, "auto_configure": True}
    return options | {"tracer_provider": traces.provider()}
