"""Proof of the books: every balance, grant and aggregate derived again from the records, and compared.

Each invariant is a query that returns what does not hold; tests and `tokenhouse verify` run the same list.
"""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from tokenhouse.domain import payouts
from tokenhouse.domain.ledger.types import Difference
from tokenhouse.infra.database import PLATFORM, Database, Query, Tx, load_queries

MOST_SHOWN = 100
_SNAPSHOT_TTL_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class AssetSums:
    """The books of one asset. Credits, or nano-dollars for USD, as text: sums may pass 64 bits."""

    asset: str
    issued: str
    spent: str
    lapsed: str
    balances: str
    balanced: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant and what does not hold of it: the first differences, and how many there are."""

    name: str
    description: str
    differences: tuple[Difference, ...]
    count: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Proof:
    """All invariants and the sums of each asset."""

    findings: tuple[Finding, ...]
    sums: tuple[AssetSums, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return not any(finding.count for finding in self.findings) and all(one.balanced for one in self.sums)


_Q = load_queries(__file__, "invariants.sql")
_SUMS = _Q.rows("sums", AssetSums)
INVARIANTS: tuple[Query[Difference], ...] = (
    *(_Q.rows(name, Difference) for name in sorted(_Q.names) if name != "sums"),
    *payouts.INVARIANTS,
)


async def verify(
    database: Database,
    progress: Callable[[str], None] | None = None,
    also: tuple[Query[Difference], ...] = (),
) -> Proof:
    """Prove the books on one snapshot; it may run beside the service.

    progress: told each invariant's name. also: invariants of higher packages, looked at on the same snapshot.
    """
    async with database.read(PLATFORM, ttl_seconds=_SNAPSHOT_TTL_SECONDS) as tx:
        findings = []
        for invariant in (*INVARIANTS, *also):
            if progress is not None:
                progress(invariant.name)
            findings.append(await _look(tx, invariant))
        return Proof(tuple(findings), tuple(await tx.all(_SUMS)))


async def _look(tx: Tx, invariant: Query[Difference]) -> Finding:
    began = perf_counter()
    differences = await tx.all(invariant)
    return Finding(
        invariant.name,
        invariant.comment,
        tuple(differences[:MOST_SHOWN]),
        len(differences),
        perf_counter() - began,
    )
