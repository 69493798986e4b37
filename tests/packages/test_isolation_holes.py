"""The database has no hole in its isolation; each kind of hole, planted, is found."""

import psycopg
import pytest

import isolation

_SAFE = (
    "; alter table access.hole enable row level security; alter table access.hole force row level security; "
    "create policy owner on access.hole to th_owner using (true); alter table access.hole owner to th_owner"
)

HOLES = {
    "a table without a policy": (
        "create table wallets.hole (id bigint); alter table wallets.hole owner to th_owner",
        "wallets.hole: enable row level security",
    ),
    "row-level security that is not forced": (
        "alter table wallets.lot no force row level security",
        "wallets.lot: force row level security",
    ),
    "row-level security without a policy": (
        "drop policy tenant on access.member; drop policy owner on access.member",
        "access.member has no policy",
    ),
    "a superuser's table": ("alter table wallets.lot owner to postgres", "wallets.lot is postgres's"),
    "a partition": (
        "create table access.hole (account_id bigint) partition by list (account_id)" + _SAFE + "; "
        "create table access.hole_1 partition of access.hole for values in (1); "
        "alter table access.hole_1 owner to th_owner; grant select on access.hole_1 to th_app",
        "access.hole_1: enable row level security",
    ),
    "a materialized view": (
        "create materialized view wallets.hole as select 1 as id; alter table wallets.hole owner to th_owner",
        "wallets.hole is a materialized view",
    ),
    "a policy of everybody's": ("create policy hole on wallets.lot for select using (true)", "policy hole of wallets"),
    "a policy that asks for no token": (
        "create policy hole on wallets.lot for select to th_app using (account_id > 0)",
        "policy hole of wallets.lot does not ask",
    ),
    "a policy that is always true": (
        "create policy hole on wallets.lot for select to th_app using (true or 0 = any (access.scope()))",
        "policy hole of wallets.lot does not ask",
    ),
    "a policy that lets write": (
        "create policy hole on wallets.lot for all to th_app using (account_id = any (access.scope()))",
        "policy hole of wallets.lot is for ALL",
    ),
    "a right to insert": ("grant insert on ledger.entry to th_app", "th_app may insert ledger.entry"),
    "a right to update one column": ("grant update (balance) on ledger.account to th_worker", "th_worker may update"),
    "a right to truncate": ("grant truncate on ledger.entry to public", "th_app may truncate ledger.entry"),
    "a right to a sequence": ("grant usage on sequence wallets.lot_id to th_app", "th_app may use the sequence"),
    "a right to create": ("grant create on schema public to th_app", "th_app may create in public"),
    "a role above": ("grant th_owner to th_app", "th_app has the powers of th_owner"),
    "a right to the key": ("grant select on access.secret to th_app", "th_app may read what is hidden"),
    "rights by default": (
        "alter default privileges in schema wallets grant select on tables to th_app",
        "what is yet to be made is granted to th_app",
    ),
    "a view of its owner's": (
        "create view public.hole as select * from wallets.lot; alter view public.hole owner to th_owner",
        "the view public.hole lacks security_invoker",
    ),
    "a superuser's view": (
        "create view public.hole with (security_invoker = true) as select * from wallets.lot",
        "the view public.hole is postgres's",
    ),
    "a door without a search path": (
        (
            "create function access.hole() returns int language sql security definer as 'select 1'; "
            "alter function access.hole() owner to th_owner"
        ),
        "access.hole: set search_path",
    ),
    "a superuser's door": (
        (
            "create function access.hole() returns int language sql security definer "
            "set search_path = pg_catalog, pg_temp as 'select 1'"
        ),
        "the function access.hole is postgres's",
    ),
    "a function that everybody may call": (
        (
            "create function access.hole() returns int language sql as 'select 1'; "
            "alter function access.hole() owner to th_owner; grant execute on function access.hole() to public"
        ),
        "everybody may call access.hole",
    ),
    "a single-column foreign key": (
        "create table access.hole (account_id bigint primary key, key_id uuid references access.api_key)" + _SAFE,
        "names a row of access.api_key without its owner",
    ),
    "a cascade": (
        "create table access.hole (account_id bigint primary key references access.account on delete cascade)" + _SAFE,
        "changes or deletes along with access.account",
    ),
    "a unique key as an oracle": (
        "create unique index hole on wallets.lot (note)",
        "the unique key wallets.lot(note) is over everybody's rows",
    ),
    "a unique key over an expression": (
        "create unique index hole on access.identity (lower(email))",
        "the unique key access.identity(lower(email)) is over",
    ),
    "a rule": ("create rule hole as on update to ledger.entry do instead nothing", "rule hole of ledger.entry"),
}


def test_there_is_no_hole(admin):
    assert isolation.problems(admin) == []


@pytest.mark.parametrize("hole", HOLES)
def test_a_planted_hole_is_found(admin, hole):
    statement, words = HOLES[hole]
    try:
        admin.execute(statement)
        found = isolation.problems(admin)
        assert [one for one in found if words in one], found
    finally:
        if hole == "a role above":  # roles are the server's, not the database's
            admin.execute("revoke th_owner from th_app")


def test_unique_keys_that_are_listed_are_there(admin):
    """A key that is gone is no longer excused."""
    keys, isolation.GLOBAL_KEYS = isolation.GLOBAL_KEYS, {}
    try:
        found = " ".join(isolation.unique_keys(admin))
    finally:
        isolation.GLOBAL_KEYS = keys
    assert {name for name in keys if f"{name} " not in found} == set()


async def test_a_copy_gives_no_more_than_a_select(db, booted, admin):
    """COPY TO is bound by the policies as well; there is no COPY FROM without a right to insert."""
    from tokenhouse.domain import access
    from tokenhouse.domain.access.types import NewAccount
    from tokenhouse.infra.database import PLATFORM, Actor

    async with db.transaction(PLATFORM) as tx:
        one = await access.create_account(tx, NewAccount("user", "mine", "a"))
        await access.create_account(tx, NewAccount("user", "canary of b", "b"))
    with psycopg.connect(booted.app_conninfo, autocommit=True) as connection, connection.transaction():
        token = booted.signer.sign(Actor((one.id,)))
        connection.execute("select set_config('tokenhouse.token', %s, true)", [token])
        with connection.cursor().copy("copy access.identity to stdout") as copied:
            text = b"".join(bytes(part) for part in copied)
        assert b"mine" in text
        assert b"canary of b" not in text
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("copy access.identity to program 'cat'")
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            connection.transaction(),
            connection.cursor().copy("copy access.member from stdin") as copying,
        ):
            copying.write(b"")
