"""Mixed load: two processes that do everything at once on the same accounts, with the books proved beside them."""

import asyncio
import json
import sys
from collections import Counter
from typing import Any

import psycopg

from soak.mixed import Spec
from soak.stage import DATABASE, Say, Stage, opened

_PROCESSES = 2
_ACCOUNTS = 40
_FOR_SALE = 30
_BETWEEN_PROOFS_SECONDS = 3.0


async def run(seed: int, seconds: float, say: Say) -> tuple[list[str], str]:
    """Return what was found wrong, and a line on what was done."""
    async with opened(wallets=200, workers=2, jobs=True) as stage:
        accounts, for_sale = await _settle(stage)
        models = [f"m{number}" for number in range(1, stage.economy.models + 1)] + for_sale
        specs = [
            Spec(
                stage.service.host, stage.service.port, stage.service.admin_key, seed, number, seconds, accounts,
                models, for_sale,
            )
            for number in range(_PROCESSES)
        ]  # fmt: skip
        processes = [asyncio.create_task(_process(spec)) for spec in specs]
        proofs = 0
        while not all(process.done() for process in processes):
            await stage.prove()
            proofs += 1
            say(f"mixed load: the books were proved {proofs} times beside it, {len(stage.findings)} findings")
            await asyncio.wait(processes, timeout=_BETWEEN_PROOFS_SECONDS)
        counts: Counter[str] = Counter()
        charges: dict[str, list[Any]] = {}
        for process in processes:
            found = process.result()
            counts.update(found["counts"])
            charges |= found["charges"]
            stage.findings += found["findings"]
        with psycopg.connect(stage.server.conninfo(DATABASE), autocommit=True) as admin:
            stage.findings += _compare(admin, f"{seed}:", charges)
        await stage.prove()
        await stage.prove_by_command()
        told = ", ".join(f"{name} × {count:,}" for name, count in sorted(counts.items()))
        return stage.findings, f"{sum(counts.values()):,} answers, {proofs} proofs beside them: {told}"


async def _settle(stage: Stage) -> tuple[list[str], list[str]]:
    """Make accounts on plans and models for sale, as an app would."""
    client = stage.client()
    accounts = [f"mixed-{number}" for number in range(_ACCOUNTS)]
    for account in accounts:
        reply = await client.call("POST", "/v1/accounts", {"id": account, "kind": "user", "name": account})
        if reply.status != 201:
            raise RuntimeError(f"no account: {reply}")
    for_sale = [f"sale-{number}" for number in range(_FOR_SALE)]
    for number, model in enumerate(for_sale):
        body = {
            "id": model, "name": model, "category": "soak", "price_credits": 50 * number,
            "ownership": "exclusive" if number % 3 == 0 else "shared",
            "creator_id": accounts[number], "creator_share_bps": 500 * (number % 4),
            "earnings_policy": "dynamic" if number % 2 else None,
        }  # fmt: skip
        reply = await client.call("POST", "/v1/models", body)
        if reply.status != 201:
            raise RuntimeError(f"no model: {reply}")
    await client.close()
    return accounts, for_sale


async def _process(spec: Spec) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "soak.mixed",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        said, complaints = await process.communicate(spec.text().encode())
    except BaseException:
        process.kill()
        raise
    if process.returncode:
        raise RuntimeError(f"a process of the mixed load failed:\n{complaints.decode('utf-8', 'replace')[-2000:]}")
    found: dict[str, Any] = json.loads(said)
    return found


def _compare(admin: psycopg.Connection[Any], prefix: str, charges: dict[str, list[Any]]) -> list[str]:
    """Say which acknowledged charges are not in the books as they were acknowledged, and which nobody was told of."""
    rows = admin.execute(
        "select e.key, e.id::text, u.amount from ledger.entry e "
        "join metering.usage u on u.bucket = e.bucket and u.id = e.id "
        "where e.kind = 'charge' and starts_with(e.key, %s)",
        [prefix],
    ).fetchall()
    recorded = {key: [id, amount] for key, id, amount in rows}
    found = [
        f"acknowledged {key} {told}, recorded {recorded.get(key)}"
        for key, told in charges.items()
        if recorded.get(key) != told
    ]
    return found + [f"recorded {key} {recorded[key]}, and nobody was told" for key in recorded.keys() - charges.keys()]
