"""A small economy on a test's database: accounts on their plans, credits, models, purchases, charges."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tokenhouse.domain import access, catalog, ledger, market, metering, wallets
from tokenhouse.domain.access.types import Account, NewAccount
from tokenhouse.domain.catalog import Source
from tokenhouse.domain.ledger.types import Command, Party
from tokenhouse.domain.market.types import Character, Model, NewCharacter, NewModel
from tokenhouse.domain.metering import Checks, GroupCommit, Verdict
from tokenhouse.domain.metering.types import Done, HoldOrder, Order
from tokenhouse.domain.wallets.types import GrantView, NewGrant, WalletView
from tokenhouse.infra.database import PLATFORM, Actor, Database, sqlstate

if TYPE_CHECKING:
    from datetime import timedelta

    import psycopg

    from tokenhouse.domain.catalog.types import Catalog

RACES = {"40001", "40P01", "23505", "TH409"}  # another was quicker: the same again is safe
TELLER = Actor((0,), teller=True)
FLAT_RATE = 100_000  # nano-dollars a credit, by the shipped policy `flat`

TERMS = """
[[operation]]
id = "llm"
credit_type = "general"
price = { input_token = "0.0015", cached_input_token = "0.00075", output_token = "0.006" }

[[operation]]
id = "chunks"
credit_type = "general"
price = { chunk = "3" }
bulk = [{ from = 100, discount_bps = 500 }]

[[operation]]
id = "image_generation"
credit_type = "general"
price = { image = "40" }

[[operation]]
id = "unpriced"
credit_type = "general"

[[plan]]
id = "none"
name = "Nothing"
interval = "month"
allowances = {}

[[plan]]
id = "small"
name = "Small"
interval = "month"
allowances = { general = 100, forecast = 10 }

[[plan]]
id = "large"
name = "Large"
interval = "month"
allowances = { general = 1000 }

[[plan]]
id = "yearly"
name = "A year"
interval = "year"
allowances = { general = 100 }

[[plan]]
id = "thirty"
name = "Thirty days"
interval = "30d"
allowances = { general = 70 }

[[plan]]
id = "rolling"
name = "Rolls over"
interval = "month"
allowances = { general = 50 }
rollover = true

[[earnings_policy]]
id = "paid"
per_use_usd = "0"
per_credit_usd = "0.0001"
earn_on = ["top_up"]

[[earnings_policy]]
id = "odd"
per_use_usd = "0"
per_credit_usd = "0.000000003"

[[earnings_policy]]
id = "steps"
per_use_usd = "0.000000007"
per_credit_usd = "0.000000003"
tiers = [{ uses = 2, multiplier = "1.5" }, { uses = 5, multiplier = "2.5" }]
type_multipliers = { chat = "0.8", other = "0.6" }
earn_on = ["allowance", "top_up", "bonus"]

