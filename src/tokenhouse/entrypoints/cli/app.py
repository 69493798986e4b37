"""The tree of commands, and how a failure becomes words on stderr and an exit status."""

import sys
from typing import NoReturn

import typer

from tokenhouse.entrypoints.cli import serve
from tokenhouse.entrypoints.cli.output import explain

app = typer.Typer(
    name="tokenhouse",
    help="Self-hosted billing of tokens and credits for AI apps.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
serve.register(app)


def run() -> NoReturn:
    """Run the command line and exit."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if not explain(error):
            raise
        sys.exit(1)
    sys.exit(0)
