"""Organizations: roles, members who leave, invitations; and keys that are rotated."""

import asyncio
import uuid

import pytest_asyncio

from http_face import is_problem
from tokenhouse.domain import access
from tokenhouse.domain.access.types import Visitor
from tokenhouse.infra.database import PLATFORM, Database


@pytest_asyncio.fixture
async def club(client):
    """An organization with a member, an admin and two owners; a client for each."""
    org = await client.account("club", "organization", plan="enterprise")
    names, by = {"org": org}, {}
    for who, role in (("mate", "member"), ("boss", "admin"), ("chief", "owner"), ("deputy", "owner")):
        names[who] = await client.account(who, email=f"{who}-{uuid.uuid4().hex[:8]}@Example.org")
        await client.must(f"/v1/accounts/{org}/members", {"user_id": names[who], "role": role})
        by[who] = await client.key_of(names[who])
    names["stranger"] = await client.account("stranger", email=f"st-{uuid.uuid4().hex[:8]}@example.org")
    by["stranger"] = await client.key_of(names["stranger"])
    return names, by


async def role_of(client, org, user):
    rows = (await client.get(f"/v1/accounts/{org}/members")).json["data"]
    return {row["user_id"]: row["role"] for row in rows}.get(user)


# ---- members ----


async def test_a_member_who_is_removed_is_refused_at_once(client, club):
    names, by = club
    org, members = names["org"], f"/v1/accounts/{names['org']}/members"
    charge = {"account_id": org, "amount": 1, "credit_type": "forecast"}
    assert (await by["mate"].post("/v1/charges", charge)).status == 201
    is_problem(await by["stranger"].call("DELETE", f"{members}/{names['mate']}"), 404)
    gone = await by["boss"].call("DELETE", f"{members}/{names['mate']}")
    assert (gone.status, gone.body) == (204, b"")
    is_problem(await by["mate"].post("/v1/charges", charge), 404)
    is_problem(await by["mate"].get(f"/v1/accounts/{org}/wallets"), 404)
    is_problem(await by["mate"].get(f"/api/v1/tokens/stats?organizationId={org}"), 403)
    is_problem(await by["boss"].call("DELETE", f"{members}/{names['mate']}"), 404)
    assert (await by["mate"].get(f"/v1/accounts/{names['mate']}")).status == 200


async def test_who_changes_whom(client, club):
    names, by = club
    org, members = names["org"], f"/v1/accounts/{names['org']}/members"
    mate, boss, chief, deputy = (names[who] for who in ("mate", "boss", "chief", "deputy"))
    # A member: nobody but themselves.
    is_problem(await by["mate"].call("DELETE", f"{members}/{boss}"), 403, "forbidden")
    is_problem(await by["mate"].post(members, {"user_id": mate, "role": "admin"}), 403, "forbidden")
    # An admin: members and admins, not owners; and no owner of themselves.
    is_problem(await by["boss"].call("DELETE", f"{members}/{chief}"), 403, "forbidden")
    is_problem(await by["boss"].post(members, {"user_id": chief, "role": "member"}), 403, "forbidden")
    is_problem(await by["boss"].post(members, {"user_id": boss, "role": "owner"}), 403, "forbidden")
    assert (await by["boss"].post(members, {"user_id": mate, "role": "admin"})).status == 201
    assert (await by["boss"].post(members, {"user_id": mate, "role": "member"})).status == 201
    # An admin can make a key of the organization: it reaches no further than they.
    org_key = await by["boss"].key_of(org)
    is_problem(await org_key.post(members, {"user_id": boss, "role": "owner"}), 403, "forbidden")
    is_problem(await org_key.call("DELETE", f"{members}/{chief}"), 403, "forbidden")
    is_problem(await org_key.post(f"/v1/accounts/{org}/invitations", {"email": "a@b.c", "role": "owner"}), 403)
    # An owner: everybody.
    assert (await by["chief"].post(members, {"user_id": boss, "role": "owner"})).status == 201
    assert (await by["chief"].post(members, {"user_id": boss, "role": "admin"})).status == 201
    assert (await by["chief"].call("DELETE", f"{members}/{deputy}")).status == 204
    # Keys with scopes: never.
    scoped = await client.key_of(chief, scopes=["charges:write", "wallets:read", "market:write"])
    is_problem(await scoped.call("DELETE", f"{members}/{mate}"), 403, "forbidden")
    mate_scoped = await client.key_of(mate, scopes=["wallets:read"])
    is_problem(await mate_scoped.call("DELETE", f"{members}/{mate}"), 403, "forbidden")
    # Anybody may leave.
    assert (await by["mate"].call("DELETE", f"{members}/{mate}")).status == 204


