"""Reading wallets: concurrent readers share one reading, each under the token of those who asked."""

from collections.abc import Mapping, Sequence

from tokenhouse.domain.ledger.types import Party
from tokenhouse.domain.wallets import service
from tokenhouse.domain.wallets.types import Looked
from tokenhouse.infra.database import Actor, Database
from tokenhouse.infra.database.gather import Gather


class Looks:
    """Reads wallets for any number of callers; one per process, on its event loop."""

    def __init__(self, database: Database, *, lanes: int = 2) -> None:
        self._database = database
        self._gather: Gather[Party, Looked] = Gather(self._load, lanes=lanes)

    async def look(self, party: Party) -> Looked:
        """Read an account's plan and wallets as they are committed now."""
        found = await self._gather.get(party)
        assert found is not None  # noqa: S101 - _load answers for every account
        return found

    async def _load(self, parties: Sequence[Party]) -> Mapping[Party, Looked]:
        async with self._database.read(Actor(tuple(party.id for party in parties))) as tx:
            looked = await service.look(tx, parties)
        return {party: looked[party.id] for party in parties}
