"""The session at the gate: for whom it acts, what it may do, and when it ends."""

import uuid

from http_face import is_problem
from person import COOKIE, FOREIGN, RIGHT, Person
from tokenhouse.domain import access
from tokenhouse.infra.database import PLATFORM


async def test_a_session_acts_for_its_person_alone(client, someone):
    ada, bob = await someone(), await someone()
    await ada.sign_in()
    assert (await ada.api.get(f"/v1/accounts/{ada.account}/wallets")).status == 200
    is_problem(await ada.api.get(f"/v1/accounts/{bob.account}/wallets"), 404)
    is_problem(await ada.api.get(f"/v1/accounts/{ada.account}", user=bob.account), 404)
    is_problem(await ada.api.post("/v1/accounts", {"kind": "user", "name": "x"}, headers=ada.ours), 403, "forbidden")
    body = {"account_id": ada.account, "operation": "chat"}
    assert (await ada.api.post("/v1/charges", body, headers=ada.ours)).status == 201
    is_problem(await ada.api.post("/v1/charges", {**body, "account_id": bob.account}, headers=ada.ours), 404)
    made = await ada.api.post(f"/v1/accounts/{ada.account}/api-keys", {"name": "mine"}, headers=ada.ours)
    assert made.status == 201
    stats = await ada.api.get(f"/api/v1/tokens/stats?organizationId={bob.account}")
    is_problem(stats, 403)


async def test_an_organization_is_acted_for_by_role(client, someone):
    ada = await someone()
    org = await client.account("org", "organization")
    await client.must(f"/v1/accounts/{org}/members", {"user_id": ada.account, "role": "member"})
    await ada.sign_in()
    assert (await ada.api.get(f"/v1/accounts/{org}/wallets")).status == 200
    is_problem(await ada.api.get(f"/v1/accounts/{org}/api-keys"), 403)
    await client.must(f"/v1/accounts/{org}/members", {"user_id": ada.account, "role": "admin"})
    assert (await ada.api.get(f"/v1/accounts/{org}/api-keys")).status == 200  # at once: nothing is remembered


async def test_platform_roles(client, someone):
    admin, support, auditor = await someone("admin"), await someone("support"), await someone("auditor")
    other = await client.account("other", credits_left=50)
    for person in (admin, support, auditor):
        await person.sign_in()
    charge = {"account_id": other, "operation": "chat"}
    assert (await admin.api.post("/v1/charges", charge, headers=admin.ours)).status == 201
    named = await admin.api.get("/v1/sessions", user=support.account)
    assert len(named.json["data"]) == 1
    new = await admin.api.post("/v1/accounts", {"kind": "user", "name": "x"}, headers=admin.ours)
    assert new.status == 201
    assert (await support.api.get(f"/v1/accounts/{other}/wallets")).status == 200
    is_problem(await support.api.post("/v1/charges", charge, headers=support.ours), 404)
    grant = {"credit_type": "general", "amount": 1, "source": "gift"}
    for person in (support, auditor):
        for target in (other, person.account):
            refused = await person.api.post(f"/v1/accounts/{target}/grants", grant, headers=person.ours)
            is_problem(refused, (403, 404))
    is_problem(await support.api.post("/v1/accounts", {"kind": "user", "name": "x"}, headers=support.ours), 403)
    is_problem(await auditor.api.get(f"/v1/accounts/{other}/wallets"), 404)
    is_problem(await auditor.api.get(f"/v1/accounts/{auditor.account}/wallets"), 403)
    assert (await auditor.api.get("/v1/sessions")).status == 200


async def test_a_role_that_changes_takes_a_new_sign_in(someone, own):
    ada = await someone()
    await ada.sign_in()
    async with own.transaction(PLATFORM) as tx:
        account = await access.find_account(tx, ada.account)
        await access.set_platform_role(tx, account.id, "admin")
    is_problem(await ada.api.get("/v1/sessions"), 401)
    await ada.sign_in()
    assert (await ada.api.get("/v1/accounts")).status == 200


async def test_a_session_changes_nothing_from_another_site(client, someone):
    ada = await someone()
    await ada.sign_in()
    org = {"account_id": ada.account, "operation": "chat"}
    before = await client.balance(ada.account)
    for foreign in [*FOREIGN, {}]:
        headers = {name: ada.base if value == "SAME" else value for name, value in foreign.items()}
        for method, path, body in (
            ("POST", "/v1/charges", org), ("POST", "/api/deduct-token", {"userId": ada.account}),
            ("POST", "/v1/check", org),
            ("POST", "/v1/sign-out-everywhere", None), ("DELETE", f"/v1/sessions/{uuid.uuid4()}", None),
            ("POST", f"/v1/accounts/{ada.account}/api-keys", {}),
        ):  # fmt: skip
            idem = uuid.uuid4().hex if path == "/v1/charges" else None
            is_problem(await ada.api.call(method, path, body, headers=headers, idem=idem), 403, "cross_site")
        assert (await ada.api.call("GET", "/v1/sessions", headers=headers)).status == 200  # reading changes nothing
    # Over TLS a page that came without is another's: anybody on the way may have written it.
    tls = {"Origin": ada.base, "X-Forwarded-Proto": "https"}
    is_problem(await ada.api.call("POST", "/v1/check", org, headers=tls), 403, "cross_site")
    assert await client.balance(ada.account) == before
    key = await client.key_of(ada.account)
    # A key is not sent by a browser on its own: who has it may send from anywhere.
    assert (await key.call("POST", "/v1/check", org, headers={"Sec-Fetch-Site": "cross-site"})).status == 200
    for ours in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": ada.base}):
        assert (await ada.api.call("POST", "/v1/check", org, headers=ours)).status == 200