async def test_an_organization_keeps_an_owner(client, club):
    names, by = club
    org, members = names["org"], f"/v1/accounts/{names['org']}/members"
    chief, deputy = names["chief"], names["deputy"]
    assert (await by["deputy"].call("DELETE", f"{members}/{deputy}")).status == 204
    is_problem(await by["chief"].call("DELETE", f"{members}/{chief}"), 409, "last_owner")
    is_problem(await by["chief"].post(members, {"user_id": chief, "role": "admin"}), 409, "last_owner")
    is_problem(await client.call("DELETE", f"{members}/{chief}"), 409, "last_owner")
    assert await role_of(client, org, chief) == "owner"


async def test_two_owners_do_not_leave_at_once(client, club):
    names, by = club
    members = f"/v1/accounts/{names['org']}/members"
    left = await asyncio.gather(
        *(by[who].call("DELETE", f"{members}/{names[who]}") for who in ("chief", "deputy")),
    )
    assert sorted(reply.status for reply in left) == [204, 409]


# ---- invitations ----


async def test_an_invitation_is_accepted_once_by_its_person(client, club):
    names, by = club
    org, path = names["org"], f"/v1/accounts/{names['org']}/invitations"
    email = (await client.get(f"/v1/accounts/{names['stranger']}")).json["email"]
    made = await client.must(path, {"email": email.upper(), "role": "admin"})
    assert made["email"] == email
    token = made["link"].rpartition("/invitations/")[2]
    assert len(token) == 43
    listed = await by["boss"].get(path)
    assert [row["id"] for row in listed.json["data"]] == [made["id"]]
    assert token.encode() not in listed.body
    accept = "/v1/invitations/accept"
    is_problem(await by["mate"].post(accept, {"token": token}), 404)
    is_problem(await by["stranger"].post(accept, {"token": token[:-1] + "~"}), 404)
    scoped = await client.key_of(names["stranger"], scopes=["wallets:read"])
    is_problem(await scoped.post(accept, {"token": token}), 403)
    is_problem(await by["stranger"].get(f"/v1/accounts/{org}"), 404)
    both = await asyncio.gather(*(by["stranger"].post(accept, {"token": token}) for _ in range(2)))
    assert sorted(reply.status for reply in both) == [200, 404]
    (done,) = [reply for reply in both if reply.status == 200]
    assert (done.json["organization_id"], done.json["role"]) == (org, "admin")
    assert (await by["stranger"].get(f"/v1/accounts/{org}/members")).status == 200
    assert (await by["boss"].get(path)).json["data"] == []


async def test_who_invites_whom(client, club):
    names, by = club
    path = f"/v1/accounts/{names['org']}/invitations"
    body = {"email": f"x{uuid.uuid4().hex}@example.org", "role": "member"}
    is_problem(await by["stranger"].post(path, body), 404)
    is_problem(await by["mate"].post(path, body), 403)
    is_problem(await by["boss"].post(path, {**body, "role": "owner"}), 403)
    is_problem(await client.post(f"/v1/accounts/{names['mate']}/invitations", body), 422)
    is_problem(await by["boss"].post(path, {**body, "email": "no address"}), 422, "validation_failed")
    made = await by["boss"].must(path, body)
    assert made["link"] is None  # the mailbox proves who it is: nobody but the platform sees the token
    again = await by["chief"].must(path, {**body, "role": "owner"})
    rows = (await by["boss"].get(path)).json["data"]
    assert [(row["id"], row["role"]) for row in rows] == [(again["id"], "owner")]
    is_problem(await by["stranger"].call("DELETE", f"{path}/{again['id']}"), 404)
    is_problem(await by["mate"].call("DELETE", f"{path}/{again['id']}"), 403)
    is_problem(await by["boss"].call("DELETE", f"{path}/{made['id']}"), 404)
    assert (await by["boss"].call("DELETE", f"{path}/{again['id']}")).status == 204
    assert (await by["boss"].get(path)).json["data"] == []


