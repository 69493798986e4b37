"""What is kept of a person is given out whole; an erased person stands nowhere, and every sum stays."""

import json
import uuid

import pytest_asyncio

from economy import clean
from http_face import is_problem
from person import RIGHT
from tokenhouse.domain import access, alerts
from tokenhouse.domain.access.types import NewAccount, SessionLimits, Visitor
from tokenhouse.infra.database import PLATFORM, Database


def dump(superuser):
    """Every row of every table as text, the migrations' own tables included: {table: its rows}."""
    tables = superuser.execute(
        "select quote_ident(n.nspname) || '.' || quote_ident(c.relname) from pg_class c "
        "join pg_namespace n on n.oid = c.relnamespace where c.relkind in ('r', 'm', 'f') "
        "and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
    ).fetchall()
    assert len(tables) >= 25
    return {name: "\n".join(row for (row,) in superuser.execute(f"select t::text from {name} t")) for (name,) in tables}


@pytest_asyncio.fixture
async def life(client, shared_database):
    """A person whose every word holds a canary, with rows wherever a person has some."""
    canary = f"zq{uuid.uuid4().hex[:16]}"
    person = f"{canary}-id"
    note = {"note": f"{canary} said so"}
    body = {"id": person, "kind": "user", "name": f"{canary} Name", "email": f"{canary}@Example.org", "plan": "pro"}
    await client.must("/v1/accounts", body)
    org = await client.account("firm", "organization", plan="enterprise")
    other = await client.account("other", credits_left=1000)
    for user, role in ((person, "member"), (other, "owner")):
        await client.must(f"/v1/accounts/{org}/members", {"user_id": user, "role": role})
    own = await client.key_of(person, name=f"key of {canary}")
    club = await client.account("club", "organization")
    for user, role in ((other, "owner"), (person, "admin")):
        await client.must(f"/v1/accounts/{club}/members", {"user_id": user, "role": role})
    guest = f"guest-{uuid.uuid4().hex[:12]}@example.org"
    await own.must(f"/v1/accounts/{club}/invitations", {"email": guest, "role": "member"})
    await client.must(f"/v1/accounts/{org}/invitations", {"email": body["email"], "role": "admin"})
    async with (
        Database(shared_database.app_conninfo, shared_database.signer) as database,
        database.transaction(PLATFORM) as tx,
    ):
        account = await access.find_account(tx, person)
        await access.add_credential(tx, account, body["email"], f"hash of {canary}", verified=True)
        visitor = Visitor(f"{canary}.example", f"browser of {canary}")
        token = await access.open_session(tx, account.id, visitor, SessionLimits(600, 600))
        await access.issue_link(tx, account.id, "reset")
        values = {"link": f"https://x.example.org/{canary}", "name": canary}
        await alerts.send(tx, to=body["email"].upper(), template="reset_password", values=values)
        await access.tie_external(tx, f"https://{canary}.example", canary, account.id)
    grant = {"credit_type": "general", "amount": 500, "source": "gift", "note": f"for {canary}"}
    await client.must(f"/v1/accounts/{person}/grants", grant, idem=f"grant-{canary}")
    model = await client.model(owner=person, creator_id=person, creator_share_bps=1000, price_credits=5)
    spent = {"amount": 7, "metadata": note, "user_id": person}
    liked = await client.model(owner=await client.account("maker"))
    using = {"account_id": person, "model_id": liked, **spent}
    charge = await client.must("/v1/charges", using, idem=f"order-{canary}")
    review = {"stars": 5, "text": f"{canary} likes it"}
    assert (await client.call("PUT", f"/v1/models/{liked}/review", review, user=person)).status == 200
    await client.must(f"/v1/models/{await client.model(owner=person, price_credits=1)}/refund",
                      {"account_id": person, "reason": f"{canary} changed their mind"})  # fmt: skip
    shared = await client.must("/v1/charges", {"account_id": org, "operation": "forecast", "user_id": person,
                                               "metadata": note})  # fmt: skip
    await client.must(f"/v1/charges/{charge['id']}/reverse", {"amount": 2, "reason": f"{canary} complained"})
    await client.must(f"/v1/charges/{shared['id']}/reverse", {"amount": 1, "reason": f"{canary} complained"})
    hold = await client.must("/v1/holds", {"account_id": person, **spent})
    base = str(client.http.base_url).rstrip("/")
    tried = {"email": body["email"], "password": "not the right one"}
    assert (await client.http.post("/login", data=tried, headers={"Origin": base})).status_code == 401
    await client.must("/v1/holds", {"account_id": org, "operation": "forecast", "user_id": person, "metadata": note})
    earned = await client.must("/v1/charges", {"account_id": other, "model_id": model, "amount": 9})
    assert {one["account_id"] for one in earned["earnings"]} == {person}
    return {
        "canary": canary, "person": person, "org": org, "other": other, "own": own, "model": model, "charge": charge,
        "liked": liked,
        "hold": hold, "earned": earned, "email": body["email"], "guest": guest, "club": club,
        "session": {"Cookie": f"tokenhouse={token}"},
    }  # fmt: skip


