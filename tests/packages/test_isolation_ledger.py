"""Tenant A, with SQL as the service's own role, reads and alters nothing of B: every table, view and function.

What the tests look at is found in PostgreSQL's catalog: a new table whose rows nobody owns, a function that nobody has
said who may call fails here. What the catalog itself tells of holes is in test_isolation_holes.py.
"""

import uuid

import psycopg
import pytest
import pytest_asyncio

import rows_batches
import rows_insights
import rows_market
import rows_payouts
from doors import ANY_TELLER, EITHER, OFFERED, OWNERS, PLATFORM_DOORS, PLATFORMS, READERS, TELLER_DOORS
from economy import Economy, party, source, tenant
from isolation import HIDDEN, OPEN, OURS, ROLES
from tokenhouse.domain import access, alerts, ledger, metering, wallets
from tokenhouse.domain.access.acts import Act, By
from tokenhouse.domain.access.types import HitsAsked, SessionLimits, Visitor
from tokenhouse.infra.database import PLATFORM, Actor
from tokenhouse.infra.database.token import Signer


class Role:
    """A session of one of the service's roles, with SQL of one's own."""

    def __init__(self, connection):
        self.connection = connection

    def run(self, token, statement):
        """Run a statement with a token, in a transaction that is rolled back; its rows."""
        with self.connection.transaction(force_rollback=True):
            self.connection.execute("select set_config('tokenhouse.token', %s, true)", [token])
            cursor = self.connection.execute(statement)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(params=ROLES)
def role(request, booted):
    conninfo = booted.app_conninfo if request.param == "th_app" else booted.worker_conninfo
    with psycopg.connect(conninfo, autocommit=True) as connection:
        yield Role(connection)


@pytest_asyncio.fixture
async def two(db, admin):
    """Tenants a and b, each with rows in every table, and a stranger with none."""
    economy = await Economy.found(db, source())
    people = {name: await economy.account(name, plan="small") for name in ("a", "b")}
    for name, account in people.items():
        await economy.model(f"of-{name}", account)
        await economy.character(f"hero-{name}", f"of-{name}")
        await economy.grant(account, 50, note=f"secret of {name}")
        await economy.hold(account, amount=3, metadata=f'"secret of {name}"')
        organization = await economy.account(f"org-{name}", "organization")
        async with db.transaction(PLATFORM) as tx:
            await access.create_key(tx, account.id, f"key of {name}", live=False)
            await access.set_member(tx, organization, account, "owner")
            act = Act("member.set", "member", f"secret of {name}", account.id, after="owner")
            await access.record(tx, By("cli"), act)
            await access.add_credential(tx, account, f"{name}@example.com", f"secret of {name}", verified=True)
            assert await access.open_session(tx, account.id, Visitor(), SessionLimits(60, 60))
            await access.issue_link(tx, account.id, "reset")
            await access.tie_external(tx, "https://issuer.example", f"{name} there", account.id)
            values = {"link": "https://x.example", "name": f"secret of {name}"}
            await alerts.send(tx, to=f"{name}@x.example", template="verify_email", values=values)
        # A user's own: only so does the account of this test have a row in every table.
        admin.execute(
            "insert into access.invitation (id, organization_id, email, role, digest, created_at, expires_at) "
            "values (%s, %s, %s, 'member', %s, now(), now() + interval '1 day')",
            [uuid.uuid4(), account.id, f"secret of {name}", uuid.uuid4().bytes],
        )
    await access.take_hits(db, [HitsAsked("somebody", 5, 60, 1)])
    for payer, model in (("a", "of-b"), ("b", "of-a")):
        done = await economy.charge(people[payer], model_id=model, amount=9, metadata=f'"secret of {payer}"')
        await economy.reverse(people[payer], done.id, 2)
    await rows_payouts.fill(economy, people, admin)
    await rows_batches.fill(economy, people, admin)
    await rows_market.fill(economy, people, admin)
    await ledger.close_block(db, margin_seconds=0)
    await rows_insights.fill(economy, people, admin)
    yield economy, people | {"stranger": await economy.account("stranger", "organization")}
    await economy.till.close()


