"""`python -m bench.analytics`: how long figures take over a year of uses, beside the same asked of the records.

A hundred thousand uses and a million, by ten thousand users of a thousand models. Every call is made over HTTP, one
after the other, of the busiest creator; what the records are asked is one statement as a superuser, without HTTP.
"""

import argparse
import asyncio
import http.client
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
from rich.console import Console
from rich.table import Table

from bench import economy
from bench.service import Service
from tokenhouse.domain import insights
from tokenhouse.infra.database import Database
from tokenhouse.infra.database.embedded import EmbeddedServer

MODELS, USERS = 1000, 10_000
ZONES = {"u1": "America/New_York", "u2": "Asia/Kolkata"}
_MOST_MS = 100.0
_MOST_GROWTH = 2.0

# What a call asks, of the records: whose, of which model, since when, and by what.
_BY = {
    "day": "date_trunc('day', u.occurred_at, %(zone)s)",
    "model": "u.model_id",
    "hour": "extract(isodow from u.occurred_at at time zone %(zone)s), "
    "extract(hour from u.occurred_at at time zone %(zone)s)",
    "month and user": "date_trunc('month', u.occurred_at, 'UTC'), u.account_id",
    "nothing": "1",
}
_RECORDS = """
select {by}, count(*), sum(u.credits - coalesce(r.credits, 0)), sum(u.nanos - coalesce(r.nanos, 0)),
       count(distinct u.account_id)
from metering.usage u
left join (
  select v.bucket, v.usage_id, sum(v.amount) as credits, sum(v.nanos) as nanos from metering.reversal v group by 1, 2
) r on r.bucket = u.bucket and r.usage_id = u.id
where u.counted and u.earners @> array[%(earner)s]::bigint[] and u.occurred_at >= %(since)s
group by {by_number}
"""


def calls(who: str) -> dict[str, tuple[str, list[str], int]]:
    """Name the calls: path, what the records are asked for the same, and over how many days."""
    found: dict[str, tuple[str, list[str], int]] = {}
    for days in (7, 30, 90, 365):
        found[f"/api/creator-analytics, {days} days"] = (
            f"/api/creator-analytics?period={days}", ["day", "model"], 2 * days,
        )  # fmt: skip
    found["/api/creator-analytics, 365 days, one model"] = (
        "/api/creator-analytics?period=365&modelId=m1", ["day"], 730,
    )  # fmt: skip
    base = f"account_id={who}"
    year_ago = (datetime.now(UTC) - timedelta(days=360, minutes=7)).isoformat().replace("+00:00", "Z")
    found["/v1/analytics/creator, 30 days"] = (f"/v1/analytics/creator?{base}", ["day", "model"], 60)
    found["/v1/analytics/creator, from any minute"] = (
        f"/v1/analytics/creator?{base}&from={year_ago}", ["day", "model"], 720,
    )  # fmt: skip
    found["…/peak-hours, 365 days"] = (f"/v1/analytics/creator/peak-hours?{base}&days=365", ["hour"], 365)
    found["…/retention, 12 months"] = (f"/v1/analytics/creator/retention?{base}", ["month and user"], 9999)
    found["…/retention, 24 weeks"] = (
        f"/v1/analytics/creator/retention?{base}&interval=week&count=24",
        ["month and user"],
        9999,
    )
    found["/v1/earnings"] = (f"/v1/earnings?{base}&limit=1", ["nothing"], 14)
    return found


def p(share: float, times: list[float]) -> float:
    """The time, in ms, that this share of the calls kept within."""
    return sorted(times)[min(len(times) - 1, int(len(times) * share))] * 1000


def timed(work: Callable[[], object], count: int) -> list[float]:
    """Seconds of each of so many."""
    found = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return found


async def _rolled(made: economy.Economy) -> float:
    began = time.perf_counter()
    async with Database(made.booted.worker_conninfo, made.booted.signer, max_size=2) as database:
        await insights.roll(database)
    return time.perf_counter() - began


