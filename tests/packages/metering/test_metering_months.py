"""Statements: opening + what moved = closing, each month's opening the last one's closing, whatever happened when."""

import io
import random
import uuid
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pypdf
import pytest

from economy import FLAT_RATE, tenant
from tokenhouse.domain import access, metering
from tokenhouse.domain.metering import Move
from tokenhouse.domain.metering.months import bounds, by_day
from tokenhouse.entrypoints.api import statement_files
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import ValidationFailed
from withdrawing import act, request

RATE = FLAT_RATE
EARNER_KINDS = "kind in ('earning', 'reversal', 'payout', 'payout_back')"


async def month(economy, account, name, **more):
    async with economy.db.read(tenant(account)) as tx:
        found = await access.find_account(tx, account.external_id)
        return await metering.month(tx, found, name, **more)


async def busy(economy, zone_name="UTC"):
    """An earner of three models with charges, reversals, and payouts that ended in every way."""
    owner = await economy.account("owner", time_zone=zone_name)
    payers = [await economy.account(f"p{place}", credits=10_000) for place in range(4)]
    for place in range(3):
        await economy.model(f"m{place}", owner)
    charges = [
        await economy.charge(payers[place % 4], model_id=f"m{place % 3}", amount=10 + place) for place in range(30)
    ]
    for place in (0, 5, 6):
        await economy.reverse(payers[place % 4], charges[place].id, None if place else 3, maturity_days=0)
    made = [await request(economy, owner, 20 * RATE) for _ in range(5)]
    for one, action in zip(made, ("complete", "fail", "cancel", "approve"), strict=False):
        await act(economy, owner, one["id"], action)
    return owner


def scatter(admin, owner, choose):
    """Let each entry have been recorded when `choose` says; the raw moves, (when, kind, nanos), of the earner."""
    entries = admin.execute(
        f"select distinct entry_id from ledger.transfer where owner_id = %s and asset_id = 0 and {EARNER_KINDS} "
        "order by 1",
        [owner.id],
    ).fetchall()
    for (entry,) in entries:
        admin.execute("update ledger.transfer set recorded_at = %s where entry_id = %s", [choose(), entry])
    return admin.execute(
        "select recorded_at, kind, case when credit_id > 0 then amount else -amount end from ledger.transfer "
        f"where owner_id = %s and asset_id = 0 and {EARNER_KINDS}",
        [owner.id],
    ).fetchall()


@pytest.mark.parametrize("zone_name", ["UTC", "Pacific/Kiritimati", "America/New_York"])
async def test_months_follow_each_other(economy, admin, zone_name):
    """Against a sum of the raw moves in Python, over four months, with entries at the edges of the zone's months."""
    owner = await busy(economy, zone_name)
    chance, zone = random.Random(7), ZoneInfo(zone_name)
    today = datetime.now(zone).date()
    firsts = [today.replace(day=1)]
    while len(firsts) < 4:
        firsts.append((firsts[-1] - timedelta(days=1)).replace(day=1))
    edges = [datetime(one.year, one.month, one.day, tzinfo=zone) for one in firsts[:3]]
    start, now = datetime(firsts[3].year, firsts[3].month, 1, tzinfo=zone), datetime.now(UTC)

    def choose():
        if chance.random() < 0.4:
            return chance.choice(edges) + chance.choice([timedelta(0), timedelta(microseconds=-1), timedelta(hours=-1)])
        return start + (now - start) * chance.random()

    moves = scatter(admin, owner, choose)
    closing = 0
    for first in reversed(firsts):
        following = (first + timedelta(days=31)).replace(day=1)
        inside = [
            one for one in moves if first <= one[0].astimezone(zone).date() < following
        ]  # fmt: skip
        told = await month(economy, owner, f"{first:%Y-%m}")
        assert told.opening == closing
        assert told.closing == closing + sum(nanos for _, _, nanos in inside)
        assert told.opening + sum(one.nanos for one in told.moves) == told.closing
        assert told.ended is (first != firsts[0])
        sums = {}
        for at, kind, nanos in inside:
            key = (at.astimezone(zone).date(), kind)
            sums[key] = sums.get(key, 0) + nanos
        found = {}
        for one in told.moves:
            found[one.day, one.kind] = found.get((one.day, one.kind), 0) + one.nanos
        assert found == sums
        assert sum(told.totals.values()) == told.closing - told.opening
        condensed = await month(economy, owner, f"{first:%Y-%m}", most=0)
        assert (condensed.opening, condensed.closing, condensed.totals) == (told.opening, told.closing, told.totals)
        assert condensed.by_model is (not told.moves)
        closing = told.closing
    assert closing == await economy.earned(owner)
    assert len(moves) == 40


