"""Check: is there enough? Read only, without a lock; concurrent checks share one reading."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tokenhouse.domain.metering import pricing, service
from tokenhouse.domain.metering.group_commit import GroupCommit, settle_account
from tokenhouse.domain.metering.types import Character, Order, Spendable, Terms
from tokenhouse.infra.database import Actor, Database
from tokenhouse.infra.database.gather import Gather
from tokenhouse.infra.kernel.errors import TokenhouseError

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
        verdict = None
        try:
            verdict = await self._look(order)
        except TokenhouseError:
            if not await self._group_commit.renew():
                raise
        while verdict is None:
            verdict = await self._look(order)
        return verdict

    async def _look(self, order: Order) -> Verdict | None:
        """Look by the catalog last seen; None where another was in force, which is then seen."""
        rates = await self._group_commit.rates()
        party = order.command.party
        asset_id = pricing.asset_of(rates.catalog, order)
        wallet_key: _Key = ("wallet", party.bucket, party.id, asset_id)
        keys = [wallet_key]
        if order.model_id is not None:
            keys.append(("model", party.bucket, order.model_id, 0))
        if order.character_id is not None:
            keys.append(("character", party.bucket, order.character_id, 0))
        found = (await self._gather.get_all(keys)).values()
        models = {terms.external_id: terms for terms in found if isinstance(terms, Terms)}
        characters = {one.external_id: one for one in found if isinstance(one, Character)}
        required = pricing.price(rates.catalog, models, characters, order).amount
        wallet = next(one for one in found if isinstance(one, Spendable))  # _load answers for every wallet
        if wallet.due:
            await settle_account(self._database, rates.catalog, party)
            wallet = await self._spendable(wallet_key)
        if wallet.catalog_version != rates.catalog.version:
            await self._group_commit.reload()
            return None
        return Verdict(wallet.available >= required, required, wallet.available)

    async def _spendable(self, key: _Key) -> Spendable:
        found = await self._gather.get(key)
        assert isinstance(found, Spendable)  # noqa: S101 - _load answers for every wallet
        return found

    async def _load(self, keys: Sequence[_Key]) -> Mapping[_Key, object]:
        found: dict[_Key, object] = {}
        wallets = [key for key in keys if key[0] == "wallet"]
        async with self._database.transaction(Actor((0,), teller=True)) as tx:
            if wallets:
                rows = await service.spendable(tx, [(key[1], int(key[2]), key[3]) for key in wallets])
                found.update({("wallet", row.bucket, row.owner_id, row.asset_id): row for row in rows})
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
