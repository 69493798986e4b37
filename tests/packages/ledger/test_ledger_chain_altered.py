"""Whatever is altered of what a block covers is named, with its block; and only a superuser alters it at all."""

import psycopg
import pytest
import pytest_asyncio

from chain import BY, close, holds, note, proof
from economy import clean
from tokenhouse.domain import access, ledger
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.ledger.types import Head
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.database.token import Actor

ALTERED = {
    "access.audit": {
        "id": "id + 1000", "at": "at + interval '1 microsecond'", "via": "'cli'",
        "actor_id": "coalesce(actor_id, 0) + 1",
        "key_id": "gen_random_uuid()", "session_id": "gen_random_uuid()", "act": "'plan.change'",
        "target_kind": "'model'", "target_id": "target_id || '0'", "account_id": "account_id + 1",
        "before": "set_byte(before, 0, get_byte(before, 0) # 1)",
        "after": "set_byte(after, 31, get_byte(after, 31) # 128)",
        "origin": "null", "request_id": "request_id || ' '",
    },
    "ledger.entry": {
        "bucket": "bucket + 1", "account_id": "account_id + 7", "id": "gen_random_uuid()", "kind": "kind || 's'",
        "recorded_at": "recorded_at - interval '1 microsecond'",
    },
    "ledger.transfer": {
        "bucket": "bucket + 1", "entry_id": "gen_random_uuid()", "leg": "leg + 100", "kind": "kind || 's'",
        "asset_id": "asset_id + 1", "debit_id": "debit_id + 100", "credit_id": "credit_id - 100",
        "amount": "amount + 1", "owner_id": "owner_id + 1", "lot_id": "coalesce(lot_id, 0) + 1",
        "recorded_at": "recorded_at - interval '1 microsecond'",
    },
    "access.audit_block": {
        "made_at": "made_at + interval '1 microsecond'", "until": "until - interval '1 microsecond'",
        "seen": "seen || '1'", "cluster": "cluster || '0'", "late_audits": "late_audits || 1::bigint",
        "late_entries": "late_entries || gen_random_uuid()", "first_audit": "null", "last_audit": "last_audit + 1",
        "audits": "audits - 1", "entries": "entries + 1", "transfers": "transfers + 1",
        "contents": "set_byte(contents, 9, get_byte(contents, 9) # 1)",
        "previous": "set_byte(previous, 9, get_byte(previous, 9) # 1)",
        "digest": "set_byte(digest, 9, get_byte(digest, 9) # 1)", "number": "number + 5",
    },
}  # fmt: skip
WORDS = {"ledger.entry": {"key", "fingerprint", "answer"}}  # what an app said: it goes with an erased person
CLOCK = {"access.audit": "at", "access.audit_block": "until"}


@pytest_asyncio.fixture
async def three(economy):
    """A chain of three blocks, with acts, entries and transfers in each."""
    ann, bob = await economy.account("ann", credits=100), await economy.account("bob", credits=50)
    for n in range(3):
        await note(economy, ann, before={"n": n}, after={"n": n + 1})
        await economy.charge(ann, amount=n + 1)
        await economy.charge(bob, amount=1)
        await close(economy)
    await holds(economy, 3)
    return economy


class Tampering:
    """A superuser at work on a table, whose triggers are off."""

    def __init__(self, admin, table):
        self.admin = admin
        self.table = table
        self.clock = CLOCK.get(table, "recorded_at")
        admin.execute("set session_replication_role = replica")
        if table == "access.audit":
            admin.execute("alter table access.audit alter id drop identity")
        admin.execute(f"create temp table kept as select * from {table}")

    def columns(self):
        query = "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"
        return {name for (name,) in self.admin.execute(query, [self.table])}

    def in_the_second_block(self, do):
        """Do something to one row of the second block."""
        if self.table == "access.audit_block":
            where = "x.number = 2"
        else:
            where = (
                f"x.{self.clock} < (select b.until from access.audit_block b where b.number = 2)"
                f" and x.{self.clock} >= (select b.until from access.audit_block b where b.number = 1)"
            )
        row = f"(select x.ctid from {self.table} x where {where} order by x.ctid limit 1)"
        assert self.admin.execute(f"{do} where ctid = {row}").rowcount == 1

    def undo(self):
        with self.admin.transaction():
            self.admin.execute(f"delete from {self.table}")
            self.admin.execute(f"insert into {self.table} overriding system value select * from kept")


