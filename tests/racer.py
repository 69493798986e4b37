"""Another process of the service, for races: it reads orders from stdin and prints what came of them.

    python racer.py CONNINFO KEY_HEX BUCKETS CALLERS

It says `ready`, waits for a line, carries them out for so many callers at once, and prints a JSON list: for each order
its id and whether it was a replay, or the code of its refusal.
"""

import asyncio
import json
import sys
from typing import Any

from tokenhouse.domain.ledger.types import Command, Party
from tokenhouse.domain.metering import GroupCommit
from tokenhouse.domain.metering.types import AnyOrder, HoldOrder, Order
from tokenhouse.infra.database import Database
from tokenhouse.infra.database.token import Signer
from tokenhouse.infra.kernel.errors import TokenhouseError


def written(order: AnyOrder) -> dict[str, Any]:
    """An order as the other process reads it."""
    return {"kind": type(order).__name__, **order._asdict()}


def read(given: dict[str, Any]) -> AnyOrder:
    party, key, fingerprint = given.pop("command")
    command = Command(Party(*party), key, fingerprint)
    return {"Order": Order, "HoldOrder": HoldOrder}[given.pop("kind")](command=command, **given)


async def carry_out(till: GroupCommit, orders: list[AnyOrder], callers: int) -> list[list[Any]]:
    """So many callers, each with the next order as soon as its last one is done."""
    outcomes: list[list[Any]] = [[]] * len(orders)
    waiting = iter(enumerate(orders))

    async def call() -> None:
        for place, order in waiting:
            try:
                done = await till.submit(order)
                outcomes[place] = ["done", done.id, done.replayed, repr(done.receipt or done.answer)]
            except TokenhouseError as refusal:
                outcomes[place] = [refusal.code]
            except Exception as error:  # noqa: BLE001 - the test says what must not come
                outcomes[place] = [f"{type(error).__name__}: {error}"]

    await asyncio.gather(*(call() for _ in range(callers)))
    return outcomes


async def main(conninfo: str, key: str, buckets: str, callers: str) -> None:
    orders = [read(given) for given in json.loads(sys.stdin.readline())]
    async with Database(conninfo, Signer(bytes.fromhex(key))) as database:
        till = GroupCommit(database, buckets=int(buckets))
        await till.rates()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print(json.dumps(await carry_out(till, orders, int(callers))), flush=True)
        await till.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
