"""What happens before anything is served: the database is made ready and the catalog applied."""

import logging
from typing import TYPE_CHECKING

from tokenhouse.entrypoints.cli.output import say

if TYPE_CHECKING:
    from tokenhouse.domain.catalog.types import Applied, Document
    from tokenhouse.infra.database.boot import Booted
    from tokenhouse.settings import Settings


def prepare(settings: "Settings") -> "Booted":
    """Start or join the database and migrate it. StartError says what to do."""
    from tokenhouse.infra.database.boot import prepare_blocking

    logging.getLogger("yoyo").setLevel(logging.WARNING)  # it tells each file; failures are told by us
    url = settings.database_url.get_secret_value() if settings.database_url else None
    return prepare_blocking(settings.data_dir, url, settings.buckets)


async def apply_catalog(settings: "Settings", booted: "Booted") -> None:
    """Apply the configured catalog where it is not the one in force, and say what that changes."""
    from tokenhouse.domain import catalog as catalogs
    from tokenhouse.domain.access.acts import By
    from tokenhouse.infra.database import PLATFORM, Database

    source = catalogs.read_source(settings.catalog)
    document = catalogs.parse(source.text, source.name)
    name = "tokenhouse start"
    async with (
        Database(booted.worker_conninfo, booted.signer, max_size=2, name=name) as database,
        database.transaction(PLATFORM) as tx,
    ):
        first = (await catalogs.load(tx)).version == 0
        applied = await catalogs.apply(tx, document, source, By("service"))
    if applied.changes:
        tell_catalog(source.name, document, applied, first=first)


def tell_catalog(name: str, document: "Document", applied: "Applied", *, first: bool) -> None:
    """Say what applying a catalog did, and what its operator should know before it costs money."""
    from tokenhouse.domain import catalog as catalogs

    if first:
        say(
            f"Catalog {applied.version}, from {name}: {len(document.operations)} operations, "
            f"{len(document.plans)} plans, {len(document.top_ups)} packs."
        )
    else:
        say(f"Catalog {applied.version}, from {name}:")
        for change in applied.changes:
            say(f"  {change.text}")
    for warning in catalogs.warnings(document):
        say(f"  warning: {warning.text}")


def refuse_demo_in_production(settings: "Settings") -> None:
    """Forbid the demo's people and their credits in a real deployment."""
    from tokenhouse.infra.kernel.errors import Forbidden

    if settings.production:
        raise Forbidden(
            "The demo is not loaded in production. Use another data folder with TOKENHOUSE_ENV=development."
        )


async def platform_key(settings: "Settings", booted: "Booted") -> str | None:
    """Make a platform key where a person has none: neither a setting nor one that lives. Its secret, or None."""
    from dataclasses import asdict

    from tokenhouse.domain import access
    from tokenhouse.domain.access.acts import Act, By
    from tokenhouse.infra.database import PLATFORM, Database

    if settings.admin_key is not None:
        return None
    async with (
        Database(booted.worker_conninfo, booted.signer, max_size=2, name="tokenhouse start") as database,
        database.transaction(PLATFORM) as tx,
    ):
        if any(key.revoked_at is None and key.expires_at is None for key in await access.list_keys(tx, None)):
            return None
        view, secret = await access.create_key(tx, None, "tokenhouse up", live=settings.production)
        await access.record(tx, By("service"), Act("key.create", "key", str(view.id), after=asdict(view)))
        return secret