async def test_invitations_that_ended(client, club, superuser):
    names, by = club
    path = f"/v1/accounts/{names['org']}/invitations"
    email = (await client.get(f"/v1/accounts/{names['stranger']}")).json["email"]

    async def token():
        return (await client.must(path, {"email": email, "role": "member"}))["link"].rpartition("/")[2]

    replaced = await token()
    revoked = await token()
    (row,) = (await client.get(path)).json["data"]
    assert (await client.call("DELETE", f"{path}/{row['id']}")).status == 204
    late = await token()
    superuser.execute("update access.invitation set expires_at = now() - interval '1 second' where email = %s", [email])
    texts = set()
    for one in (replaced, revoked, late, "x" * 43):
        reply = await by["stranger"].post("/v1/invitations/accept", {"token": one})
        is_problem(reply, 404, "not_found")
        texts.add(reply.json["detail"])
    assert len(texts) == 1
    assert (await client.get(path)).json["data"] == []


async def test_who_leaves_leaves_no_open_door(client, club):
    """What a member invited to ends with the right to: else they would come back by another address."""
    names, by = club
    path = f"/v1/accounts/{names['org']}"

    async def open_now():
        return {row["email"]: row["role"] for row in (await client.get(f"{path}/invitations")).json["data"]}

    await client.must(f"{path}/members", {"user_id": names["boss"], "role": "owner"})
    invited = {f"{role}@example.org": role for role in ("member", "admin", "owner")}
    for email, role in invited.items():
        await by["boss"].must(f"{path}/invitations", {"email": email, "role": role})
    await client.must(f"{path}/invitations", {"email": "other@example.org", "role": "admin"})
    other = {"other@example.org": "admin"}
    assert await open_now() == invited | other
    await client.must(f"{path}/members", {"user_id": names["boss"], "role": "admin"})
    assert await open_now() == {"member@example.org": "member", "admin@example.org": "admin"} | other
    assert (await client.call("DELETE", f"{path}/members/{names['boss']}")).status == 204
    assert await open_now() == other


async def test_a_member_keeps_the_role(client, club):
    names, _ = club
    path = f"/v1/accounts/{names['org']}/invitations"
    email = (await client.get(f"/v1/accounts/{names['chief']}")).json["email"]
    link = (await client.must(path, {"email": email, "role": "member"}))["link"]
    body = {"token": link.rpartition("/")[2]}
    is_problem(await client.post("/v1/invitations/accept", body), 400)
    done = await client.post("/v1/invitations/accept", body, user=names["chief"])
    assert (done.status, done.json["role"]) == (200, "owner")


async def test_an_address_counts_once_it_is_verified(client, club, shared_database):
    """Who signs up with another's address does not get the invitations sent there."""
    names, _ = club
    address = f"{uuid.uuid4().hex}@example.org"
    link = (await client.must(f"/v1/accounts/{names['org']}/invitations", {"email": address, "role": "admin"}))["link"]
    body = {"token": link.rpartition("/")[2]}
    async with Database(shared_database.app_conninfo, shared_database.signer) as database:
        async with database.transaction(PLATFORM) as tx:
            imposter = await access.sign_up(tx, "Imposter", address.upper(), "no hash")
        own = await client.key_of(imposter.external_id)
        is_problem(await own.post("/v1/invitations/accept", body), 404)
        async with database.transaction(PLATFORM) as tx:
            await access.verify_email(tx, await access.issue_link(tx, imposter.id, "verify"), Visitor(None))
    assert (await own.post("/v1/invitations/accept", body)).json["role"] == "admin"


async def test_no_more_than_a_hundred_are_open(client, club, superuser):
    names, by = club
    path = f"/v1/accounts/{names['org']}/invitations"
    superuser.execute(
        "insert into access.invitation (id, organization_id, email, role, digest, created_at, expires_at) "
        "select gen_random_uuid(), i.account_id, n || '@example.org', 'member', sha256(random()::text::bytea), now(), "
        "       now() + interval '1 day' from generate_series(1, 99) n, access.identity i where i.external_id = %s",
        [names["org"]],
    )
    await by["boss"].must(path, {"email": "last@example.org", "role": "member"})
    more = {"email": "more@example.org", "role": "member"}
    is_problem(await by["boss"].post(path, more), 409, "too_many_invitations")
    await by["boss"].must(path, {"email": "Last@example.org", "role": "member"})  # in place of the one before
    superuser.execute("update access.invitation set expires_at = now() where email = '7@example.org'")
    await by["boss"].must(path, more)


# ---- keys ----


