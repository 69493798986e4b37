"""The command `tokenhouse`. Importing this loads nothing: `main` brings the commands, they what they run."""


def main() -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 wrongly called."""
    from tokenhouse.entrypoints.cli.app import run

    run()
