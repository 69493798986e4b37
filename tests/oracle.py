"""The heart once more, in dicts and lists: what balances, grants, holds and earnings must be.

Written from the contract and not from the code: it imports nothing of the domain. Time is given to every act; an
account's wallets are brought up to date (`settle`) where somebody acts on them or looks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from dateutil.relativedelta import relativedelta

FOREVER = datetime.max.replace(tzinfo=UTC)


class Refused(Exception):
    """What the caller is told, by its code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass
class Plan:
    """Allowances by credit type; `days`: every so many days instead of by the month."""

    allowances: dict[str, int]
    days: int = 0
    rollover: bool = False


@dataclass
class Policy:
    """Nano-dollars per use and per credit; tiers (uses before, factor); factors by type; sources that earn."""

    per_use: Fraction
    per_credit: Fraction
    tiers: list[tuple[int, Fraction]] = field(default_factory=list)
    types: dict[str, Fraction] = field(default_factory=dict)
    earn_on: set[str] | None = None


@dataclass
class Lot:
    source: str
    amount: int
    left: int
    priority: int
    expires: datetime | None
    period: datetime | None
    number: int
    lapsed: int = 0

    def order(self):
        return (self.expires or FOREVER, self.priority, self.number)

    def over(self, now):
        return self.expires is not None and self.expires <= now


@dataclass
class Wallet:
    lots: list[Lot] = field(default_factory=list)
    spent: int = 0
    mark: int = 0

    @property
    def balance(self):
        return sum(lot.left for lot in self.lots)


@dataclass
class Account:
    plan: str | None
    anchor: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None
    wallets: dict[str, Wallet] = field(default_factory=dict)


@dataclass
class Hold:
    account: str
    code: str
    amount: int
    expires: datetime
    model: str | None
    usage_type: str
    label: str | None
    state: str = "live"


@dataclass
class Model:
    owners: list[str]
    creator: str | None
    share_bps: int
    policy: str
    price: int = 0
    exclusive: bool = True
    monetized: bool = True
    uses: int = 0
    credits: int = 0
    nanos: int = 0
    earners: dict[str, list[int]] = field(default_factory=dict)


@dataclass
class Charge:
    account: str
    code: str
    amount: int
    parts: list[list[Any]]  # [lot, taken and not yet given back], in burn order
    model: str | None
    counted: list[str] | None  # whose use it counts as
    earned: dict[str, int]
    reason: str | None
    back: int = 0


def half_even(value: Fraction) -> int:
    """round() of a Fraction is half to even, exactly."""
    return round(value)


