"""Fills databases: the catalog, accounts with credits, models with owners, and a past of their uses."""

from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tokenhouse.domain import catalog
from tokenhouse.infra.database import PLATFORM, Database
from tokenhouse.infra.database.boot import Booted, grant_database, prepare_embedded
from tokenhouse.infra.database.embedded import EmbeddedServer

ALLOWANCE = 60
"""Credits of each wallet's first grant: some charges burn the rest of it and go on with the second."""
TOP_UP = 2_000_000_000
_NANOS_PER_CREDIT = 100_000  # what the default policy pays
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Economy:
    """A filled database: accounts u1 … uN, models m1 … mM.

    Those who own or created a model come first; `payers` are the numbers of the others, who pay.
    """

    booted: Booted
    name: str
    wallets: int
    models: int

    @property
    def payers(self) -> range:
        """Numbers of the accounts that earn by nothing."""
        return range(2 * self.models + 1, self.wallets + 1)


async def make(
    server: EmbeddedServer,
    name: str,
    *,
    wallets: int,
    models: int,
    uses: int = 0,
    buckets: int = 1,
    history: str = "history.sql",
) -> Economy:
    """Make a database and fill it. `uses`: how many uses of models lie in its past, which `history` writes."""
    booted = prepare_embedded(server, buckets, name)
    async with (
        Database(booted.app_conninfo, booted.signer, max_size=2) as database,
        database.transaction(PLATFORM) as tx,
    ):
        await catalog.apply_source(tx, catalog.read_source())
    values = {
        "wallets": wallets, "models": models, "uses": uses, "buckets": booted.buckets,
        "allowance": ALLOWANCE, "top_up": TOP_UP, "nanos": _NANOS_PER_CREDIT,
    }  # fmt: skip
    with psycopg.connect(server.conninfo(name), autocommit=True, cursor_factory=psycopg.ClientCursor) as admin:
        for script in ("economy.sql", history) if uses else ("economy.sql",):
            with admin.transaction():
                admin.execute((_HERE / script).read_text("utf-8"), values)
        admin.execute("vacuum analyze")
    return Economy(booted, name, wallets, models)


def copy(server: EmbeddedServer, economy: Economy, name: str) -> Economy:
    """Copy a database that nobody is connected to; one of that name goes first."""
    with psycopg.connect(server.conninfo("postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        admin.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(economy.name))
        )
    with psycopg.connect(server.conninfo(name), autocommit=True) as admin:
        grant_database(admin)  # a copy does not inherit the database's own grants
    booted = replace(
        economy.booted,
        app_conninfo=make_conninfo(economy.booted.app_conninfo, dbname=name),
        worker_conninfo=make_conninfo(economy.booted.worker_conninfo, dbname=name),
    )
    return replace(economy, booted=booted, name=name)


_NO_POLICIES = """
do $$
declare
  t regclass;
begin
  for t in select c.oid from pg_class c where c.relrowsecurity loop
    execute format('alter table %s disable row level security, no force row level security', t);
  end loop;
end $$;
create or replace function access.scope() returns bigint[] language sql stable as $$ select '{0,-1}'::bigint[] $$;
"""


def without_isolation(server: EmbeddedServer, economy: Economy, name: str) -> Economy:
    """Copy a database, and take its isolation away: no policies, and any token stands for everybody, unread."""
    found = copy(server, economy, name)
    with psycopg.connect(server.conninfo(name), autocommit=True) as admin:
        admin.execute(_NO_POLICIES)
    return found
