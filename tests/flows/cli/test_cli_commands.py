"""The commands that end: what they print where, their exit status, and what they leave in the database."""

import asyncio
import csv
import json
import subprocess
from pathlib import Path

from typer.testing import CliRunner

from service import COMMAND, environment
from tokenhouse.domain import ledger
from tokenhouse.entrypoints.cli.app import app
from tokenhouse.infra.database import Database
from tokenhouse.infra.kernel.errors import Conflict

SHIPPED = Path(__file__).parents[3] / "src/tokenhouse/domain/catalog/catalog.toml"


def test_doctor_finds_all_well_and_says_what_is_not(cli, monkeypatch, admin):
    states = {finding["check"]: finding["state"] for finding in cli.json("doctor")}
    assert states["PostgreSQL"] == states["durability"] == states["roles"] == states["schema"] == "ok"
    assert states["catalog in force"] == "ok"  # none yet
    monkeypatch.setenv("TOKENHOUSE_ADMINKEY", "x")
    admin.execute("delete from infra.post_apply")
    failures = [one for one in cli.json("doctor", status=1) if one["state"] == "failure"]
    assert {one["check"] for one in failures} == {"settings", "schema"}
    assert all(one["fix"] for one in failures)
    monkeypatch.setenv("TOKENHOUSE_PORT", "many")
    assert "TOKENHOUSE_PORT" in cli("doctor", status=1).stdout


def test_migrate_says_where_the_schema_stands(cli, admin):
    assert cli.json("migrate", "--status")["current"] is True
    admin.execute("delete from infra.post_apply")
    assert cli.json("migrate", "--status", status=1)["functions_current"] is False
    assert cli.json("migrate") == {"applied": []}
    assert cli.json("migrate", "--status")["current"] is True


def test_catalog_is_shown_before_it_is_applied(cli, tmp_path):
    assert cli("catalog", "show", status=1).stdout == ""
    assert "+ operation chat: new" in cli("catalog", "apply", str(SHIPPED), "--dry-run").stdout
    assert cli("catalog", "show", status=1).stdout == ""
    assert cli.json("catalog", "apply", str(SHIPPED))["version"] == 1
    assert cli("catalog", "show").stdout == SHIPPED.read_text()
    assert {one["code"] for one in cli.json("catalog", "warnings")} >= {"earning_above_price"}
    smaller = tmp_path / "smaller.toml"
    smaller.write_text(SHIPPED.read_text().replace('id = "forecast"', 'id = "prophecy"'))
    asked = cli("catalog", "apply", str(smaller), status=1, stdin="n\n")
    assert "- operation forecast: withdrawn" in asked.stdout
    assert cli.json("catalog", "show")["version"] == 1
    assert cli.json("catalog", "apply", str(smaller), "--yes")["version"] == 2
    smaller.write_text("credit_types = 5")
    assert "credit_types" in str(cli("catalog", "apply", str(smaller), status=1))


def test_accounts_keys_and_grants(cli):
    cli("catalog", "apply", str(SHIPPED))
    assert cli.json("accounts", "create", "ann", "--email", "ann@example.com")["id"] == "ann"
    assert isinstance(cli("accounts", "create", "ann", status=1), Conflict)
    first = cli.json("grant", "ann", "500", "--source", "gift", "--note", "hello", "--key", "g-1")
    again = cli.json("grant", "ann", "500", "--source", "gift", "--note", "hello", "--key", "g-1")
    assert (first["balance"], first["replayed"], again["replayed"]) == (250_500, False, True)
    assert again["id"] == first["id"]
    cli("grant", "ann", "501", "--key", "g-1", status=1)
    cli("grant", "nobody", "5", status=1)
    cli("grant", "ann", "0", status=2)
    made = cli.json(
        "keys", "create", "--account", "ann", "--scope", "charges:write", "--days", "3", "--rate-limit", "5"
    )
    assert made["rate_limit_per_minute"] == 5
    assert made["key"].startswith("th_test_")
    (listed,) = cli.json("keys", "list", "--account", "ann")
    assert listed["scopes"] == ["charges:write"]
    assert made["key"] not in json.dumps(listed)
    cli("keys", "revoke", made["id"], "--account", "ann")
    cli("keys", "revoke", made["id"], "--account", "ann", status=1)
    old = cli.json("keys", "create")
    new = cli.json("keys", "rotate", old["id"], "--overlap", "60")
    assert (new["replaces"], new["key"] == old["key"]) == (old["id"], False)
    cli("keys", "rotate", old["id"], status=1)
    cli("keys", "rotate", "rubbish", status=1)
    assert {row["id"]: row["replaced_by"] for row in cli.json("keys", "list")} == {
        old["id"]: new["id"],
        new["id"]: None,
    }
    assert "Nothing is sealed" in cli("keys", "reseal").stderr
    key = cli("keys", "create")
    assert key.stdout.strip().startswith("th_test_")  # the secret alone on stdout, to be piped