class Oracle:
    """Everything, by the app's ids."""

    def __init__(self, plans: dict[str, Plan], policies: dict[str, Policy]) -> None:
        self.plans = plans
        self.policies = policies
        self.accounts: dict[str, Account] = {}
        self.models: dict[str, Model] = {}
        self.holds: dict[str, Hold] = {}
        self.charges: dict[str, Charge] = {}
        self.earned: dict[str, int] = {}
        self.lots = 0

    # ---- time ----

    def pass_time(self, passed: timedelta) -> None:
        for account in self.accounts.values():
            for name in ("anchor", "start", "end"):
                if getattr(account, name) is not None:
                    setattr(account, name, getattr(account, name) - passed)
            for wallet in account.wallets.values():
                for lot in wallet.lots:
                    lot.expires = lot.expires and lot.expires - passed
                    lot.period = lot.period and lot.period - passed
        for hold in self.holds.values():
            hold.expires -= passed

    def boundary(self, account: Account, plan: Plan, number: int) -> datetime:
        if plan.days:
            return account.anchor + number * timedelta(days=plan.days)
        return account.anchor + relativedelta(months=number)

    def period_of(self, account: Account, plan: Plan, at: datetime) -> int:
        """The number of the period in which `at` lies."""
        number = 0
        while self.boundary(account, plan, number + 1) <= at:
            number += 1
        return number

    def settle(self, name: str, now: datetime) -> None:
        """Let holds end, the period change, what is over lapse."""
        account = self.accounts[name]
        for hold in self.holds.values():
            if hold.account == name and hold.state == "live" and hold.expires <= now:
                hold.state = "expired"
        new: dict[str, list[Lot]] = {}
        plan = self.plans.get(account.plan or "")
        if plan is not None and account.end <= now:
            last = self.period_of(account, plan, now)
            first = self.period_of(account, plan, account.end) if plan.rollover else last
            account.start, account.end = self.boundary(account, plan, last), self.boundary(account, plan, last + 1)
            for number in range(first, last + 1):
                start = self.boundary(account, plan, number)
                for code, amount in plan.allowances.items():
                    expires = None if plan.rollover else account.end
                    new.setdefault(code, []).append(self.lot("allowance", amount, 0, expires, start))
            for code in new:
                account.wallets.setdefault(code, Wallet())
            for wallet in account.wallets.values():
                wallet.mark = wallet.spent
        self.lapse(name, now, new, replaced=[])

    def lapse(self, name: str, now: datetime, new: dict[str, list[Lot]], replaced: list[Lot]) -> None:
        """Take what is over or replaced, in burn order, but leave what holds need beyond the new allowances."""
        for code, wallet in self.accounts[name].wallets.items():
            fresh = new.get(code, [])
            free = wallet.balance - self.held(name, code, now) + sum(lot.left for lot in fresh)
            for lot in sorted(wallet.lots, key=Lot.order):
                is_replaced = any(lot is one for one in replaced)
                if lot.over(now) or is_replaced:
                    part = min(lot.left, free)
                    lot.left -= part
                    lot.lapsed += part
                    free -= part
                    if lot.left and is_replaced:
                        lot.expires = min(lot.expires or now, now)
            wallet.lots += fresh

    def lot(self, source, amount, priority, expires, period=None) -> Lot:
        self.lots += 1
        return Lot(source, amount, amount, priority, expires, period, self.lots)

    # ---- accounts ----

    def enrol(self, name: str, plan: str | None, anchor: datetime | None = None) -> None:
        self.accounts[name] = account = Account(plan, anchor, anchor, anchor)
        if plan is not None:
            self.settle(name, account.anchor)

    def grant(self, name, code, amount, source, priority, expires, now) -> int:
        self.touch(name, code, now)
        wallet = self.accounts[name].wallets.setdefault(code, Wallet())
        wallet.lots.append(self.lot(source, amount, priority, expires))
        return wallet.balance

    def change_plan(self, name: str, plan_name: str, now: datetime) -> None:
        self.settle(name, now)
        account, plan = self.accounts[name], self.plans[plan_name]
        if account.plan == plan_name:
            return
        account.end = self.boundary(account, plan, self.period_of(account, plan, now) + 1)
        account.plan = plan_name
        for code in plan.allowances:
            account.wallets.setdefault(code, Wallet())
        new, replaced = {}, []
        for code, wallet in account.wallets.items():
            mine = [lot for lot in wallet.lots if lot.source == "allowance" and lot.period == account.start]
            used = sum(lot.amount - lot.left - lot.lapsed for lot in mine)
            left = max(0, plan.allowances.get(code, 0) - used)
            if left:
                new[code] = [self.lot("allowance", left, 0, None if plan.rollover else account.end, account.start)]
            replaced += mine
        self.lapse(name, now, new, replaced)

    # ---- wallets ----

    def held(self, name: str, code: str, now: datetime) -> int:
        return sum(
            hold.amount
            for hold in self.holds.values()
            if (hold.account, hold.code, hold.state) == (name, code, "live") and hold.expires > now
        )

    def touch(self, name: str, code: str, now: datetime) -> Wallet:
        """Bring up to date what somebody acts on."""
        account = self.accounts[name]
        wallet = account.wallets.get(code, Wallet())
        if (account.end and account.end <= now) or any(lot.left and lot.over(now) for lot in wallet.lots):
            self.settle(name, now)
        return account.wallets.get(code, Wallet())

    def available(self, name: str, code: str, now: datetime) -> int:
        return self.touch(name, code, now).balance - self.held(name, code, now)

    def burn(self, name: str, code: str, amount: int) -> list[list[Any]]:
        wallet = self.accounts[name].wallets.get(code, Wallet())
        parts = []
        left = amount
        for lot in sorted(wallet.lots, key=Lot.order):
            part = min(left, lot.left)
            if part:
                lot.left -= part
                left -= part
                parts.append([lot, part])
        assert left == 0
        wallet.spent += amount
        return parts

    # ---- charges ----

    def charge(self, charge_id, name, code, amount, model, usage_type, label, now) -> Charge:
        if amount > self.available(name, code, now):
            raise Refused("insufficient_tokens")
        return self.take(charge_id, name, code, amount, model, usage_type, label)

    def take(self, charge_id, name, code, amount, model, usage_type, label) -> Charge:
        parts = self.burn(name, code, amount)
        made = Charge(name, code, amount, parts, model, None, {}, None)
        burned = [(lot.source, part) for lot, part in parts]
        made.counted, made.earned, made.reason = self.earn(name, label, amount, burned, model, usage_type)
        self.charges[charge_id] = made
        return made

    def earn(self, name, label, amount, burned, model_name, usage_type):
        if model_name is None:
            return None, {}, "no_model"
        model = self.models[model_name]
        people = {*model.owners, *([model.creator] if model.creator else [])}
        if name in people or label in people:
            return None, {}, "self_use"
        sharing = [model.creator] if model.creator and model.share_bps else []
        earners = list(dict.fromkeys(sharing + model.owners))
        if not earners:
            return None, {}, "no_owner"
        policy = self.policies[model.policy]
        paid = amount
        if burned is not None and policy.earn_on is not None:
            paid = sum(part for source, part in burned if source in policy.earn_on)
        reason = "not_monetized" if not model.monetized else "unpaid_source" if not paid else None
        shares = dict.fromkeys(earners, 0)
        if reason is None:
            factor = max(((uses, one) for uses, one in policy.tiers if model.uses >= uses), default=(0, Fraction(1)))[1]
            exact = (policy.per_use + paid * policy.per_credit) * factor * policy.types.get(usage_type, Fraction(1))
            rest = total = half_even(exact)
            if sharing:
                shares[model.creator] = total * model.share_bps // 10_000
                rest -= shares[model.creator]
            if model.owners:
                for owner in model.owners:
                    shares[owner] += rest // len(model.owners)
                for owner in model.owners[: rest % len(model.owners)]:
                    shares[owner] += 1
        self.count(model, amount, shares, 1)
        return earners, {earner: nanos for earner, nanos in shares.items() if nanos}, reason

    def count(self, model: Model, amount: int, shares: dict[str, int], uses: int) -> None:
        model.uses += uses
        model.credits += amount
        model.nanos += sum(shares.values())
        for earner, nanos in shares.items():
            row = model.earners.setdefault(earner, [0, 0, 0])
            row[0] += uses
            row[1] += amount
            row[2] += nanos
            self.earned[earner] = self.earned.get(earner, 0) + nanos

    def reverse(self, charge_id: str, amount: int | None) -> tuple[int, int]:
        """Give back; returns credits and nano-dollars."""
        charge = self.charges[charge_id]
        rest = charge.amount - charge.back
        if not rest:
            raise Refused("already_reversed")
        if amount is not None and amount > rest:
            raise Refused("exceeds_charge")
        amount = amount or rest
        left = amount
        for part in reversed(charge.parts):
            given = min(left, part[1])
            part[0].left += given
            part[1] -= given
            left -= given
        before, charge.back = charge.back, charge.back + amount
        self.accounts[charge.account].wallets[charge.code].spent -= amount
        if charge.counted is None:
            return amount, 0
        taken = {
            earner: half_even(Fraction(charge.earned.get(earner, 0) * charge.back, charge.amount))
            - half_even(Fraction(charge.earned.get(earner, 0) * before, charge.amount))
            for earner in charge.counted
        }
        whole = charge.back == charge.amount
        taken_back = {earner: -nanos for earner, nanos in taken.items()}
        self.count(self.models[charge.model], -amount, taken_back, -1 if whole else 0)
        return amount, sum(taken.values())

    # ---- holds, purchases ----

    def hold(self, hold_id, name, code, amount, expires, model, usage_type, label, now) -> None:
        if amount > self.available(name, code, now):
            raise Refused("insufficient_tokens")
        self.holds[hold_id] = Hold(name, code, amount, expires, model, usage_type, label)

    def end_hold(self, hold_id: str, sort: str, amount: int, charge_id: str, now: datetime) -> Charge | None:
        hold = self.holds[hold_id]
        if hold.state != "live" or hold.expires <= now:
            raise Refused("hold_ended")
        if sort == "void":
            hold.state = "voided"
            return None
        if amount > hold.amount:
            raise Refused("capture_exceeds_hold")
        self.touch(hold.account, hold.code, now)
        hold.state = "captured"
        return self.take(charge_id, hold.account, hold.code, amount, hold.model, hold.usage_type, hold.label)

    def purchase(self, name: str, model_name: str, now: datetime) -> None:
        self.settle(name, now)
        model = self.models[model_name]
        if name in model.owners or (model.exclusive and model.owners):
            raise Refused("already_owned")
        if model.price > self.available(name, "general", now):
            raise Refused("insufficient_tokens")
        self.burn(name, "general", model.price)
        model.owners.append(name)
