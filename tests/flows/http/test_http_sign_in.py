"""Signing in over HTTP: the forms, the session at the gate, and what an attacker gets out of either."""

import asyncio
import re
import uuid

import httpx2
import pytest

from http_face import is_problem, serving
from person import COOKIE, FOREIGN, RIGHT, Person, signed_in
from tokenhouse.domain import access
from tokenhouse.infra.database import PLATFORM

CANARY = "canary-7d20aa-password"


# ---- the form ----


async def test_signing_in_and_out(someone):
    ada = await someone()
    form = await ada.http.get("/login?next=/v1/sessions")
    assert form.status_code == 200
    assert 'value="/v1/sessions"' in form.text
    done = await ada.sign_in(next="/v1/sessions")
    assert (done.status_code, done.headers["location"]) == (303, "/v1/sessions")
    cookie = done.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=lax", "path=/", "max-age=1209600"))
    assert "domain" not in cookie
    assert "secure" not in cookie  # plain HTTP, in development
    home = await ada.http.get("/", headers={"Accept": "text/html"})
    assert "Sign out" in home.text
    assert "Cookie" in home.headers["vary"]
    assert (await ada.http.get("/login")).status_code == 303  # nothing to do there
    token = ada.token
    out = await ada.form("/logout")
    assert (out.status_code, out.headers["location"]) == (303, "/login?said=out")
    assert ada.token is None
    is_problem(await ada.api.call("GET", "/v1/sessions", headers={"Cookie": f"{COOKIE}={token}"}), 401)
    assert "Sign out" not in (await ada.http.get("/", headers={"Accept": "text/html"})).text
    assert (await ada.form("/logout")).status_code == 303  # again, with nothing to end


async def test_in_production_the_cookie_is_bound_to_the_host(shared_database, someone):
    ada, eve = await someone(), await someone(verified=False)
    async with serving(shared_database, env="production") as base, httpx2.AsyncClient(base_url=base) as http:

        async def sign_in(person):
            fields = {"email": person.email, "password": RIGHT}
            return await http.post("/login", data=fields, headers={"Origin": base})

        done = await sign_in(ada)
        name, _, rest = done.headers["set-cookie"].partition("=")
        assert name == "__Host-tokenhouse"
        assert "; secure" in rest.lower()
        assert "domain" not in rest.lower()
        token = rest.partition(";")[0]
        for cookie, status in ((f"__Host-tokenhouse={token}", 200), (f"tokenhouse={token}", 401)):
            assert (await http.get("/v1/sessions", headers={"Cookie": cookie})).status_code == status
        refused = await sign_in(eve)
        assert refused.status_code == 403
        assert "Confirm your e-mail" in refused.text
        assert "set-cookie" not in refused.headers
        assert (await http.get("/signup")).status_code == 404  # nobody said that anybody may
        assert (await http.post("/signup", data={"name": "Eve"})).status_code == 404
        assert "Make an account" not in (await http.get("/login")).text


@pytest.mark.parametrize(
    ("wanted", "given"),
    [
        ("/plans?x=1#y", "/plans?x=1#y"), ("//evil.example", "/"), ("https://evil.example", "/"), ("", "/"),
        ("/\\evil.example", "/"), ("javascript:alert(1)", "/"), ("/a\r\nSet-Cookie: x=y", "/"), ("evil", "/"),
        ("/\t/evil.example", "/"), ("\\\\evil.example", "/"), ("/é", "/"),
    ],
)  # fmt: skip
async def test_one_is_sent_on_within_this_site_only(someone, wanted, given):
    ada = await someone()
    assert (await ada.sign_in(next=wanted)).headers["location"] == given


async def test_the_form_says_what_is_missing_beside_the_field(client, someone):
    ada = await someone()
    answer = await ada.form("/login", email=' "><script>alert(1)</script>@x ', password="")
    assert answer.status_code == 422
    assert 'id="password-error"' in answer.text
    assert 'aria-describedby="password-error"' in answer.text
    assert "<script>" not in answer.text
    assert "&lt;script&gt;" in answer.text
    for path in ("/login", "/signup", "/reset", "/reset/" + "x" * 43):
        answer = await client.http.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "script-src" not in policy
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "<style" not in answer.text
        assert "style=" not in answer.text
        assert not re.search(r"\son\w+=", answer.text)


