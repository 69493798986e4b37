"""What is for sale and what it costs: credit types, operations, plans, packs, earnings policies."""

from tokenhouse.domain.catalog.document import Source, parse, read_source
from tokenhouse.domain.catalog.prices import parse_pricing, price_text, written_rates
from tokenhouse.domain.catalog.rules import diff, find_operation, quote, warnings
from tokenhouse.domain.catalog.service import applied_source, apply, apply_source, load

__all__ = [
    "Source",
    "applied_source",
    "apply",
    "apply_source",
    "diff",
    "find_operation",
    "load",
    "parse",
    "parse_pricing",
    "price_text",
    "quote",
    "read_source",
    "warnings",
    "written_rates",
]