async def test_a_rotated_key_works_beside_its_successor(client, superuser):
    user = await client.account("rotating")
    own = await client.key_of(user)
    body = {"name": "backend", "scopes": ["wallets:read"], "expires_at": "2100-01-01T00:00:00Z"}
    old = await client.must(f"/v1/accounts/{user}/api-keys", body)
    new = await own.must(f"/v1/keys/{old['id']}/rotate", {"overlap_seconds": 60})
    assert {name: new[name] for name in body} == {name: old[name] for name in body}
    assert new["replaces"] == old["id"]
    for key in (old, new):
        assert (await client.by(key["key"]).get(f"/v1/accounts/{user}/wallets")).status == 200
    assert new["key"] != old["key"]
    rows = {row["id"]: row for row in (await own.get(f"/v1/accounts/{user}/api-keys")).json["data"]}
    assert rows[old["id"]]["replaced_by"] == new["id"]
    assert rows[old["id"]]["expires_at"] == new["replaced_ends_at"] < rows[new["id"]]["expires_at"]
    is_problem(await own.post(f"/v1/keys/{old['id']}/rotate"), 409, "key_rotated")
    superuser.execute("update access.api_key set expires_at = now() where id = %s", [old["id"]])
    is_problem(await client.by(old["key"]).get(f"/v1/accounts/{user}/wallets"), 401)
    assert (await client.by(new["key"]).get(f"/v1/accounts/{user}/wallets")).status == 200
    is_problem(await own.post(f"/v1/keys/{old['id']}/rotate"), 404)


async def test_a_rotation_never_prolongs(client):
    user = await client.account("rotating")
    own = await client.key_of(user)
    old = await client.must(f"/v1/accounts/{user}/api-keys", {})
    new = await own.must(f"/v1/keys/{old['id']}/rotate", {"overlap_seconds": 0})
    is_problem(await client.by(old["key"]).get(f"/v1/accounts/{user}"), 401)
    assert (await client.by(new["key"]).get(f"/v1/accounts/{user}")).status == 200
    soon = await client.must(f"/v1/accounts/{user}/api-keys", {"expires_at": "2099-01-01T00:00:00Z"})
    assert (await own.must(f"/v1/keys/{soon['id']}/rotate"))["replaced_ends_at"] < "2099"
    for body in ({"overlap_seconds": -1}, {"overlap_seconds": 604_801}, {"overlap_seconds": "1"}, {"other": 1}):
        is_problem(await own.post(f"/v1/keys/{soon['id']}/rotate", body), 422, "validation_failed")


async def test_who_rotates_what(client, club, superuser):
    names, by = club
    ann = await client.account("ann")
    own, scoped = await client.key_of(ann), await client.key_of(ann, scopes=["wallets:read"])
    plain = await client.must(f"/v1/accounts/{ann}/api-keys", {})
    for key in (by["stranger"], by["chief"]):
        is_problem(await key.post(f"/v1/keys/{plain['id']}/rotate"), 404)
    is_problem(await own.post(f"/v1/keys/{uuid.uuid4()}/rotate"), 404)
    is_problem(await own.post("/v1/keys/rubbish/rotate"), 404)
    is_problem(await scoped.post(f"/v1/keys/{plain['id']}/rotate"), 403)
    # What only the platform gives, only the platform renews: else a lesser key of the account would get its secret.
    high = await client.must(f"/v1/accounts/{ann}/api-keys", {"scopes": ["admin"]})
    is_problem(await own.post(f"/v1/keys/{high['id']}/rotate"), 403)
    assert (await client.post(f"/v1/keys/{high['id']}/rotate")).status == 201
    # An organization's keys: its admins and owners.
    shared = await client.must(f"/v1/accounts/{names['org']}/api-keys", {})
    is_problem(await by["mate"].post(f"/v1/keys/{shared['id']}/rotate"), 403)
    assert (await by["boss"].post(f"/v1/keys/{shared['id']}/rotate")).status == 201
    # A platform key: the platform's.
    platform = uuid.uuid4()
    superuser.execute(
        "insert into access.api_key (id, name, digest, hint) values (%s, 'platform', %s, 'abcd')",
        [platform, uuid.uuid4().bytes],
    )
    is_problem(await own.post(f"/v1/keys/{platform}/rotate"), 404)
    made = await client.must(f"/v1/keys/{platform}/rotate")
    assert (await client.by(made["key"]).get("/v1/accounts")).status == 200


async def test_a_key_is_rotated_once(client):
    user = await client.account("rotating")
    old = await client.must(f"/v1/accounts/{user}/api-keys", {})
    tries = await asyncio.gather(*(client.post(f"/v1/keys/{old['id']}/rotate") for _ in range(4)))
    assert sorted(reply.status for reply in tries) == [201, 409, 409, 409]