async def test_a_form_is_read_within_bounds(someone):
    ada = await someone()
    wrong = {"Origin": ada.base, "Content-Type": "application/json"}
    assert (await ada.http.post("/login", content=b"{}", headers=wrong)).status_code == 415
    form = {"Origin": ada.base, "Content-Type": "application/x-www-form-urlencoded"}
    for body, status in (
        (b"email=" + b"a" * 20_000, 413), (b"email=\xff\xfe&password=x", 400), (b"email=%ff&password=x", 400),
        (b"email=a%00@example.com&password=x", 400), (b"&".join(b"a%d=1" % n for n in range(50)), 400), (b"", 422),
    ):  # fmt: skip
        answer = await ada.http.post("/login", content=body, headers=form)
        assert answer.status_code == status, body[:40]
    for path in ("/login", "/reset", "/logout", "/signup"):
        assert (await ada.http.request("PUT", path)).status_code == 405


# ---- attacks on the form ----


async def test_unknown_and_known_emails_are_told_the_same(client, someone):
    ada = await someone()
    said = {}
    for email in (ada.email, "nobody-at-all@example.com"):
        wrong = await ada.form("/login", email=email, password="wrong horse battery")
        reset = await ada.form("/reset", email=email)
        signup = await ada.form("/signup", name="Eve", email=email, password="a long password")
        said[email] = [
            (one.status_code, one.text.replace(email, "EMAIL"), sorted(one.headers)) for one in (wrong, reset, signup)
        ]
        assert [one.status_code for one in (wrong, reset, signup)] == [401, 200, 200]
    first, second = said.values()
    assert first == second


async def test_guessing_is_slowed_down(shared_database, client, own):
    """By e-mail, whoever guesses; by address, whoever is guessed at. Neither tells whether the e-mail is known."""
    there = {"X-Forwarded-For": "198.51.100.3"}  # an address of its own: others' tries count elsewhere
    async with (
        serving(shared_database, login_tries_per_minute=3) as base,
        httpx2.AsyncClient(base_url=base, headers=there) as http,
    ):

        async def guess(email, password="wrong horse battery"):
            return await http.post("/login", data={"email": email, "password": password}, headers={"Origin": base})

        for email in (f"{uuid.uuid4().hex}@example.com", f"{uuid.uuid4().hex}@example.com"):
            wide = chr(ord(email[0]) + 0xFEE0) + email[1:]  # the same letter, as a wide keyboard writes it
            got = [(await guess(variant)).status_code for variant in (email, wide, f" {email.upper()}", email)]
            assert got == [401, 401, 401, 429]
        limited = await guess(email)
        assert 1 <= int(limited.headers["retry-after"]) <= 61
        assert "Too many tries" in limited.text
        for n in range(6):  # nine tries of this address were counted, of the fifteen that it has
            assert (await guess(f"other-{n}@example.com")).status_code == 401
        assert (await guess("one-more@example.com")).status_code == 429


async def test_the_right_password_is_refused_too_once_tries_are_used_up(shared_database, someone):
    ada = await someone()
    there = {"X-Forwarded-For": "198.51.100.2"}
    async with (
        serving(shared_database, login_tries_per_minute=2) as base,
        httpx2.AsyncClient(base_url=base, headers=there) as http,
    ):
        fields = {"email": ada.email, "password": "wrong horse battery"}
        for _ in range(2):
            assert (await http.post("/login", data=fields)).status_code == 401
        refused = await http.post("/login", data=fields | {"password": RIGHT})
        assert refused.status_code == 429
        assert "set-cookie" not in refused.headers


