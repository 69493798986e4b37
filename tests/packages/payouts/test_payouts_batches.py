"""Payouts by bank gathered into a file: once each, the same bytes each time, cents rounded down, the schema kept."""

import asyncio
import base64
import csv
import io
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sepaxml
import xmlschema

from economy import TELLER, clean
from tokenhouse.domain import metering, payouts
from tokenhouse.domain.payouts.types import Bank, Debtor, Terms
from tokenhouse.infra.database import PLATFORM, reseal, sqlstate
from tokenhouse.infra.kernel.errors import Conflict, IdempotencyMismatch, ValidationFailed
from tokenhouse.infra.kernel.sealing import Sealer, parse_keys
from withdrawing import ADMIN, NOW, act, earner, payout, request, sums

CENT = 10_000_000
SEALER = Sealer(parse_keys(f"k:{base64.b64encode(b'k' * 32).decode()}"))
DEBTOR = Debtor("Häuser & Söhne GmbH", "DE89370400440532013000")
EURO = Bank("EUR", 920_000_000, DEBTOR)
IBANS = ("DE02120300000000202051", "AT611904300234573201", "NL91ABNA0417164300")
APPROVED = Terms(maturity_days=0, approval=True)
pytestmark = pytest.mark.asyncio


async def payee(economy, name, iban=IBANS[0], nanos=100 * CENT, **details):
    """Somebody who earned something and is paid by bank."""
    account = await earner(economy, name, nanos)
    given = {"name": name, **({"iban": iban} if iban else {}), **details}
    async with economy.db.transaction(PLATFORM) as tx:
        await payouts.set_method(tx, SEALER, account.id, "bank", given)
    return account


async def make(economy, new, bank=None, terms=NOW, *, key=None, fingerprint="f"):
    """The answer, and whether it was a replay."""
    async with economy.db.transaction(TELLER) as tx:
        return await payouts.make_batch(
            tx, terms, bank or Bank(), SEALER, key or uuid.uuid4().hex, fingerprint, new, ADMIN
        )


async def file_of(economy, batch_id):
    async with economy.db.transaction(PLATFORM) as tx:
        batch = await payouts.batch_of(tx, uuid.UUID(str(batch_id)))
        return await payouts.file_of(tx, SEALER, batch, ADMIN)


async def rows_of(economy, batch_id):
    return list(csv.DictReader(io.StringIO((await file_of(economy, batch_id)).decode(), newline="")))


async def test_all_that_wait_once(economy):
    ann, bea = await payee(economy, "ann"), await payee(economy, "bea", IBANS[1])
    hand = await earner(economy, "hand", 5 * CENT)
    made = [await request(economy, one, 7 * CENT + 1) for one in (ann, bea, ann)]
    await request(economy, hand, CENT)
    # A method that pays whole cents takes whole cents; the rest stays payable.
    assert [one["amount_nano_usd"] for one in made] == [7 * CENT] * 3
    assert (await sums(economy, bea)).payable == 93 * CENT
    told, replayed = await make(economy, payouts.NewBatch("csv"), key="one")
    assert (replayed, told["payouts_count"], told["total"], told["total_nano_usd"]) == (False, 3, "0.21", 21 * CENT)
    assert [one["id"] for one in told["payouts"]] == sorted(one["id"] for one in made)
    assert told["skipped"] == []
    assert [(await payout(economy, one["id"])).state for one in made] == ["processing"] * 3
    rows = await rows_of(economy, told["id"])
    assert [(row["account_id"], row["name"], row["iban"], row["amount"], row["currency"]) for row in rows] == [
        (who, who, iban, "0.07", "USD")
        for who, iban in (("ann", IBANS[0]), ("bea", IBANS[1]), ("ann", IBANS[0]))
    ]  # fmt: skip
    assert [row["payout_id"] for row in rows] == [one["id"] for one in made]
    # Again: the first answer; under another key there is nothing left.
    again, replayed = await make(economy, payouts.NewBatch("csv"), key="one")
    assert (again, replayed) == (told, True)
    with pytest.raises(IdempotencyMismatch):
        await make(economy, payouts.NewBatch("csv"), key="one", fingerprint="other")
    with pytest.raises(Conflict) as refusal:
        await make(economy, payouts.NewBatch("csv"))
    assert refusal.value.code == "nothing_to_pay"
    with pytest.raises(Conflict) as refusal:
        await make(economy, payouts.NewBatch("csv", [uuid.UUID(made[0]["id"])]))
    assert refusal.value.extra == {"skipped": [{"id": made[0]["id"], "code": "in_a_batch"}]}
    # The bank's answers.
    await act(economy, ann, made[0]["id"], "complete")
    await act(economy, bea, made[1]["id"], "fail", reason="account closed")
    assert await rows_of(economy, told["id"]) == rows
    async with economy.db.read(PLATFORM) as tx:
        batch = await payouts.batch_of(tx, uuid.UUID(told["id"]))
        now = await payouts.told_batch(tx, batch)
        assert [one.id for one in await payouts.batches_of(tx)] == [batch.id]
    assert [one["state"] for one in now["payouts"]] == ["completed", "failed", "processing"]
    assert (await sums(economy, bea)).payable == 100 * CENT
    await clean(economy.db)


