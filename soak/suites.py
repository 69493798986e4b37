"""The tests that money depends on, once more and for longer: with four buckets, and with many more examples."""

import asyncio
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from soak.stage import Say

ROOT = Path(__file__).parents[1]
_MONEY = re.compile(r"ledger|wallets|metering|earnings|market|model|economy")
_TAIL = 4000


async def four_buckets(say: Say) -> tuple[list[str], str]:
    """Run the packages that move value, and the flows, with accounts spread over four buckets."""
    files = [path for path in _tests("tests/packages") if _MONEY.search(str(path))] + _tests("tests/flows")
    say(f"{len(files)} files of tests with four buckets")
    return await _pytest("four buckets", files, {"TOKENHOUSE_TEST_BUCKETS": "4"})


async def many_examples(seed: int, times: int, say: Say) -> tuple[list[str], str]:
    """Run every test that makes up its own examples, with so many times its own number of them, from this seed."""
    files = [path for path in _tests("tests") if "hypothesis" in path.read_text("utf-8")]
    say(f"{len(files)} files of property tests, {times} times their examples")
    environment = {"SOAK_TIMES": str(times), "PYTHONPATH": str(ROOT)}
    return await _pytest("many examples", files, environment, "-p", "soak.examples", f"--hypothesis-seed={seed}")


async def attacks(seconds: float, say: Say) -> tuple[list[str], str]:
    """Run the attacks on every endpoint, each for so long."""
    files = _tests("tests/flows/hardening")
    say(f"attacks, {seconds:.0f} s each")
    return await _pytest("attacks", files, {"TOKENHOUSE_TEST_FUZZ_SECONDS": str(seconds)})


def _tests(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("test_*.py"))


async def _pytest(
    name: str, files: Sequence[Path], environment: dict[str, str], *arguments: str
) -> tuple[list[str], str]:
    if not files:
        return [f"{name}: there are no such tests"], name
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, *map(str, files),
        cwd=ROOT, env=os.environ | environment,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said = (await process.communicate())[0].decode("utf-8", "replace")
    except BaseException:
        process.terminate()
        await process.wait()
        raise
    findings = [f"{name}: pytest exits {process.returncode}:\n{said[-_TAIL:]}"] if process.returncode else []
    return findings, f"{name}: {said.strip().rpartition(chr(10))[2]}"
