"""Random histories as those of payouts, with adjustments, and odd use that is held, cleared, rejected."""

import asyncio
import itertools
import uuid

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from economy import TELLER, Economy, fingerprint, party, source
from packages.payouts.test_payouts_histories import DAYS, EARNERS, PAYERS, History
from tokenhouse.domain import metering
from tokenhouse.domain.ledger.types import Command
from tokenhouse.domain.metering import Thresholds
from tokenhouse.infra.database import PLATFORM, Database
from tokenhouse.infra.kernel.errors import InsufficientEarnings

EVERYTHING = Thresholds(uses=1, share_percent=0)


class HeldHistory(History):
    """One history. A use under an open review is named in `held`; one that was rejected has earned nothing any more."""

    numbers = itertools.count(1000)

    # ---- what the oracle knows ----

    def young(self, earner, bucket, beside=None):
        return super().maturing(earner, bucket, beside)

    def under_review(self, earner, bucket, beside=None):
        old = [use for use in self.uses if use.days >= DAYS and use.bucket == bucket and use is not beside]
        return sum(use.earned.get(earner, 0) - use.taken[earner] for use in old if use.id in self.reviews)

    def maturing(self, earner, bucket, beside=None):
        others = self.under_review(earner, bucket, beside)
        own = self.under_review(earner, bucket) - others
        spare = self.balances[earner, bucket] - self.young(earner, bucket) - own
        return self.young(earner, bucket, beside) + min(others, max(0, spare))

    @property
    def reviews(self):
        """Use → its open review."""
        return self.__dict__.setdefault("_reviews", {})

    # ---- what happens ----

    @rule()
    def look(self):
        self.do(metering.open_reviews(self.economy.db, EVERYTHING))
        names = {self.accounts[name].id: name for name in PAYERS}
        for review in self.do(self._open()):
            if review.account_id in names and review.id not in self.reviews.values():
                for use in self.uses:
                    fresh = use.id not in self.seen and use.days == 0
                    if fresh and use.payer == names[review.account_id] and self.model_of[use.id] == review.model_id:
                        self.reviews[use.id] = review.id
        self.seen.update(use.id for use in self.uses)

    async def _open(self):
        async with self.economy.db.read(PLATFORM) as tx:
            return await metering.reviews(tx, state="open", most=1000)

    @property
    def seen(self):
        return self.__dict__.setdefault("_seen", set())

    @property
    def model_of(self):
        return self.__dict__.setdefault("_models", {})

    @rule(
        payer=st.sampled_from(PAYERS),
        model=st.sampled_from(["solo", "both"]),
        amount=st.integers(1, 50),
        days=st.sampled_from([0, 0, 5, 13, 14, 40]),
    )
    def charge(self, payer, model, amount, days):
        History.charge(self, payer, model, amount, days)
        self.model_of[self.uses[-1].id] = f"{self.prefix}-{model}"

    @rule(days=st.sampled_from([1, 5, 9, 14]))
    def time_passes(self, days):
        History.time_passes(self, days)
        self.admin.execute(
            "update metering.review set since = since - make_interval(days => %s) where account_id = any(%s)",
            [days, [self.accounts[name].id for name in PAYERS]],
        )

    @precondition(lambda self: self.reviews)
    @rule(data=st.data())
    def clear(self, data):
        review = data.draw(st.sampled_from(sorted(set(self.reviews.values()))))

        async def clear():
            async with self.economy.db.transaction(PLATFORM) as tx:
                await metering.clear(tx, review, "fine")

        self.do(clear())
        self._ended(review)

    @precondition(lambda self: self.reviews)
    @rule(data=st.data())
    def reject(self, data):
        review = data.draw(st.sampled_from(sorted(set(self.reviews.values()))))
        uses = sorted((use for use in self.uses if self.reviews.get(use.id) == review), key=lambda use: use.id)
        bucket = uses[0].bucket
        left, taken, due = {}, 0, 0
        for earner in EARNERS:
            mine = sum(use.earned.get(earner, 0) - use.taken[earner] for use in uses if use.days < DAYS)
            left[earner] = self.balances[earner, bucket] - (self.young(earner, bucket) - mine)
        for use in uses:
            for earner in EARNERS:
                nanos = use.earned.get(earner, 0) - use.taken[earner]
                part = min(nanos, max(0, left[earner]))
                assert use.days >= DAYS or part == nanos
                left[earner] -= part
                self.balances[earner, bucket] -= part
                taken, due = taken + part, due + nanos
            use.earned = {}
            use.taken = dict.fromkeys(EARNERS, 0)
        payer = self.accounts[uses[0].payer]

        async def reject():
            async with self.economy.db.transaction(TELLER) as tx:
                command = Command(party(payer), uuid.uuid4().hex, "00" * 16)
                return (await metering.reject(tx, command, review, "odd", DAYS))[0]

        told = self.do(reject())
        assert (told["taken_nano_usd"], told["lost_nano_usd"]) == (taken, due - taken)
        self._ended(review)

    def _ended(self, review):
        for use in [use for use, one in self.reviews.items() if one == review]:
            del self.reviews[use]

    @rule(earner=st.sampled_from(EARNERS), nanos=st.integers(-200, 200).filter(bool))
    def adjust(self, earner, nanos):
        account = self.accounts[earner]

        async def adjust():
            async with self.economy.db.transaction(TELLER) as tx:
                command = Command(party(account), uuid.uuid4().hex, fingerprint(nanos))
                await metering.adjust(tx, command, nanos, "a test", None, DAYS)

        payable = self.payable(earner)
        if -nanos > sum(payable.values()):
            try:
                self.do(adjust())
            except InsufficientEarnings:
                return
            raise AssertionError("more than is payable was taken")
        self.do(adjust())
        if nanos > 0:
            self.balances[earner, account.bucket] += nanos
            return
        for bucket in sorted(payable, key=lambda one: (one != account.bucket, one)):
            part = min(-nanos, payable[bucket])
            self.balances[earner, bucket] -= part
            nanos += part


def test_histories_with_reviews(booted, admin):
    loop = asyncio.new_event_loop()
    try:
        db = loop.run_until_complete(Database(booted.app_conninfo, booted.signer).open())
        HeldHistory.loop, HeldHistory.admin = loop, admin
        HeldHistory.economy = loop.run_until_complete(Economy.found(db, source()))
        run_state_machine_as_test(
            HeldHistory,
            settings=settings(
                max_examples=25, stateful_step_count=35, deadline=None, print_blob=True,
                phases=(Phase.explicit, Phase.reuse, Phase.generate), suppress_health_check=list(HealthCheck),
            ),
        )  # fmt: skip
        loop.run_until_complete(HeldHistory.economy.till.close())
        loop.run_until_complete(db.close())
    finally:
        loop.close()
