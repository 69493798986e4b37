"""Random histories of wallets, grants, holds, charges, plans, purchases and reversals against a plain oracle.

After every step the books are what the oracle says: balances, what is held, what is left of each grant, what was used,
earnings by model and earner. At the end of each history the books are proved.
"""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from economy import Economy, Placed, clean, party, pass_time, source, tenant
from oracle import Model, Oracle, Plan, Policy, Refused
from tokenhouse.domain import wallets
from tokenhouse.domain.metering import Verdict
from tokenhouse.infra.database import Database
from tokenhouse.infra.kernel.errors import IdempotencyMismatch, TokenhouseError

PLANS = {
    "small": Plan({"general": 100, "forecast": 10}),
    "large": Plan({"general": 1000}),
    "thirty": Plan({"general": 70}, days=30),
    "rolling": Plan({"general": 50}, rollover=True),
    "none": Plan({}),
}
RATE = Fraction(100_000)
POLICIES = {
    "flat": Policy(Fraction(0), RATE),
    "paid": Policy(Fraction(0), RATE, earn_on={"top_up"}),
    "steps": Policy(
        Fraction(7),
        Fraction(3),
        [(2, Fraction("1.5")), (5, Fraction("2.5"))],
        {"chat": Fraction("0.8"), "other": Fraction("0.6")},
        {"allowance", "top_up", "bonus"},
    ),
}
PEOPLE = {"ann": "small", "bob": "rolling", "cy": "thirty", "owner": "none", "maker": "none"}
CODES = ("general", "forecast")

people = st.sampled_from(["ann", "ann", "bob", "cy", "owner", "maker"])
amounts = st.integers(0, 12) | st.integers(13, 160)
models = st.sampled_from([None, "solo", "shared", "shared", "sale", "nobodys"])
labels = st.sampled_from([None, None, None, "someone", "owner"])
usage_types = st.sampled_from(["chat", "image_generation", "other"])
codes = st.sampled_from(["general", "general", "forecast"])
choice = st.integers(0, 10**6)


