"""What uses cost at the provider of the AI, where the charge did not say: the operator's prices, else published ones.

The published ones are those that the library genai-prices carries; they are never fetched. Both are looked up as they
were at the time of the use. This is not on the way of a charge.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from importlib.metadata import version
from typing import NamedTuple
from uuid import UUID

from tokenhouse.domain import access
from tokenhouse.domain.access.acts import Act, By
from tokenhouse.infra.database import Tx, arrays, load_queries
from tokenhouse.infra.kernel.money import MAX_NANOS, nanos_of_decimal, round_half_even

MILLION = 10**6
_MOST_TOKENS = 10**15


@dataclass(frozen=True, slots=True)
class UpstreamPrice:
    """What a model costs from a time on, in nano-dollars a million tokens. provider "": whoever provides it.

    version: of the import that brought it; 0 before that.
    """

    provider: str
    model: str
    valid_from: datetime
    input_nanos: int
    cached_nanos: int
    output_nanos: int
    version: int = 0


@dataclass(frozen=True, slots=True)
class OpenCost:
    """A use whose cost is not known. quantity: tokens by unit."""

    bucket: int
    usage_id: UUID
    provider: str
    model: str
    quantity: object
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class MissingPrice:
    """A model that no table of prices has, and its uses that have no cost therefore."""

    provider: str
    model: str
    uses: int
    first_used_at: datetime
    last_used_at: datetime


class Tokens(NamedTuple):
    """Tokens of a use, each counted once: `input` are those that were not read from the provider's cache."""

    input: int
    cached: int
    output: int


class Cost(NamedTuple):
    """What a use cost, in nano-dollars. source: `operator` or `genai-prices`; version: of that table."""

    nanos: int
    source: str
    version: str


_Q = load_queries(__file__, "costs.sql")
_IMPORT_PRICES = _Q.rows("import_prices", int)
_OPERATOR_PRICES = _Q.rows("operator_prices", UpstreamPrice)
_OPEN_COSTS = _Q.rows("open_costs", OpenCost)
_MISSING_PRICES = _Q.rows("missing_prices", MissingPrice)


class PriceTables:
    """The operator's prices, and behind them the published ones."""

    def __init__(self, prices: Iterable[UpstreamPrice]) -> None:
        self._own: dict[tuple[str, str], list[UpstreamPrice]] = {}
        latest = 0
        for price in sorted(prices, key=lambda one: one.valid_from):
            self._own.setdefault((price.provider.lower(), price.model.lower()), []).append(price)
            latest = max(latest, price.version)
        self._operator_version = latest

    @cached_property
    def published_version(self) -> str:
        """Say which published prices these are."""
        return version("genai-prices")

    @property
    def name(self) -> str:
        """Name both tables: what was looked up in these need not be looked up again."""
        return f"operator {self._operator_version}, genai-prices {self.published_version}"

    def cost(self, provider: str, model: str, tokens: Tokens, at: datetime) -> Cost | None:
        """Say what a use cost at a time, rounded once to nano-dollars; None where no table has the model."""
        own = self._operators(provider.lower(), model.lower(), at) or self._operators("", model.lower(), at)
        if own is not None:
            total = tokens.input * own.input_nanos + tokens.cached * own.cached_nanos + tokens.output * own.output_nanos
            return _within(Cost(round_half_even(total, MILLION), "operator", str(own.version)))
        return self._published(provider, model, tokens, at)

    def _operators(self, provider: str, model: str, at: datetime) -> UpstreamPrice | None:
        """Find the operator's price that held at a time: the last that began before."""
        begun = [price for price in self._own.get((provider, model), ()) if price.valid_from <= at]
        return begun[-1] if begun else None

    def _published(self, provider: str, model: str, tokens: Tokens, at: datetime) -> Cost | None:
        # It takes a third of a second to load, which nothing but this needs.
        from genai_prices import Usage, calc_price  # noqa: PLC0415 - as said above
        from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - the same

        known = {one.id for one in get_snapshot().providers}
        usage = Usage(
            # The library counts what was read from the cache among the input, too.
            input_tokens=tokens.input + tokens.cached,
            cache_read_tokens=tokens.cached,
            output_tokens=tokens.output,
        )
        try:
            # A provider that the library does not know is the operator's own name for one.
            named = provider.lower() if provider.lower() in known else None
            found = calc_price(usage, model, provider_id=named, genai_request_timestamp=at)
        except (LookupError, ValueError):
            return None
        return _within(Cost(nanos_of_decimal(found.total_price), "genai-prices", self.published_version))


def _within(cost: Cost) -> Cost | None:
    return cost if cost.nanos <= MAX_NANOS else None


def tokens_of(quantity: object) -> Tokens:
    """Read the tokens of a charge's quantity; units of other things cost nothing here."""
    if not isinstance(quantity, Mapping):
        return Tokens(0, 0, 0)
    counts = [quantity.get(unit, 0) for unit in ("input_token", "cached_input_token", "output_token")]
    return Tokens(*(min(int(count), _MOST_TOKENS) for count in counts))


async def import_prices(tx: Tx, prices: Sequence[UpstreamPrice], by: By | None = None) -> int:
    """Add the operator's prices, as the platform; returns the version that they make. Earlier ones stay beside them.

    by: whose act it is, for the audit record; None records none.
    """
    made = await tx.one(
        _IMPORT_PRICES,
        provider=arrays.texts(price.provider for price in prices),
        model=arrays.texts(price.model for price in prices),
        valid_from=arrays.texts(price.valid_from.isoformat() for price in prices),
        input_nanos=arrays.ints(price.input_nanos for price in prices),
        cached_nanos=arrays.ints(price.cached_nanos for price in prices),
        output_nanos=arrays.ints(price.output_nanos for price in prices),
    )
    if by is not None:
        await access.record(tx, by, Act("prices.import", "prices", str(made), after=[asdict(one) for one in prices]))
    return made


async def operator_prices(tx: Tx) -> list[UpstreamPrice]:
    """Return the operator's prices in force, by provider, model and time."""
    return await tx.all(_OPERATOR_PRICES)


async def price_tables(tx: Tx) -> PriceTables:
    """Load what costs are looked up in."""
    return PriceTables(await tx.all(_OPERATOR_PRICES))


async def missing_prices(tx: Tx) -> list[MissingPrice]:
    """Return the upstream models that have no price in any table, those with the most uses first."""
    return await tx.all(_MISSING_PRICES)


async def open_costs(tx: Tx, tables: PriceTables, most: int) -> list[OpenCost]:
    """Return uses whose cost was not looked up in these tables yet."""
    return await tx.all(_OPEN_COSTS, tried=tables.name, most=most)
