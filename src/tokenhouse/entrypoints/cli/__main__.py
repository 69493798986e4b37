"""`python -m tokenhouse.entrypoints.cli`: the same as the command `tokenhouse`."""

from tokenhouse.entrypoints.cli import main

main()