class Heart(RuleBasedStateMachine):
    """One history; the economy is all histories', with people of its own."""

    loop: asyncio.AbstractEventLoop
    economy: Economy
    admin: object
    numbers = itertools.count()

    def do(self, awaitable):
        return self.loop.run_until_complete(awaitable)

    @initialize()
    def people_and_models(self):
        self.prefix = f"h{next(self.numbers)}"
        self.oracle = Oracle(PLANS, POLICIES)
        self.accounts = {}
        self.holds: list[tuple[str, Placed]] = []
        self.charges: list[tuple[str, str]] = []
        self.past: list[tuple] = []
        for name, plan in PEOPLE.items():
            self.accounts[name] = made = self.do(self.economy.account(self.id_of(name), plan=plan))
            self.oracle.enrol(name, plan, self.do(self.enrolment(made)).anchor)
        given = {"creator_id": self.id_of("maker"), "creator_share_bps": 3333, "ownership": "shared"}
        self.models = {
            "solo": self.make("solo", ["owner"], earnings_policy="paid"),
            "shared": self.make("shared", ["owner", "cy"], earnings_policy="steps", **given),
            "sale": self.make("sale", [], price_credits=30),
            "nobodys": self.make("nobodys", [], earnings_policy="flat", monetized=False, **given),
        }

    def id_of(self, name):
        return name and f"{self.prefix}-{name}"

    def make(self, name, owners, **given):
        made = self.do(self.economy.model(self.id_of(name), *(self.accounts[one] for one in owners), **given))
        self.oracle.models[name] = Model(
            list(owners), "maker" if "creator_id" in given else None, given.get("creator_share_bps", 0),
            given.get("earnings_policy", "flat"), given.get("price_credits", 0), "ownership" not in given,
            given.get("monetized", True),
        )  # fmt: skip
        return made

    async def enrolment(self, account):
        async with self.economy.db.read(tenant(account)) as tx:
            return await wallets.enrolment_of(tx, party(account))

    def now(self):
        return datetime.now(UTC)

    def both(self, act, wanted):
        """Do it in the database and in the oracle: both refuse it by the same word, or both answer."""
        try:
            answer, refused = self.do(act()), None
        except TokenhouseError as error:
            answer, refused = None, error.code
        try:
            expected, foreseen = wanted(), None
        except Refused as error:
            expected, foreseen = None, error.code
        assert refused == foreseen
        if refused is not None:
            return None, None
        self.past.append((act, answer))
        return answer, expected

    # ---- what may happen ----

    @rule(name=people, code=codes, amount=st.integers(1, 200), priority=st.sampled_from([0, 100, 200]),
          hours=st.sampled_from([None, 3, 50, 960]), origin=st.sampled_from(["top_up", "gift", "bonus"]))  # fmt: skip
    def grant(self, name, code, amount, priority, hours, origin):
        now = self.now()
        expires = hours and now + timedelta(hours=hours)
        key = f"g{len(self.past)}-{next(self.numbers)}"

        async def act():
            return await self.economy.grant(
                self.accounts[name], amount, code, origin, key=key, priority=priority, expires_at=expires
            )

        answer, balance = self.both(act, lambda: self.oracle.grant(name, code, amount, origin, priority, expires, now))
        assert (answer["balance"], answer["replayed"]) == (balance, False)

    def compare(self, done, charge, name):
        receipt = done.receipt
        assert not done.replayed
        assert receipt.amount == charge.amount
        assert receipt.balance == self.oracle.accounts[name].wallets[charge.code].balance if charge.amount else True
        assert [one.amount for one in receipt.grants] == [part for _, part in charge.parts]
        earned = {share.account_id: share.nanos for share in receipt.earnings}
        assert earned == {self.id_of(earner): nanos for earner, nanos in charge.earned.items()}
        assert receipt.earnings_reason == charge.reason
        self.charges.append((name, done.id))

    @rule(name=people, code=codes, amount=amounts, model=models, label=labels, usage_type=usage_types)
    def charge(self, name, code, amount, model, label, usage_type):
        order = self.economy.order(
            self.accounts[name], amount=amount, credit_type=code, model_id=self.id_of(model),
            user_label=self.id_of(label), usage_type=usage_type,
        )  # fmt: skip
        charge_id = f"c{next(self.numbers)}"
        done, charge = self.both(
            lambda: self.economy.till.submit(order),
            lambda: self.oracle.charge(charge_id, name, code, amount, model, usage_type, label, self.now()),
        )
        if done is not None:
            self.compare(done, charge, name)
            self.oracle.charges[done.id] = self.oracle.charges.pop(charge_id)

    @rule(name=people, code=codes, amount=amounts, model=models, label=labels, usage_type=usage_types,
          hours=st.sampled_from([5, 960]))  # fmt: skip
    def hold(self, name, code, amount, model, label, usage_type, hours):
        order = self.economy.order(
            self.accounts[name], "hold", amount=amount, credit_type=code, model_id=self.id_of(model),
            user_label=self.id_of(label), usage_type=usage_type, ttl_seconds=hours * 3600,
        )  # fmt: skip
        hold_id = f"h{next(self.numbers)}"
        now = self.now()
        until = now + timedelta(hours=hours)
        done, _ = self.both(
            lambda: self.economy.till.submit(order),
            lambda: self.oracle.hold(hold_id, name, code, amount, until, model, usage_type, label, now),
        )
        if done is not None:
            self.oracle.holds[done.id] = self.oracle.holds.pop(hold_id)
            asset = self.economy.terms.credit_types[code]
            self.holds.append((name, Placed(done.id, asset, done.answer, order.model_id, None)))
            assert done.answer["available"] == self.oracle.available(name, code, now)

    @precondition(lambda self: self.holds)
    @rule(which=choice, sort=st.sampled_from(["capture", "capture", "void"]), amount=amounts)
    def end_hold(self, which, sort, amount):
        name, placed = self.holds[which % len(self.holds)]
        order = self.economy.ending(self.accounts[name], placed, sort, amount)
        charge_id = f"c{next(self.numbers)}"
        done, charge = self.both(
            lambda: self.economy.till.submit(order),
            lambda: self.oracle.end_hold(placed.id, sort, amount, charge_id, self.now()),
        )
        if charge is not None:
            self.compare(done, charge, name)
            self.oracle.charges[done.id] = self.oracle.charges.pop(charge_id)

    @precondition(lambda self: self.charges)
    @rule(which=choice, amount=st.none() | st.integers(1, 60))
    def reverse(self, which, amount):
        name, charge_id = self.charges[which % len(self.charges)]
        key = f"r{next(self.numbers)}"
        answer, given = self.both(
            lambda: self.economy.reverse(self.accounts[name], charge_id, amount, key=key),
            lambda: self.oracle.reverse(charge_id, amount),
        )
        if answer is not None:
            assert (answer["amount"], answer["earnings_taken_back_nano_usd"]) == given
            assert answer["earnings_lost_nano_usd"] == 0

    @rule(name=people, plan=st.sampled_from(list(PLANS)))
    def change_plan(self, name, plan):
        self.do(self.economy.change_plan(self.accounts[name], plan))
        self.oracle.change_plan(name, plan, self.now())

    @rule(name=people)
    def purchase(self, name):
        key = f"p{next(self.numbers)}"
        self.both(
            lambda: self.economy.buy(self.accounts[name], self.id_of("sale"), key),
            lambda: self.oracle.purchase(name, "sale", self.now()),
        )

    @rule(name=people, code=codes, amount=amounts)
    def check(self, name, code, amount):
        verdict = self.do(self.economy.check(self.accounts[name], amount=amount, credit_type=code))
        available = self.oracle.available(name, code, self.now())
        assert verdict == Verdict(amount <= available, amount, available)

    @precondition(lambda self: self.past)
    @rule(which=choice)
    def replay(self, which):
        act, first = self.past[which % len(self.past)]
        again = self.do(act())
        if isinstance(first, dict):
            assert again == first | {"replayed": True}
        elif isinstance(first, tuple):
            assert again == (first[0], True) if isinstance(first[0], dict) else again.replayed
            if not isinstance(first[0], dict):
                assert (again.receipt, again.answer, again.id) == (first.receipt, first.answer, first.id)

    @precondition(lambda self: self.charges)
    @rule(which=choice, amount=amounts)
    def use_a_key_again(self, which, amount):
        name, charge_id = self.charges[which % len(self.charges)]
        ((key,),) = self.admin.execute("select key from ledger.entry where id = %s", [charge_id]).fetchall()
        try:
            self.do(self.economy.charge(self.accounts[name], key=key, amount=amount, metadata='"another"'))
        except IdempotencyMismatch:
            return
        raise AssertionError("another request under a key was carried out")

    @rule(hours=st.sampled_from([4, 4, 25, 31 * 24, 46 * 24, 95 * 24]))
    def time_passes(self, hours):
        passed = timedelta(hours=hours)
        pass_time(self.admin, passed, [one.id for one in self.accounts.values()])
        self.oracle.pass_time(passed)
        self.unsettled = True

    # ---- what must hold ----

    @invariant()
    def the_books_are_the_oracles(self):
        if getattr(self, "unsettled", False):
            self.unsettled = False  # the next act meets wallets that are due
            return
        for name, account in self.accounts.items():
            self.do(self.economy.settle(account))
            self.oracle.settle(name, self.now())
        assert self.seen() == self.foreseen()

    def seen(self):
        names = {account.id: name for name, account in self.accounts.items()}
        types = {asset: code for code, asset in self.economy.terms.credit_types.items()}
        numbers = {model.id: name for name, model in self.models.items()}
        who = {"who": list(names)}
        run = self.admin.execute
        found = {"lots": {}, "wallets": {}, "earned": {}, "models": {}, "earners": {}, "holds": {}}
        for owner, asset, origin, left in run(
            "select account_id, asset_id, source, remaining from wallets.lot "
            "where account_id = any(%(who)s) and remaining > 0 order by id", who,
        ):  # fmt: skip
            found["lots"].setdefault((names[owner], types[asset]), []).append((origin, left))
        for owner, asset, role, balance, held, used in run(
            "select owner_id, asset_id, role, sum(balance)::bigint, sum(held)::bigint, sum(spent - spent_mark)::bigint "
            "from ledger.account where owner_id = any(%(who)s) group by 1, 2, 3", who,
        ):  # fmt: skip
            if role == "earnings":
                found["earned"][names[owner]] = balance
            elif balance or held or used:
                found["wallets"][names[owner], types[asset]] = (balance, held, used)
        found["earned"] = {name: nanos for name, nanos in found["earned"].items() if nanos}
        of = {"models": list(numbers)}
        for model, *figures in run(
            "select model_id, sum(uses)::bigint, sum(credits)::bigint, sum(nanos)::bigint from earnings.standing "
            "where model_id = any(%(models)s) group by 1", of,
        ):  # fmt: skip
            if any(figures):
                found["models"][numbers[model]] = figures
        for model, earner, *figures in run(
            "select model_id, earner_id, sum(uses)::bigint, sum(credits)::bigint, sum(nanos)::bigint "
            "from earnings.model_earner where model_id = any(%(models)s) group by 1, 2", of,
        ):  # fmt: skip
            found["earners"][numbers[model], names[earner]] = figures
        for hold, state in run("select id::text, state from ledger.hold where account_id = any(%(who)s)", who):
            found["holds"][hold] = state
        return found

    def foreseen(self):
        now = self.now()
        wanted = {"lots": {}, "wallets": {}, "earned": {}, "models": {}, "earners": {}, "holds": {}}
        for name, account in self.oracle.accounts.items():
            for code, wallet in account.wallets.items():
                left = [(lot.source, lot.left) for lot in wallet.lots if lot.left]
                figures = (wallet.balance, self.oracle.held(name, code, now), wallet.spent - wallet.mark)
                if left:
                    wanted["lots"][name, code] = left
                if any(figures):
                    wanted["wallets"][name, code] = figures
        wanted["earned"] = {name: nanos for name, nanos in self.oracle.earned.items() if nanos}
        for name, model in self.oracle.models.items():
            if model.uses or model.credits:
                wanted["models"][name] = [model.uses, model.credits, model.nanos]
            wanted["earners"] |= {(name, earner): figures for earner, figures in model.earners.items()}
        wanted["holds"] = {hold: one.state for hold, one in self.oracle.holds.items()}
        return wanted

    def teardown(self):
        if hasattr(self, "accounts"):
            self.do(clean(self.economy.db))


def test_histories(booted, admin):
    loop = asyncio.new_event_loop()
    try:
        db = loop.run_until_complete(Database(booted.app_conninfo, booted.signer).open())
        Heart.loop, Heart.admin = loop, admin
        Heart.economy = loop.run_until_complete(Economy.found(db, source()))
        run_state_machine_as_test(
            Heart,
            settings=settings(
                max_examples=20, stateful_step_count=25, deadline=None, print_blob=True,
                # A failing history is printed as it came: to shrink one takes minutes.
                phases=(Phase.explicit, Phase.reuse, Phase.generate), suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip
        loop.run_until_complete(Heart.economy.till.close())
        loop.run_until_complete(db.close())
    finally:
        loop.close()