def tables(admin):
    return [
        name
        for (name,) in admin.execute(
            "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            f"where c.relkind in ('r', 'p', 'm', 'f') and {OURS} order by 1"
        )
    ]


def tokens(signer, people):
    """Tokens that are nobody's."""
    good = signer.sign(Actor((people["b"].id,)))
    forger = Signer(b"f" * 32)
    return {
        "absent": "",
        "forged": forger.sign(Actor((people["b"].id,))),
        "forged platform": forger.sign(PLATFORM),
        "forged teller": forger.sign(Actor((0,), teller=True)),
        "expired": signer.sign(PLATFORM, ttl_seconds=-1),
        "altered": good.replace(f".{people['b'].id}.", ".0."),
        "garbage": "0",
    }


# ---- tables ----


async def test_no_statement_writes_anything(two, admin, booted, role):
    """Whatever the token: the platform's own teller changes nothing but by the functions."""
    _, people = two
    signer = booted.signer
    for actor in (Actor((people["a"].id,)), Actor((people["a"].id,), teller=True), PLATFORM, Actor((0,), teller=True)):
        token = signer.sign(actor)
        for name in tables(admin):
            (column,) = admin.execute(
                "select quote_ident(attname) from pg_attribute "
                "where attrelid = %s::regclass and attidentity = '' and attnum > 0 limit 1",
                [name],
            ).fetchone()
            for statement in (
                f"insert into {name} overriding system value select * from {name} limit 1",
                f"insert into {name} default values",
                f"update {name} set {column} = {column}",
                f"delete from {name}",
                f"truncate {name}",
                f"select * from {name} for update",
                f"lock table {name} in exclusive mode",
                f"copy {name} from '/dev/null'",
                f"alter table {name} disable row level security",
                f"drop table {name}",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    role.run(token, statement)


def owner_columns(admin, name):
    if name in OWNERS:
        return OWNERS[name]
    found = admin.execute(
        "select 1 from pg_attribute where attrelid = %s::regclass and attname = 'account_id' and not attisdropped",
        [name],
    ).fetchone()
    assert found, f"{name}: say in OWNERS, OPEN, OFFERED or PLATFORMS whose its rows are"
    return ["account_id"]


def seen(role, token, name, columns):
    """The owners of the rows that this token sees of a table, and how many rows."""
    owners = " || ".join(f"array[{column}]" for column in columns) or "'{}'::bigint[]"
    return role.run(token, f"select {owners} from {name}")


async def test_reading_anothers_rows_gives_nothing(two, admin, booted, role):
    _, people = two
    ids = {name: account.id for name, account in people.items()}
    for name in tables(admin):
        if name in HIDDEN or name.startswith("catalog."):
            continue
        columns = [] if name in OPEN | OFFERED | PLATFORMS else owner_columns(admin, name)
        (total,) = admin.execute(f"select count(*) from {name}").fetchone()
        assert total, f"{name} is empty: the test shows nothing"
        for tenant_name in ("a", "b"):
            me = ids[tenant_name]
            mine = seen(role, booted.signer.sign(Actor((me,))), name, columns)
            if name in OPEN | OFFERED:
                assert len(mine) == total
            elif name in PLATFORMS:
                assert mine == []
            else:
                assert all(me in row[0] for row in mine), name
                test = " or ".join(f"{column} = {me}" for column in columns)
                # All of its own, and there are some to be seen.
                assert len(mine) == admin.execute(f"select count(*) from {name} where {test}").fetchone()[0] > 0, name
        # A member sees nothing of the organization's by its own number, the organization nothing of its member's.
        both = seen(role, booted.signer.sign(Actor((ids["stranger"],))), name, columns)
        assert all(ids["stranger"] in row[0] for row in both) or name in OPEN | OFFERED
        for kind, token in tokens(booted.signer, people).items():
            assert (len(seen(role, token, name, columns)) == total) if name in OPEN else (
                seen(role, token, name, columns) == []
            ), (name, kind)  # fmt: skip
        assert len(seen(role, booted.signer.sign(PLATFORM), name, columns)) == total


async def test_the_key_is_nobodys(two, booted, role):
    for token in ("", booted.signer.sign(PLATFORM), booted.signer.sign(Actor((0,), teller=True))):
        for statement in (
            "select * from access.secret",
            "select count(*) from access.secret",
            "copy access.secret to stdout",
            "set role th_owner",
            "select access.pseudonym(1, 2)",
            "select * from infra.post_apply",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                role.run(token, statement)
    assert role.run("", "select * from pg_stats where schemaname = 'access'") == []


async def test_statistics_tell_nothing(two, admin, role):
    """What the planner remembers of a table's values is not for those who may not see all its rows."""
    admin.execute("analyze")
    rows = role.run("", "select distinct schemaname || '.' || tablename from pg_stats where schemaname !~ '^pg_'")
    assert [name for (name,) in rows if not name.startswith("information_schema.")] == []


async def test_views_ask_on_their_readers_behalf(two, admin, booted, role):
    rows = admin.execute(
        "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where c.relkind in ('v', 'm') and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
    ).fetchall()
    assert len(rows) >= 10
    for (name,) in rows:
        for token in tokens(booted.signer, two[1]).values():
            assert role.run(token, f"select 1 from {name} limit 1") == [], name
        # b's id, words and keys stand in no row that a sees, but for the model that b offers.
        for row in role.run(booted.signer.sign(Actor((two[1]["a"].id,))), f"select to_jsonb(v) from {name} v"):
            text = str(row[0])
            assert "secret of b" not in text
            assert "'b'" not in text, (name, text)


# ---- functions ----


def functions(admin):
    """(name, arguments' types, whether a door) of every function of ours."""
    return admin.execute(
        "select n.nspname || '.' || p.proname, "
        "       array(select format_type(t, null) from unnest(p.proargtypes) with ordinality a (t, n) order by n), "
        "       p.prosecdef "
        f"from pg_proc p join pg_namespace n on n.oid = p.pronamespace where {OURS} order by 1"
    ).fetchall()


def test_every_door_says_who_may_call_it(admin):
    doors = {name for name, _, door in functions(admin) if door}
    known = PLATFORM_DOORS | EITHER | TELLER_DOORS | READERS
    assert doors == known, "say in PLATFORM_DOORS, TELLER_DOORS or READERS who may call it"


def call(name, types, account):
    """Call a function about an account: every number is its, every list's one number, every row."""
    row = f"""'{{"account_id": {account}, "owner_id": {account}, "asset_id": 1}}'"""
    values = {
        "bigint": str(account), "smallint": "0", "integer": "1", "text": "'x'", "boolean": "true",
        "uuid": f"'{uuid.uuid4()}'", "timestamp with time zone": "now()", "jsonb": "'{}'", "bytea": "''",
        "date": "current_date",
    }  # fmt: skip
    for table in ("ledger.entry", "ledger.transfer", "ledger.hold", "metering.usage"):
        values[table] = f"json_populate_record(null::{table}, {row})"
    given = [f"array[{values[one[:-2]]}]::{one}" if one.endswith("[]") else f"{values[one]}::{one}" for one in types]
    return f"select {name}({', '.join(given)})"


def refused(role, token, statement):
    with pytest.raises(psycopg.Error) as error:
        role.run(token, statement)
    assert error.value.sqlstate == "TH403", (statement[:80], str(error.value))


async def test_functions_refuse_the_wrong_token(two, admin, booted, role):
    _, people = two
    a, b = people["a"], people["b"]
    sign = booted.signer.sign
    wrong = tokens(booted.signer, people) | {"a tenant's": sign(Actor((a.id,))), "its own": sign(Actor((b.id,)))}
    for name, types, door in functions(admin):
        if not door or name in READERS:
            continue
        statement = call(name, types, b.id)
        bad = dict(wrong)
        if name in PLATFORM_DOORS:
            bad["a's teller"] = sign(Actor((a.id,), teller=True))
        else:
            if name not in EITHER:
                bad["the platform's, no teller"] = sign(PLATFORM)
            if name not in ANY_TELLER:
                bad["another's teller"] = sign(Actor((a.id,), teller=True))
        for token in bad.values():
            refused(role, token, statement)


async def test_what_readers_tell(two, admin, booted, role):
    """Functions that answer whom they please: b's figures for b, nothing or a refusal for the others."""
    _, people = two
    a, b = people["a"], people["b"]
    sign = booted.signer.sign
    use, bucket = admin.execute("select id, bucket from metering.usage where account_id = %s", [b.id]).fetchone()
    statements = {
        "metering.shares_of": (f"select metering.shares_of({bucket}::smallint, '{use}')", False),
        "metering.earned_by": (f"select metering.earned_by({bucket}::smallint, '{use}')", True),
        "metering.accruals_of": (f"select * from metering.accruals_of({b.id}, null, 10)", False),
        "market.read_reviews": (f"select * from market.read_reviews(null, {b.id}, 'pending', null, null, 9)", False),
        "metering.maturing_of": (f"select metering.maturing_of({b.id}, 14)", False),
        "metering.month_of": (f"select * from metering.month_of({b.id}, 'yesterday', 'tomorrow', 'UTC')", False),
        **{name: (text.format(b.id), False) for name, text in rows_insights.READERS.items()},
    }
    # Models are offered to all: which of them a search finds is no secret.
    assert set(statements) | {"access.scope", "market.search", "metering.uses_earned"} == READERS

    def told(token, statement):
        try:
            rows = role.run(token, statement)
        except psycopg.Error as error:
            assert error.sqlstate == "TH403"  # noqa: PT017 - what it is is the point
            return None
        return [row for row in rows if any(value is not None for value in row)]

    bad = [*tokens(booted.signer, people).values(), sign(Actor((a.id,))), sign(Actor((a.id,), teller=True))]
    for name, (statement, teller) in statements.items():
        assert [told(token, statement) for token in bad if told(token, statement)] == [], name
        assert told(sign(Actor((b.id,), teller=teller)), statement), name
    # Of the uses that pay them, each sees its own, and the payer by a pseudonym of each viewer's own.
    for viewer, other in ((a, b), (b, a)):
        (row,) = role.run(sign(Actor((viewer.id,))), "select * from metering.uses_earned()")
        assert row[2] == f"of-{viewer.external_id}"
        assert other.external_id not in row
        assert str(other.id) not in row
        accrued = role.run(sign(Actor((viewer.id,))), f"select user_id from metering.accruals_of({viewer.id}, null, 9)")
        assert {one for (one,) in accrued} == {row[1]}
    for token in tokens(booted.signer, people).values():
        assert role.run(token, "select * from metering.uses_earned()") == []
        assert role.run(token, "select access.scope()") == [(None,)]


async def test_the_verbs_as_another_tenant(two):
    """Named by the right ids, with the wrong token: nothing."""
    economy, people = two
    a, b = people["a"], people["b"]
    rows = await economy.rows("select id from ledger.hold where account_id = %s", b.id)
    uses = await economy.rows("select id from metering.usage where account_id = %s", b.id)
    async with economy.db.read(tenant(a)) as tx:
        assert await ledger.hold_of(tx, rows[0][0]) is None
        assert await metering.receipts(tx, [str(uses[0][0])]) == {}
        assert await metering.receipts_of(tx, party(b)) == []
        assert await wallets.grants_of(tx, party(b)) == []
        assert await wallets.enrolment_of(tx, party(b)) is None
        assert {view.balance for view in (await wallets.wallets_of(tx, economy.terms, party(b)))[0]} == {0}
        assert await access.find_account(tx, "b") is None
        assert await access.list_keys(tx, b.id) == []
        assert [key.name for key in await access.list_keys(tx, a.id)] == ["key of a"]


async def test_ids_of_others_are_no_oracle(two, booted, role):
    """What a tenant may call answers the same for an id that is another's and for one that is nobody's."""
    _, people = two
    token = booted.signer.sign(Actor((people["a"].id,)))
    for there, absent in ((people["b"].id, 10**9), (people["stranger"].id, 10**9)):
        for statement in (
            "select * from metering.accruals_of({}, null, 10)",
            "select metering.maturing_of({}, 14)",
            "select * from ledger.lock_wallets(0::smallint, '{{{}}}', '{{1}}')",
        ):
            said = []
            for number in (there, absent):
                with pytest.raises(psycopg.Error) as error:
                    role.run(token, statement.format(number))
                said.append((error.value.sqlstate, error.value.diag.message_primary))
            assert said[0] == said[1]
