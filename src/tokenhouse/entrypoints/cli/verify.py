"""`verify`: prove the books, every balance and aggregate derived again from the records."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from tokenhouse.entrypoints.cli.output import Json, give, give_json, say, table

if TYPE_CHECKING:
    from tokenhouse.domain.metering import Proof


def verify(as_json: Json = False) -> None:
    """Prove the books: list every difference between what is kept and what the records say.

    Exit 1 where anything differs. It reads one snapshot and may run while the service works.
    """
    from tokenhouse.entrypoints.cli.session import run

    proof = run(_verify())
    if as_json:
        give_json({"holds": proof.holds, **asdict(proof)})
    else:
        _tell(proof)
    if not proof.holds:
        raise typer.Exit(1)


async def _verify() -> "Proof":
    from tokenhouse.domain import metering
    from tokenhouse.entrypoints.cli.output import working
    from tokenhouse.entrypoints.cli.session import opened

    async with opened(connections=2) as session:
        with working("Verifying") as progress:
            return await metering.verify(session.database, progress)


def _tell(proof: "Proof") -> None:
    for finding in proof.findings:
        mark = "FAIL" if finding.count else "ok  "
        give(f"{mark}  {finding.name}: {finding.description} ({finding.seconds:.2f} s)")
        for difference in finding.differences:
            give(f"      {difference.subject}: recorded {difference.recorded}, derived {difference.derived}")
        if finding.count > len(finding.differences):
            give(f"      and {finding.count - len(finding.differences):,} more")
    columns = ["asset", "issued", "spent", "lapsed", "balances", "balanced"]
    rows = [
        [one.asset, one.issued, one.spent, one.lapsed, one.balances, "yes" if one.balanced else "NO"]
        for one in proof.sums
    ]
    table(columns, rows, right=columns[1:])
    differing = sum(finding.count for finding in proof.findings)
    say("The books hold." if proof.holds else f"The books do not hold: {differing:,} differences.")
