"""Holes in the database's isolation, found in PostgreSQL's catalog; each check gives the holes in words.

test_isolation_holes.py plants one of each kind to see it found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psycopg

OURS = "n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'public', 'infra')"
ROLES = ("th_app", "th_worker")
HIDDEN = {"access.secret"}  # nobody but the owner has any right to it
OPEN = {"access.deployment", "ledger.asset"}  # everybody's to read, whoever they act for
# What a foreign key may name by one column: what has no owner, what everybody may see, and accounts themselves.
COMMON = {"access.account", "access.deployment", "ledger.asset", "market.model", "market.character"}
# Columns that say whose a row is: a unique key that has one tells nothing about another's rows.
OWNING = {"account_id", "owner_id", "organization_id", "user_id", "earner_id"}
# Unique keys over everybody's rows, and why they tell nothing to those who ask.
GLOBAL_KEYS = {
    "access.account(id)": "our own number; nobody chooses it",
    "access.api_key(digest)": "of 256 random bits",
    "access.api_key(id)": "a UUID of ours",
    "access.credential(email)": "nobody reads it; sign-up tells nobody whether an e-mail is taken",
    "access.external_identity(issuer,subject)": "a provider's own number of a person; only the platform ties it",
    "access.audit(id)": "our own number, and the platform's alone to read",
    "access.audit_block(digest)": "written by the platform alone",
    "access.audit_block(number)": "the same",
    "access.audit_private(audit_id)": "our own number",
    "access.identity(external_id)": "the app's ids are one name space; only the platform makes accounts",
    "access.invitation(digest)": "of 256 random bits",
    "access.invitation(id)": "a UUID of ours",
    "access.mail_token(digest)": "of 256 random bits",
    "access.rate_window(key)": "nobody reads it; the service counts with it",
    "access.session(digest)": "of 256 random bits",
    "access.session(id)": "a UUID of ours",
    "alerts.mail(id)": "a UUID of ours",
    "insights.watermark(only_row)": "one row, which nobody but the platform reads",
    "ledger.hold(bucket,id)": "a UUID of ours",
    "ledger.transfer(bucket,entry_id,leg)": "a UUID of ours",
    "market.ownership(id)": "our own number",
    "market.rating(model_id)": "the sum of what everybody may read",
    "market.review(id)": "a UUID of ours",
    "market.ownership(model_id)": "an exclusive model is sold once, which its page says",
    "metering.reversal(bucket,id)": "a UUID of ours",
    "metering.usage(bucket,id)": "a UUID of ours",
    "payouts.batch(id)": "a UUID of ours, and the platform's alone to read",
    "payouts.batch(key)": "the platform's own keys",
    "payouts.batched(bucket,payout_id)": "a UUID of ours",
    "payouts.event(id)": "our own number",
    "payouts.payout(bucket,id)": "a UUID of ours",
}


def problems(admin: psycopg.Connection) -> list[str]:
    """All holes of all kinds."""
    checks = (tables, policies, rights, views, functions, foreign_keys, unique_keys, triggers)
    return [one for check in checks for one in check(admin)]


def tables(admin: psycopg.Connection) -> list[str]:
    """Tables, partitions and materialized views without forced row-level security, or not th_owner's."""
    rows = admin.execute(
        "select n.nspname || '.' || c.relname, c.relkind::text, c.relrowsecurity, c.relforcerowsecurity, "
        "       (select count(*) from pg_policy p where p.polrelid = c.oid), pg_get_userbyid(c.relowner) "
        "from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        f"where c.relkind in ('r', 'p', 'm', 'f') and {OURS} order by 1"
    ).fetchall()
    assert len(rows) >= 25
    found = []
    for name, kind, enabled, forced, count, owner in rows:
        if owner != "th_owner":
            found.append(f"{name} is {owner}'s, not th_owner's")
        if kind in "mf":
            found.append(f"{name} is a materialized view or foreign table, which no policy guards")
        elif name not in HIDDEN:
            if not enabled:
                found.append(f"{name}: enable row level security")
            if not forced:
                found.append(f"{name}: force row level security")
            if not count:
                found.append(f"{name} has no policy; say in post-apply.90_guard.sql who sees it")
    return found