@pytest.mark.parametrize("table", ALTERED)
async def test_any_change_of_a_record_names_its_block(three, admin, table):
    work = Tampering(admin, table)
    assert work.columns() == ALTERED[table].keys() | WORDS.get(table, set())
    for name, value in ALTERED[table].items():
        work.in_the_second_block(f"update {table} set {name} = {value}")
        found = await proof(three)
        assert found.fault is not None, (table, name)
        assert found.fault.number == 2, (table, name, found.fault)
        assert (found.fault.what in {"rows", "contents"}) == (table != "access.audit_block"), (name, found.fault)
        work.undo()
        await holds(three, 3)


@pytest.mark.parametrize("table", ["access.audit", "ledger.entry", "ledger.transfer"])
async def test_a_row_taken_out_or_put_in_names_its_block(three, admin, table):
    work = Tampering(admin, table)
    work.in_the_second_block(f"delete from {table}")
    found = await proof(three)
    assert (found.fault.number, found.fault.what) == (2, "rows")
    work.undo()
    # A copy under another name, of the same time.
    other = {"access.audit": "id", "ledger.entry": "key", "ledger.transfer": "leg"}[table]
    fresh = {"access.audit": "id + 1000", "ledger.entry": "'another'", "ledger.transfer": "leg + 9"}[table]
    work.in_the_second_block(f"update {table} set {other} = {fresh}")
    admin.execute(f"insert into {table} overriding system value select * from kept on conflict do nothing")
    found = await proof(three)
    assert (found.fault.number, found.fault.what) == (2, "rows")
    work.undo()
    await holds(three, 3)


async def test_blocks_taken_out_or_swapped(three, admin):
    work = Tampering(admin, "access.audit_block")
    admin.execute("delete from access.audit_block where number = 2")
    assert (await proof(three)).fault.what == "missing"
    work.undo()
    admin.execute("delete from access.audit_block where number = 1")
    admin.execute("update access.audit_block set number = number - 1")
    assert (await proof(three)).fault.number == 1
    work.undo()
    admin.execute("update access.audit_block set number = 9 where number = 1")
    admin.execute("update access.audit_block set number = 1 where number = 3")
    admin.execute("update access.audit_block set number = 3 where number = 9")
    assert (await proof(three)).fault.number == 1
    work.undo()
    await holds(three, 3)


@pytest.mark.parametrize("change", ["contents = 'x'", "digest = 'x'", "late_audits = '{}'", "number = 9"])
async def test_a_block_that_covers_late_rows_is_named_itself(economy, admin, change):
    """Not the one before, to whose time they belong."""
    ann = await economy.account("ann", credits=10)
    async with economy.db.transaction(PLATFORM) as slow:
        await access.record(slow, BY, Act("account.update", "account", str(ann.id), ann.id))
        await economy.charge(ann, amount=1)
        assert await close(economy) > 0
    await economy.charge(ann, amount=1)
    assert await close(economy) > 0
    await economy.charge(ann, amount=1)
    assert await close(economy) > 0
    assert admin.execute("select cardinality(late_audits) from access.audit_block order by number").fetchall() == [
        (0,), (1,), (0,),
    ]  # fmt: skip
    await holds(economy, 3)
    admin.execute("set session_replication_role = replica")
    admin.execute(f"update access.audit_block set {change} where number = 2")
    assert (await proof(economy)).fault.number == 2


