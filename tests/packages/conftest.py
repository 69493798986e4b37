"""An economy on a fresh database, for the packages that move value."""

import pytest_asyncio

from economy import Economy, source


@pytest_asyncio.fixture
async def economy(db):
    """The shipped catalog and the tests' own terms in force; a till, checks, and verbs for the rest."""
    made = await Economy.found(db, source())
    yield made
    await made.till.close()
