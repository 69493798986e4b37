"""The reader of SQL sees what the layering test relies on."""

import pytest

from house.sql_names import names_in

SCHEMAS = {"access", "ledger", "wallets"}


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        ("insert into ledger.entry (id) values (1)", {"ledger.entry"}),
        ("update ledger.account a set balance = 0", {"ledger.account"}),
        ("update only ledger.account set balance = 0", {"ledger.account"}),
        ("delete from ledger.entry where true", {"ledger.entry"}),
        ("with x as (insert into ledger.entry select 1 returning id) select id from x", {"ledger.entry"}),
        ("create unique index i on ledger.entry (id)", {"ledger.entry"}),
        ("create policy tenant on ledger.entry using (true)", {"ledger.entry"}),
        ("create or replace function ledger.f() returns int language sql as $$ select 1 $$", {"ledger.f"}),
        (
            "create function wallets.f() returns void as $$ begin update ledger.account set x = 1; end $$",
            {"wallets.f", "ledger.account"},
        ),
        ("grant select on ledger.entry to th_app", {"ledger.entry"}),
        ("create schema wallets", {"wallets.*"}),
        ("truncate ledger.entry", {"ledger.entry"}),
        ("create trigger t before delete or truncate on ledger.entry execute function access.f()", {"ledger.entry"}),
        ("select id from ledger.entry for update", set()),
        ("-- insert into ledger.entry\nselect 'delete from ledger.entry'", set()),
        (
            "insert into wallets.lot as l (id) values (1) on conflict (id) do update set id = 2",
            {"wallets.lot"},
        ),
    ],
)
def test_writes(sql: str, written: set[str]) -> None:
    assert names_in(sql, SCHEMAS).written == written


@pytest.mark.parametrize(
    ("sql", "bare"),
    [
        ("select 1 from entry", {"entry"}),
        ("select 1 from ledger.entry e, lot l", {"lot"}),
        ("select 1 from ledger.entry join lot on true", {"lot"}),
        ("update account set x = 1", {"account"}),
        ("with lot as (select 1) select 1 from lot join ledger.entry using (id)", set()),
        ("select extract(epoch from recorded_at) from ledger.entry where a is distinct from b", set()),
        ("select 1 from unnest(%(ids)s::bigint[]) with ordinality as t (id, n)", set()),
        ("select 1 from rows from (unnest(a), unnest(b)) as t (x, y)", set()),
        ("select 1 from ledger.entry, lateral (select 2 from wallets.lot) x", set()),
        ("revoke all on function ledger.f from public", set()),
        ("create trigger t before truncate or update of a on ledger.entry execute function access.f()", set()),
        ("truncate entry", {"entry"}),
    ],
)
def test_bare_tables(sql: str, bare: set[str]) -> None:
    assert names_in(sql, SCHEMAS).bare == bare


def test_mentions_are_of_schemas_not_of_aliases() -> None:
    sql = "select e.id, l.amount, wallets.due(e.id) from ledger.entry e join wallets.lot l on l.id = e.id"
    assert names_in(sql, SCHEMAS).mentioned == {"ledger.entry", "wallets.lot", "wallets.due"}