async def test_all_that_is_kept_is_given_out(client, life):
    person = life["person"]
    path = f"/v1/accounts/{person}/export"
    told = (await life["own"].get(path)).json
    assert told == (await client.get(path)).json
    assert told["account"]["email"] == life["email"]
    assert told["account"]["plan"] == "pro"
    assert told["memberships"] == [
        {"organization_id": one, "role": role}
        for one, role in sorted([(life["org"], "member"), (life["club"], "admin")])
    ]
    assert [key["name"] for key in told["keys"]] == [f"key of {life['canary']}"]
    assert life["own"].key not in json.dumps(told)
    assert (told["sign_in"]["email"], told["sign_in"]["verified"]) == (life["email"].lower(), True)
    assert [one["subject"] for one in told["sign_in"]["providers"]] == [life["canary"]]
    assert [one["address"] for one in told["sign_in"]["sessions"]] == [f"{life['canary']}.example"]
    assert not any(secret in json.dumps(told) for secret in ("hash of", life["session"]["Cookie"][11:]))
    assert [grant["note"] for grant in told["grants"] if grant["source"] == "gift"] == [f"for {life['canary']}"]
    assert {one["credit_type"]: one["balance"] for one in told["wallets"]}["general"] == await client.balance(person)
    assert {(one["model_id"], one["relation"]) for one in told["models"]} == {
        (life["model"], "owner"), (life["model"], "creator"),
    }  # fmt: skip
    assert [(one["model_id"], one["stars"], one["text"]) for one in told["reviews"]] == [
        (life["liked"], 5, f"{life['canary']} likes it"),
    ]  # fmt: skip
    charges = (await life["own"].get(told["charges"]["href"])).json["data"]
    assert told["charges"]["count"] == len(charges) == 1
    assert charges[0]["metadata"] == {"note": f"{life['canary']} said so"}
    earnings = (await life["own"].get(told["earnings"]["href"])).json
    assert told["earnings"]["accrued_nano_usd"] == earnings["accrued_nano_usd"] > 0
    words = {"user_id": person, "metadata": {"note": f"{life['canary']} said so"}}
    assert [(one["kind"], one["words"]) for one in told["said"]] == [
        ("reversal", {"reason": f"{life['canary']} complained"}), ("hold", words),
    ]  # fmt: skip
    assert told["said"][1]["id"] == life["hold"]["id"]
    assert told["named_by_others"] == 1
    assert [(one["organization_id"], one["role"]) for one in told["invitations"]] == [(life["org"], "admin")]
    assert sorted(one["letter"] for one in told["letters"]) == ["invitation", "reset_password"]
    assert {one["recipient"].lower() for one in told["letters"]} == {life["email"].lower()}
    acts = {(one["act"], one["own"]): one["address"] for one in told["acts"]}
    assert acts["session.open", True] == f"{life['canary']}.example"
    assert acts["sign_in.refuse", False] == "127.0.0.1"
    assert acts["grant.create", False] is None  # whence the platform calls is not the person's


