"""The command: `python -m soak [--only crash,suites,mixed,fuzz] [--seed N] [--kills N] [--minutes M] ...`."""

import argparse
import asyncio
import secrets
import sys
import time
from collections.abc import Awaitable, Callable

import uvloop
from rich.console import Console

from soak import crash, fuzz, suites, together
from soak.stage import Say

PARTS = ("crash", "suites", "mixed", "fuzz")
_KILLS_A_RUN = 10
Part = Callable[[Say], Awaitable[tuple[list[str], str]]]


def main() -> int:
    """Run the parts that were asked for; 1 where anything was found."""
    parser = argparse.ArgumentParser(prog="python -m soak", description=__doc__)
    parser.add_argument("--only", metavar="PARTS", help=f"some of {','.join(PARTS)}")
    parser.add_argument("--seed", type=int, help="repeat a run: its seed is printed first")
    parser.add_argument("--kills", type=int, default=20, help="crashes (20)")
    parser.add_argument(
        "--examples", type=int, default=20, metavar="TIMES", help="of each property test, as many times (20)"
    )
    parser.add_argument("--minutes", type=float, default=3.0, help="of mixed load, of fuzz, of attacks (3)")
    given = parser.parse_args()
    wanted = tuple(given.only.split(",")) if given.only else PARTS
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"no such parts: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    seed = given.seed if given.seed is not None else secrets.randbelow(1_000_000)
    try:
        return uvloop.run(_run(_parts(seed, given, wanted), seed))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return 130


def _parts(seed: int, given: argparse.Namespace, wanted: tuple[str, ...]) -> dict[str, Part]:
    parts: dict[str, Part] = {}
    if "crash" in wanted:
        for start in range(0, given.kills, _KILLS_A_RUN):
            kills = min(_KILLS_A_RUN, given.kills - start)
            # In turn plain, and as a larger house has it.
            larger = start // _KILLS_A_RUN % 2 == 1
            name = f"{kills} crashes, seed {seed + start}{', 2 workers, 4 buckets' if larger else ''}"
            parts[name] = _crashes(seed + start, kills, larger=larger)
    if "suites" in wanted:
        parts["tests with four buckets"] = suites.four_buckets
        parts["property tests with many examples"] = lambda say: suites.many_examples(seed, given.examples, say)
    if "mixed" in wanted:
        parts["mixed load"] = lambda say: together.run(seed, given.minutes * 60, say)
    if "fuzz" in wanted:
        parts["attacks on every endpoint"] = lambda say: suites.attacks(given.minutes * 60, say)
        parts["fuzz"] = lambda say: fuzz.run(seed, given.minutes * 60, say)
    return parts


def _crashes(seed: int, kills: int, *, larger: bool) -> Part:
    async def part(say: Say) -> tuple[list[str], str]:
        workers, buckets = (2, 4) if larger else (1, 1)
        outcome = await crash.run(seed, crash.in_turn(kills), say, workers=workers, jobs=True, buckets=buckets)
        return outcome.findings, str(outcome)

    return part


async def _run(parts: dict[str, Part], seed: int) -> int:
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"seed {seed}")
    found = 0
    for name, part in parts.items():
        began = time.monotonic()
        with Console(stderr=True).status(name) as status:
            findings, told = await part(status.update)
        console.print(f"{name}: {time.monotonic() - began:.0f} s. {told}", markup=False)
        for finding in findings:
            console.print(f"  FOUND: {finding}", markup=False)
        found += len(findings)
    console.print(f"{found} findings; again with --seed {seed}" if found else "Nothing was found.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
