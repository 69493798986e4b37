"""`verify`: prove the books, every balance, aggregate and rollup derived again from the records."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tokenhouse.entrypoints.cli.output import Json, give, give_json, say, table

if TYPE_CHECKING:
    from tokenhouse.domain.ledger.types import ChainProof
    from tokenhouse.domain.metering import Proof


Audit = Annotated[bool, typer.Option("--audit", help="Prove the chain of blocks over acts and ledger instead.")]


def verify(audit: Audit = False, as_json: Json = False) -> None:
    """Prove the books: list every difference between what is kept and what the records say.

    With --audit: derive every block of the chain again, and name the first that does not fit. Exit 1 where anything
    differs. It reads one snapshot and may run while the service works.
    """
    from tokenhouse.entrypoints.cli.session import run

    if audit:
        _tell_chain(run(_verify_chain()), as_json=as_json)
        return
    proof = run(_verify())
    if as_json:
        give_json({"holds": proof.holds, **asdict(proof)})
    else:
        _tell(proof)
    if not proof.holds:
        raise typer.Exit(1)


async def _verify() -> "Proof":
    from tokenhouse.domain import insights
    from tokenhouse.entrypoints.cli.output import working
    from tokenhouse.entrypoints.cli.session import opened

    async with opened(connections=2) as session:
        with working("Verifying") as progress:
            return await insights.verify(session.database, progress)


async def _verify_chain() -> "ChainProof":
    from tokenhouse.domain import ledger
    from tokenhouse.entrypoints.cli.output import working
    from tokenhouse.entrypoints.cli.session import opened

    async with opened(connections=2) as session:
        with working("Verifying") as progress:
            return await ledger.verify_chain(session.database, progress)


def _tell_chain(proof: "ChainProof", *, as_json: bool) -> None:
    fault = proof.fault
    if as_json:
        give_json({"holds": proof.holds, **asdict(proof)})
    elif fault is not None:
        give(f"FAIL  block {fault.number} ({fault.what}): {fault.detail}")
        say("The chain does not hold. Blocks before that one do; what stands behind it is in doubt.")
    else:
        head = proof.head
        give(f"ok    {proof.blocks:,} blocks" + (f", the last is {head.number} {head.digest}" if head else ""))
        say(f"The chain holds; {proof.waiting:,} records are not in a block yet.")
    if not proof.holds:
        raise typer.Exit(1)


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
