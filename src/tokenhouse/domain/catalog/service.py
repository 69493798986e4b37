"""The catalog's verbs: load what is in force, apply a file."""

from types import MappingProxyType

from tokenhouse.domain import access
from tokenhouse.domain.access.acts import Act, By
from tokenhouse.domain.catalog.document import Source, parse
from tokenhouse.domain.catalog.rows import (
    BonusRow,
    CreditTypeRow,
    OperationRow,
    PlanRow,
    PolicyRow,
    TopUpRow,
    VersionRow,
    bonus_of,
    changed_rows,
    operation_of,
    plan_of,
    policy_of,
    top_up_of,
)
from tokenhouse.domain.catalog.rules import diff
from tokenhouse.domain.catalog.types import Applied, Catalog, Document
from tokenhouse.infra.database.pool import Tx
from tokenhouse.infra.database.queries import load_queries

_Q = load_queries(__file__)
_CURRENT_VERSION = _Q.rows("current_version", VersionRow)
_CREDIT_TYPES = _Q.rows("credit_types", CreditTypeRow)
_OPERATIONS = _Q.rows("operations", OperationRow)
_PLANS = _Q.rows("plans", PlanRow)
_TOP_UPS = _Q.rows("top_ups", TopUpRow)
_POLICIES = _Q.rows("policies", PolicyRow)
_BONUSES = _Q.rows("bonuses", BonusRow)
_APPLIED_SOURCE = _Q.rows("applied_source", str)
_LOCK = _Q.nothing("lock")
_APPLY = _Q.rows("apply", int)

_NOT_SOLD = 2**63


async def load(tx: Tx) -> Catalog:
    """Load the catalog in force; an empty one of version 0 where none was applied yet.

    It changes when a version is added, so whoever keeps one compares `version` with the highest of
    catalog.version. Plans come by price, everything else by id, credit types by asset.
    """
    version = await tx.first(_CURRENT_VERSION)
    types = sorted(await tx.all(_CREDIT_TYPES), key=lambda row: row.asset_id)
    operations = [operation_of(row) for row in await tx.all(_OPERATIONS) if not row.retired]
    plans = [plan_of(row) for row in await tx.all(_PLANS) if not row.retired]
    plans.sort(key=lambda plan: _NOT_SOLD if plan.price_nanos is None else plan.price_nanos)
    top_ups = [top_up_of(row) for row in await tx.all(_TOP_UPS) if not row.retired]
    top_ups.sort(key=lambda pack: pack.credits)
    policies = [policy_of(row) for row in await tx.all(_POLICIES) if not row.retired]
    bonuses = [bonus_of(row) for row in await tx.all(_BONUSES) if not row.retired]
    return Catalog(
        version=version.id if version else 0,
        digest=version.digest if version else "",
        credit_types=MappingProxyType({row.code: row.asset_id for row in types if not row.retired}),
        codes=MappingProxyType({row.asset_id: row.code for row in types}),
        operations=MappingProxyType({item.id: item for item in operations}),
        plans=MappingProxyType({item.id: item for item in plans}),
        top_ups=MappingProxyType({item.id: item for item in top_ups}),
        policies=MappingProxyType({item.id: item for item in policies}),
        bonuses=MappingProxyType({item.id: item for item in bonuses}),
    )


async def apply(tx: Tx, document: Document, source: Source, by: By | None = None) -> Applied:
    """Make a catalog the one in force, as the platform; the same file again does nothing.

    by: whose act it is, for the audit record; None records none.

    A new version holds what changed; all else keeps its row and version, so a rate card's version is the
    one in which its price last changed.
    """
    await tx.run(_LOCK)
    old = await load(tx)
    changes = diff(old, document)
    if old.version and old.digest == source.digest:
        return Applied(old.version, ())
    version = await tx.one(
        _APPLY,
        digest=source.digest,
        source=source.text,
        changes=changed_rows(changes, old, document),
    )
    if by is not None:
        act = Act("catalog.apply", "catalog", str(version), None, old.digest or None, source.digest)
        await access.record(tx, by, act)
    return Applied(version, tuple(changes))


async def apply_source(tx: Tx, source: Source, by: By | None = None) -> Applied:
    """Read a catalog file and apply it. CatalogInvalid says all that is wrong; nothing is applied then."""
    return await apply(tx, parse(source.text, source.name), source, by)


async def applied_source(tx: Tx) -> str | None:
    """Give the text of the file applied last, None before the first."""
    return await tx.first(_APPLIED_SOURCE)
