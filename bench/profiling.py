"""Where the time of a charge goes: Python by function, PostgreSQL by function, processor time of both."""

import cProfile
import io
import pstats
from collections.abc import Sequence

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from bench import economy, inprocess
from bench.plan import Plan
from tokenhouse.infra.database.embedded import EmbeddedServer

CALLERS = 256
_SHOWN = 30


async def run(plan: Plan, server: EmbeddedServer, small: economy.Economy, console: Console) -> None:
    """Charge without a profiler, with PostgreSQL's, with Python's, and print what each tells."""
    copied = economy.copy(server, small, "profiled")
    with psycopg.connect(server.conninfo(copied.name), autocommit=True) as admin:
        # For sessions to come, the pool's among them.
        admin.execute(sql.SQL("alter database {} set track_functions = 'all'").format(sql.Identifier(copied.name)))
    async with inprocess.opened(copied, server.pid or 0) as till:
        plain = await till.charges(CALLERS, plan.seconds)
        console.print(
            f"{CALLERS} callers: {plain.rate:,.0f} charges a second; of each {1e6 / plain.rate:.0f} µs "
            f"Python works {plain.python_us:.0f} and PostgreSQL {plain.postgres_us:.0f} ({plain.note})",
            highlight=False,
        )
    with psycopg.connect(server.conninfo(copied.name), autocommit=True) as admin:
        admin.execute("select pg_stat_reset()")
        # A session tells its counts at the latest when it ends, so they are read when the pool is closed.
        async with inprocess.opened(copied, server.pid or 0) as till:
            await till.charges(CALLERS, plan.seconds)
        console.print(_functions(admin, till.batches))
    async with inprocess.opened(copied, server.pid or 0) as till:
        console.print(await _python(till, plan.seconds), markup=False, highlight=False)


def _functions(admin: psycopg.Connection[tuple[object, ...]], batches: Sequence[int]) -> Table:
    commits, charges = max(1, len(batches)), max(1, sum(batches))
    title = f"PostgreSQL: functions by their own time; {commits:,} commits of {charges / commits:.0f} charges"
    table = Table(title=title, title_justify="left", header_style="bold")
    table.add_column("function")
    for heading in ("calls", "ms a commit", "own", "own µs a charge"):
        table.add_column(heading, justify="right")
    rows = admin.execute(
        "select schemaname || '.' || funcname, calls, total_time, self_time from pg_stat_user_functions "
        "order by self_time desc limit %s",
        [_SHOWN],
    ).fetchall()
    for name, calls, *times in rows:
        total, own = (float(str(one)) for one in times)
        table.add_row(
            str(name), f"{calls:,}", f"{total / commits:.3f}", f"{own / commits:.3f}", f"{own * 1000 / charges:.1f}"
        )
    return table


async def _python(till: inprocess.Till, seconds: float) -> str:
    """Return cProfile's table by own time. The profiler slows all of it: read shares, not times."""
    profiler = cProfile.Profile()
    profiler.enable()
    try:
        sample = await till.charges(CALLERS, seconds)
    finally:
        profiler.disable()
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).strip_dirs().sort_stats("tottime").print_stats(_SHOWN)
    return f"Python: {sample.count:,} charges under the profiler\n{text.getvalue()}"
