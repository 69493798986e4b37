"""`sql`: psql on the database, seeing what one account may see."""

import os
import signal
import subprocess
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tokenhouse.infra.database.boot import Booted
    from tokenhouse.settings import Settings

SESSION_SECONDS = 12 * 3600
CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": ["--help"]}


def sql(
    context: typer.Context,
    account: Annotated[
        str | None, typer.Option("--as", metavar="ACCOUNT", help="See what this account may see; none: everything.")
    ] = None,
) -> None:
    """Open psql on the database, read only, as the service's own role.

    Row-level security shows the rows of that account alone. What follows goes to psql: -c SQL, -f FILE; or give
    SQL on stdin. The session's rights end after twelve hours.
    """
    from tokenhouse.entrypoints.cli import startup
    from tokenhouse.settings import load_settings

    settings = load_settings()
    booted = startup.prepare(settings)
    try:
        status = _psql(settings, booted, account, context.args)
    finally:
        if booted.server is not None:
            booted.server.release()
    raise typer.Exit(status)


def _psql(settings: "Settings", booted: "Booted", account: str | None, arguments: list[str]) -> int:
    """Run psql to its end. Its password and token travel in its environment: arguments are seen by everyone."""
    from tokenhouse.entrypoints.cli.session import run
    from tokenhouse.infra.database.embedded import EmbeddedServer
    from tokenhouse.infra.database.psql import environment

    token = run(_token(booted, account))
    program = (booted.server or EmbeddedServer(settings.data_dir)).binary("psql")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    ours |= environment(booted.app_conninfo, token) | {"PGAPPNAME": "tokenhouse sql"}
    # Ctrl-C is for psql, which ends a query by it; a handler of ours is not inherited, ignoring would be.
    signal.signal(signal.SIGINT, lambda *_: None)
    # Without the person's own psqlrc, which may turn anything on; an error ends a script.
    command = [str(program), "--no-psqlrc", "--set=ON_ERROR_STOP=1", *arguments]
    return subprocess.run(command, env=ours, check=False).returncode


async def _token(booted: "Booted", external_id: str | None) -> str:
    from tokenhouse.domain import access
    from tokenhouse.infra.database import PLATFORM, Actor, Database
    from tokenhouse.infra.kernel.errors import NotFound

    async with Database(booted.worker_conninfo, booted.signer, max_size=2) as database:
        actor = PLATFORM
        if external_id is not None:
            async with database.read(PLATFORM) as tx:
                account = await access.find_account(tx, external_id)
            if account is None:
                raise NotFound(f"There is no account {external_id!r}.")
            actor = Actor((account.id,))
        return database.token(actor, SESSION_SECONDS)
