"""Random histories of charges, time, payouts and reversals against a plain oracle.

After every step each earner's five figures are what the oracle says, and none is below zero. At the end of each history
the books are proved.
"""

import asyncio
import itertools
from dataclasses import dataclass, field
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

from economy import Economy, clean, source
from tokenhouse.domain.metering import Statement
from tokenhouse.domain.payouts.types import ACTIONS, Terms
from tokenhouse.infra.database import Database
from tokenhouse.infra.kernel.errors import Conflict, InsufficientEarnings
from withdrawing import act, ago, request, sums

DAYS = 14
EARNERS = ("ann", "bob")
PAYERS = ("x", "y")
END = {"complete": "completed", "fail": "failed", "cancel": "cancelled"}


@dataclass
class Use:
    """A charge: what it took, who earned what by it, how old it is, what was given and taken back."""

    id: str
    payer: str
    bucket: int
    amount: int
    earned: dict[str, int]
    days: int
    back: int = 0
    taken: dict[str, int] = field(default_factory=lambda: dict.fromkeys(EARNERS, 0))


@dataclass
class Out:
    """A payout: what it took in each bucket, and its state."""

    id: str
    earner: str
    parts: dict[int, int]
    state: str = "pending"


class History(RuleBasedStateMachine):
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
        make = self.economy.account
        self.accounts = {name: self.do(make(f"{self.prefix}-{name}")) for name in EARNERS}
        self.accounts |= {name: self.do(make(f"{self.prefix}-{name}", credits=10**6)) for name in PAYERS}
        ann, bob = (self.accounts[name] for name in EARNERS)
        self.do(self.economy.model(f"{self.prefix}-solo", ann, earnings_policy="odd"))
        self.do(self.economy.model(f"{self.prefix}-both", ann, bob, earnings_policy="odd"))
        self.uses: list[Use] = []
        self.outs: list[Out] = []
        self.balances = {(name, bucket): 0 for name in EARNERS for bucket in range(self.economy.buckets)}

    # ---- what the oracle knows ----

    def maturing(self, earner, bucket, beside=None):
        young = [use for use in self.uses if use.days < DAYS and use.bucket == bucket and use is not beside]
        return sum(use.earned.get(earner, 0) - use.taken[earner] for use in young)

    def payable(self, earner):
        return {
            bucket: self.balances[earner, bucket] - self.maturing(earner, bucket)
            for bucket in range(self.economy.buckets)
        }

    # ---- what happens ----

    @rule(
        payer=st.sampled_from(PAYERS),
        model=st.sampled_from(["solo", "both"]),
        amount=st.integers(1, 50),
        days=st.sampled_from([14, 0, 40, 13]),
    )
    def charge(self, payer, model, amount, days):
        at = ago(days + 0.01) if days else None
        account = self.accounts[payer]
        done = self.do(
            self.economy.charge(account, model_id=f"{self.prefix}-{model}", amount=amount, occurred_at=at)
        )  # fmt: skip
        earned = {share.account_id.removeprefix(f"{self.prefix}-"): share.nanos for share in done.receipt.earnings}
        for earner, nanos in earned.items():
            self.balances[earner, account.bucket] += nanos
        self.uses.append(Use(done.id, payer, account.bucket, amount, earned, days))

    @rule(days=st.sampled_from([1, 9, 14]))
    def time_passes(self, days):
        theirs = [self.accounts[name].id for name in PAYERS]
        self.admin.execute(
            "update metering.usage set occurred_at = occurred_at - make_interval(days => %s) "
            "where account_id = any(%s)",
            [days, theirs],
        )
        for use in self.uses:
            use.days += days

    @rule(earner=st.sampled_from(EARNERS), part=st.sampled_from([4, 3, 1, 5]), more=st.sampled_from([0, -1, 1]))
    def ask(self, earner, part, more):
        payable = self.payable(earner)
        amount = max(1, sum(payable.values()) * part // 4 + more)
        asked = request(self.economy, self.accounts[earner], amount, Terms(DAYS))
        if amount > sum(payable.values()):
            try:
                self.do(asked)
            except InsufficientEarnings:
                return
            raise AssertionError("more than is payable was paid out")
        made = self.do(asked)
        parts = {}
        for bucket in sorted(payable):
            parts[bucket] = min(amount, payable[bucket])
            amount -= parts[bucket]
            self.balances[earner, bucket] -= parts[bucket]
        self.outs.append(Out(made["id"], earner, parts))

    @precondition(lambda self: self.outs)
    @rule(data=st.data(), action=st.sampled_from(ACTIONS))
    def step(self, data, action):
        out = data.draw(st.sampled_from(self.outs))
        allowed = {"pending": ACTIONS, "processing": ("complete", "fail")}.get(out.state, ())
        doing = act(self.economy, self.accounts[out.earner], out.id, action)
        if action not in allowed:
            try:
                self.do(doing)
            except Conflict:
                return
            raise AssertionError(f"{action} of what is {out.state}")
        self.do(doing)
        out.state = END.get(action, "processing")
        if out.state in ("failed", "cancelled"):
            for bucket, nanos in out.parts.items():
                self.balances[out.earner, bucket] += nanos

    @precondition(lambda self: any(use.back < use.amount for use in self.uses))
    @rule(data=st.data(), whole=st.booleans())
    def reverse(self, data, whole):
        use = data.draw(st.sampled_from([one for one in self.uses if one.back < one.amount]))
        amount = use.amount - use.back if whole else data.draw(st.integers(1, use.amount - use.back))
        due, taken = {}, {}
        for earner, nanos in use.earned.items():
            due[earner] = round(Fraction(nanos * (use.back + amount), use.amount)) - round(
                Fraction(nanos * use.back, use.amount)
            )
            spare = self.balances[earner, use.bucket] - self.maturing(earner, use.bucket, beside=use)
            taken[earner] = min(due[earner], max(0, spare))
        told = self.do(self.economy.reverse(self.accounts[use.payer], use.id, amount, maturity_days=DAYS))
        assert told["earnings_taken_back_nano_usd"] == sum(taken.values())
        assert told["earnings_lost_nano_usd"] == sum(due.values()) - sum(taken.values())
        # A young use pays for itself.
        assert use.days >= DAYS or taken == due
        use.back += amount
        for earner, nanos in taken.items():
            use.taken[earner] += nanos
            self.balances[earner, use.bucket] -= nanos

    @invariant()
    def figures(self):
        if not hasattr(self, "accounts"):
            return
        for earner in EARNERS:
            payable = self.payable(earner)
            assert min(payable.values()) >= 0
            mine = [out for out in self.outs if out.earner == earner]
            on_the_way = sum(sum(out.parts.values()) for out in mine if out.state in ("pending", "processing"))
            paid = sum(sum(out.parts.values()) for out in mine if out.state == "completed")
            maturing = sum(self.maturing(earner, bucket) for bucket in payable)
            accrued = maturing + sum(payable.values()) + on_the_way + paid
            wanted = Statement(accrued, maturing, sum(payable.values()), on_the_way, paid)
            assert self.do(sums(self.economy, self.accounts[earner], DAYS)) == wanted

    def teardown(self):
        if hasattr(self, "accounts"):
            self.do(clean(self.economy.db))


def test_histories(booted, admin):
    loop = asyncio.new_event_loop()
    try:
        db = loop.run_until_complete(Database(booted.app_conninfo, booted.signer).open())
        History.loop, History.admin = loop, admin
        History.economy = loop.run_until_complete(Economy.found(db, source()))
        run_state_machine_as_test(
            History,
            settings=settings(
                max_examples=30, stateful_step_count=30, deadline=None, print_blob=True,
                # A failing history is printed as it came: to shrink one takes minutes.
                phases=(Phase.explicit, Phase.reuse, Phase.generate), suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip
        loop.run_until_complete(History.economy.till.close())
        loop.run_until_complete(db.close())
    finally:
        loop.close()
