"""Loads the demo through the verbs. Loaded again it finds everything done; killed half-way, the next time ends it."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, cast
from uuid import UUID

from tokenhouse.domain import access, ledger, market, metering, wallets
from tokenhouse.domain import catalog as catalogs
from tokenhouse.domain.access.acts import Act, By
from tokenhouse.domain.access.types import Account, Role
from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.domain.ledger.types import Command, Party
from tokenhouse.domain.metering.types import AnyOrder, Done, HoldOrder, Order
from tokenhouse.domain.payouts.types import Terms
from tokenhouse.domain.wallets.types import NewGrant
from tokenhouse.entrypoints.cli.demo import cast as roles
from tokenhouse.entrypoints.cli.demo.days import Use, days_until, months_of, uses_of
from tokenhouse.entrypoints.cli.demo.payouts import pay_out
from tokenhouse.infra.database import PLATFORM, Actor, Database, Tx
from tokenhouse.infra.kernel import strict_json
from tokenhouse.infra.kernel.errors import Conflict, IdempotencyMismatch, TokenhouseError, Unavailable

_CHUNK = 512
_TRIES = 20
_REVERSED_EVERY = 900  # one use in so many is given back
_TELLER = Actor((0,), teller=True)
_BY = By("cli")


@dataclass(slots=True)
class Loaded:
    """What loading did. uses: in the demo; new: of them, carried out by this run; refused: how many, by reason."""

    first_day: date
    last_day: date
    accounts: int = 0
    models: int = 0
    uses: int = 0
    new: int = 0
    refused: Counter[str] = field(default_factory=Counter)


class Loader:
    """Loads the demo into a database, once for one seed."""

    def __init__(self, database: Database, seed: int, terms: Terms, tell: Callable[[str, int, int], None]) -> None:
        """`tell` is called with what is done, how much of it, and how much there is. terms: of payouts."""
        self._database = database
        self._seed = seed
        self._terms = terms
        self._tell = tell
        self._catalog: Catalog
        self._accounts: dict[str, Account] = {}
        self._prefix = f"demo-{seed}"

    async def load(self, end: date | None) -> Loaded:
        """Load what the people do, who are there; `end` is the last day of use, None for yesterday."""
        async with self._database.read(PLATFORM) as tx:
            buckets = (await access.deployment(tx)).buckets
            if end is None:
                end = (await ledger.now(tx)).date() - timedelta(days=1)
        days = days_until(end)
        await self._models()
        await self._grants(months_of(days))
        await self._purchases()
        loaded = Loaded(days[0], end, len(roles.PEOPLE), len(roles.MODELS))
        uses = [use for day in days for use in uses_of(day, self._seed)]
        # One lane: what earns more the more uses came before depends on their order.
        commit = metering.GroupCommit(self._database, buckets=buckets, lanes=1, queue_limit=2 * _CHUNK)
        by_bucket: dict[int, list[Use]] = defaultdict(list)
        for use in uses:
            by_bucket[self._accounts[use.account].bucket].append(use)
        for bucket in sorted(by_bucket):
            await self._uses(commit, by_bucket[bucket], loaded, len(uses))
        await commit.close()
        await pay_out(self._database, self._accounts, self._terms, self._prefix)
        return loaded

    # ---- who and what ------------------------------------------------------------------------------

    async def people(self) -> None:
        """Make the accounts and who belongs to which."""
        async with self._database.read(PLATFORM) as tx:
            self._catalog = await catalogs.load(tx)
            self._accounts = await access.find_accounts(tx, [one.account.external_id or "" for one in roles.PEOPLE])
        for done, one in enumerate(roles.PEOPLE, 1):
            external_id = one.account.external_id or ""
            if external_id not in self._accounts:
                async with self._database.transaction(_TELLER) as tx:
                    account = await access.create_account(tx, one.account)
                    await wallets.enrol(tx, self._catalog, _party(account), one.plan, one.account.time_zone)
                    act = Act("account.create", "account", str(account.id), account.id, after=one.plan)
                    await access.record(tx, _BY, act)
                self._accounts[external_id] = account
            self._tell("Accounts", done, len(roles.PEOPLE))
        async with self._database.transaction(PLATFORM) as tx:
            for organization, user, role in roles.MEMBERS:
                await self._member(tx, self._accounts[organization], self._accounts[user], role)

    async def _member(self, tx: Tx, organization: Account, user: Account, role: Role) -> None:
        was = (await access.organizations_of(tx, user.id)).get(organization.id)
        if was != role:
            await access.set_member(tx, organization, user, role)
            act = Act("member.set", "member", f"{organization.id}/{user.id}", user.id, was, role)
            await access.record(tx, _BY, act)

    async def _models(self) -> None:
        async with self._database.transaction(PLATFORM) as tx:
            known = await market.find_models(tx, [model.external_id or "" for model in roles.MODELS])
            for model in roles.MODELS:
                if model.external_id not in known:
                    made = await market.create_model(tx, self._catalog, model)
                    await access.record(tx, _BY, Act("model.create", "model", made.external_id, after=asdict(made)))
            for character in roles.CHARACTERS:
                if await market.find_character(tx, character.external_id or "") is None:
                    one = await market.create_character(tx, character)
                    await access.record(
                        tx, _BY, Act("character.create", "character", one.external_id, after=asdict(one))
                    )
        self._tell("Models", len(roles.MODELS), len(roles.MODELS))

    async def _grants(self, months: list[str]) -> None:
        for n, given in enumerate(roles.GRANTS):
            if given.credit_type not in self._catalog.credit_types:
                continue
            account = self._accounts[given.account]
            for month in months if given.monthly else [""]:
                body = {
                    "credit_type": given.credit_type,
                    "amount": given.amount,
                    "source": given.source,
                    "note": given.note,
                }
                command = self._command(account, f"grant-{n}{month}", f"/v1/accounts/{given.account}/grants", body)
                async with self._database.transaction(Actor((account.id,), teller=True)) as tx:
                    new = NewGrant(given.credit_type, given.amount, given.source, note=given.note)
                    told, replayed = await wallets.grant(tx, self._catalog, command, new)
                    if not replayed:
                        act = Act("grant.create", "grant", str(told["id"]), account.id, after=told)
                        await access.record(tx, _BY, act)

    async def _purchases(self) -> None:
        for user, model in roles.PURCHASES:
            account = self._accounts[user]
            command = self._command(account, f"buy-{model}", f"/v1/models/{model}/purchase", {})
            try:
                async with self._database.transaction(Actor((account.id,), teller=True)) as tx:
                    await market.purchase(tx, self._catalog, command, model, "/plans")
            except Conflict:
                continue  # bought in the story of another seed, or off the market since

    # ---- what they do ------------------------------------------------------------------------------

    async def _uses(self, commit: metering.GroupCommit, uses: list[Use], loaded: Loaded, total: int) -> None:
        """Carry out the uses of one bucket in order of time, leaving out the days that are done."""
        acts: dict[date, dict[str, Use]] = defaultdict(dict)
        for use in uses:  # the last of each sort that a day brings, for they are done in order
            acts[use.day][""] = use
            if use.held:
                acts[use.day]["-capture"] = use
            if _given_back(use):
                acts[use.day]["-reverse"] = use
        done = {day for day, last in acts.items() if await self._is_done(last)}
        todo = [use for use in uses if use.day not in done]
        loaded.uses += len(uses) - len(todo)
        self._tell("Uses", loaded.uses, total)
        for start in range(0, len(todo), _CHUNK):
            chunk = todo[start : start + _CHUNK]
            outcomes = await self._submit(commit, [self._order(use) for use in chunk])
            await self._capture(commit, chunk, outcomes)
            await self._give_back(chunk, outcomes)
            for outcome in outcomes:
                loaded.uses += 1
                if isinstance(outcome, Done):
                    loaded.new += not outcome.replayed
                elif not isinstance(outcome, IdempotencyMismatch):  # that one: made by an earlier version
                    loaded.refused[outcome.detail] += 1
            self._tell("Uses", loaded.uses, total)

    async def _is_done(self, last: dict[str, Use]) -> bool:
        async with self._database.read(PLATFORM) as tx:
            for act, use in last.items():
                account = self._accounts[use.account]
                key = f"{self._prefix}-{use.name}{act}"
                if await ledger.entry_of(tx, account.bucket, account.id, key) is None:
                    return False
        return True

    def _order(self, use: Use) -> Order:
        path = "/v1/holds" if use.held else "/v1/charges"
        said = cast("dict[str, Any]", use.body)
        return Order(
            self._command(self._accounts[use.account], use.name, path, use.body),
            "hold" if use.held else "charge",
            operation=said.get("operation"),
            amount=said.get("amount"),
            quantity=said.get("quantity"),
            model_id=said.get("model_id"),
            character_id=said.get("character_id"),
            usage_type=said.get("usage_type"),
            user_label=said.get("user_id"),
            upstream_model=said.get("upstream_model"),
            provider=said.get("provider"),
            cost_nanos=said.get("cost_nano_usd"),
            occurred_at=said.get("occurred_at"),
            metadata=json.dumps(said["metadata"]) if "metadata" in said else None,
        )

    async def _capture(
        self, commit: metering.GroupCommit, uses: Sequence[Use], outcomes: Sequence[Done | TokenhouseError]
    ) -> None:
        general = self._catalog.credit_types["general"]
        orders: list[HoldOrder] = []
        for use, outcome in zip(uses, outcomes, strict=True):
            if not use.held or not isinstance(outcome, Done):
                continue
            body = {"amount": use.captured}
            command = self._command(
                self._accounts[use.account], f"{use.name}-capture", f"/v1/holds/{outcome.id}/capture", body
            )
            model, character = cast("str", use.body["model_id"]), cast("str", use.body["character_id"])
            orders.append(HoldOrder(command, outcome.id, general, "capture", use.captured, model, character))
        if orders:
            await self._submit(commit, orders)

    async def _give_back(self, uses: Sequence[Use], outcomes: Sequence[Done | TokenhouseError]) -> None:
        for use, outcome in zip(uses, outcomes, strict=True):
            if not _given_back(use) or not isinstance(outcome, Done):
                continue
            body = {"reason": "The answer never came"}
            command = self._command(
                self._accounts[use.account], f"{use.name}-reverse", f"/v1/charges/{outcome.id}/reverse", body
            )
            try:
                await metering.reverse(
                    self._database,
                    self._catalog,
                    command,
                    UUID(outcome.id),
                    None,
                    body["reason"],
                    _BY,
                    maturity_days=self._terms.maturity_days,
                )
            except Conflict:
                continue  # somebody tried it by hand

    async def _submit(self, commit: metering.GroupCommit, orders: Sequence[AnyOrder]) -> list[Done | TokenhouseError]:
        """Carry out orders; their keys make it safe to try again what was in doubt."""
        for tries_left in reversed(range(_TRIES)):
            outcomes = await commit.submit_all(orders)
            away = next((one for one in outcomes if isinstance(one, Unavailable)), None)
            if away is None or not tries_left:
                return outcomes
            await asyncio.sleep(0.5)
        return []

    def _command(self, account: Account, name: str, path: str, body: object) -> Command:
        return Command(_party(account), f"{self._prefix}-{name}", strict_json.digest(path, body).hex())


def _party(account: Account) -> Party:
    return Party(account.id, account.bucket, account.external_id)


def _given_back(use: Use) -> bool:
    """Whether a use is one of the few whose charge is reversed."""
    chosen = (use.day.toordinal() * 97 + use.number) % _REVERSED_EVERY == 0
    return chosen and not use.held and use.body.get("operation") != "avatar_upload"


def parsed_day(text: str) -> date:
    """Read a day written as 2030-01-31. ValueError otherwise."""
    return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