async def test_only_oneself_and_the_platform_export(client, life):
    path = f"/v1/accounts/{life['person']}/export"
    other = await client.key_of(life["other"])
    is_problem(await other.get(path), 404)
    is_problem(await (await client.key_of(life["person"], scopes=["wallets:read"])).get(path), 403)
    assert (await other.get(f"/v1/accounts/{life['org']}/export")).status == 200
    is_problem(await life["own"].get(f"/v1/accounts/{life['org']}/export"), 403)
    is_problem(await client.get("/v1/accounts/nobody-at-all/export"), 404)


async def test_an_erased_person_stands_nowhere(client, life, superuser, shared_database):
    canary, person, org, other = (life[name] for name in ("canary", "person", "org", "other"))
    before = dump(superuser)
    found = {name for name, rows in before.items() if canary in rows.lower()}
    assert {
        "access.identity", "access.api_key", "access.invitation", "ledger.entry", "ledger.hold", "wallets.lot",
        "metering.usage", "metering.reversal", "access.credential", "access.session", "access.external_identity",
        "alerts.mail",
    } <= found  # fmt: skip
    balances = [(await client.get(f"/v1/accounts/{name}/wallets")).json for name in (person, org)]
    earned = (await client.get(f"/v1/earnings?account_id={person}")).json
    is_problem(await life["own"].post(f"/v1/accounts/{person}/erase"), 403)
    is_problem(await (await client.key_of(other)).post(f"/v1/accounts/{person}/erase"), 404)

    assert (await client.by(None).get(f"/v1/accounts/{person}", headers=life["session"])).status == 200

    invited = (
        "select vals ->> 'inviter', vals ->> 'organization', due_at is not null from alerts.mail where recipient = %s"
    )
    assert superuser.execute(invited, [life["guest"]]).fetchone() == (f"{canary} Name", "club", True)
    opaque = (await client.must(f"/v1/accounts/{person}/erase"))["id"]
    assert superuser.execute(invited, [life["guest"]]).fetchone() == ("club", "club", True)
    assert opaque.startswith("erased-")
    after = dump(superuser)
    assert {name: rows for name, rows in after.items() if canary in rows.lower()} == {}
    async with Database(shared_database.app_conninfo, shared_database.signer) as database:
        await clean(database)

    is_problem(await life["own"].get(f"/v1/accounts/{opaque}"), 401)
    is_problem(await client.by(None).get(f"/v1/accounts/{opaque}", headers=life["session"]), 401)
    number = superuser.execute("select account_id from access.identity where external_id = %s", [opaque]).fetchone()
    for table in ("credential", "session", "mail_token", "external_identity"):
        assert superuser.execute(f"select 1 from access.{table} where account_id = %s", number).fetchone() is None
    for path in (f"/v1/accounts/{person}", f"/v1/accounts/{person}/wallets", f"/v1/charges?account_id={person}"):
        is_problem(await client.get(path), 404)
    is_problem(await client.post(f"/v1/accounts/{person}/erase"), 404)
    assert [(await client.get(f"/v1/accounts/{name}/wallets")).json for name in (opaque, org)] == balances
    now = (await client.get(f"/v1/earnings?account_id={opaque}")).json
    assert now["accrued_nano_usd"] == earned["accrued_nano_usd"]
    assert [row["user_id"] for row in (await client.get(f"/v1/accounts/{org}/members")).json["data"]] == [other]

    receipt = (await client.get(f"/v1/charges/{life['charge']['id']}")).json
    assert (receipt["account_id"], receipt["amount"], receipt["metadata"]) == (opaque, 7, None)
    assert (await client.get(f"/v1/charges?account_id={org}&user_id={opaque}")).json["data"]
    earned = (await client.get(f"/v1/charges/{life['earned']['id']}")).json
    assert {one["account_id"] for one in earned["earnings"]} == {opaque}
    again = await client.must("/v1/charges", {"account_id": other, "model_id": life["model"], "amount": 9})
    assert {one["account_id"] for one in again["earnings"]} == {opaque}
    captured = await client.must(f"/v1/holds/{life['hold']['id']}/capture", {"amount": 3})
    assert (captured["account_id"], captured["user_id"]) == (opaque, None)
    async with Database(shared_database.app_conninfo, shared_database.signer) as database:
        await clean(database)

    (review,) = (await client.get(f"/v1/models/{life['liked']}/reviews")).json["data"]
    assert (review["stars"], review["text"], review["account_id"]) == (5, None, opaque)
    assert (await client.get(f"/v1/models/{life['liked']}")).json["rating"] == 5

    # The id is free, and who takes it is somebody else.
    await client.must("/v1/accounts", {"id": person, "kind": "user", "name": "x"})
    assert (await client.get(f"/v1/charges?account_id={person}")).json["data"] == []