async def test_nobody_at_one_address_keeps_another_out(shared_database, someone):
    """Who tries another's e-mail uses up the tries from there; those of many addresses together end too."""
    ada = await someone()
    async with (
        serving(shared_database, login_tries_per_minute=2) as base,
        httpx2.AsyncClient(base_url=base) as http,
    ):

        async def sign_in(address, password):
            fields = {"email": ada.email, "password": password}
            return (await http.post("/login", data=fields, headers={"X-Forwarded-For": address})).status_code

        assert [await sign_in("198.51.100.10", "wrong horse battery") for _ in range(4)] == [401, 401, 429, 429]
        assert await sign_in("198.51.100.11", RIGHT) == 303
        http.cookies.clear()
        many = [await sign_in(f"198.51.100.{n}", "wrong horse battery") for n in range(20, 30)]
        assert many == [401] * 7 + [429] * 3  # ten tries in all, of which two and one were made before


async def test_nobody_fills_a_mailbox_by_asking_for_links(client, someone, superuser):
    ada = await someone(verified=False)
    mails = "select count(*) from alerts.mail where recipient = %s"

    for _ in range(8):
        assert (await ada.form("/reset", email=ada.email)).status_code == 200
    for _ in range(3):
        assert (await ada.form("/signup", name="Eve", email=ada.email, password="a long password")).status_code == 200
    kept = "select count(*) from access.mail_token join access.credential c using (account_id) where c.email = %s"
    assert superuser.execute(kept, [ada.email]).fetchone() == (5,)
    assert superuser.execute(mails, [ada.email]).fetchone() == (5,)
    # An hour later there may be more.
    superuser.execute(
        "update access.mail_token set expires_at = expires_at - interval '61 minutes' where account_id = "
        "(select account_id from access.credential where email = %s)",
        [ada.email],
    )
    assert (await ada.form("/reset", email=ada.email)).status_code == 200
    assert superuser.execute(kept, [ada.email]).fetchone() == (6,)


async def test_the_time_taken_does_not_tell_who_has_an_account(someone):
    ada = await someone()
    loop = asyncio.get_running_loop()
    for email in (ada.email, f"{uuid.uuid4().hex}@example.com"):
        for path, more in (("/reset", {}), ("/signup", {"name": "Eve", "password": "a long password"})):
            began = loop.time()
            assert (await ada.form(path, email=email, **more)).status_code == 200
            assert loop.time() - began >= 0.3, (path, email == ada.email)


async def test_a_letter_to_an_address_that_nobody_confirmed_says_nothing_that_somebody_typed(client, superuser):
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    eve = Person(client, None, email)
    assert (await eve.form("/signup", name="Win at evil.example", email=email, password=RIGHT)).status_code == 200
    ((vals,),) = superuser.execute("select vals from alerts.mail where recipient = %s", [email]).fetchall()
    assert vals["name"] == email
    assert "evil.example" not in str(vals)
    await eve.http.aclose()


async def test_a_planted_session_is_worth_nothing_afterwards(someone):
    """Fixation: neither a made-up token nor the attacker's own becomes the victim's."""
    eve, ada = await someone(), await someone()
    await eve.sign_in()
    for planted in (eve.token, "A" * 43):
        headers = {**ada.ours, "Cookie": f"{COOKIE}={planted}"}
        ada.http.cookies.clear()
        done = await ada.form("/login", headers, email=ada.email, password=RIGHT)
        assert signed_in(done)
        assert ada.token != planted
        headers = {"Cookie": f"{COOKIE}={planted}"}
        is_problem(await eve.api.call("GET", "/v1/sessions", headers=headers), 401)
        assert (await ada.api.get(f"/v1/accounts/{ada.account}")).status == 200


async def test_signing_in_again_rotates(someone):
    ada = await someone()
    await ada.sign_in()
    first = ada.token
    await ada.sign_in()
    assert ada.token != first
    is_problem(await ada.api.call("GET", "/v1/sessions", headers={"Cookie": f"{COOKIE}={first}"}), 401)
    assert len((await ada.api.get("/v1/sessions")).json["data"]) == 1


