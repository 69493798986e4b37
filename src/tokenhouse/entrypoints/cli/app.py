"""The tree of commands, and how a failure becomes words on stderr and an exit status."""

import sys
from typing import Annotated, NoReturn

import typer

from tokenhouse import __version__
from tokenhouse.entrypoints.cli import (
    accounts,
    audit,
    catalog,
    config,
    doctor,
    imports,
    migrate,
    models,
    people,
    reseal,
    rollups,
    serve,
    sql,
    verify,
)
from tokenhouse.entrypoints.cli.demo.command import demo
from tokenhouse.entrypoints.cli.output import explain, give

app = typer.Typer(
    name="tokenhouse",
    help="Self-hosted billing of tokens and credits for AI apps.",
    no_args_is_help=True,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
serve.register(app)
app.command()(demo)
app.command()(doctor.doctor)
app.command()(migrate.migrate)
app.command()(verify.verify)
app.add_typer(audit.audit, name="audit")
app.add_typer(catalog.catalog, name="catalog")
people.register(accounts.accounts)
app.add_typer(accounts.accounts, name="accounts")
accounts.keys.command("reseal")(reseal.reseal)
app.add_typer(accounts.keys, name="keys")
app.command()(accounts.grant)
app.add_typer(imports.imports, name="import")
app.add_typer(models.models, name="models")
app.command(context_settings=sql.CONTEXT)(sql.sql)
app.add_typer(rollups.rollups, name="rollups")
app.add_typer(config.config, name="config")


@app.callback()
def main(version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version.")] = False) -> None:
    """Self-hosted billing of tokens and credits for AI apps."""
    if version:
        give(__version__)
        raise typer.Exit


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