def test_verify_finds_the_books_clean_and_a_changed_balance(cli, admin):
    cli("catalog", "apply", str(SHIPPED))
    cli("accounts", "create", "ann")
    assert cli.json("verify")["holds"] is True
    admin.execute("update ledger.account set balance = balance + 1 where role = 'wallet'")
    proof = cli.json("verify", status=1)
    differing = {one["name"] for one in proof["findings"] if one["count"]}
    assert "balances" in differing
    assert "FAIL  balances" in cli("verify", status=1).stdout


def test_audit_lists_who_did_what(cli):
    cli("catalog", "apply", str(SHIPPED))
    for name in ("ann", "bob"):
        cli("accounts", "create", name, "--email", f"{name}@example.com")
    key = cli.json("keys", "create", "--account", "ann")
    cli("keys", "revoke", key["id"], "--account", "ann")
    for _ in range(2):
        cli("grant", "ann", "5", "--key", "g-1")
    acts = cli.json("audit", "list")
    assert [act["act"] for act in acts] == [
        "grant.create", "key.revoke", "key.create", "account.create", "account.create", "catalog.apply",
    ]  # fmt: skip
    assert {(act["via"], act["actor"], act["address"]) for act in acts} == {("cli", None, None)}
    assert [act["act"] for act in cli.json("audit", "list", "--target", "account:bob")] == ["account.create"]
    assert [act["act"] for act in cli.json("audit", "list", "--act", "key.create", "--from", "2020-01-31")] == [
        "key.create"
    ]
    assert cli.json("audit", "list", "--to", "2020-01-31") == []
    assert "account:bob" in cli("audit", "list").stdout
    cli("audit", "list", "--actor", "nobody", status=1)


async def _close_block(booted):
    async with Database(booted.worker_conninfo, booted.signer) as database:
        return await ledger.close_block(database, margin_seconds=0)


def test_the_chain_is_verified_and_its_head_kept(cli, admin, booted, tmp_path):
    cli("catalog", "apply", str(SHIPPED))
    assert cli.json("verify", "--audit")["holds"] is True
    cli("audit", "head", status=1)
    cli("accounts", "create", "ann")
    cli("grant", "ann", "5")
    assert asyncio.run(_close_block(booted)) > 0
    kept = tmp_path / "head.json"
    kept.write_text(cli("audit", "head").stdout)
    cli("grant", "ann", "6")
    assert asyncio.run(_close_block(booted)) > 0
    assert cli.json("verify", "--audit")["blocks"] == 2
    assert "ok    block 1" in cli("audit", "check", "--head", str(kept)).stdout
    newest = "(select max(recorded_at) from ledger.transfer)"
    admin.execute(f"update ledger.transfer set amount = amount + 1 where recorded_at = {newest}")
    told = cli.json("verify", "--audit", status=1)
    assert (told["holds"], told["fault"]["number"]) == (False, 2)
    assert "FAIL  block 2 (contents)" in cli("verify", "--audit", status=1).stdout
    assert cli.json("audit", "check", "--head", str(kept))["holds"] is True  # of the blocks, not of what they cover
    admin.execute("update access.audit_block set entries = entries + 1 where number = 1")
    assert "FAIL  block 1 (digest)" in cli("audit", "check", "--head", str(kept), status=1).stdout
    kept.write_text("{}")
    cli("audit", "check", "--head", str(kept), status=2)


def test_sql_sees_what_the_account_may_see(cli):
    cli("catalog", "apply", str(SHIPPED))
    for name in ("ann", "bob"):
        cli("accounts", "create", name)
    who = "select string_agg(external_id, ',' order by external_id), current_user from access.identity"
    assert cli.process("sql", "-At", stdin=f"{who};").stdout.strip() == "ann,bob|th_app"
    assert cli.process("sql", "--as", "ann", "-Atc", who).stdout.strip() == "ann|th_app"
    refused = cli.process("sql", "-c", "create temp table t (n int)")
    assert refused.returncode != 0
    assert "read-only" in refused.stderr
    assert "no account" in str(cli("sql", "--as", "nobody", status=1))


def test_settings_are_shown_without_secrets(cli, monkeypatch):
    monkeypatch.setenv("TOKENHOUSE_ADMIN_KEY", "very-secret-" + "x" * 32)
    shown = cli("config", "show")
    assert "very-secret" not in shown.stdout + shown.stderr
    assert "TOKENHOUSE_ADMIN_KEY" in shown.stdout
    assert cli.json("config", "show")["TOKENHOUSE_PORT"] == 8000


