"""The page of an invitation: who signs in with the address accepts, once."""

import re

from http_face import is_problem
from person import COOKIE


async def invited(client, organization, person):
    path = f"/v1/accounts/{organization}/invitations"
    made = await client.must(path, {"email": person.email, "role": "admin"})
    return re.sub(r"^https?://[^/]+", "", made["link"])


async def test_the_link_leads_through_signing_in_to_the_organization(client, someone, superuser):
    ada = await someone()
    firm = await client.account("firm", "organization", plan="starter")
    path = await invited(client, firm, ada)
    away = await ada.http.get(path)
    assert (away.status_code, away.headers["location"]) == (303, f"/login?next={path}")
    landed = await ada.sign_in(next=path)
    assert landed.headers["location"] == path
    shown = await ada.http.get(path)
    assert shown.status_code == 200
    assert ada.email in shown.text
    is_problem(await ada.api.get(f"/v1/accounts/{firm}/wallets"), 404)
    refused = await ada.http.post(path, data={}, headers={"Origin": "https://evil.example"})
    assert refused.status_code == 403
    before = ada.token
    done = await ada.form(path)
    assert (done.status_code, "Welcome to" in done.text) == (200, True)
    assert ada.token != before  # who may do more has another session
    is_problem(await client.by(None).get("/v1/sessions", headers={"Cookie": f"{COOKIE}={before}"}), 401)
    assert (await ada.api.get(f"/v1/accounts/{firm}/wallets")).status == 200
    again = await ada.form(path)
    assert (again.status_code, "does not work" in again.text) == (404, True)
    (act,) = superuser.execute("select act from access.audit order by id desc limit 1").fetchone()
    assert act == "invitation.accept"


async def test_it_is_nobody_elses(client, someone):
    ada, eve = await someone(), await someone()
    firm = await client.account("firm", "organization", plan="starter")
    path = await invited(client, firm, ada)
    assert (await eve.form(path)).headers["location"] == f"/login?next={path}"
    await eve.sign_in()
    assert (await eve.form(path)).status_code == 404
    is_problem(await eve.api.get(f"/v1/accounts/{firm}/wallets"), 404)
    await ada.sign_in()
    assert (await ada.form(path)).status_code == 200