def policies(admin: psycopg.Connection) -> list[str]:
    """Policies that let the service's roles write, that are everybody's, or that do not ask for the token."""
    rows = admin.execute(
        "select schemaname || '.' || tablename, policyname, roles::text[], cmd, permissive, coalesce(qual, '') "
        "from pg_policies order by 1, 2"
    ).fetchall()
    found = []
    for table, policy, roles, command, permissive, test in rows:
        name = f"policy {policy} of {table}"
        if roles == ["th_owner"] or (table.startswith("catalog.") and command == "SELECT"):
            continue  # the catalog is a price list: whoever gets to it may read it
        if set(roles) - set(ROLES):
            found.append(f"{name} is for {roles}")
        if command != "SELECT" or permissive != "PERMISSIVE":
            found.append(f"{name} is for {command}: the service's roles only read")
        if "access.scope()" not in test or (test.startswith("(true") and table not in OPEN):
            found.append(f"{name} does not ask whom the token names")
    return found


def rights(admin: psycopg.Connection) -> list[str]:
    """Rights beyond SELECT on tables, columns, sequences and schemas; superusers and owners among the roles."""
    found = []
    for role in ROLES:
        rows = admin.execute(
            "select n.nspname || '.' || c.relname, r from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "cross join unnest(array['insert', 'update', 'delete', 'truncate', 'references', 'trigger']) r "
            "where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_' "
            "and n.nspname <> 'information_schema' and (has_table_privilege(%s, c.oid, r) "
            "or (r in ('insert', 'update', 'references') and has_any_column_privilege(%s, c.oid, r)))",
            [role, role],
        ).fetchall()
        found += [f"{role} may {right} {name}" for name, right in rows]
        rows = admin.execute(
            "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace "
            "where c.relkind = 'S' and n.nspname !~ '^pg_' and (has_sequence_privilege(%s, c.oid, 'usage') "
            "or has_sequence_privilege(%s, c.oid, 'update'))",
            [role, role],
        ).fetchall()
        found += [f"{role} may use the sequence {name}" for (name,) in rows]
        rows = admin.execute(
            "select n.nspname from pg_namespace n where has_schema_privilege(%s, n.oid, 'create')", [role]
        ).fetchall()
        found += [f"{role} may create in {name}" for (name,) in rows]
        above = admin.execute(
            "select rolname from pg_roles where (rolname = %s and (rolsuper or rolbypassrls or rolcreaterole)) "
            "or (rolname <> %s and (rolsuper or rolname = 'th_owner') and pg_has_role(%s, oid, 'member'))",
            [role, role, role],
        ).fetchall()
        found += [f"{role} has the powers of {name}" for (name,) in above]
        if any(admin.execute("select has_table_privilege(%s, %s, 'select')", [role, t]).fetchone()[0] for t in HIDDEN):
            found.append(f"{role} may read what is hidden")
    granted = admin.execute(
        "select distinct g.grantee::regrole::text from pg_default_acl d cross join lateral aclexplode(d.defaclacl) g "
        "where g.grantee <> 'th_owner'::regrole"
    ).fetchall()
    return found + [f"what is yet to be made is granted to {name}" for (name,) in granted]


def views(admin: psycopg.Connection) -> list[str]:
    """Views that do not ask on their reader's behalf, or that are not th_owner's."""
    rows = admin.execute(
        "select n.nspname || '.' || c.relname, coalesce(c.reloptions, '{}'), pg_get_userbyid(c.relowner) "
        "from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'v' "
        "and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
    ).fetchall()
    assert len(rows) >= 10
    found = [f"the view {name} lacks security_invoker" for name, opts, _ in rows if "security_invoker=true" not in opts]
    return found + [f"the view {name} is {owner}'s" for name, _, owner in rows if owner != "th_owner"]


