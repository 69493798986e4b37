"""`config show`: the settings as they are in force, secrets masked."""

import typer

from tokenhouse.entrypoints.cli.output import Json, give_json, pairs, say

config = typer.Typer(no_args_is_help=True, help="The settings in force.")


@config.command()
def show(as_json: Json = False) -> None:
    """Show every setting as it is in force; secrets are masked.

    A later word wins: the built-in value, tokenhouse.toml, TOKENHOUSE_* variables, flags.
    """
    from pydantic import SecretStr

    from tokenhouse.settings import PREFIX, config_file, load_settings, unknown_names

    settings = load_settings()
    shown: dict[str, object] = {}
    for name in type(settings).model_fields:
        value = getattr(settings, name)
        shown[f"{PREFIX}{name.upper()}"] = "(set, hidden)" if isinstance(value, SecretStr) else value
    if as_json:
        give_json({name: value if isinstance(value, int | None) else str(value) for name, value in shown.items()})
    else:
        file = config_file()
        say(f"{file}: {'read' if file.is_file() else 'not there'}")
        pairs({name: _shown(value) for name, value in shown.items()})
    for name in unknown_names():
        say(f"warning: {name} sets nothing; a slip of the pen?")


def _shown(value: object) -> str | None:
    """Without separators of thousands: what is shown can be set."""
    return None if value is None else str(value)