async def test_those_that_cannot_join_are_told_and_left(economy, admin):
    euro = Bank("EUR", 920_000_000, DEBTOR)
    ann = await payee(economy, "ann")
    usa = await payee(economy, "usa", None, account_number="000123456789", routing_number="021000021")
    gone, moved, poor = [await payee(economy, name) for name in ("gone", "moved", "poor")]
    made = {one.external_id: (await request(economy, one, CENT * 10))["id"] for one in (ann, usa, gone, moved)}
    made["poor"] = (await request(economy, poor, CENT))["id"]
    made["hand"] = (await request(economy, ann, CENT, method="manual"))["id"]
    await act(economy, gone, made["gone"], "cancel")
    async with economy.db.transaction(PLATFORM) as tx:
        await payouts.set_method(tx, SEALER, moved.id, "manual", {"paypal": "moved@example.com"})
    stranger = uuid.uuid4()
    asked = [uuid.UUID(one) for one in made.values()] + [stranger]
    told, _ = await make(economy, payouts.NewBatch("pain.001", asked), euro)
    assert [one["id"] for one in told["payouts"]] == [made["ann"]]
    assert {one["id"]: one["code"] for one in told["skipped"]} == {
        made["usa"]: "no_iban", made["gone"]: "payout_state", made["moved"]: "payout_method_missing",
        made["poor"]: "below_a_cent", made["hand"]: "not_by_bank", str(stranger): "not_found",
    }  # fmt: skip
    for name in ("usa", "moved", "poor", "hand"):
        assert (await payout(economy, made[name])).state == "pending"
    told, _ = await make(economy, payouts.NewBatch("csv"))
    assert [one["id"] for one in told["payouts"]] == sorted([made["usa"], made["poor"]])
    rows = await rows_of(economy, told["id"])
    paid_to = [(row["iban"], row["account_number"], row["routing_number"]) for row in rows]
    assert paid_to == [("", "000123456789", "021000021"), (IBANS[0], "", "")]
    await clean(economy.db)


async def test_approval_comes_first(economy):
    ann = await payee(economy, "ann")
    made = await request(economy, ann, CENT, APPROVED)
    with pytest.raises(Conflict):
        await make(economy, payouts.NewBatch("csv"), terms=APPROVED)
    await act(economy, ann, made["id"], "approve", APPROVED)
    told, _ = await make(economy, payouts.NewBatch("csv"), terms=APPROVED)
    assert told["payouts_count"] == 1


@pytest.mark.parametrize(("pain", "bic"), [("001.001.03", None), ("001.001.03", "DEUTDEFF"), ("001.001.09", None),
                                            ("001.001.09", "DEUTDEFF500")])  # fmt: skip