[[earnings_policy]]
id = "steep"
per_use_usd = "0"
per_credit_usd = "9000000000"
"""
"""What the tests sell beside the shipped catalog."""


def party(account: Account) -> Party:
    return Party(account.id, account.bucket, account.external_id)


def teller(*accounts: Account) -> Actor:
    return Actor(tuple(account.id for account in accounts), teller=True)


def tenant(*accounts: Account) -> Actor:
    return Actor(tuple(account.id for account in accounts))


def fingerprint(body: object) -> str:
    return blake2b(repr(body).encode(), digest_size=16).hexdigest()


def source(more: str = TERMS) -> Source:
    """The shipped catalog with more terms behind it."""
    text = catalog.read_source().text + more
    return Source(text, fingerprint(text), "a test's")


async def clean(db: Database) -> None:
    """Assert that the books hold."""
    proof = await metering.verify(db)
    wrong = [f"{one.name}: {one.differences[:3]}" for one in proof.findings if one.count]
    assert proof.holds, "\n".join([*wrong, *(str(one) for one in proof.sums if not one.balanced)])


@dataclass
class Placed:
    """A hold and what its end needs to know."""

    id: str
    asset_id: int
    answer: dict[str, Any]
    model_id: str | None
    character_id: str | None


class Economy:
    """Everything is done by the verbs, as the service does it."""

    def __init__(self, db: Database, terms: Catalog, buckets: int) -> None:
        self.db = db
        self.terms = terms
        self.buckets = buckets
        self.till = GroupCommit(db, buckets=buckets)
        self.checks = Checks(db, self.till)

    @classmethod
    async def found(cls, db: Database, given: Source | None = None) -> Economy:
        async with db.transaction(PLATFORM) as tx:
            await catalog.apply_source(tx, given or catalog.read_source())
            buckets = (await access.deployment(tx)).buckets
        async with db.read(PLATFORM) as tx:
            return cls(db, await catalog.load(tx), buckets)

    async def apply(self, given: Source) -> None:
        """Put other terms in force; the till is not told."""
        async with self.db.transaction(PLATFORM) as tx:
            await catalog.apply_source(tx, given)
        async with self.db.read(PLATFORM) as tx:
            self.terms = await catalog.load(tx)

    # ---- accounts and credits ----

    async def account(
        self,
        external_id: str,
        kind: str = "user",
        *,
        plan: str | None = None,
        credits: int | None = None,
        time_zone: str = "UTC",
    ) -> Account:
        """An account on its plan; with `credits`, one on no plan (but the one given) with that many of type general."""
        async with self.db.transaction(TELLER) as tx:
            new = NewAccount(kind, external_id.title(), external_id, time_zone=time_zone)
            made = await access.create_account(tx, new)
            if credits is None or plan:
                plan = plan or ("free" if kind == "user" else "starter")
                await wallets.enrol(tx, self.terms, party(made), plan, made.time_zone)
        if credits:
            await self.grant(made, credits)
        return made

    async def grant(
        self, account: Account, amount: int, credit_type="general", source="top_up", *, key: str | None = None, **more
    ) -> dict[str, Any]:
        given = NewGrant(credit_type, amount, source, **more)
        command = Command(party(account), key or uuid.uuid4().hex, fingerprint(("grants", given)))
        async with self.db.transaction(teller(account)) as tx:
            answer, replayed = await wallets.grant(tx, self.terms, command, given)
        return answer | {"replayed": replayed}

    async def change_plan(self, account: Account, plan: str) -> None:
        async with self.db.transaction(teller(account)) as tx:
            await wallets.change_plan(tx, self.terms, party(account), plan)

    async def settle(self, account: Account) -> bool:
        async with self.db.transaction(teller(account)) as tx:
            return await wallets.settle(tx, self.terms, party(account))

    async def wallet(self, account: Account, credit_type: str = "general") -> WalletView:
        """What its owner sees, as the service shows it: settled first where something is due."""
        for _ in range(2):
            async with self.db.read(tenant(account)) as tx:
                views, due = await wallets.wallets_of(tx, self.terms, party(account))
            if not due:
                break
            await metering.settle_account(self.db, self.terms, party(account))
        return next(view for view in views if view.credit_type == credit_type)

    async def balance(self, account: Account, credit_type: str = "general") -> int:
        async with self.db.read(tenant(account)) as tx:
            views, _ = await wallets.wallets_of(tx, self.terms, party(account))
        return next(view.balance for view in views if view.credit_type == credit_type)

    async def grants(self, account: Account) -> list[GrantView]:
        """The grants with something left, the oldest first."""
        async with self.db.read(tenant(account)) as tx:
            found = await wallets.grants_of(tx, party(account))
        return [one for one in reversed(found) if one.remaining]

    async def left(self, account: Account) -> list[tuple[str, int]]:
        """(source, what is left) of each grant, the oldest first."""
        return [(one.source, one.remaining) for one in await self.grants(account)]

    # ---- models ----

    async def model(self, external_id: str, *owners: Account | None, **more: Any) -> Model:
        """A model on offer, bought by its owners where some are given."""
        given = {
            "name": f"Model {external_id}", "category": "Anime", "price_credits": 0, "premium": True,
            "active": True, "monetized": True, "ownership": "shared" if len(owners) > 1 else "exclusive",
        } | more  # fmt: skip
        async with self.db.transaction(PLATFORM) as tx:
            made = await market.create_model(tx, self.terms, NewModel(external_id=external_id, **given))
        for owner in owners:
            if owner is not None:
                await self.buy(owner, external_id)
        return made

    async def change_model(self, model_id: str, **changes: Any) -> Model:
        async with self.db.transaction(PLATFORM) as tx:
            return await market.update_model(tx, self.terms, model_id, changes)

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

    # ---- charges, holds, reversals ----

    def order(self, payer: Account, sort: str = "charge", *, key: str | None = None, **more: Any) -> Order:
        """An order; its fingerprint is of what it says."""
        body = fingerprint((sort, sorted(more.items(), key=str)))
        return Order(Command(party(payer), key or uuid.uuid4().hex, body), sort, **more)

    async def charge(self, payer: Account, sort: str = "charge", **more: Any) -> Done:
        return await self.till.submit(self.order(payer, sort, **more))

    async def hold(self, payer: Account, **more: Any) -> Placed:
        order = self.order(payer, "hold", **more)
        done = await self.till.submit(order)
        asset_id = self.terms.credit_types[str(done.answer["credit_type"])]
        return Placed(str(done.answer["id"]), asset_id, done.answer, order.model_id, order.character_id)

    def ending(self, payer: Account, hold: Placed, sort: str, amount: int = 0, *, key: str | None = None) -> HoldOrder:
        command = Command(party(payer), key or uuid.uuid4().hex, fingerprint((hold.id, sort, amount)))
        return HoldOrder(command, hold.id, hold.asset_id, sort, amount, hold.model_id, hold.character_id)

    async def capture(self, payer: Account, hold: Placed, amount: int, *, key: str | None = None) -> Done:
        return await self.till.submit(self.ending(payer, hold, "capture", amount, key=key))

    async def void(self, payer: Account, hold: Placed, *, key: str | None = None) -> Done:
        return await self.till.submit(self.ending(payer, hold, "void", key=key))

    async def check(self, payer: Account, **more: Any) -> Verdict:
        return await self.checks.check(self.order(payer, **more))

    async def reverse(
        self,
        payer: Account,
        charge_id: str,
        amount: int | None = None,
        *,
        key: str | None = None,
        maturity_days: int = 14,
    ) -> dict[str, Any]:
        command = Command(party(payer), key or uuid.uuid4().hex, fingerprint(("reverse", charge_id, amount)))
        answer, replayed = await metering.reverse(
            self.db, self.terms, command, UUID(charge_id), amount, "a test", maturity_days=maturity_days
        )
        return answer | {"replayed": replayed}

    # ---- what came of it ----

    async def rows(self, query: str, *params: object) -> list[tuple[Any, ...]]:
        """Look as the platform."""
        async with self.db.read(PLATFORM) as tx:
            return await (await tx.connection.execute(query, params)).fetchall()

    async def earned(self, account: Account) -> int:
        """Nano-dollars that an earner is owed, over all buckets."""
        query = "select coalesce(sum(balance), 0)::bigint from ledger.account where owner_id = %s and role = 'earnings'"
        return (await self.rows(query, account.id))[0][0]

    async def standing(self, model: Model) -> tuple[int, int, int]:
        """Uses, credits and nano-dollars of a model, over all buckets."""
        query = (
            "select coalesce(sum(uses), 0)::bigint, coalesce(sum(credits), 0)::bigint, coalesce(sum(nanos), 0)::bigint "
            "from earnings.standing where model_id = %s"
        )
        return (await self.rows(query, model.id))[0]

    async def lapsed(self, account: Account) -> int:
        query = "select coalesce(sum(lapsed), 0)::bigint from wallets.lot where account_id = %s"
        return (await self.rows(query, account.id))[0][0]

    async def hold_state(self, hold: Placed) -> str:
        async with self.db.read(PLATFORM) as tx:
            found = await ledger.hold_of(tx, UUID(hold.id))
        return found.state


def pass_time(admin: psycopg.Connection, passed: timedelta, accounts: list[int] | None = None) -> None:
    """Let time pass, for everybody or these: what is stored lies so much further back; the books keep their sums."""
    given = {"passed": passed, "accounts": accounts}
    with admin.transaction():
        for table, owner, columns in (
            ("wallets.enrolment", "account_id", ("anchor", "period_started_at", "renews_at", "changed_at")),
            ("wallets.lot", "account_id", ("expires_at", "period_started_at", "created_at")),
            ("ledger.account", "owner_id", ("due_at", "created_at", "last_spent_at")),
            ("ledger.hold", "account_id", ("expires_at", "created_at", "ended_at")),
        ):
            sets = ", ".join(f"{column} = {column} - %(passed)s" for column in columns)
            theirs = f"%(accounts)s::bigint[] is null or {owner} = any(%(accounts)s)"
            admin.execute(f"update {table} set {sets} where {theirs}", given)
        # A renewal's key names the start of its period, which has moved.
        admin.execute("update ledger.entry set key = ' passed ' || id where kind = 'renewal'")
