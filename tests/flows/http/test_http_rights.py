"""The matrix of rights: every role at every operation, and every call with another tenant's ids.

rights.txt has a line for each operation: what each role gets. An operation without a line fails here.
"""

import pytest
import pytest_asyncio

import rights_batches  # noqa: F401 - the same
import rights_market  # noqa: F401 - it registers what it tries
import rights_payouts  # noqa: F401 - it registers what tries its operations
from rights import IN_ORGANIZATION, ROLES, TABLE, TRIES, World
from tokenhouse.infra.database import Database

LINES = [line.split() for line in TABLE.read_text().splitlines() if line and not line.startswith("#")]
EXPECTED = {line[0]: dict(zip(ROLES, line[1:], strict=True)) for line in LINES[1:]}


@pytest_asyncio.fixture(scope="module")
async def world(client, shared_database):
    async with Database(shared_database.app_conninfo, shared_database.signer) as database:
        yield await World(client).settle(database)


def test_every_operation_has_its_line(client):
    assert LINES[0] == ["operation", *ROLES]
    operations = {
        operation["operationId"]
        for item in client.description.document["paths"].values()
        for operation in item.values()
    }
    assert set(EXPECTED) == operations, "say in rights.txt who may call it"
    assert set(TRIES) == operations, "say in rights.py how it is tried"


@pytest.mark.parametrize("operation", sorted(TRIES))
async def test_every_role_gets_what_the_matrix_says(world, operation):
    got, prepared = {}, {}
    for role in ROLES:
        who = world.target(role)
        if operation == "accounts_erase" and (role.startswith("platform") or role in ("own:admin", "session:admin")):
            who = "(spare)"
        if who not in prepared:
            prepared[who] = await TRIES[operation](world, who)
        status, reply = await world.attempt(role, prepared[who])
        got[role] = "ok" if 200 <= status < 300 else str(status)
        if got[role] == "ok" and prepared[who].method != "GET":
            del prepared[who]  # it is used up
        if status in (401, 403, 404) and reply.status == status:
            assert reply.json["code"] in ("unauthorized", "forbidden", "not_found"), reply
    assert got == EXPECTED[operation], "    ".join([operation, *got.values()])


def picture(superuser):
    """Every row of every table but when keys were last used, as one digest a table."""
    tables = superuser.execute(
        "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where c.relkind = 'r' and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'public', 'infra')"
    ).fetchall()
    query = "select md5(string_agg(x.one, '' order by x.one)) from ({}) x"
    row = "select (to_jsonb(t) - 'last_used_at')::text as one from {} t"
    return {name: superuser.execute(query.format(row.format(name))).fetchone() for (name,) in tables}


OPEN_TO_ALL = {
    "livez", "readyz", "metrics", "models_list", "models_get", "model_categories", "characters_get", "characters_list",
    "model_reviews_list",
}  # fmt: skip


ITS_OWN = {
    "members_set", "members_remove", "members_list", "invitations_create", "invitations_list", "invitations_revoke",
}  # fmt: skip


# What names ann's things by an id as well as her by X-User-ID: tried without that header, too.
BY_ID = {"sessions_end", "invitations_accept"}


@pytest.mark.parametrize("operation", sorted(set(TRIES) - OPEN_TO_ALL))
async def test_every_call_with_anothers_ids(world, superuser, operation):
    """404 in /v1, 403 in /api, by path, body and X-User-ID, from a stranger and from an organization's people."""
    ann, org, bea = (world.names[name] for name in ("ann", "org", "bea"))
    one = await TRIES[operation](world, ann)
    named = one.user
    # What is the platform's alone is refused as such where it names nobody.
    allowed = {"404"} if EXPECTED[operation]["other"] == "404" else {"403"}
    before = picture(superuser)
    for role in ("other", *sorted(IN_ORGANIZATION)):
        # First as it is, with ann's ids in path and body; then an X-User-ID of hers, and of a third, beside them.
        plain = [None] if operation in BY_ID else []
        for user in (*plain, named, ann, org if role == "other" else bea):
            if user is None and role in IN_ORGANIZATION and operation in ITS_OWN:
                continue  # their own organization: the matrix has it
            one.user = user
            status, reply = await world.attempt(role, one)
            wanted = {"403"} if one.path.startswith("/api/") else allowed if user is None else {"404"}
            assert str(status) in wanted, (role, user, reply)
    assert picture(superuser) == before


async def test_the_pictures_would_show_a_change(world, superuser):
    before = picture(superuser)
    await world.client.must("/v1/charges", {"account_id": world.names["ann"], "amount": 1})
    after = picture(superuser)
    assert {name for name in before if before[name] != after[name]} == {
        "ledger.account", "ledger.entry", "ledger.transfer", "metering.usage", "wallets.lot",
    }  # fmt: skip