async def test_the_last_owner_is_not_erased_from_under_others(client):
    org, chief, mate = await client.account("o", "organization"), await client.account("c"), await client.account("m")
    for user, role in ((chief, "owner"), (mate, "member")):
        await client.must(f"/v1/accounts/{org}/members", {"user_id": user, "role": role})
    is_problem(await client.post(f"/v1/accounts/{chief}/erase"), 409, "last_owner")
    assert (await client.get(f"/v1/accounts/{chief}")).status == 200
    assert (await client.call("DELETE", f"/v1/accounts/{org}/members/{mate}")).status == 204
    assert (await client.post(f"/v1/accounts/{chief}/erase")).status == 200


async def test_other_processes_forget_the_erased(client, shared_database):
    from tokenhouse.domain.access import Identities

    person, other = await client.account("gone"), await client.account("there")
    async with Database(shared_database.app_conninfo, shared_database.signer) as database:
        known = Identities(database)
        await known.find_all([person, other])
        await client.must(f"/v1/accounts/{person}/erase")
        assert known.known(person) is not None
        await known.forget_erased()
        assert known.known(person) is None
        assert known.known(other) is not None


async def test_letters_about_an_erased_organization_are_taken_back(client, superuser):
    org, other = [await client.account("firm", "organization") for _ in range(2)]
    guest = f"{uuid.uuid4().hex[:12]}@example.org"
    for one in (org, other):
        await client.must(f"/v1/accounts/{one}/invitations", {"email": guest, "role": "member"})
    waiting = "select count(*) from alerts.mail where recipient = %s"
    assert superuser.execute(waiting, [guest]).fetchone() == (2,)
    await client.must(f"/v1/accounts/{org}/erase")
    assert superuser.execute(waiting, [guest]).fetchone() == (1,)


async def test_who_erases_themselves_leaves_no_address(client, someone, superuser):
    ada = await someone("admin")
    await ada.sign_in()
    (number,) = superuser.execute(
        "select account_id from access.identity where external_id = %s", [ada.account]
    ).fetchone()
    private = "select count(*) from access.audit_private where %s in (actor_id, account_id)"
    assert superuser.execute(private, [number]).fetchone()[0] > 1
    assert (await ada.api.call("POST", f"/v1/accounts/{ada.account}/erase", headers=ada.ours)).status == 200
    assert superuser.execute(private, [number]).fetchone() == (0,)
    acts = superuser.execute("select act from access.audit where actor_id = %s order by id", [number]).fetchall()
    assert acts == [("session.open",), ("account.erase",)]


async def test_a_copy_of_the_database_lets_nobody_in(client, someone, own, superuser):
    """Neither a password, a key, a session nor a mailed link stands in any row, as text or as bytes."""
    ada = await someone()
    await ada.sign_in()
    made = await client.must(f"/v1/accounts/{ada.account}/api-keys", {})
    turned = await client.must(f"/v1/keys/{made['id']}/rotate")
    async with own.transaction(PLATFORM) as tx:
        account = await access.find_account(tx, ada.account)
        links = [await access.issue_link(tx, account.id, purpose) for purpose in ("reset", "verify")]
        firm = await access.create_account(tx, NewAccount("organization", "Firm"))
        _, invitation = await access.invite(tx, firm, ada.email, "member", None)
    everything = "\n".join(dump(superuser).values())
    assert ada.email in everything
    for secret in (RIGHT, made["key"][-43:], turned["key"][-43:], ada.token, invitation, *links):
        part = secret[:32]
        assert part not in everything
        assert part.encode().hex() not in everything