def functions(admin: psycopg.Connection) -> list[str]:
    """Functions of the wrong owner or callers, and doors without a fixed search path."""
    rows = admin.execute(
        "select n.nspname || '.' || p.proname, p.prosecdef, coalesce(p.proconfig, '{}'), pg_get_userbyid(p.proowner), "
        "       has_function_privilege('public', p.oid, 'execute'), "
        "       array(select r from unnest(%s::text[]) r where has_function_privilege(r, p.oid, 'execute')), "
        "       p.prorettype = 'trigger'::regtype "
        f"from pg_proc p join pg_namespace n on n.oid = p.pronamespace where {OURS} or n.nspname = 'public' order by 1",
        [list(ROLES)],
    ).fetchall()
    found = []
    for name, door, config, owner, everybody, callers, trigger in rows:
        if owner != "th_owner":
            found.append(f"the function {name} is {owner}'s, not th_owner's")
        if everybody:
            found.append(f"everybody may call {name}")
        if door and "search_path=pg_catalog, pg_temp" not in config:
            found.append(f"{name}: set search_path = pg_catalog, pg_temp")
        if not trigger and len(callers) != (len(ROLES) if door else 0):
            found.append(f"{name}: a door is security definer, and nothing else may be called; by {callers}")
    return found


def foreign_keys(admin: psycopg.Connection) -> list[str]:
    """Foreign keys that name a tenant's row without its owner, and those that delete or change along."""
    rows = admin.execute(
        "select k.conname, n.nspname || '.' || c.relname, pn.nspname || '.' || p.relname, "
        "       array(select attname::text from unnest(k.confkey) x join pg_attribute a on a.attrelid = p.oid "
        "             and a.attnum = x), k.confdeltype::text, k.confupdtype::text "
        "from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace n on n.oid = c.relnamespace "
        "join pg_class p on p.oid = k.confrelid join pg_namespace pn on pn.oid = p.relnamespace "
        f"where k.contype = 'f' and {OURS}"
    ).fetchall()
    found = []
    for key, table, parent, columns, on_delete, on_update in rows:
        if parent not in COMMON and not parent.startswith("catalog.") and not OWNING & set(columns):
            found.append(f"{key} of {table} names a row of {parent} without its owner")
        if (on_delete, on_update) != ("a", "a"):
            found.append(f"{key} of {table} changes or deletes along with {parent}")
    return found


def unique_keys(admin: psycopg.Connection) -> list[str]:
    """Unique keys over all tenants' rows: a refused insert would tell that another has such a row."""
    rows = admin.execute(
        "select n.nspname || '.' || c.relname, "
        "       array(select pg_get_indexdef(i.indexrelid, x, true) from generate_series(1, i.indnkeyatts) x) "
        "from pg_index i join pg_class c on c.oid = i.indrelid join pg_namespace n on n.oid = c.relnamespace "
        f"where i.indisunique and {OURS}"
    ).fetchall()
    names = {
        f"{table}({','.join(columns)})"
        for table, columns in rows
        if table not in (COMMON | HIDDEN) - {"access.account"} and not OWNING & set(columns)
        if not table.startswith(("catalog.", "market.pricing", "earnings.standing"))
    }
    return [f"the unique key {name} is over everybody's rows" for name in sorted(names - GLOBAL_KEYS.keys())]


def triggers(admin: psycopg.Connection) -> list[str]:
    """Rules, event triggers, and triggers that run as somebody else."""
    rules = admin.execute(
        "select r.rulename || ' of ' || n.nspname || '.' || c.relname from pg_rewrite r "
        "join pg_class c on c.oid = r.ev_class join pg_namespace n on n.oid = c.relnamespace "
        f"where r.rulename <> '_RETURN' and {OURS}"
    ).fetchall()
    events = admin.execute("select evtname from pg_event_trigger").fetchall()
    definers = admin.execute(
        "select t.tgname || ' of ' || n.nspname || '.' || c.relname from pg_trigger t "
        "join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace "
        f"join pg_proc p on p.oid = t.tgfoid where p.prosecdef and not t.tgisinternal and {OURS}"
    ).fetchall()
    return [f"{kind} {name}" for kind, rows in (("rule", rules), ("event trigger", events), ("trigger", definers))
            for (name,) in rows]  # fmt: skip
