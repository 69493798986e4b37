"""The command: `python -m bench [--quick] [--rounds N] [--profile] [--json] [--no-http]`."""

import argparse
import asyncio
import json
import sys
import time
from dataclasses import replace

import uvloop
from rich.console import Console

from bench import profiling, report
from bench.plan import QUICK, Plan
from bench.rounds import made_ready


def main() -> int:
    """Measure as the arguments say and print what was found."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a round of short measurements: to see that it works")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often everything is measured (5)")
    parser.add_argument("--seconds", type=float, metavar="S", help="how long one measurement takes (2)")
    parser.add_argument("--profile", action="store_true", help="tell instead where the time of a charge goes")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--no-http", action="store_true", help="only what runs in process")
    parser.add_argument(
        "--only", action="append", default=[], metavar="PART", help="only what has this in its name, such as 'HTTP: ch'"
    )
    given = parser.parse_args()
    plan = replace(QUICK if given.quick else Plan(), only=tuple(given.only))
    if given.rounds:
        plan = replace(plan, rounds=given.rounds)
    if given.seconds:
        plan = replace(plan, seconds=given.seconds)
    if given.profile:
        plan = replace(plan, large_wallets=1000, large_uses=0)
    if given.no_http or given.profile:
        plan = replace(plan, http=False)
    if plan.rounds < 1 or plan.seconds <= 0:
        parser.error("there must be at least one round, and some time for each measurement")
    try:
        uvloop.run(_run(plan, profile=given.profile, as_json=given.json))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130
    return 0


async def _run(plan: Plan, *, profile: bool, as_json: bool) -> None:
    console, talk = Console(), Console(stderr=True)
    if not console.is_terminal:
        console = Console(width=160)
    began = time.monotonic()
    with talk.status("") as status:

        def say(text: str) -> None:
            minutes, seconds = divmod(int(time.monotonic() - began), 60)
            if talk.is_terminal:
                status.update(f"{minutes}:{seconds:02}  {text}")

        async with made_ready(plan, say) as bench:
            if profile:
                say("profiling")
                await profiling.run(plan, bench.server, bench.small, console)
                return
            found = await bench.run()
            version = bench.version()
        made = report.make(plan, found, version)
    if as_json:
        print(json.dumps(made.as_json(), indent=2, ensure_ascii=False))
        return
    report.show(made, console)


if __name__ == "__main__":
    sys.exit(main())
