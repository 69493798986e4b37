"""Signing up over HTTP: an account of one's own, confirmed by a mailed link."""

import asyncio
import uuid

import httpx2

from http_face import serving
from person import RIGHT, Person, signed_in
from tokenhouse.domain import access
from tokenhouse.infra.database import PLATFORM

# ---- links ----


async def test_signing_up_then_verifying(client, own, superuser):
    eve = Person(client, None, f"{uuid.uuid4().hex[:12]}@example.com")
    bad = await eve.form("/signup", name=" ", email="eve", password="short")
    assert bad.status_code == 422
    assert all(f'id="{field}-error"' in bad.text for field in ("name", "email", "password"))
    done = await eve.form("/signup", name="Eve", email=eve.email.upper(), password=RIGHT)
    assert (done.status_code, "set-cookie" in done.headers) == (200, False)
    rows = superuser.execute(
        "select i.external_id, i.account_id, c.verified_at is not null, (select count(*) from access.mail_token t "
        "where t.account_id = c.account_id and t.purpose = 'verify') "
        "from access.credential c join access.identity i using (account_id) where c.email = %s",
        [eve.email],
    ).fetchall()
    ((name, number, verified, links),) = rows
    assert (verified, links) == (False, 1)
    acts = superuser.execute("select act, actor_id from access.audit where account_id = %s", [number]).fetchall()
    assert acts == [("account.create", number)]
    account = await client.get(f"/v1/accounts/{name}")
    assert (account.json["kind"], account.json["plan"], account.json["name"]) == ("user", "free", "Eve")
    assert (await client.wallet(name))["available"] > 0
    async with own.transaction(PLATFORM) as tx:
        token = await access.issue_link(tx, number, "verify")
    assert (await client.http.get(f"/verify?token={token[:-2]}xx")).status_code == 404
    assert (await client.http.get("/verify")).status_code == 404
    confirmed = "select verified_at is not null from access.credential where email = %s"
    # A program that looks into the mail opens the link, perhaps twice: that confirms nothing.
    for _ in range(2):
        form = await client.http.get(f"/verify?token={token}")
        assert (form.status_code, eve.email in form.text) == (200, True)
        assert superuser.execute(confirmed, [eve.email]).fetchone() == (False,)
    assert (await eve.form("/verify", {"Sec-Fetch-Site": "cross-site"}, token=token)).status_code == 403
    assert (await eve.form("/verify", token=token[:-2] + "xx")).status_code == 404
    answer = await eve.form("/verify", token=token)
    assert (answer.status_code, "is confirmed" in answer.text) == (200, True)
    assert superuser.execute(confirmed, [eve.email]).fetchone() == (True,)
    assert (await eve.form("/verify", token=token)).status_code == 404
    acts = superuser.execute("select act from access.audit where account_id = %s order by id", [number]).fetchall()
    assert acts == [("account.create",), ("email.confirm",)]
    assert signed_in(await eve.sign_in())
    # Once more by somebody who has an account: no second one, and no other password.
    again = await eve.form("/signup", name="Mallory", email=eve.email, password="mallory's password")
    assert again.status_code == 200
    assert superuser.execute("select count(*) from access.credential where email = %s", [eve.email]).fetchone() == (1,)
    assert (await eve.sign_in("mallory's password")).status_code == 401
    await eve.http.aclose()


async def test_twenty_who_sign_up_at_once_by_one_email_are_one(shared_database, superuser):
    email = f"{uuid.uuid4().hex[:12]}@example.com"
    async with (
        serving(shared_database, login_tries_per_minute=100) as base,
        httpx2.AsyncClient(base_url=base, timeout=60) as http,
    ):
        fields = {"name": "Twin", "email": email, "password": RIGHT}
        answers = await asyncio.gather(*(http.post("/signup", data=fields) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert superuser.execute("select count(*) from access.credential where email = %s", [email]).fetchone() == (1,)
    assert superuser.execute("select count(*) from access.identity where email = %s", [email]).fetchone() == (1,)