async def test_sessions_travel_in_the_cookie_alone(client, someone):
    ada = await someone()
    await ada.sign_in()
    token = ada.token
    nobody = client.by(None)
    for headers in (
        {"Authorization": f"Bearer {token}"}, {"Authorization": f"Session {token}"}, {"X-Session": token},
        {"Cookie": f"session={token}"}, {"Cookie": f"{COOKIE}={token}x"},
        {"Cookie": f"{COOKIE}={token}; {COOKIE}={token}"},
        {"Cookie": f"{COOKIE}="}, {"Cookie": "=; ; =="}, {"Cookie": f"x{COOKIE}={token}"},
        {"Cookie": f"{COOKIE}={token}", "Authorization": "Bearer rubbish"},
        {"Cookie": f"{COOKIE}={token}", "Authorization": ""},
    ):  # fmt: skip
        is_problem(await nobody.call("GET", "/v1/sessions", headers=headers), 401, "unauthorized")
    is_problem(await nobody.call("GET", f"/v1/sessions?{COOKIE}={token}"), 401)
    worn = {"Cookie": f"a=b; {COOKIE}={token}; c=d"}
    assert (await nobody.call("GET", "/v1/sessions", headers=worn)).status == 200


async def test_one_sees_and_ends_ones_own_sessions(client, someone):
    ada, bob = await someone(), await someone()
    await bob.sign_in()
    other = Person(client, ada.account, ada.email)
    await ada.form("/login", {**ada.ours, "User-Agent": "x" * 300}, email=ada.email, password=RIGHT)
    await other.sign_in()
    listed = (await ada.api.get("/v1/sessions")).json
    assert [one["current"] for one in listed["data"]] == [False, True]
    assert listed["data"][1]["user_agent"] == "x" * 200
    assert listed["data"][0]["address"] == "127.0.0.1"
    assert not any(token in str(listed) for token in (ada.token, other.token))
    theirs = listed["data"][0]["id"]
    for wrong in (theirs.replace(theirs[:8], "0" * 8), "rubbish"):
        is_problem(await ada.api.call("DELETE", f"/v1/sessions/{wrong}", headers=ada.ours), 404)
    is_problem(await bob.api.call("DELETE", f"/v1/sessions/{theirs}", headers=bob.ours), 404)
    assert (await ada.api.call("DELETE", f"/v1/sessions/{theirs}", headers=ada.ours)).status == 204
    is_problem(await other.api.get("/v1/sessions"), 401)
    is_problem(await ada.api.call("DELETE", f"/v1/sessions/{theirs}", headers=ada.ours), 404)
    await other.sign_in()
    ended = await ada.api.call("POST", "/v1/sign-out-everywhere", headers=ada.ours)
    assert (ended.status, ended.json) == (200, {"ended": 2})
    for person in (ada, other):
        is_problem(await person.api.get("/v1/sessions"), 401)
    assert (await bob.api.get("/v1/sessions")).status == 200
    await other.http.aclose()


async def test_keys_see_to_sessions_only_without_scopes(client, someone):
    ada = await someone()
    await ada.sign_in()
    whole, narrow = await client.key_of(ada.account), await client.key_of(ada.account, scopes=["charges:write"])
    assert len((await whole.get("/v1/sessions")).json["data"]) == 1
    is_problem(await narrow.get("/v1/sessions"), 403)
    is_problem(await client.get("/v1/sessions"), 400)
    assert len((await client.get("/v1/sessions", user=ada.account)).json["data"]) == 1


async def test_a_session_ends_unused_and_in_the_end(someone, superuser):
    ada = await someone()
    for column in ("seen_at", "expires_at"):
        await ada.sign_in()
        assert (await ada.api.get("/v1/sessions")).status == 200
        superuser.execute(
            f"update access.session set {column} = {column} - interval '15 days' where account_id = "
            "(select account_id from access.credential where email = %s)",
            [ada.email],
        )
        is_problem(await ada.api.get("/v1/sessions"), 401, "unauthorized")


async def test_a_session_that_is_no_more_is_told_as_no_key_is(client, someone):
    ada = await someone()
    await ada.sign_in()
    token = ada.token
    await ada.form("/logout")
    told = []
    for headers in (
        {},
        {"Cookie": f"{COOKIE}={token}"},
        {"Cookie": f"{COOKIE}={'x' * 43}"},
        {"Authorization": "Bearer x"},
    ):
        for method in ("GET", "POST"):
            reply = await client.by(None).call(method, "/v1/models", {} if method == "POST" else None, headers=headers)
            is_problem(reply, 401, "unauthorized")
            told.append((reply.json["detail"], reply.headers["www-authenticate"]))
    assert len(set(told)) == 1
