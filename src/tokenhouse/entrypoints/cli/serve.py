"""`serve`, `up` and `worker`: the commands that stay."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from tokenhouse.entrypoints.cli.output import say

if TYPE_CHECKING:
    import socket

    from tokenhouse.entrypoints.cli.supervisor import Stop
    from tokenhouse.infra.database.boot import Booted
    from tokenhouse.settings import Settings

Host = Annotated[
    str | None,
    typer.Option(help="Address to listen on; development serves loopback only.", show_default="127.0.0.1"),
]
Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.", show_default="8000")]
Workers = Annotated[int | None, typer.Option(min=1, max=256, help="Serving processes.", show_default="1")]
Jobs = Annotated[bool, typer.Option("--jobs/--no-jobs", help="Run the background jobs too.")]

_CHILD = "tokenhouse.entrypoints.cli.child"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(up)
    app.command()(worker)


def serve(host: Host = None, port: Port = None, workers: Workers = None, jobs: Jobs = True) -> None:
    """Serve HTTP and run the background jobs, until SIGTERM.

    First it starts the embedded PostgreSQL (or uses TOKENHOUSE_DATABASE_URL), migrates it and applies the
    catalog.
    """
    _run(host, port, workers, jobs=jobs)


def up(host: Host = None, port: Port = None, workers: Workers = None) -> None:
    """Serve, with the demo loaded beside."""
    _run(host, port, workers, jobs=True, demo=True)


def worker() -> None:
    """Run the background jobs alone, until SIGTERM."""
    _run(None, None, None, jobs=True, web=False)


def _run(
    host: str | None,
    port: int | None,
    workers: int | None,
    *,
    jobs: bool,
    web: bool = True,
    demo: bool = False,
) -> None:
    import asyncio

    from tokenhouse.entrypoints.cli import startup, supervisor
    from tokenhouse.infra.telemetry import logs
    from tokenhouse.settings import load_settings

    settings = load_settings(host=host, port=port, workers=workers)
    if demo:
        startup.refuse_demo_in_production(settings)
    logs.configure(settings.log_level, settings.log_format)
    stop = supervisor.Stop()
    listening = supervisor.bind(settings.host, settings.port) if web else None
    booted = startup.prepare(settings)
    status = 0
    try:
        asyncio.run(startup.apply_catalog(settings, booted))
        if demo and (key := asyncio.run(startup.platform_key(settings, booted))):
            say("A platform key, shown this once (`tokenhouse keys create` makes another):")
            say(f"  {key}")
        if not stop.asked:
            status = _supervise(settings, booted, stop, listening, jobs=jobs, demo=demo)
    finally:
        if booted.server is not None:
            booted.server.release()
    sys.exit(status)


def _supervise(
    settings: "Settings",
    booted: "Booted",
    stop: "Stop",
    listening: "socket.socket | None",
    *,
    jobs: bool,
    demo: bool,
) -> int:
    from tokenhouse.entrypoints.cli.ready import Announcer
    from tokenhouse.entrypoints.cli.supervisor import Child, Supervisor

    children: list[Child] = []
    environment = dict(os.environ)
    host, port = settings.host, settings.port
    if listening is not None:
        port = listening.getsockname()[1]
        descriptor = listening.fileno()
        children += [
            Child(f"web {number}", [_CHILD, "web", str(descriptor)], [descriptor])
            for number in range(1, settings.workers + 1)
        ]
    if jobs:
        children.append(Child("jobs", [_CHILD, "jobs"]))
    # Flags win over the file and the environment in the children too.
    environment |= {
        "TOKENHOUSE_HOST": host,
        "TOKENHOUSE_PORT": str(port),
        "TOKENHOUSE_WORKERS": str(settings.workers),
    }
    supervisor = Supervisor(
        children,
        stop,
        grace_seconds=settings.shutdown_seconds,
        environment=environment,
        listening=listening,
        database=booted.server,
    )
    if listening is None:
        say("The background jobs run. Ctrl-C ends them.")
        return supervisor.run()
    announcer = Announcer(host, port, then=(lambda: supervisor.one_shot([_CHILD, "command", "demo"])) if demo else None)
    return supervisor.run(announcer.tick)