def measure(uses: int, count: int, who: str, say: Callable[[str], None]) -> dict[str, tuple[float, float, float]]:
    """Make a year of so many uses; return of each call p50 and p95 in ms, and what the records take for the same."""
    with tempfile.TemporaryDirectory(prefix="th-bench-", ignore_cleanup_errors=True) as folder:
        server = EmbeddedServer(Path(folder))
        server.start()
        try:
            say(f"{uses:,} uses")
            made = asyncio.run(
                economy.make(
                    server,
                    "tokenhouse",
                    wallets=2 * MODELS + USERS,
                    models=MODELS,
                    uses=uses,
                    history="analytics.sql",
                )
            )
            say(f"{uses:,} uses: rolled in {asyncio.run(_rolled(made)):.1f} s")
            with psycopg.connect(server.conninfo("tokenhouse"), autocommit=True) as admin:
                for account, zone in ZONES.items():
                    admin.execute("update access.account set time_zone = %s where id = %s", [zone, account[1:]])
                admin.execute("vacuum analyze")
                size = admin.execute(
                    "select pg_size_pretty(sum(pg_total_relation_size(c.oid))), "
                    "(select count(*) from insights.cell) from pg_class c "
                    "where c.relnamespace = 'insights'::regnamespace and c.relkind = 'r'"
                ).fetchone()
                say(f"{uses:,} uses: {size}")
                service = Service(Path(folder), environment={"TOKENHOUSE_LOG_LEVEL": "error"}).start()
                try:
                    return {name: _one(service, admin, who, count, *asked) for name, asked in calls(who).items()}
                finally:
                    service.stop()
        finally:
            server.release()


def _one(
    service: Service, admin: psycopg.Connection, who: str, count: int, path: str, by: list[str], days: int
) -> tuple[float, float, float]:
    connection = http.client.HTTPConnection(service.host, service.port, timeout=60)
    headers = {"Authorization": f"Bearer {service.admin_key}", "X-User-ID": who}

    def ask() -> None:
        connection.request("GET", path, headers=headers)
        reply = connection.getresponse()
        text = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"{path}: {reply.status} {text[:300]!r}")

    timed(ask, 5)
    times = timed(ask, count)
    values = {
        "zone": ZONES[who],
        "earner": int(who[1:]),
        "since": datetime.now(UTC) - timedelta(days=min(days, 3650)),
    }

    def from_records() -> None:
        for one in by:
            numbers = ", ".join(str(n + 1) for n in range(2 if one in {"hour", "month and user"} else 1))
            admin.execute(_RECORDS.format(by=_BY[one], by_number=numbers).encode(), values).fetchall()

    return p(0.5, times), p(0.95, times), statistics.median(timed(from_records, 3)) * 1000


def main() -> int:
    """Measure both sizes and print them side by side."""
    parser = argparse.ArgumentParser(prog="python -m bench.analytics", description=__doc__)
    parser.add_argument("--uses", type=int, default=1_000_000, metavar="N", help="uses in the larger year (1,000,000)")
    parser.add_argument("--count", type=int, default=60, metavar="N", help="how often each call is made (60)")
    parser.add_argument("--who", choices=sorted(ZONES), default="u1", help="the creator: u1 has most; u2 is in India")
    given = parser.parse_args()
    talk = Console(stderr=True)
    small = measure(given.uses // 10, given.count, given.who, talk.print)
    large = measure(given.uses, given.count, given.who, talk.print)
    table = Table(title=f"Figures over a year, {ZONES[given.who]}; ms")
    for column in (
        "call",
        f"{given.uses // 10:,}: p50",
        "p95",
        f"{given.uses:,}: p50",
        "p95",
        "growth",
        "from the records",
    ):
        table.add_column(column, justify="left" if column == "call" else "right")
    for name, (p50, p95, raw) in large.items():
        growth = p50 / small[name][0]
        mark = "" if p95 < _MOST_MS and growth < _MOST_GROWTH else " *"
        row = (
            f"{small[name][0]:.1f}",
            f"{small[name][1]:.1f}",
            f"{p50:.1f}",
            f"{p95:.1f}",
            f"{growth:.2f}",
            f"{raw:.0f}",
        )
        table.add_row(name + mark, *row)
    console = Console() if sys.stdout.isatty() else Console(width=140)
    console.print(table)
    console.print(
        f"asked: p95 under {_MOST_MS:g} ms, ten times the uses at most {_MOST_GROWTH:g} times the time; *: not so"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
