"""`catalog`: what is for sale and what it costs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tokenhouse.entrypoints.cli.output import Json, give, give_json, say

if TYPE_CHECKING:
    from tokenhouse.domain.catalog.types import Catalog, Change, Document

catalog = typer.Typer(no_args_is_help=True, help="What is for sale and what it costs.")

File = Annotated[Path, typer.Argument(help="A catalog file (TOML).", exists=True, dir_okay=False, readable=True)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before something is withdrawn.")]


@catalog.command()
def apply(file: File, dry_run: DryRun = False, yes: Yes = False, as_json: Json = False) -> None:
    """Put a catalog file in force, saying first what that changes.

    Charges made before keep their price. At its next start the service applies the file that
    TOKENHOUSE_CATALOG names (else the shipped one): set it to this file to keep it.
    """
    from tokenhouse.entrypoints.cli.session import run

    run(_apply(file, dry_run=dry_run, yes=yes, as_json=as_json))


@catalog.command()
def show(as_json: Json = False) -> None:
    """Show the catalog in force: as the file that was applied, or as JSON."""
    from tokenhouse.entrypoints.cli.session import run

    run(_show(as_json=as_json))


@catalog.command()
def warnings(as_json: Json = False) -> None:
    """Say where earnings may exceed what the credits were sold for, and what has no price."""
    from tokenhouse.entrypoints.cli.session import run

    run(_warnings(as_json=as_json))


async def _apply(file: Path, *, dry_run: bool, yes: bool, as_json: bool) -> None:
    from tokenhouse.domain import catalog as catalogs
    from tokenhouse.domain.access.acts import By
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import PLATFORM

    source = catalogs.read_source(file)
    document = catalogs.parse(source.text, source.name)
    async with opened() as session:
        async with session.database.read(PLATFORM) as tx:
            old = await catalogs.load(tx)
        changes = catalogs.diff(old if old.version else None, document)
        if not as_json:
            _tell(changes, document)
        version = old.version
        if not dry_run and (changes or old.digest != source.digest):
            _confirm(changes, yes=yes)
            async with session.database.transaction(PLATFORM) as tx:
                applied = await catalogs.apply(tx, document, source, By("cli"))
            version = applied.version
        if as_json:
            give_json({"version": version, "changes": _rows(changes), "applied": not dry_run})
        elif dry_run:
            say("Nothing was applied.")
        else:
            say(f"Version {version} is in force.")
        if not dry_run:
            _remind(session.settings.catalog, file, source.digest)


def _remind(configured: Path | None, file: Path, digest: str) -> None:
    from tokenhouse.domain import catalog as catalogs

    if catalogs.read_source(configured).digest != digest:
        say(f"Set TOKENHOUSE_CATALOG={file}, or the next start applies {configured or 'the shipped catalog'}.")


def _tell(changes: "list[Change]", document: "Document") -> None:
    from tokenhouse.domain import catalog as catalogs

    marks = {"added": "+", "changed": "~", "removed": "-"}
    for change in changes:
        give(f"{marks[change.sort]} {change.text}")
    if not changes:
        say("It says the same as the catalog in force.")
    for warning in catalogs.warnings(document):
        say(f"warning: {warning.text}")


def _confirm(changes: "list[Change]", *, yes: bool) -> None:
    withdrawn = sum(change.sort == "removed" for change in changes)
    if withdrawn and not yes:
        typer.confirm(f"{withdrawn} items are withdrawn. Apply?", abort=True, err=True)


def _rows(changes: "list[Change]") -> list[dict[str, str]]:
    return [{"kind": change.kind, "id": change.id, "sort": change.sort, "text": change.text} for change in changes]


async def _load() -> "tuple[Catalog, str | None]":
    from tokenhouse.domain import catalog as catalogs
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import PLATFORM

    async with opened() as session, session.database.read(PLATFORM) as tx:
        return await catalogs.load(tx), await catalogs.applied_source(tx)


async def _show(*, as_json: bool) -> None:
    loaded, text = await _load()
    if text is None:
        say("No catalog was applied yet: `tokenhouse serve` applies one, or `tokenhouse catalog apply FILE`.")
        raise typer.Exit(1)
    if as_json:
        give_json({"version": loaded.version, "digest": loaded.digest, **_parsed(text)})
        return
    say(f"Version {loaded.version} is in force.")
    give(text.rstrip())


def _parsed(text: str) -> dict[str, object]:
    import tomllib

    return tomllib.loads(text)


async def _warnings(*, as_json: bool) -> None:
    from tokenhouse.domain import catalog as catalogs

    loaded, _ = await _load()
    found = catalogs.warnings(loaded)
    if as_json:
        give_json([{"code": warning.code, "text": warning.text} for warning in found])
        return
    for warning in found:
        give(f"{warning.code}: {warning.text}")
    if not found:
        say("There is nothing to warn of.")
