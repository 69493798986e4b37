"""Forecasts: what models will earn, and when wallets run out."""

import asyncio
from datetime import date, datetime
from typing import Annotated, Any, Final

from fastapi import Query, Response
from pydantic import Field

from tokenhouse.domain import insights
from tokenhouse.domain.insights import HORIZONS, LEAST_DAYS, Kept, RunOut
from tokenhouse.entrypoints.api.call import Call, party_of
from tokenhouse.entrypoints.api.reference import LIST, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, router
from tokenhouse.entrypoints.api.types import Answer
from tokenhouse.infra.database import PLATFORM, Actor
from tokenhouse.infra.kernel.money import round_half_even, scaled_text, usd_text
from tokenhouse.infra.kernel.periods import zone

routes = router("Forecasts")

_WAITS: Final = (0.2, 0.3, 0.4)
_RETRY_SECONDS = "2"


class TotalOut(Answer):
    """An estimate of what is earned in the days after `as_of`."""

    days: int
    mean_nano_usd: int
    mean_usd: str
    low_nano_usd: int = Field(description="One outcome in ten is expected below it.")
    low_usd: str
    high_nano_usd: int = Field(description="One outcome in ten is expected above it.")
    high_usd: str


class EarningsForecastOut(Answer):
    """What an account is likely to earn: an estimate, not a promise."""

    account_id: str
    state: str = Field(description="ready; pending: it is being made; not_enough_history: below 14 whole days.")
    days: int = Field(description="Whole days of history.")
    as_of: date | None = Field(description="The last day that it is made of, in the account's time zone.")
    method: str | None = Field(description="ets(error,trend,season), additive (A) or none (N); or mean.")
    made_at: datetime | None
    forecasts: list[TotalOut] = Field(description="For 30 and for 90 days; empty unless ready.")


class RunOutOut(Answer):
    """When a wallet runs out."""

    credit_type: str
    available: int
    runs_out_on: date | None = Field(description="The first day on which its credits do not suffice, in the zone.")
    reason: str = Field(
        description="runs_out; lasts: for a year or longer; not_used; not_enough_history: below 3 days of use."
    )
    burned: int = Field(description="Credits that uses took in the last `days` whole days.")
    days: int
    burned_per_day: str


class RunOutsOut(Answer):
    """When an account's wallets run out."""

    account_id: str
    time_zone: str
    data: list[RunOutOut]


@routes.get(
    "/v1/forecasts/earnings",
    operation_id="forecasts_earnings",
    summary="Forecast earnings",
    responses={**found(EarningsForecastOut), **found(EarningsForecastOut, 202, "It is being made."), **LIST},
)
async def forecasts_earnings(
    call: TheCall, account_id: Annotated[str, Query(description="Whose earnings.")]
) -> Response:
    """Estimate what an account will earn in the next 30 and 90 days, by the days of use that were until yesterday.

    Made once a day, and where there is none of today within some seconds: 202 until then, to be asked again.
    """
    identity = await call.account(account_id, "wallets:read")
    party = party_of(identity)
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        time_zone = await insights.time_zone_of(tx, identity.id)
        kept = await insights.forecast_of(tx, party)
        today = await insights.today(tx, zone(time_zone))
        if _fresh(kept, today):
            return answer(_told(identity.external_id, kept, (kept and kept.days) or 0))
        series = await insights.earned_series(tx, party, time_zone)
    days = len(series.values)
    if days < LEAST_DAYS:
        return answer(_told(identity.external_id, None, days))
    kept = await _made(call, identity.id, party, today)
    if kept is None:
        return answer(_told(identity.external_id, None, days, pending=True), 202, {"Retry-After": _RETRY_SECONDS})
    return answer(_told(identity.external_id, kept, days))


def _fresh(kept: Kept | None, today: date) -> bool:
    """Whether a forecast is of yesterday."""
    return kept is not None and kept.as_of is not None and kept.method is not None and (today - kept.as_of).days == 1


async def _made(call: Call, account: int, party: Any, today: date) -> Kept | None:  # noqa: ANN401 - the ledger's Party
    """Ask for a forecast and wait for it, not for long."""
    async with call.runtime.database.transaction(PLATFORM) as tx:
        await insights.request_forecast(tx, account)
    for seconds in _WAITS:
        await asyncio.sleep(seconds)
        async with call.runtime.database.read(Actor((account,))) as tx:
            kept = await insights.forecast_of(tx, party)
        if _fresh(kept, today):
            return kept
    return None


def _told(account: str, kept: Kept | None, days: int, *, pending: bool = False) -> dict[str, Any]:
    ready = kept is not None and kept.method is not None
    return {
        "account_id": account,
        "state": "ready" if ready else "pending" if pending else "not_enough_history",
        "days": days,
        "as_of": kept.as_of if kept else None,
        "method": kept.method if kept else None,
        "made_at": kept.made_at if kept else None,
        "forecasts": [_total(kept, horizon) for horizon in HORIZONS] if ready else [],
    }


def _total(kept: Kept | None, horizon: int) -> dict[str, Any]:
    told: dict[str, Any] = {"days": horizon}
    for name in ("mean", "low", "high"):
        nanos = getattr(kept, f"{name}_{horizon}")
        told[f"{name}_nano_usd"] = nanos
        told[f"{name}_usd"] = usd_text(nanos)
    return told


@routes.get(
    "/v1/forecasts/run-out",
    operation_id="forecasts_run_out",
    summary="Forecast when wallets run out",
    responses={**found(RunOutsOut), **LIST},
)
async def forecasts_run_out(call: TheCall, account_id: Annotated[str, Query(description="Whose wallets.")]) -> Response:
    """Estimate the day on which each wallet runs out, a year ahead, at the rate of the last 28 days by weekday.

    Grants burn in the ledger's order, expire and are renewed as they will be; what is held counts as spent.
    """
    identity = await call.account(account_id, "wallets:read")
    catalog = (await call.runtime.commit.rates()).catalog
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        time_zone = await insights.time_zone_of(tx, identity.id)
        found_ends = await insights.run_outs(tx, catalog, party_of(identity))
    told = {
        "account_id": identity.external_id,
        "time_zone": time_zone,
        "data": [_run_out(one) for one in found_ends],
    }
    return answer(told)


def _run_out(one: RunOut) -> dict[str, Any]:
    return {
        "credit_type": one.credit_type,
        "available": one.available,
        "runs_out_on": one.on,
        "reason": one.why,
        "burned": one.burned,
        "days": one.days,
        "burned_per_day": scaled_text(round_half_even(one.burned * 100, max(one.days, 1)), 2),
    }
