"""A small economy on a test's database: accounts on their plans, credits, models, purchases, charges."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from tokenhouse.domain import access, catalog, market, wallets
from tokenhouse.domain.access.types import Account, NewAccount
from tokenhouse.domain.ledger.types import Command, Party
from tokenhouse.domain.market.types import Character, Model, NewCharacter, NewModel
from tokenhouse.domain.metering import GroupCommit
from tokenhouse.domain.metering.types import Done, Order
from tokenhouse.domain.wallets.types import NewGrant
from tokenhouse.infra.database import PLATFORM, Actor, Database, sqlstate

if TYPE_CHECKING:
    from tokenhouse.domain.catalog.types import Catalog

RACES = {"40001", "40P01", "23505", "TH409"}  # another was quicker: the same again is safe


def party(account: Account) -> Party:
    return Party(account.id, account.bucket, account.external_id)


def teller(*accounts: Account) -> Actor:
    return Actor(tuple(account.id for account in accounts), teller=True)


def tenant(*accounts: Account) -> Actor:
    return Actor(tuple(account.id for account in accounts))


class Economy:
    """Everything is done by the verbs, as the service does it."""

    def __init__(self, db: Database, terms: Catalog, buckets: int) -> None:
        self.db = db
        self.terms = terms
        self.till = GroupCommit(db, buckets=buckets)

    @classmethod
    async def found(cls, db: Database) -> Economy:
        async with db.transaction(PLATFORM) as tx:
            await catalog.apply_source(tx, catalog.read_source())
            buckets = (await access.deployment(tx)).buckets
        async with db.read(PLATFORM) as tx:
            return cls(db, await catalog.load(tx), buckets)

    async def account(
        self, external_id: str, kind: str = "user", *, plan: str | None = None, credits: int | None = None
    ) -> Account:
        """An account on its plan; with `credits`, a user on no plan with that many credits of type general."""
        async with self.db.transaction(Actor((0,), teller=True)) as tx:
            made = await access.create_account(tx, NewAccount(kind, external_id.title(), external_id))
            if credits is None:
                plan = plan or ("free" if kind == "user" else "starter")
                await wallets.enrol(tx, self.terms, party(made), plan, made.time_zone)
        if credits:
            await self.grant(made, credits)
        return made

    async def grant(self, account: Account, amount: int, credit_type="general", source="top_up", **more) -> None:
        command = Command(party(account), uuid.uuid4().hex, "00" * 16)
        async with self.db.transaction(teller(account)) as tx:
            await wallets.grant(tx, self.terms, command, NewGrant(credit_type, amount, source, **more))

    async def model(self, external_id: str, owner: Account | None = None, **more: Any) -> Model:
        """A model on offer, bought by its owner where one is given."""
        given = {
            "name": f"Model {external_id}", "category": "Anime", "price_credits": 0, "premium": True,
            "active": True, "monetized": True, "ownership": "exclusive",
        } | more  # fmt: skip
        async with self.db.transaction(PLATFORM) as tx:
            made = await market.create_model(tx, self.terms, NewModel(external_id=external_id, **given))
        if owner is not None:
            await self.buy(owner, external_id)
        return made

    async def character(self, external_id: str, model_id: str, **more: Any) -> Character:
        async with self.db.transaction(PLATFORM) as tx:
            new = NewCharacter(more.pop("name", external_id.title()), model_id, external_id, **more)
            return await market.create_character(tx, new)

    async def buy(self, buyer: Account, model_id: str, key: str | None = None, body: str = "00"):
        command = Command(party(buyer), key or uuid.uuid4().hex, body * 16)
        while True:
            try:
                async with self.db.transaction(teller(buyer)) as tx:
                    return await market.purchase(tx, self.terms, command, model_id, "/plans")
            except Exception as error:
                if sqlstate(error) not in RACES:
                    raise

    async def charge(self, payer: Account, sort: str = "charge", **more: Any) -> Done:
        command = Command(party(payer), more.pop("key", None) or uuid.uuid4().hex, "00" * 16)
        return await self.till.submit(Order(command, sort, **more))

    async def balance(self, account: Account, credit_type: str = "general") -> int:
        async with self.db.read(tenant(account)) as tx:
            views, _ = await wallets.wallets_of(tx, self.terms, party(account))
        return next(view.balance for view in views if view.credit_type == credit_type)