def test_completion_and_usage_errors():
    done = subprocess.run(
        COMMAND,
        env=environment(_TOKENHOUSE_COMPLETE="complete_bash", COMP_WORDS="tokenhouse ser", COMP_CWORD="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "serve" in done.stdout.split()
    assert CliRunner().invoke(app, ["nonsense"]).exit_code == 2
    assert "catalog" in CliRunner().invoke(app, ["--help"]).stdout


# ---- import usage ----------------------------------------------------------------------------------------------------


def usage_file(folder: Path, rows: list[str], heading: str = "Customer,Feature,When,Note") -> Path:
    """CRLF, a byte order mark, quotes with line breaks: as spreadsheets write it."""
    file = folder / "usage.csv"
    file.write_bytes("\ufeff".encode() + "\r\n".join([heading, *rows, ""]).encode())
    return file


MAPPED = [
    "--map", "account_id=Customer", "--map", "operation=Feature", "--map", "occurred_at=When",
    "--map", "metadata.note=Note", "--zone", "UTC",
]  # fmt: skip


def test_import_charges_each_row_once(cli, admin, tmp_path):
    cli("catalog", "apply", str(SHIPPED))
    for name in ("ann", "bob"):
        cli("accounts", "create", name)
    rows = [
        f'{"ann" if n % 2 else "bob"},chat,2026-01-{n % 28 + 1:02d} 10:00,"say ""{n}"",\r\nplease"' for n in range(60)
    ]
    bad = [
        "nobody,chat,2026-01-01 10:00,", "ann,dance,2026-01-01 10:00,", "ann,chat,yesterday,",
        "ann,chat,2026-01-01 10:00", "ann,chat,2999-01-01 10:00,", "ann,generate_lead,2026-01-01 10:00,",
    ]  # fmt: skip
    file = usage_file(tmp_path, [*rows, *bad])
    dry = cli.json("import", "usage", str(file), *MAPPED, "--dry-run", status=1)
    assert (dry["rows"], dry["would_charge"]) == (66, 61)  # without credits for the lead, but priced
    assert admin.execute("select count(*) from metering.usage").fetchone() == (0,)
    done = cli.json("import", "usage", str(file), *MAPPED, status=1)
    assert (done["rows"], done["charged"], done["replayed"], done["refused"]) == (66, 60, 0, 6)
    assert done["credits"] == {"general": 60}
    with Path(done["refused_file"]).open(newline="") as refused:
        reasons = {row["refused_row"]: row["refused_reason"] for row in csv.DictReader(refused)}
    assert reasons.keys() == {"61", "62", "63", "64", "65", "66"}
    assert "nobody" in reasons["61"]
    assert "occurred_at" in reasons["63"]
    assert "cells" in reasons["64"]
    # Once more, and after the cause is mended: what was charged is not charged again.
    cli("grant", "ann", "5", "--credit-type", "lead_generation")
    again = cli.json("import", "usage", str(file), *MAPPED, status=1)
    assert (again["charged"], again["replayed"], again["refused"]) == (1, 60, 5)
    (notes,) = admin.execute(
        "select count(*) from metering.usage where metadata->>'note' like E'say \"%\",\\r\\nplease'"
    ).fetchone()
    assert notes == 60
    assert cli.json("verify")["holds"] is True


def test_import_goes_on_where_it_was_killed(cli, admin, tmp_path):
    cli("catalog", "apply", str(SHIPPED))
    cli("accounts", "create", "ann")
    file = usage_file(tmp_path, [f"ann,chat,2026-01-01 10:00,{n}" for n in range(6000)])
    process = subprocess.Popen(
        [*COMMAND, "import", "usage", str(file), *MAPPED], env=environment(**cli.env), cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=(tmp_path / "said").open("wb"),
    )  # fmt: skip

    def charged() -> int:
        return admin.execute("select count(*) from metering.usage").fetchone()[0]

    while not charged():
        assert process.poll() is None, (tmp_path / "said").read_text()
    process.kill()
    process.wait()
    done = cli.json("import", "usage", str(file), *MAPPED)
    assert done["charged"] + done["replayed"] == 6000
    assert done["replayed"] > 0
    assert charged() == 6000


def test_import_by_a_key_of_ones_own_and_refused_mappings(cli, tmp_path):
    cli("catalog", "apply", str(SHIPPED))
    cli("accounts", "create", "ann")
    file = usage_file(
        tmp_path, ["ann,7,k-1", "ann,7,k-1", "ann,8,k-1", "ann,x,k-2", "ann,7,a b"], "account_id,amount,Ref"
    )
    done = cli.json("import", "usage", str(file), "--key", "Ref", "--set", "credit_type=general", status=1)
    assert (done["charged"], done["replayed"], done["refused"]) == (1, 1, 3)
    assert done["reasons"] == {"validation_failed": 2, "idempotency_mismatch": 1}
    cli("import", "usage", str(file), "--map", "account=account_id", status=1)
    cli("import", "usage", str(file), "--map", "amount=Sum", status=1)
    cli("import", "usage", str(file), "--map", "amount", status=2)
    cli("import", "usage", str(tmp_path / "none.csv"), status=2)
    (tmp_path / "empty.csv").write_text("")
    cli("import", "usage", str(tmp_path / "empty.csv"), status=1)
    (tmp_path / "latin.csv").write_bytes("account_id,amount\nj\xf6rg,5\n".encode("latin-1"))
    cli("import", "usage", str(tmp_path / "latin.csv"), status=1)
