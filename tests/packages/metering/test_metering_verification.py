"""The proof of the books sees each kind of damage, names it, and nothing else; on sound books it finds nothing."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest

import rows_batches
from economy import TELLER, clean, party, pass_time
from tokenhouse.domain import market, metering
from tokenhouse.domain.ledger.types import Command
from tokenhouse.domain.metering.verification import INVARIANTS, MOST_SHOWN
from tokenhouse.infra.database import PLATFORM
from withdrawing import act, request


async def history(economy, admin):
    """Some of everything that the books can hold."""
    owner, maker = await economy.account("owner"), await economy.account("maker")
    payer = await economy.account("payer", plan="small")
    other = await economy.account("other", credits=500)
    await economy.model("m", owner, creator_id="maker", creator_share_bps=2500)
    await economy.model("sale", price_credits=40)
    expires = datetime.now(UTC) + timedelta(hours=1)
    await economy.grant(payer, 50, source="gift", expires_at=expires)
    await economy.grant(payer, 200, source="bonus")
    reversed_ = await economy.charge(payer, model_id="m", amount=30)
    hold = await economy.hold(payer, model_id="m", amount=20)
    await economy.capture(payer, hold, 15)
    await economy.charge(other, amount=7)
    await economy.charge(other, model_id="m", amount=11)
    await economy.charge(other, "report", model_id="m", amount=3)
    await economy.charge(owner, model_id="m", amount=5)
    await economy.buy(other, "sale")
    await economy.model("back", other, price_credits=8)
    await refund(economy, other, "back")
    async with economy.db.transaction(PLATFORM) as tx:
        await metering.review_model(tx, party(payer), "m", 4, "good", moderated=False)
        await metering.review_model(tx, party(other), "m", 2, None, moderated=True)
    await economy.reverse(payer, reversed_.id, 10)
    async with economy.db.transaction(TELLER) as tx:
        await metering.adjust(tx, Command(party(owner), uuid.uuid4().hex, "00" * 16), 5, "a test", None, 14)
    assert await metering.open_reviews(economy.db, metering.Thresholds(uses=1, share_percent=0))
    admin.execute("update metering.review set state = 'cleared', ended_at = now()")
    whole = await economy.charge(other, model_id="m", amount=4)
    await economy.reverse(other, whole.id)
    pass_time(admin, timedelta(days=40))
    await economy.settle(payer)
    await economy.hold(payer, amount=9, ttl_seconds=86400)
    await economy.void(other, await economy.hold(other, amount=2))
    for action in ("complete", "fail", "approve"):
        await act(economy, owner, (await request(economy, owner, 1000))["id"], action)
    await request(economy, maker, 7)
    return {"owner": owner.id, "maker": maker.id, "payer": payer.id, "other": other.id, "bucket": payer.bucket}


async def refund(economy, account, model_id):
    command = Command(party(account), uuid.uuid4().hex, "00" * 16)
    async with economy.db.transaction(TELLER) as tx:
        await market.refund(tx, economy.terms, command, model_id, "a test")


EARNER, WALLET = "role = 'earnings' and balance > 0", "role = 'wallet' and balance > 0"
CHARGE, CAPTURE, PLAIN = "kind = 'charge'", "kind = 'capture'", "kind = 'charge' and model_id is null"
LIVE, SOME, ANY = "(select id from ledger.hold where state = 'live')", "remaining > 0", "true"
# The invariants that name it; whether the sums no longer balance; what is done (None: deleted) to one of which rows.
DAMAGE = [
    ("in_payout payouts", False, "payouts.payout", "amount = amount + 1", "state = 'pending'"),
    ("in_payout payouts payout_events", False, "payouts.payout", None, "state = 'pending'"),
    ("in_payout payouts", False, "ledger.transfer", "amount = amount + 1", "kind = 'payout_paid'"),
    ("payouts payout_events", False, "payouts.payout", "state = 'failed'", "state = 'completed'"),
    ("payouts", False, "payouts.payout", "ended_entry = id", "state = 'completed'"),
    ("payout_events", False, "payouts.payout", "state = 'processing'", "state = 'pending'"),
    ("payout_events", False, "payouts.event", None, "state = 'completed'"),
    ("payout_legs", False, "ledger.transfer", "credit_id = -4", "kind = 'payout'"),
    ("payout_legs", False, "ledger.transfer", "debit_id = -5", "kind = 'earning'"),
    ("payout_legs", False, "ledger.transfer", "debit_id = -4", "kind = 'payout_back'"),
    ("balances", True, "ledger.account", "balance = balance + 1", EARNER),
    ("balances", True, "ledger.account", None, EARNER),
    ("balances lots_make_balances", True, "ledger.account", "balance = balance + 1", WALLET),
    ("balances usage model_earners", True, "ledger.transfer", "amount = amount + 1", "kind = 'earning'"),
    ("platform_accounts", False, "ledger.transfer", "credit_id = credit_id - 16", CHARGE),
    ("balances platform_accounts", False, "ledger.transfer", "credit_id = debit_id + 1000", CHARGE),
    ("transfers_have_entries", False, "ledger.entry", None, "kind = 'renewal'"),
    ("transfers_have_entries", False, "ledger.entry", None, "kind = 'grant'"),
    ("held", False, "ledger.account", "held = held - 1", "held > 0"),
    ("held", False, "ledger.hold", "state = 'voided', ended_at = now()", "state = 'live'"),
    ("held", False, "ledger.hold", "state = 'live', ended_at = null", "state = 'voided'"),
    ("lots_make_balances", False, "wallets.lot", "account_id = account_id + 100000", SOME),
    ("lots", False, "wallets.lot", "amount = amount + 1", ANY),
    ("lots", False, "wallets.lot", None, "remaining = 0"),
    ("lots", False, "wallets.lot", "lapsed = lapsed - 1", "lapsed > 0"),
    ("lots lots_make_balances", False, "wallets.lot", "remaining = remaining - 1", SOME),
    ("lots", False, "ledger.transfer", "lot_id = lot_id + 1000", CHARGE),
    ("spent", False, "ledger.account", "spent = spent + 1", WALLET),
    ("usage", False, "metering.usage", "amount = amount + 1", PLAIN),
    ("usage standings", False, "metering.usage", "nanos = nanos + 1", "nanos > 0"),
    ("usage_has_entries", False, "metering.usage", None, PLAIN),
    ("usage_has_entries", False, "ledger.entry", "kind = 'capture'", CHARGE),
    ("usage_has_entries", False, "ledger.entry", "account_id = account_id + 100000", CHARGE),
    ("usage_has_entries", False, "ledger.entry", "kind = 'report'", "kind = 'void'"),
    ("captures", False, "metering.usage", "hold_id = null", CAPTURE),
    ("captures", False, "metering.usage", f"hold_id = {LIVE}", CAPTURE),
    ("captures", False, "ledger.hold", "captured = captured - 1", "state = 'captured'"),
    ("reversals standings", False, "metering.reversal", "nanos = nanos + 1", "not whole"),
    ("reversals standings model_earners", False, "metering.reversal", "amount = amount - 1", "not whole"),
    ("reversals standings model_earners", False, "metering.reversal", "whole = true", "not whole"),
    ("standings", False, "earnings.standing", "uses = uses + 1", ANY),
    ("standings", False, "earnings.standing", "credits = credits - 1", ANY),
    ("standings", False, "earnings.standing", "nanos = nanos + 1", ANY),
    ("standings", False, "earnings.standing", None, ANY),
    ("model_earners", False, "earnings.model_earner", "uses = uses - 1", ANY),
    ("model_earners", False, "earnings.model_earner", "credits = 0", ANY),
    ("model_earners", False, "earnings.model_earner", "nanos = nanos + 1", ANY),
    ("model_earners", False, "earnings.model_earner", None, ANY),
    ("self_use model_earners", False, "metering.usage", "earners = earners || account_id", "counted"),
    ("self_use usage_has_entries", False, "metering.usage", "account_id = earners[1]", "counted and kind = 'report'"),
    ("ratings", False, "market.rating", "stars = stars + 1", ANY),
    ("ratings", False, "market.rating", None, ANY),
    ("purchases", False, "market.ownership", "price_credits = price_credits + 1", "refund_entry_id is null"),
    ("purchases", False, "market.ownership", "entry_id = null", "price_credits > 0"),
    ("purchases", False, "market.ownership", "refund_entry_id = null, ended_at = null", "refund_entry_id is not null"),
    ("purchases", False, "ledger.entry", "kind = 'purchase'", "kind = 'refund'"),
    ("adjustments", False, "earnings.adjustment", "nanos = nanos + 1", ANY),
    ("adjustments", False, "earnings.adjustment", None, ANY),
    ("reviews", False, "metering.review", "state = 'rejected', taken = 1, lost = 0", ANY),
    ("buckets", False, "access.account", "bucket = bucket + 1", ANY),
]
OUT_OF_NOWHERE = """
with earner as (
  update ledger.account set balance = balance + 5
  where ctid = (select ctid from ledger.account where role = 'earnings' and balance > 0 limit 1) returning *
), entry as (
  insert into ledger.entry (bucket, account_id, key, id, kind, fingerprint, recorded_at)
  select bucket, owner_id, ' mystery', gen_random_uuid(), 'mystery', '', now() from earner returning *
)
insert into ledger.transfer (bucket, entry_id, leg, kind, asset_id, debit_id, credit_id, amount, owner_id, recorded_at)
select n.bucket, n.id, 0, 'mystery', 0, -4, e.id, 5, e.owner_id, now() from entry n, earner e
"""


async def found(economy):
    proof = await metering.verify(economy.db)
    return (
        proof,
        {one.name for one in proof.findings if one.count},
        {one.asset for one in proof.sums if not one.balanced},
    )


@pytest.mark.parametrize(("names", "unbalanced", "table", "change", "where"), DAMAGE)
async def test_damage_is_seen_and_named(economy, admin, names, unbalanced, table, change, where):
    await history(economy, admin)
    await clean(economy.db)
    what = f"update {table} set {change}" if change else f"delete from {table}"
    assert admin.execute(f"{what} where ctid = (select ctid from {table} where {where} limit 1)").rowcount == 1
    proof, named, sums = await found(economy)
    assert (named, bool(sums), proof.holds) == (set(names.split()), unbalanced, False)


async def test_value_out_of_nowhere_unbalances_the_sums(economy, admin):
    """Each row agrees with each other; only all of them together do not."""
    await history(economy, admin)
    assert admin.execute(OUT_OF_NOWHERE).rowcount == 1
    proof, named, sums = await found(economy)
    assert (named, sums, proof.holds) == (set(), {"USD"}, False)


async def test_a_batch_of_what_did_not_go_to_a_bank(economy, admin):
    await history(economy, admin)
    await rows_batches.fill(economy, {}, admin)
    assert (await found(economy))[1] == {"batches"}


def test_every_invariant_is_seen_failing():
    assert {"batches"} | {name for damage in DAMAGE for name in damage[0].split()} == {one.name for one in INVARIANTS}


async def test_what_a_finding_says(economy, admin):
    payer = await economy.account("payer", credits=10)
    await economy.charge(payer, amount=3)
    admin.execute("update ledger.account set spent = 5 where role = 'wallet'")
    told = []
    proof = await metering.verify(economy.db, told.append)
    (finding,) = [one for one in proof.findings if one.count]
    assert (finding.name, finding.count) == ("spent", 1)
    (difference,) = finding.differences
    assert difference.subject == f"wallet of account {payer.id} asset 1"
    assert (difference.recorded, difference.derived) == ("5", "3")
    assert "revenue" in finding.description
    assert told == [one.name for one in proof.findings] == [one.name for one in INVARIANTS]
    (general,) = [one for one in proof.sums if one.asset == "general"]
    assert (general.issued, general.spent, general.lapsed, general.balances) == ("10", "3", "0", "7")


async def test_many_differences_are_counted_and_the_first_are_shown(economy, admin):
    payer = await economy.account("payer", credits=1000)
    await economy.till.submit_all([economy.order(payer, amount=1) for _ in range(MOST_SHOWN + 20)])
    admin.execute("update metering.usage set amount = 2")
    proof, named, _ = await found(economy)
    (finding,) = [one for one in proof.findings if one.count]
    assert named == {"usage"}
    assert (finding.count, len(finding.differences)) == (MOST_SHOWN + 20, MOST_SHOWN)


async def test_it_holds_while_the_service_works(economy):
    owner = await economy.account("owner")
    payers = [await economy.account(f"p{place}", credits=1000) for place in range(8)]
    await economy.model("m", owner, earnings_policy="dynamic")
    ended = asyncio.Event()

    async def work(payer):
        while not ended.is_set():
            done = await economy.charge(payer, model_id="m", amount=1)
            await economy.reverse(payer, done.id)

    workers = [asyncio.ensure_future(work(payer)) for payer in payers]
    for _ in range(6):
        await clean(economy.db)
    ended.set()
    await asyncio.gather(*workers)
    await clean(economy.db)
