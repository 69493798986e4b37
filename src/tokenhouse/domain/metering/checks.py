"""Check: is there enough? Read only, without a lock; concurrent checks share one reading."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tokenhouse.domain.metering import pricing, service
from tokenhouse.domain.metering.group_commit import GroupCommit, settle_account
from tokenhouse.domain.metering.types import Character, Order, Terms
from tokenhouse.infra.database import Actor, Database
from tokenhouse.infra.database.gather import Gather

_Key = tuple[str, int, int | str, int]
"""("wallet", bucket, account, asset), ("model" or "character", bucket, the app's id, 0)."""


class Verdict(NamedTuple):
    """Whether an order could be paid now; credits."""

    allowed: bool
    required: int
    available: int


class Checks:
    """Answers checks for any number of callers; one per process, on its event loop."""

    def __init__(self, database: Database, group_commit: GroupCommit, *, lanes: int = 2) -> None:
        self._database = database
        self._group_commit = group_commit
        self._gather: Gather[_Key, object] = Gather(self._load, lanes=lanes)

    async def check(self, order: Order) -> Verdict:
        """Say whether the order could be paid. Raises what a charge would, except for a lack of tokens."""
        rates = await self._group_commit.rates()
        party = order.command.party
        asset_id = pricing.asset_of(rates.catalog, order)
        models: dict[str, Terms] = {}
        characters: dict[str, Character] = {}
        if order.model_id is not None:
            terms = await self._gather.get(("model", party.bucket, order.model_id, 0))
            if isinstance(terms, Terms):
                models[order.model_id] = terms
        if order.character_id is not None:
            character = await self._gather.get(("character", party.bucket, order.character_id, 0))
            if isinstance(character, Character):
                characters[order.character_id] = character
        required = pricing.price(rates.catalog, models, characters, order).amount
        key: _Key = ("wallet", party.bucket, party.id, asset_id)
        available, due = await self._spendable(key)
        if due:
            await settle_account(self._database, rates.catalog, party)
            available, _ = await self._spendable(key)
        return Verdict(available >= required, required, available)

    async def _spendable(self, key: _Key) -> tuple[int, bool]:
        found = await self._gather.get(key)
        return found if isinstance(found, tuple) else (0, False)

    async def _load(self, keys: Sequence[_Key]) -> Mapping[_Key, object]:
        found: dict[_Key, object] = {}
        wallets = [key for key in keys if key[0] == "wallet"]
        async with self._database.transaction(Actor((0,), teller=True)) as tx:
            if wallets:
                rows = await service.spendable(tx, [(key[1], int(key[2]), key[3]) for key in wallets])
                for bucket, owner, asset, available, due in rows:
                    found["wallet", bucket, owner, asset] = (available, due)
            for bucket in {key[1] for key in keys if key[0] != "wallet"}:
                named = [key for key in keys if key[1] == bucket]
                models, characters = await service.find_models(
                    tx,
                    bucket,
                    [str(key[2]) for key in named if key[0] == "model"],
                    [str(key[2]) for key in named if key[0] == "character"],
                    self._group_commit.terms,
                )
                found.update({("model", bucket, name, 0): terms for name, terms in models.items()})
                found.update({("character", bucket, name, 0): one for name, one in characters.items()})
        return found