async def test_no_other_site_sends_our_forms(someone, own):
    ada = await someone()
    async with own.transaction(PLATFORM) as tx:
        _, link = await access.request_reset(tx, ada.email)
    await ada.sign_in()
    for foreign in [*FOREIGN, {}]:  # the last: an old browser, which says nothing and adds the cookie all the same
        headers = {name: ada.base if value == "SAME" else value for name, value in foreign.items()}
        for path, fields in (
            ("/login", {"email": ada.email, "password": RIGHT}),
            ("/logout", {}),
            ("/reset", {"email": ada.email}),
            (f"/reset/{link}", {"password": "another horse battery"}),
            ("/signup", {"name": "Eve", "email": "eve@example.com", "password": "a long password"}),
        ):
            answer = await ada.form(path, headers, **fields)
            assert answer.status_code == 403, (foreign, path)
            assert answer.json()["code"] == "cross_site"
            assert "set-cookie" not in answer.headers
    assert (await ada.api.get("/v1/sessions")).status == 200
    for ours in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": ada.base}, {}):  # the last: a program, not a browser
        ada.http.cookies.clear()
        assert signed_in(await ada.form("/login", ours, email=ada.email, password=RIGHT)), ours


async def test_a_reset_link_works_once_and_signs_out_everywhere(someone, own, superuser):
    ada = await someone()
    await ada.sign_in()
    before = "select count(*) from access.mail_token t join access.credential c using (account_id) where c.email = %s"
    assert (await ada.form("/reset", email=ada.email)).status_code == 200
    assert superuser.execute(before, [ada.email]).fetchone() == (1,)
    async with own.transaction(PLATFORM) as tx:
        _, token = await access.request_reset(tx, ada.email)
    form = await ada.http.get(f"/reset/{token}")
    assert ada.email in form.text
    short = await ada.form(f"/reset/{token}", password="short")
    assert (short.status_code, "at least 10 characters" in short.text) == (422, True)
    same = await ada.form(f"/reset/{token}", password=ada.email)
    assert same.status_code == 422
    done = await ada.form(f"/reset/{token}", password="another horse battery")
    assert (done.status_code, done.headers["location"]) == (303, "/login?said=password")
    is_problem(await ada.api.get("/v1/sessions"), 401)
    assert (await ada.form(f"/reset/{token}", password=RIGHT)).status_code == 404
    assert (await ada.http.get(f"/reset/{token}")).status_code == 404
    assert (await ada.sign_in()).status_code == 401
    assert signed_in(await ada.sign_in("another horse battery"))


async def test_no_password_or_token_is_in_a_log_or_an_answer(shared_database, own, someone, capfd, caplog):
    """Where every request is logged, and some of them fail."""
    ada = await someone()
    caplog.set_level("DEBUG")
    async with (
        serving(shared_database, log_level="debug") as base,
        # Hashing is slow on purpose: on a busy machine a sign-in takes longer than the client's own five seconds.
        httpx2.AsyncClient(base_url=base, headers={"Origin": base}, timeout=60) as http,
    ):
        async with own.transaction(PLATFORM) as tx:
            _, link = await access.request_reset(tx, ada.email)
        said = []
        for path, fields, status in (
            ("/login", {"email": ada.email, "password": CANARY}, 401),
            ("/login", {"email": CANARY, "password": CANARY + "\0"}, 400),
            ("/signup", {"name": "", "email": "x", "password": CANARY}, 422),
            (f"/reset/{link}", {"password": CANARY * 20}, 422),
            (f"/reset/{link}", {"password": CANARY}, 303),
            ("/login", {"email": ada.email, "password": CANARY}, 303),
            ("/account/password", {"old_password": CANARY * 2, "password": CANARY, "again": CANARY}, 422),
            ("/account/password", {"old_password": CANARY, "password": CANARY + "2", "again": CANARY + "2"}, 303),
        ):
            answer = await http.post(path, data=fields)
            assert answer.status_code == status, (path, answer.status_code)
            said.append(answer.text)
        token = http.cookies[COOKIE]
        said.append((await http.get("/v1/sessions")).text)
        said.append((await http.get("/", headers={"Accept": "text/html"})).text)
    said[1] = said[1].replace(CANARY, "", 1)  # typed as the e-mail, it stands in that field again
    ours = [record.getMessage() for record in caplog.records if not record.name.startswith("http")]  # not the client's
    logged = "".join([*capfd.readouterr(), *ours])
    assert "/login" in logged
    for secret in (CANARY, token, link):
        assert secret not in logged
        assert secret not in "".join(said)
