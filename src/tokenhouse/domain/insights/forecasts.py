"""Forecasts: what an account's models will earn, and the day its wallets run out."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from tokenhouse.domain import wallets
from tokenhouse.domain.catalog.types import Catalog, Plan
from tokenhouse.domain.insights import service
from tokenhouse.domain.insights.fitting import LEAST_DAYS, Fit
from tokenhouse.domain.insights.rules import day_bounds
from tokenhouse.domain.insights.runout import WINDOW_DAYS, Burn, RunOut, run_out
from tokenhouse.domain.ledger.types import Party
from tokenhouse.domain.wallets.types import Lot, Wallet
from tokenhouse.infra.database import PLATFORM, Actor, Database, Tx, arrays, load_queries
from tokenhouse.infra.kernel.money import MAX_NANOS
from tokenhouse.infra.kernel.periods import zone


@dataclass(frozen=True, slots=True)
class Clock:
    """The database's time; when an account was first used."""

    now: datetime
    first_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class OpenLot:
    """A grant with something left, and what is held of its wallet; a wallet without grants has one row of None."""

    asset_id: int
    held: int
    id: int | None
    remaining: int | None
    source: str | None
    priority: int | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Kept:
    """A forecast as it is kept: nano-dollars of the 30 and 90 days after `as_of`, of which 8 of 10 lie in between.

    wanted: it is to be made anew. method: None for not enough history, of which there were `days`.
    """

    wanted: bool
    made_at: datetime | None
    as_of: date | None
    days: int | None
    method: str | None
    mean_30: int | None
    low_30: int | None
    high_30: int | None
    mean_90: int | None
    low_90: int | None
    high_90: int | None


@dataclass(frozen=True, slots=True)
class WantedForecast:
    """Whose forecast is wanted."""

    account_id: int
    bucket: int
    time_zone: str


@dataclass(frozen=True, slots=True)
class Series:
    """Nano-dollars of each day from the first that earned up to `until`, without a gap."""

    until: date
    values: tuple[int, ...]


_Q = load_queries(__file__, "forecasts.sql")
_CLOCK = _Q.rows("first_use", Clock)
_OPEN_LOTS = _Q.rows("open_lots", OpenLot)
_KEPT = _Q.rows("kept", Kept)
_WANTED = _Q.rows("wanted_forecasts", WantedForecast)
_REQUEST = _Q.nothing("request_forecast")
_REQUEST_ALL = _Q.rows("request_forecasts", int)
_KEEP = _Q.nothing("keep_forecast")
_TIME_ZONE_OF = _Q.rows("time_zone_of", str)

Fitter = Callable[[Sequence[int]], Awaitable[Fit]]

_MOST_DAYS = 365
_ACTIVE_DAYS = 90
_FRESH_HOURS = 20
_AT_ONCE = 50


async def earned_series(tx: Tx, party: Party, time_zone: str) -> Series:
    """Return what uses earned an account on each whole day, by the day of use in its zone, a year at the most."""
    last = await service.today(tx, zone(time_zone)) - timedelta(days=1)
    bounds = day_bounds(last - timedelta(days=_MOST_DAYS - 1), last, zone(time_zone))
    values = [0] * (len(bounds) - 1)
    for row in await service.read(tx, "earner", party.id, bounds):
        values[row.point] += row.nanos
    first = next((n for n, value in enumerate(values) if value), len(values))
    return Series(last, tuple(values[first:]))


async def forecast_of(tx: Tx, party: Party) -> Kept | None:
    """Return an account's forecast as it is kept, None where none was asked for."""
    return await tx.first(_KEPT, account_id=party.id)


async def time_zone_of(tx: Tx, account_id: int) -> str:
    """Return the zone in which an account's days begin."""
    return await tx.one(_TIME_ZONE_OF, account_id=account_id)


async def request_forecast(tx: Tx, account_id: int) -> None:
    """Ask for a forecast, which the jobs process makes within seconds. Needs the platform's token."""
    await tx.run(_REQUEST, account_id=account_id)