async def test_what_the_moves_say(economy, admin):
    owner = await busy(economy)
    told = await month(economy, owner, f"{datetime.now(UTC):%Y-%m}")
    assert told.opening == 0
    uses = {one.model_id: one for one in told.moves if one.kind == "earning"}
    assert [(uses[f"m{place}"].uses, uses[f"m{place}"].credits) for place in range(3)] == [
        (10, sum(10 + one for one in range(place, 30, 3))) for place in range(3)
    ]
    assert all(one.nanos == one.credits * RATE for one in uses.values())
    back = {one.model_id: (one.uses, one.credits, one.nanos) for one in told.moves if one.kind == "reversal"}
    assert back == {"m0": (2, -19, -19 * RATE), "m2": (1, -15, -15 * RATE)}
    rows = admin.execute("select id, state from payouts.payout").fetchall()
    out = {one.payout_id: one.nanos for one in told.moves if one.kind == "payout"}
    given_back = {one.payout_id: one.nanos for one in told.moves if one.kind == "payout_back"}
    assert out == {payout: -20 * RATE for payout, _ in rows}
    assert given_back == {payout: 20 * RATE for payout, state in rows if state in ("failed", "cancelled")}
    assert len(given_back) == 2


async def test_others_and_strangers(economy):
    owner = await busy(economy)
    other = await economy.account("other")
    name = f"{datetime.now(UTC):%Y-%m}"
    empty = await month(economy, other, name)
    assert (empty.opening, empty.closing, empty.moves, empty.totals) == (0, 0, [], {})
    async with economy.db.read(tenant(other)) as tx:
        found = await access.find_account(tx, "owner")
        assert found is None
    with pytest.raises(Exception, match="does not act") as refusal:
        async with economy.db.read(tenant(other)) as tx:
            await metering.month(tx, owner, name)
    assert getattr(refusal.value, "sqlstate", None) == "TH403"
    async with economy.db.read(PLATFORM) as tx:
        assert (await metering.month(tx, owner, name)).closing == await economy.earned(owner)


def test_when_months_begin():
    assert bounds("2026-10", "Europe/Berlin") == (
        datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC),
    )  # fmt: skip
    assert bounds("2026-12", "UTC") == (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
    for wrong in (
        "2026-13",
        "2026-1",
        "202610",
        "2026-10-01",
        "1999-12",
        "9999-12",
        "",
        "2026-W1",
        "x",
        "2026-1\u0661",
    ):
        with pytest.raises(ValidationFailed):
            bounds(wrong, "UTC")


async def test_no_month_to_come(economy):
    owner = await economy.account("owner")
    with pytest.raises(ValidationFailed):
        await month(economy, owner, "2999-01")


def many(count):
    """A month of many moves on few days."""
    return [
        Move(date(2026, 10, 1 + place % 28), "earning", f"model-{place}", None, 2, 3, RATE + place)
        for place in range(count)
    ]


def test_days_hold_what_their_models_held():
    moves = many(100)
    days = by_day(moves)
    assert len(days) == 28
    assert [sum(getattr(one, name) for one in days) for name in ("uses", "credits", "nanos")] == [
        sum(getattr(one, name) for one in moves) for name in ("uses", "credits", "nanos")
    ]


async def test_a_pdf_of_many_pages(economy):
    """Other programs read it: every amount and model stands there; the same bytes again; names are no markup."""
    owner = await economy.account("owner")
    told = await month(economy, owner, f"{datetime.now(UTC):%Y-%m}")
    moves = sorted(many(300), key=lambda one: one.day)
    moves.append(Move(date(2026, 10, 31), "payout", None, told_id := uuid.uuid4(), 1, 0, -5 * 10**7))
    closing = sum(one.nanos for one in moves) + 10**9
    full = metering.Month("2026-10", "UTC", told.starts_at, told.ends_at, True, 10**9, closing, moves, True)
    named = access.types.Account(
        owner.id, 0, "owner", "user", "<b>Zoë & Иван</b>", None, "UTC", owner.created_at
    )  # fmt: skip
    content = statement_files.pdf(named, full)
    assert content == statement_files.pdf(named, full)
    read = pypdf.PdfReader(io.BytesIO(content))
    assert len(read.pages) > 3
    text = "".join(page.extract_text() for page in read.pages)
    flat = "".join(text.split())
    assert "<b>Zoë&????</b>(owner)" in flat
    for one in moves[:-1]:
        assert one.model_id in flat
    assert str(told_id) in flat
    assert "Openingbalance$1.00" in flat
    assert f"Closingbalance{statement_files.usd_said(closing)}" in flat
    assert "-$0.05" in flat
    assert flat.count("ModelorpayoutUses") == len(read.pages)
    empty = metering.Month("2026-10", "UTC", told.starts_at, told.ends_at, False, 0, 0, [], True)
    page = "".join(pypdf.PdfReader(io.BytesIO(statement_files.pdf(named, empty))).pages[0].extract_text().split())
    assert "Putamodelonthemarket" in page
    assert "Themonthisnotover" in page