async def test_pain_keeps_its_schema(economy, pain, bic):
    bank = Bank("EUR", 920_000_001, Debtor(DEBTOR.name, DEBTOR.iban, bic), pain)
    names = ["Łukasz Müller-Ångström", "D'Arc // & <Jeanne> \u201cJ\u201d", "=cmd|' /C calc'!A0" + "x" * 80]
    people = []
    for place, name in enumerate(names):
        more = {"bic": "ABNANL2A"} if place == 2 else {}
        account = await earner(economy, f"p{place}", 3 * 10**12)
        async with economy.db.transaction(PLATFORM) as tx:
            await payouts.set_method(tx, SEALER, account.id, "bank", {"name": name, "iban": IBANS[place], **more})
        people.append(account)
    made = [await request(economy, one, 123_456_780_000_000 // 100) for one in people]
    day = datetime.now(UTC).date() + timedelta(days=3)
    told, _ = await make(economy, payouts.NewBatch("pain.001", None, day), bank)
    content = await file_of(economy, told["id"])
    assert content == await file_of(economy, told["id"])
    schema = xmlschema.XMLSchema(Path(sepaxml.__file__).parent / "schemas" / f"pain.{pain}.xsd")
    read = schema.to_dict(io.BytesIO(content))
    assert schema.is_valid(io.BytesIO(content))
    root = read["CstmrCdtTrfInitn"]
    block = root["PmtInf"][0]
    # 1,234.56 of dollars each, at 0.920000001: 1135.79520… euros, of which the cents that are whole.
    assert [one["Amt"]["InstdAmt"]["$"] for one in block["CdtTrfTxInf"]] == [Decimal("1135.79")] * 3
    assert (root["GrpHdr"]["CtrlSum"], root["GrpHdr"]["NbOfTxs"]) == (Decimal("3407.37"), "3")
    assert (told["total"], told["rate"], told["currency"]) == ("3407.37", "0.920000001", "EUR")
    assert [one["Cdtr"]["Nm"] for one in block["CdtTrfTxInf"]] == [
        "Lukasz Mueller-Angstroem",
        "D'Arc / + Jeanne J", ("cmd ' /C calc' A0" + "x" * 80)[:70],
    ]  # fmt: skip
    references = [one["PmtId"]["EndToEndId"] for one in block["CdtTrfTxInf"]]
    assert references == [one["id"].replace("-", "") for one in made]
    date_told = block["ReqdExctnDt"]
    assert str(date_told["Dt"] if isinstance(date_told, dict) else date_told) == day.isoformat()
    if bic is not None:
        assert bic in str(block["DbtrAgt"])


async def test_csv_holds_no_formula(economy):
    account = await payee(economy, "ann")
    async with economy.db.transaction(PLATFORM) as tx:
        await payouts.set_method(tx, SEALER, account.id, "bank", {"name": "=HYPERLINK(1)", "iban": IBANS[0]})
    await request(economy, account, CENT)
    told, _ = await make(economy, payouts.NewBatch("csv"))
    assert (await rows_of(economy, told["id"]))[0]["name"] == "'=HYPERLINK(1)"


async def test_what_pain_needs(economy):
    await request(economy, await payee(economy, "ann"), CENT)
    for bank in (Bank(), Bank("EUR", 10**9), Bank("USD", 10**9, DEBTOR)):
        with pytest.raises(Conflict) as refusal:
            await make(economy, payouts.NewBatch("pain.001"), bank)
        assert refusal.value.code == "bank_not_set_up"
    for day in (date(2020, 1, 1), date(2300, 1, 1)):
        with pytest.raises(ValidationFailed):
            await make(economy, payouts.NewBatch("csv", None, day))


async def test_two_at_once(economy):
    """Two batches of everything: each payout is in one; the same key twice: one batch."""
    accounts = [await payee(economy, f"p{place}") for place in range(6)]
    made = [await request(economy, one, CENT) for one in accounts]

    async def tried(key):
        while True:
            try:
                return await make(economy, payouts.NewBatch("csv"), key=key)
            except Conflict:
                return None
            except Exception as error:
                if sqlstate(error) not in ("40P01", "TH409"):
                    raise

    found = await asyncio.gather(tried("a"), tried("b"), tried("a"), tried("b"))
    told = [one for one in found if one is not None]
    assert sorted(one["id"] for answer, replayed in told if not replayed for one in answer["payouts"]) == sorted(
        one["id"] for one in made
    )
    assert len({answer["id"] for answer, _ in told}) == 1
    assert sorted(replayed for _, replayed in told) == [False, True]
    await clean(economy.db)


async def test_a_batch_against_a_failure(economy):
    """Whoever comes first: a payout that failed is in no batch, or it went to one and then failed."""
    ann, bea = await payee(economy, "ann"), await payee(economy, "bea")
    one, other = await request(economy, ann, CENT), await request(economy, bea, CENT)
    await asyncio.gather(
        make(economy, payouts.NewBatch("csv")), act(economy, ann, one["id"], "fail"), return_exceptions=True
    )
    assert (await payout(economy, other["id"])).state == "processing"
    await clean(economy.db)


async def test_the_file_is_sealed_resealed_and_goes_with_a_person(economy, admin):
    ann = await payee(economy, "ann", IBANS[0])
    await request(economy, ann, CENT)
    told, _ = await make(economy, payouts.NewBatch("csv"))
    before = await file_of(economy, told["id"])
    assert IBANS[0].encode() in before
    (sealed,) = admin.execute("select sealed from payouts.batch").fetchone()
    assert IBANS[0].encode() not in bytes(sealed)
    old, new = f"k:{base64.b64encode(b'k' * 32).decode()}", f"n:{base64.b64encode(b'n' * 32).decode()}"
    done = await reseal(economy.db, Sealer(parse_keys(f"{new},{old}")), payouts.SEALED_FILES)
    assert (done.seen, done.resealed) == (1, 1)
    await reseal(economy.db, Sealer(parse_keys(f"{old},{new}")), payouts.SEALED_FILES)
    assert await file_of(economy, told["id"]) == before
    async with economy.db.transaction(PLATFORM) as tx:
        await metering.erase(tx, ann.id)
    assert admin.execute("select sealed from payouts.batch").fetchone() == (None,)
    await clean(economy.db)


async def test_verify_sees_a_batch_that_is_wrong(economy, admin):
    await request(economy, await payee(economy, "ann"), 5 * CENT)
    await make(economy, payouts.NewBatch("csv"))
    await clean(economy.db)
    for damage in (
        "update payouts.batched set cents = 6",
        "update payouts.batched set cents = 5, batch_id = payout_id",
    ):
        admin.execute(damage)
        proof = await metering.verify(economy.db)
        assert [one.name for one in proof.findings if one.count] == ["batches"]
