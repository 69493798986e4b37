"""kill -9 under load: no acknowledged charge is lost, none is there twice. Longer and with more kills: `make soak`."""

import psycopg
import pytest
from bench import economy
from soak import crash
from soak.journal import Asked, Journal

SEED = 20_260
TWIN = """
insert into ledger.entry (bucket, account_id, key, id, kind, fingerprint, recorded_at)
select bucket, account_id, 'ours:twin', gen_random_uuid(), kind, fingerprint, now()
from ledger.entry where key = %(key)s
"""


async def test_a_killed_service_and_a_killed_postgres_lose_and_double_nothing():
    outcome = await crash.run(SEED, ["service", "PostgreSQL"], say=lambda _: None, callers=8)
    print(outcome)
    assert outcome.findings == []
    assert outcome.acknowledged > 100
    assert outcome.doubts > 0, "the kills met nobody"


# ---- the harness itself ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def books(postgres):
    """A database whose callers were acknowledged a charge each, and what these callers know."""
    made = await economy.make(postgres, "crash_harness", wallets=60, models=4, uses=200)
    journal = Journal()
    with psycopg.connect(postgres.conninfo(made.name), autocommit=True) as admin:
        # Charges of the past become ours: their keys get the colon that tells them apart.
        rows = admin.execute(
            "update ledger.entry e set key = 'ours:' || e.key from metering.usage u, access.identity i "
            "where u.id = e.id and i.account_id = e.account_id and u.id in (select id from metering.usage limit 50) "
            "returning e.key, e.id::text, i.external_id, u.amount, u.balance_after"
        ).fetchall()
        for key, id, account, amount, balance in rows:
            asked = Asked(key, {"account_id": account, "amount": amount})
            journal.acknowledge(asked, {"id": id, "account_id": account, "amount": amount, "balance": balance})
        yield journal, admin
    with psycopg.connect(postgres.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(f"drop database {made.name} with (force)")


def test_books_as_acknowledged_are_fine(books):
    journal, admin = books
    assert len(journal.acknowledged) == 50
    assert journal.compare(admin) == []


@pytest.mark.parametrize(
    ("damage", "noticed"),
    [
        ("delete from ledger.entry where key = %(key)s", "acknowledged and lost"),
        ("delete from metering.usage where id = %(id)s", "0 uses"),
        ("delete from ledger.transfer where entry_id = %(id)s", "0 taken"),
        ("update metering.usage set amount = amount + 1 where id = %(id)s", "in the books"),
        ("update ledger.account set balance = balance - 1 where role = 'wallet' and owner_id = 20", "u20 has"),
        (TWIN, "1 charges under keys that no caller was answered"),
    ],
)
def test_what_is_lost_changed_or_unasked_is_noticed(books, damage, noticed):
    journal, admin = books
    key, known = next(iter(journal.acknowledged.items()))
    with admin.transaction(force_rollback=True):
        admin.execute(damage, {"key": key, "id": known.id} if "%(" in damage else None)
        found = journal.compare(admin)
        assert any(noticed in one for one in found), found


def test_another_receipt_for_the_same_key_is_noticed(books):
    journal, _ = books
    twice = Journal(dict(journal.acknowledged))
    known = next(iter(twice.acknowledged.values()))
    receipt = {"id": "other", "account_id": known.asked.account, "amount": known.amount, "balance": known.balance}
    twice.acknowledge(known.asked, receipt)
    assert len(twice.findings) == 1
