"""Values sealed by an older key are sealed anew, on a table of the test's own."""

import asyncio
from dataclasses import dataclass

import pytest

from tokenhouse.entrypoints.cli import reseal as command
from tokenhouse.infra.database import SealedColumn, SealedRow, reseal
from tokenhouse.infra.database.queries import Queries, parse
from tokenhouse.infra.kernel.sealing import Place, Sealer, Unsealable, new_key, parse_keys

OLD, NEW = parse_keys(f"{new_key('old')},{new_key('new')}")

_SQL = """
-- page : SealedRow*
SELECT v.id, v.sealed FROM vault.safe AS v
WHERE %(after)s::text IS NULL OR v.id > %(after)s::text ORDER BY v.id LIMIT %(most)s::integer;

-- store : bool
SELECT vault.store(%(id)s::text, %(old)s::bytea, %(new)s::bytea) AS stored;
"""


@dataclass
class Vault:
    """The table and how it is reached."""

    admin: object
    column: SealedColumn

    def fill(self, sealer, count):
        for number in range(count):
            row = f"{number:05}"
            sealed = sealer.seal(f"secret {row}".encode(), Place("vault.safe", "sealed", row))
            self.admin.execute("insert into vault.safe values (%s, %s)", [row, sealed])

    def rows(self):
        return self.admin.execute("select id, sealed from vault.safe order by id").fetchall()


@pytest.fixture
def vault(admin):
    admin.execute(
        "create schema vault; grant usage on schema vault to th_app; create table vault.safe (id text primary key, "
        "sealed bytea); grant select on vault.safe to th_app; "
        "create function vault.store(p_id text, p_old bytea, p_new bytea) returns boolean language plpgsql "
        "security definer as $$ begin update vault.safe set sealed = p_new where id = p_id and sealed = p_old; "
        "return found; end $$"
    )
    queries = Queries("vault", parse(_SQL, "vault"))
    page, store = queries.rows("page", SealedRow), queries.rows("store", bool)

    async def rows(tx, after, most):
        return await tx.all(page, after=after, most=most)

    async def put(tx, row, old, new):
        return await tx.one(store, id=row, old=old, new=new)

    return Vault(admin, SealedColumn("vault.safe", "sealed", rows, put))


async def test_all_rows_are_sealed_anew_once(db, vault):
    vault.fill(Sealer([OLD]), 450)
    both, after = Sealer([NEW, OLD]), Sealer([NEW])
    done = await reseal(db, both, vault.column)
    assert (done.seen, done.resealed) == (450, 450)
    for row, sealed in vault.rows():
        assert after.open(sealed, Place("vault.safe", "sealed", row)) == f"secret {row}".encode()
    again = await reseal(db, both, vault.column)
    assert (again.seen, again.resealed) == (450, 0)


async def test_what_changed_meanwhile_is_left(db, vault):
    vault.fill(Sealer([OLD]), 3)
    both = Sealer([NEW, OLD])
    mine = Sealer([OLD]).seal(b"newer", Place("vault.safe", "sealed", "00001"))
    rows = vault.column.rows

    async def slow(tx, after, most):
        found = await rows(tx, after, most)
        await asyncio.to_thread(vault.admin.execute, "update vault.safe set sealed = %s where id = '00001'", [mine])
        return found

    done = await reseal(db, both, SealedColumn("vault.safe", "sealed", slow, vault.column.store))
    assert (done.seen, done.resealed) == (3, 2)
    assert dict(vault.rows())["00001"] == mine


async def test_swapped_rows_are_found(db, vault):
    vault.fill(Sealer([OLD]), 2)
    (_, one), (_, two) = vault.rows()
    vault.admin.execute("update vault.safe set sealed = case id when '00000' then %s else %s end", [two, one])
    with pytest.raises(Unsealable):
        await reseal(db, Sealer([NEW, OLD]), vault.column)


def test_the_command_knows_every_sealed_column(admin):
    """A column that is named as one, in any table, is registered for `tokenhouse keys reseal`."""
    found = admin.execute(
        "select n.nspname || '.' || c.relname, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid "
        "join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r' and a.attname ~ '(^|_)sealed$' "
        "and n.nspname !~ '^pg_' and not a.attisdropped"
    ).fetchall()
    assert set(found) == {(column.table, column.column) for column in command.columns()}
