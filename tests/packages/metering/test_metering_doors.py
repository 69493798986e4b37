"""A teller's token names the accounts for which it may post; rows of anybody else's, of whatever kind, are refused."""

import psycopg
import pytest

from economy import Economy, party
from tokenhouse.domain import ledger
from tokenhouse.domain.ledger import chart
from tokenhouse.domain.ledger.types import EntryRow, HoldRow, LegRow
from tokenhouse.domain.metering import service
from tokenhouse.domain.metering.types import MeteringPosting, UsageRow
from tokenhouse.infra.database import Actor, sqlstate
from tokenhouse.infra.kernel.ids import uuid7


@pytest.fixture
async def economy(db):
    economy = await Economy.found(db)
    yield economy
    await economy.till.close()


def _entry(posting, owner, entry):
    posting.entries.append(EntryRow(owner, "k", entry, "charge", "00", None))


def _leg(posting, owner, entry):
    posting.legs.append(LegRow(entry, 0, "charge", 1, 1, chart.revenue(1), 5, owner, 1))


def _wallet(posting, owner, entry):
    posting.wallet(owner, 1, -5)


def _move(posting, owner, entry):
    posting.move(owner, 1, 1, -5)


def _usage(posting, owner, entry):
    more = dict.fromkeys(UsageRow._fields)
    more |= {"id": entry, "account_id": owner, "asset_id": 1, "kind": "charge", "counted": False}
    more |= {"usage_type": "other", "amount": 0, "credits": 0, "balance_after": 0, "nanos": 0}
    posting.usage.append(UsageRow(**more))


def _hold(posting, owner, entry):
    posting.holds.append(HoldRow(entry, owner, 1, 0, "2099-01-01T00:00:00+00:00", "{}"))


@pytest.mark.parametrize("row", [_entry, _leg, _wallet, _move, _usage, _hold])
async def test_rows_of_another_are_refused(economy, db, row):
    mine, other = await economy.account("mine"), await economy.account("other")
    bucket = party(other).bucket
    posting = MeteringPosting(bucket)
    row(posting, other.id, str(uuid7()))
    with pytest.raises(psycopg.Error) as refused:
        async with db.transaction(Actor((mine.id,), teller=True)) as tx:
            await tx.run(service.POST, **service.post_params(posting, await ledger.now(tx)))
    assert sqlstate(refused.value) == "TH403"
