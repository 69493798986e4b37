"""Changing one's own password on its page: by whom, how often, and what becomes of sessions and records."""

import uuid

import httpx2
import pytest

from http_face import is_problem, serving
from person import COOKIE, FOREIGN, RIGHT

PATH = "/account/password"
NEW = "another horse battery"


def typed(old=RIGHT, new=NEW, again=None):
    return {"old_password": old, "password": new, "again": new if again is None else again}


async def test_a_password_is_changed_and_other_sessions_end(someone, superuser):
    ada = await someone()
    await ada.sign_in()
    other = ada.token
    ada.http.cookies.clear()
    await ada.sign_in()
    first = ada.token
    assert f'href="{PATH}"' in (await ada.http.get("/", headers={"Accept": "text/html"})).text
    form = await ada.http.get(PATH)
    assert form.status_code == 200
    assert ada.email in form.text
    assert "script-src" not in form.headers["content-security-policy"]
    done = await ada.form(PATH, **typed())
    assert (done.status_code, done.headers["location"]) == (303, f"{PATH}?said=changed")
    assert ada.token not in (first, other)
    assert "Your new password is set" in (await ada.http.get(done.headers["location"])).text
    for token in (first, other):
        is_problem(await ada.api.call("GET", "/v1/sessions", headers={"Cookie": f"{COOKIE}={token}"}), 401)
    ada.http.cookies.clear()
    assert (await ada.sign_in()).status_code == 401
    assert (await ada.sign_in(NEW)).status_code == 303
    acts = superuser.execute(
        "select a.act from access.audit a join access.identity i on i.account_id = a.actor_id "
        "where i.external_id = %s order by a.id",
        [ada.account],
    ).fetchall()
    assert [act for (act,) in acts] == [
        "session.open", "session.open", "password.set", "session.open", "session.open",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        (typed(old="wrong horse battery"), "old_password", "It is not the present one."),
        (typed(old=""), "old_password", "Enter your present password."),
        (typed(new=""), "password", "Enter a new password."),
        (typed(new="short"), "password", "It needs at least 10 characters."),
        (typed(again="another horse"), "again", "It is not the same as the new password."),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field(someone, fields, field, said):
    ada = await someone()
    await ada.sign_in()
    answer = await ada.form(PATH, **fields)
    assert answer.status_code == 422
    assert f'id="{field}-error">{said}' in answer.text
    assert not any(value in answer.text for value in fields.values() if value)
    assert (await ada.api.get("/v1/sessions")).status == 200
    ada.http.cookies.clear()
    assert (await ada.sign_in()).status_code == 303


async def test_only_who_is_signed_in_and_on_our_page(someone):
    ada = await someone()
    for answer in (await ada.http.get(PATH), await ada.form(PATH, **typed())):
        assert (answer.status_code, answer.headers["location"]) == (303, f"/login?next={PATH}")
    await ada.sign_in()
    for foreign in FOREIGN:
        headers = {name: ada.base if value == "SAME" else value for name, value in foreign.items()}
        assert (await ada.form(PATH, headers, **typed())).status_code == 403
    ada.http.cookies.clear()
    assert (await ada.sign_in()).status_code == 303


async def test_guesses_count_with_those_to_sign_in(shared_database, someone):
    ada = await someone()
    async with (
        serving(shared_database, login_tries_per_minute=3) as base,
        httpx2.AsyncClient(
            base_url=base, headers={"X-Forwarded-For": "198.51.100.44", "Origin": base}, timeout=30
        ) as http,
    ):
        assert (await http.post("/login", data={"email": ada.email, "password": RIGHT})).status_code == 303
        wrong = typed(old="wrong horse battery")
        assert [(await http.post(PATH, data=wrong)).status_code for _ in range(2)] == [422, 422]
        refused = await http.post(PATH, data=typed())
        assert refused.status_code == 429
        assert "Too many tries" in refused.text
        assert 1 <= int(refused.headers["retry-after"]) <= 61


async def test_who_has_no_password_sets_one_by_mail(someone, superuser):
    """Of those who come by a provider: the page says so, and takes none."""
    ada = await someone()
    await ada.sign_in()
    superuser.execute("update access.credential set hash = null where email = %s", [ada.email])
    for answer in (await ada.http.get(PATH), await ada.form(PATH, **typed(old="x"))):
        assert answer.status_code == 200
        assert f"have a link sent to {ada.email}" in answer.text
        assert 'href="/reset"' in answer.text
        assert "<form" not in answer.text
    place = f"{uuid.uuid4().hex}@oidc.invalid"
    superuser.execute(
        "update access.credential set email = %s, verified_at = null where email = %s", [place, ada.email]
    )
    answer = await ada.http.get(PATH)
    assert place not in answer.text
    assert "no e-mail of yours is known" in answer.text
    assert superuser.execute("select hash from access.credential where email = %s", [place]).fetchone() == (None,)
