"""`migrate`: bring the schema to this version, or say where it stands."""

from typing import TYPE_CHECKING, Annotated

import typer

from tokenhouse.entrypoints.cli.output import Json, give, give_json, say

if TYPE_CHECKING:
    from tokenhouse.infra.database.inspection import DatabaseFacts
    from tokenhouse.settings import Settings

Status = Annotated[bool, typer.Option("--status", help="Only say where the schema stands; 1 unless current.")]


def migrate(status: Status = False, as_json: Json = False) -> None:
    """Bring the database's schema to this version. `serve` does so too.

    Safe to repeat, and while others start. Back up the data folder or the database before an upgrade.
    """
    from tokenhouse.entrypoints.cli import startup
    from tokenhouse.settings import load_settings

    settings = load_settings()
    before = _examine(settings)
    if status:
        _tell(before, as_json=as_json)
        if before is None or not before.schema.current:
            raise typer.Exit(1)
        return
    booted = startup.prepare(settings)
    if booted.server is not None:
        booted.server.release()
    after = _examine(settings)
    known = set(before.schema.applied) if before else set()
    applied = [name for name in after.schema.applied if name not in known] if after else []
    if as_json:
        give_json({"applied": applied})
        return
    for name in applied:
        give(name)
    say(f"{len(applied)} migrations applied." if applied else "The schema is current.")


def _examine(settings: "Settings") -> "DatabaseFacts | None":
    from tokenhouse.infra.database.inspection import examine

    url = settings.database_url.get_secret_value() if settings.database_url else None
    return examine(settings.data_dir, url)


def _tell(facts: "DatabaseFacts | None", *, as_json: bool) -> None:
    if facts is None:
        if as_json:
            give_json({"made": False, "current": False})
        else:
            say("There is no database yet: `tokenhouse serve` or `tokenhouse migrate` makes it.")
        return
    schema = facts.schema
    if as_json:
        give_json(
            {
                "made": True,
                "current": schema.current,
                "applied": schema.applied,
                "missing": schema.missing,
                "unknown": schema.later,
                "functions_current": schema.post_applied,
            }
        )
        return
    for name in schema.applied:
        give(f"applied  {name}")
    for name in schema.missing:
        give(f"missing  {name}")
    for name in schema.later:
        give(f"unknown  {name}")
    if schema.later:
        say("A later version of Tokenhouse migrated this database. Start that version or a later one.")
    elif schema.current:
        say("The schema is current.")
    elif schema.missing:
        say("Run `tokenhouse migrate`.")
    else:
        say("Functions and policies are to be replaced. Run `tokenhouse migrate`.")