async def test_a_chain_written_anew_is_found_by_its_kept_head(three, admin):
    async with three.db.read(PLATFORM) as tx:
        head = await ledger.chain_head(tx)
    assert head.number == 3
    assert await ledger.check_head(three.db, head) is None
    await note(three, await three.account("eve"))
    await close(three)
    assert await ledger.check_head(three.db, head) is None
    # The last block cut off: every other one holds.
    admin.execute("delete from access.audit_block where number >= 3")
    assert (await proof(three)).fault is None
    assert (await ledger.check_head(three.db, head)).what == "missing"
    # A record altered, and all blocks made again over it.
    admin.execute("delete from access.audit_block")
    admin.execute("update access.audit set act = 'plan.change' where id = 1")
    for _ in range(3):
        await close(three)
        await note(three, await three.account(f"more-{_}"))
    assert (await proof(three)).fault is None
    fault = await ledger.check_head(three.db, head)
    assert (fault.number, fault.what) == (3, "head")
    assert (await ledger.check_head(three.db, Head(99, head.digest, head.made_at))).what == "missing"


async def test_nobody_of_the_service_changes_a_record(three, admin, booted):
    """Neither the roles that serve, nor the owner of the tables, for whom the policies are open."""
    signer = booted.signer
    tables = (*ALTERED, "metering.usage")
    for conninfo in (booted.app_conninfo, booted.worker_conninfo):
        with psycopg.connect(conninfo, autocommit=True) as role:
            for actor in (Actor((0,)), Actor((0,), teller=True)):
                for table in tables:
                    for statement in _changes(table):
                        with pytest.raises(psycopg.errors.InsufficientPrivilege), role.transaction():
                            role.execute("select set_config('tokenhouse.token', %s, true)", [signer.sign(actor)])
                            role.execute(statement)
    admin.execute("set role th_owner")
    for table in tables:
        for statement in _changes(table):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is a record"):
                admin.execute(statement)
    for statement in ("set session_replication_role = replica", "set role postgres"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), psycopg.connect(booted.worker_conninfo) as role:
            role.execute(statement)
    admin.execute("reset role")
    await holds(three, 3)


def _changes(table):
    column = {"access.audit": "request_id", "access.audit_block": "contents", "ledger.entry": "kind"}.get(
        table, "amount"
    )
    yield f"update {table} set {column} = {column}"
    yield f"update {table} set {column} = {column} where false"
    yield f"delete from {table}"
    yield f"truncate {table} cascade"
    yield f"merge into {table} t using (select 1) s on true when matched then delete"


async def test_an_erased_person_leaves_the_chain_as_it_is(three, admin):
    """What an app said goes, and so do names, addresses and salts; the acts and the figures stay."""
    (ann,) = admin.execute("select account_id from access.identity where external_id = 'ann'").fetchone()
    async with three.db.read(PLATFORM) as tx:
        before = await access.list_acts(tx, actor_id=None)
    assert {act.account for act in before} == {"ann"}
    assert {act.address for act in before} == {"192.0.2.7"}
    # As the owner's doors do it: neither is stopped.
    admin.execute("set role th_owner")
    admin.execute("delete from access.identity where account_id = %s", [ann])
    admin.execute(
        "update ledger.entry set key = ' erased ' || id, fingerprint = '', answer = null where account_id = %s", [ann]
    )
    admin.execute("update metering.usage set metadata = null, user_label = null where account_id = %s", [ann])
    admin.execute("reset role")
    async with three.db.transaction(PLATFORM) as tx:
        await access.forget_acts(tx, ann)
        await access.record(tx, BY, Act("account.erase", "account", str(ann), ann))
    # What was written anew just now is not taken for late.
    assert await close(three) == 1
    await holds(three, 4)
    assert admin.execute("select count(*) from access.audit_private").fetchone() == (1,)
    async with three.db.read(PLATFORM) as tx:
        after = await access.list_acts(tx, before=4)
    assert [(act.account, act.address, act.account_number) for act in after] == [(None, None, ann)] * 3
    assert [act.after for act in after] == [act.after for act in before]
    await clean(three.db)