async def request_forecasts(tx: Tx) -> int:
    """Ask for the forecasts of everybody who earned in the last 90 days and has none of today; returns how many."""
    now = (await tx.one(_CLOCK, bucket=0, account_id=0)).now
    return await tx.one(_REQUEST_ALL, since=now - timedelta(days=_ACTIVE_DAYS), hours=_FRESH_HOURS)


async def wanted_forecasts(database: Database) -> list[WantedForecast]:
    """Return some of those whose forecasts are wanted."""
    async with database.read(PLATFORM) as tx:
        return await tx.all(_WANTED, most=_AT_ONCE)


async def make_forecast(database: Database, wanted: WantedForecast, fitter: Fitter) -> None:
    """Make one forecast and keep it. The fitting holds no transaction."""
    party = Party(wanted.account_id, wanted.bucket, "")
    async with database.read(Actor((party.id,))) as tx:
        series = await earned_series(tx, party, wanted.time_zone)
    method, figures = None, None
    if len(series.values) >= LEAST_DAYS:
        found = await fitter(series.values)
        method = found.method
        # Of an estimate, whole nano-dollars are more than enough.
        figures = [min(round(one), MAX_NANOS) for total in found.totals for one in (total.mean, total.low, total.high)]
    async with database.transaction(PLATFORM) as tx:
        await tx.run(
            _KEEP,
            account_id=party.id,
            as_of=series.until,
            days=len(series.values),
            method=method,
            figures=None if figures is None else arrays.ints(figures),
        )


async def run_outs(tx: Tx, catalog: Catalog, party: Party) -> list[RunOut]:
    """Say of each wallet when it runs out, at the rate of the last four weeks and by the rules that burn and renew.

    Nothing is written: what time has made due is done in the simulation.
    """
    time_zone = await time_zone_of(tx, party.id)
    clock = await tx.one(_CLOCK, bucket=party.bucket, account_id=party.id)
    here = clock.now.astimezone(zone(time_zone)).date()
    last = here - timedelta(days=1)
    bounds = day_bounds(here - timedelta(days=WINDOW_DAYS), last, zone(time_zone))
    burned: dict[int, dict[date, int]] = {}
    for row in await service.read(tx, "payer", party.id, bounds):
        if row.credits:
            by_day = burned.setdefault(row.asset_id, {})
            day = here + timedelta(days=row.point - WINDOW_DAYS)
            by_day[day] = by_day.get(day, 0) + row.credits
    used = [day for by_day in burned.values() for day in by_day]
    if clock.first_used_at is not None:
        used.append(clock.first_used_at.astimezone(zone(time_zone)).date())
    known = min(WINDOW_DAYS, (here - min(used, default=here)).days)
    lots = await tx.all(_OPEN_LOTS, bucket=party.bucket, account_id=party.id)
    enrolment = await wallets.enrolment_of(tx, party)
    plan: Plan | None = None if enrolment is None else catalog.plans.get(enrolment.plan_id)
    burns = {asset: Burn(here, known, burned.get(asset, {})) for asset in {*burned, *catalog.codes}}
    return run_out(_wallets(party, lots), enrolment, plan, catalog, burns, clock.now, time_zone)


def _wallets(party: Party, rows: Sequence[OpenLot]) -> list[Wallet]:
    """Make wallets as the rules take them, with nothing held: what is set aside counts as spent."""
    found: dict[int, Wallet] = {}
    for row in rows:
        wallet = found.get(row.asset_id)
        if wallet is None:
            wallet = found[row.asset_id] = Wallet(party.id, row.asset_id, 0, 0, row.held, due=False)
        if row.id is not None and row.remaining and row.source is not None and row.priority is not None:
            expires = None if row.expires_at is None else row.expires_at.timestamp()
            wallet.lots.append(Lot(row.id, row.remaining, row.source, row.priority, expires))
            wallet.balance += row.remaining
    return list(found.values())
