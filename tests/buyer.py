"""Another process of the service, for the race for a model: it reads buyers from stdin and prints what came of them.

    python buyer.py CONNINFO KEY_HEX

It says `ready`, waits for a line, lets every buyer buy the model `m` at once, and prints a JSON list of outcomes: done,
or the code of the refusal.
"""

import asyncio
import json
import sys
import uuid

from tokenhouse.domain import catalog, market
from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.domain.ledger.types import Command, Party
from tokenhouse.infra.database import PLATFORM, Actor, Database, sqlstate
from tokenhouse.infra.database.token import Signer
from tokenhouse.infra.kernel.errors import TokenhouseError

_RACES = {"40001", "40P01", "23505", "TH409"}


async def buy(database: Database, terms: Catalog, party: Party) -> str:
    command = Command(party, uuid.uuid4().hex, "00" * 16)
    while True:
        try:
            async with database.transaction(Actor((party.id,), teller=True)) as tx:
                await market.purchase(tx, terms, command, "m", "/plans")
        except TokenhouseError as refusal:
            return refusal.code
        except Exception as error:
            if sqlstate(error) not in _RACES:
                raise
        else:
            return "done"


async def main(conninfo: str, key: str) -> None:
    parties = [Party(*one) for one in json.loads(sys.stdin.readline())]
    async with Database(conninfo, Signer(bytes.fromhex(key)), wait_seconds=30) as database:
        async with database.read(PLATFORM) as tx:
            terms = await catalog.load(tx)
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        print(json.dumps(await asyncio.gather(*(buy(database, terms, party) for party in parties))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
