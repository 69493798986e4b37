"""The catalog file: read strictly, so that a slip of the pen is told and never sold.

All problems are found in one reading. Each names its place ("operation chat, line 41, price") and says what
to do. Amounts are decimal strings, for a TOML number with a point would be a float.
"""

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib import resources
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeVar, cast

from tokenhouse.domain.catalog.prices import price_of
from tokenhouse.domain.catalog.table import Problems, Table
from tokenhouse.domain.catalog.types import (
    BONUS_KINDS,
    GRANT_SOURCES,
    MAX_CREDITS,
    UNLIMITED,
    UNPRICED,
    USAGE_TYPES,
    AccountKind,
    Bonus,
    BonusKind,
    CatalogInvalid,
    Document,
    EarningsPolicy,
    Operation,
    PaidInterval,
    Plan,
    TopUp,
)

Item = TypeVar("Item", Operation, Plan, TopUp, EarningsPolicy, Bonus)

_HEADING = re.compile(r"\s*\[\[\s*(\w+)\s*\]\]")
_KINDS = ("operation", "plan", "top_up", "earnings_policy", "bonus")
_GENERAL = "general"  # what models are bought with and chat is paid in
_DEFAULT_POLICY = "flat"
_AT = {
    "uses": "is missing; say from how many uses on it is paid",
    "referral": "is missing; say after how many bought credits spent it is paid",
    "performance": "is missing; say how many of a month's best models get it",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A catalog file as it was read: its text, a digest of it (hex), and where it is from."""

    text: str
    digest: str
    name: str


def read_source(path: Path | None = None) -> Source:
    """Read a catalog file, or the shipped one. CatalogInvalid where it cannot be read."""
    try:
        raw = path.read_bytes() if path else resources.files(__package__).joinpath("catalog.toml").read_bytes()
        text = raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogInvalid(f"The catalog {path} cannot be read: {error}. Name a file in UTF-8.") from None
    return Source(text, hashlib.blake2b(raw, digest_size=16).hexdigest(), str(path or "the shipped catalog"))


def parse(text: str, name: str = "catalog") -> Document:
    """Read the text of a catalog file. CatalogInvalid lists all that is wrong with it."""
    try:
        raw = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise CatalogInvalid(f"{name} is not TOML: {error}") from None
    problems = Problems()
    top = Table(raw, "", "", problems)
    credit_types = _credit_types(top)
    tables = {kind: _tables(top, kind, text, problems) for kind in _KINDS}
    top.finish()
    known = frozenset(credit_types)
    document = Document(
        credit_types,
        _by_id([_operation(table, known) for table in tables["operation"]]),
        _by_id([_plan(table, known) for table in tables["plan"]]),
        _by_id([_top_up(table, known) for table in tables["top_up"]]),
        _by_id([_policy(table) for table in tables["earnings_policy"]]),
        _by_id([_bonus(table) for table in tables["bonus"]]),
    )
    _check_whole(document, tables, problems)
    if problems.found:
        listed = "; ".join(f"{problem['field']}: {problem['message']}" for problem in problems.found)
        raise CatalogInvalid(f"{name} cannot be applied: {listed}", errors=problems.found)
    return document


def _credit_types(top: Table) -> tuple[str, ...]:
    codes = top.texts("credit_types")
    for code in codes:
        if not re.fullmatch(r"[a-z][a-z0-9_.-]{0,62}", code):
            top.problem("credit_types", f"{code[:64]!r} must begin with a-z and go on in a-z 0-9 _ . -")
    if len(set(codes)) < len(codes):
        top.problem("credit_types", "names one twice; name each once")
    if _GENERAL not in codes:
        top.problem("credit_types", f"must hold {_GENERAL!r}, which models are bought with")
    return tuple(codes)


def _tables(top: Table, kind: str, text: str, problems: Problems) -> list[Table]:
    lines = [
        number
        for number, line in enumerate(text.splitlines(), 1)
        if (heading := _HEADING.match(line)) and heading[1] == kind
    ]
    tables = []
    for index, raw in enumerate(top.list_of_tables(kind)):
        line = f", line {lines[index]}" if index < len(lines) else ""
        named = raw.get("id")
        place = f"{kind} {named[:128]}" if isinstance(named, str) else f"{kind} number {index + 1}"
        tables.append(Table(raw, f"{place}{line}", named if isinstance(named, str) else "", problems))
    return tables


def _operation(table: Table, known: frozenset[str]) -> Operation:
    price = UNPRICED
    rates = table.take("price", {})
    tiers, bulk = table.take("tiers", []), table.take("bulk", [])
    try:
        price = price_of(rates, tiers, bulk)
    except ValueError as error:
        table.problem("price", str(error))
    operation = Operation(table.id(), _credit_type(table, known), price)
    table.finish()
    return operation


def _plan(table: Table, known: frozenset[str]) -> Plan:
    allowances = table.integers("allowances", 0, MAX_CREDITS)
    for code in allowances.keys() - known:
        table.problem("allowances", f"{code[:64]!r} is not in credit_types; add it there or mend it here")
    offered_to = table.texts("offered_to", ["user", "organization"])
    if not offered_to or not set(offered_to) <= {"user", "organization"}:
        table.problem("offered_to", 'must list "user", "organization" or both')
    plan = Plan(
        id=table.id(),
        name=table.text("name"),
        price_nanos=table.usd("price_usd", optional=True),
        interval=cast("PaidInterval", table.choice("interval", ("month", "year", "30d"))),
        allowances=MappingProxyType({code: given for code, given in allowances.items() if given}),
        rollover=table.flag("rollover", default=False),
        limits=MappingProxyType(table.integers("limits", UNLIMITED, MAX_CREDITS)),
        offered_to=cast("tuple[AccountKind, ...]", tuple(sorted(set(offered_to), reverse=True))),
        lemonsqueezy_variant=table.integer("lemonsqueezy_variant", 1, 2**53, optional=True),
    )
    table.finish()
    return plan


def _top_up(table: Table, known: frozenset[str]) -> TopUp:
    pack = TopUp(
        id=table.id(),
        credit_type=_credit_type(table, known),
        credits=table.integer("credits", 1, MAX_CREDITS) or 0,
        price_nanos=table.usd("price_usd", optional=True),
        lemonsqueezy_variant=table.integer("lemonsqueezy_variant", 1, 2**53, optional=True),
    )
    table.finish()
    return pack


def _policy(table: Table) -> EarningsPolicy:
    tiers = []
    for raw in table.list_of_tables("tiers"):
        tier = Table(raw, table.place, "", table.problems, within="tiers")
        tiers.append((tier.integer("uses", 1, MAX_CREDITS) or 0, tier.multiplier("multiplier")))
        tier.finish()
    if any(later[0] <= earlier[0] for earlier, later in pairwise(tiers)):
        table.problem("tiers", "uses must ascend from tier to tier")
    types = Table(table.mapping("type_multipliers"), table.place, "", table.problems, within="type_multipliers")
    multipliers = {usage: types.multiplier(usage) for usage in USAGE_TYPES if usage in types.raw}
    types.finish(USAGE_TYPES)
    earn_on = table.texts("earn_on", list(GRANT_SOURCES))
    for source in set(earn_on) - set(GRANT_SOURCES):
        table.problem("earn_on", f"{source[:64]!r} is no source of credits; {', '.join(GRANT_SOURCES)} are")
    policy = EarningsPolicy(
        id=table.id(),
        per_use_nanos=table.usd("per_use_usd") or 0,
        per_credit_nanos=table.usd("per_credit_usd") or 0,
        tiers=tuple(tiers),
        type_multipliers=MappingProxyType(multipliers),
        earn_on=frozenset(earn_on),
        kind=table.text("kind", optional=True) or None,
        params=MappingProxyType(table.string_map("params")),
    )
    table.finish()
    return policy


def _bonus(table: Table) -> Bonus:
    kind = cast("BonusKind", table.choice("kind", BONUS_KINDS))
    threshold = table.integer("at", 1, MAX_CREDITS, optional=True)
    if kind == "first_sale":
        if threshold is not None:
            table.problem("at", "is not for a first_sale, which is one sale; remove it")
    elif "at" not in table.raw:
        table.problem("at", _AT[kind])
    scope = table.choice("scope", ("model", "creator")) if "scope" in table.raw else "model"
    if kind in ("referral", "performance") and "scope" in table.raw:
        table.problem("scope", f"is not for a {kind}; remove it")
    amount = table.usd("amount_usd")
    if amount == 0:
        table.problem("amount_usd", "must be above 0; make it active = false to pay nothing")
    bonus = Bonus(
        id=table.id(),
        kind=kind,
        threshold=threshold or 1,
        amount_nanos=amount or 0,
        scope=cast("Literal['model', 'creator']", scope),
        active=table.flag("active", default=True),
    )
    table.finish(("scope",))
    return bonus


def _credit_type(table: Table, known: frozenset[str]) -> str:
    code = table.text("credit_type")
    if code and code not in known:
        table.problem("credit_type", f"{code[:64]!r} is not in credit_types; add it there or mend it here")
    return code


def _by_id(items: list[Item]) -> Mapping[str, Item]:
    return MappingProxyType({item.id: item for item in items})


def _check_whole(document: Document, tables: Mapping[str, list[Table]], problems: Problems) -> None:
    """Check what no single table can tell: ids that stand twice, variants sold twice, what must be there."""
    for group in tables.values():
        for named, times in Counter(table.name for table in group if table.name).items():
            if times > 1:
                last = [table for table in group if table.name == named][-1]
                last.problem("id", "stands twice in the file; give each its own")
    sold: list[Plan | TopUp] = [*document.plans.values(), *document.top_ups.values()]
    variants = Counter(item.lemonsqueezy_variant for item in sold if item.lemonsqueezy_variant is not None)
    for variant, times in variants.items():
        if times > 1:
            problems.add("lemonsqueezy_variant", f"{variant} stands twice; a variant sells one thing")
    if _DEFAULT_POLICY not in document.policies:
        problems.add("earnings_policy", f'"{_DEFAULT_POLICY}" is missing, the policy of models that name none; add it')
