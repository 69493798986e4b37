"""A clock that the wallets' verbs go by: the calendar has more months than a test has time."""

from datetime import datetime

import pytest

from tokenhouse.domain import ledger


class Clock:
    """Stands at `at`, or gives the database's own time while there is none."""

    def __init__(self, real):
        self.at: datetime | None = None
        self._real = real

    async def now(self, tx):
        return self.at or await self._real(tx)


@pytest.fixture
def clock(monkeypatch):
    made = Clock(ledger.now)
    monkeypatch.setattr(ledger, "now", made.now)
    return made
