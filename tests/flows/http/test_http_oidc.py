"""Signing in by a provider of OpenID Connect: a real provider, a browser's cookies, and what may be wrong."""

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import pytest_asyncio
from joserfc.jwk import RSAKey

from http_face import serving
from oidc_server import CLIENT, COOKIE, FLOW, SECRET, Browser, oidc_server
from tokenhouse.domain import access
from tokenhouse.entrypoints.web.oidc import Flow, opened
from tokenhouse.entrypoints.web.oidc_provider import Attempt
from tokenhouse.infra.database import PLATFORM

KEY = "signing in by a provider"
ANN = {"sub": "ann-there", "email": "ann@example.com", "email_verified": True, "name": "Ann Smith"}


@pytest_asyncio.fixture
async def provider():
    async with oidc_server() as made:
        made.person = dict(ANN)
        yield made


def settings_of(provider):
    one = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": SECRET}
    return {"oidc": [{"name": "house", "title": "House & Co", **one}, {"name": "other", **one}]}


@asynccontextmanager
async def site(booted, provider, **more):
    # Without the server: it is the test session's own, which a service must not stop.
    async with serving(replace(booted, server=None), **settings_of(provider), **more) as base:
        yield base


@pytest_asyncio.fixture
async def base(booted, provider):
    async with site(booted, provider) as made:
        yield made


@pytest.fixture
def browser(base):
    return Browser(base)


def accounts(admin):
    return admin.execute(
        "select i.name, i.email, c.email, c.hash, c.verified_at is not null from access.credential c"
        " join access.identity i on i.account_id = c.account_id order by c.account_id"
    ).fetchall()


def sessions(admin):
    return admin.execute("select account_id, revoked_at is null from access.session order by created_at").fetchall()


async def test_a_new_person_gets_an_account_and_a_session(browser, admin, provider):
    answer = await browser.sign_in("/login/oidc/house?next=/dashboard")
    assert (answer.status_code, answer.headers["location"]) == (303, "/dashboard")
    assert await browser.is_in()
    assert accounts(admin) == [("Ann Smith", "ann@example.com", "ann@example.com", None, True)]
    assert admin.execute("select count(*) from wallets.enrolment").fetchone() == (1,), "on the plan free"
    tied = admin.execute("select issuer, subject from access.external_identity").fetchall()
    assert tied == [(provider.issuer, "ann-there")]
    acts = [act for (act,) in admin.execute("select act from access.audit where actor_id is not null order by id")]
    assert acts == ["account.create", "person.update", "session.open"]
    # Once more: the same account, a new session, and the one that the browser had is over.
    first = browser.cookie(COOKIE)
    provider.person |= {"email": "new@example.com", "name": "Ann Jones"}
    assert (await browser.sign_in()).headers["location"] == "/"
    assert browser.cookie(COOKIE) != first
    assert len(accounts(admin)) == 1
    assert [live for _, live in sessions(admin)] == [False, True]


async def test_the_way_there_is_bound_to_the_browser(browser, provider):
    begun = await browser.begin()
    told = {name: values[0] for name, values in parse_qs(urlsplit(begun.headers["location"]).query).items()}
    assert begun.headers["location"].startswith(f"{provider.issuer}/authorize?")
    assert told["redirect_uri"].endswith("/login/oidc/house/callback")
    assert len({told["state"], told["nonce"], told["code_challenge"]}) == 3
    assert all(len(told[name]) == 43 for name in ("state", "nonce", "code_challenge"))
    assert SECRET not in begun.headers["location"]
    cookie = begun.headers["set-cookie"]
    for wanted in ("HttpOnly", "Max-Age=600", "Path=/", "SameSite=lax"):
        assert wanted in cookie
    again = parse_qs(urlsplit((await browser.begin()).headers["location"]).query)
    assert again["state"][0] != told["state"]


async def test_in_production_the_cookie_is_for_https_and_this_host_alone(booted, provider):
    more = {"env": "production", "public_url": "https://tokens.example"}
    async with site(booted, provider, **more) as base:
        begun = await Browser(base).begin()
        assert begun.headers["set-cookie"].startswith("__Host-tokenhouse-oidc=")
        assert "Secure" in begun.headers["set-cookie"]
        assert "https%3A%2F%2Ftokens.example%2Flogin%2Foidc%2Fhouse%2Fcallback" in begun.headers["location"]
    async with site(booted, provider, env="production") as base:
        assert (await Browser(base).begin()).status_code == 503


async def test_the_sign_in_page_offers_it(browser):
    page = (await browser.http.get("/login?next=/models")).text
    assert 'href="/login/oidc/house?next=/models">Continue with House &amp; Co<' in page
    assert ">Continue with Other<" in page


# ---- whose account ----


async def test_it_is_the_account_of_the_same_verified_email(browser, admin, db):
    async with db.transaction(PLATFORM) as tx:
        account = await access.sign_up(tx, "Ann here", "Ann@Example.com", "$argon2id$none")
    admin.execute("update access.credential set verified_at = clock_timestamp()")
    assert (await browser.sign_in()).status_code == 303
    assert sessions(admin) == [(account.id, True)]
    assert len(accounts(admin)) == 1


async def test_it_is_not_the_account_of_an_email_that_was_never_confirmed_here(browser, admin, db):
    """Whoever signed up by another's address and waits must not get into what its owner does."""
    async with db.transaction(PLATFORM) as tx:
        await access.sign_up(tx, "Eve", "ann@example.com", "$argon2id$eve")
    answer = await browser.sign_in()
    assert answer.status_code == 403
    assert "nobody confirmed" in answer.text
    assert sessions(admin) == []
    assert admin.execute("select count(*) from access.external_identity").fetchone() == (0,)


@pytest.mark.parametrize("word", [False, "true", 1, None])
async def test_it_is_not_the_account_of_an_email_that_the_provider_does_not_vouch_for(
    browser, admin, db, provider, word
):
    provider.person["email_verified"] = word
    async with db.transaction(PLATFORM) as tx:
        owner = await access.sign_up(tx, "Ann here", "ann@example.com", "$argon2id$none")
    admin.execute("update access.credential set verified_at = clock_timestamp()")
    assert (await browser.sign_in()).status_code == 303
    ((account, live),) = sessions(admin)
    assert live
    assert account != owner.id
    # The new one claims no address, so that nobody's later sign-up or reset leads into it.
    name, email, address, hashed, verified = accounts(admin)[1]
    assert (name, email, hashed, verified) == ("Ann Smith", None, None, False)
    assert address.endswith("@oidc.invalid")


@pytest.mark.parametrize(
    "email", ["\uff21\uff2e\uff2e@example.com", "ann@example.com\u200b", "ann", None, 5, ["ann@example.com"]]
)
async def test_a_strange_email_is_nobodys(browser, admin, db, provider, email):
    provider.person["email"] = email
    async with db.transaction(PLATFORM) as tx:
        await access.sign_up(tx, "Ann here", "ann@example.com", "$argon2id$none")
    admin.execute("update access.credential set verified_at = clock_timestamp()")
    assert (await browser.sign_in()).status_code == 303
    assert len(accounts(admin)) == 2
    assert accounts(admin)[1][2].endswith("@oidc.invalid")


async def test_where_nobody_signs_up_only_those_who_are_known_come_in(booted, provider, admin, db):
    async with site(booted, provider, sign_up=False) as base:
        browser = Browser(base)
        answer = await browser.sign_in()
        assert (answer.status_code, "Ask the operator" in answer.text) == (403, True)
        assert accounts(admin) == []
        async with db.transaction(PLATFORM) as tx:
            await access.sign_up(tx, "Ann here", "ann@example.com", "$argon2id$none")
        admin.execute("update access.credential set verified_at = clock_timestamp()")
        assert (await browser.sign_in()).status_code == 303
        assert await browser.is_in()


async def test_who_is_shut_out_stays_out(browser, admin):
    await browser.sign_in()
    admin.execute("update access.credential set disabled_at = clock_timestamp()")
    answer = await browser.sign_in()
    assert (answer.status_code, "shut out" in answer.text) == (403, True)
    assert [live for _, live in sessions(admin)] == [False]


async def test_two_first_sign_ins_at_once_make_one_account(base, admin, provider):
    provider.person["email_verified"] = False  # so that no e-mail keeps them apart
    browsers = [Browser(base) for _ in range(4)]
    ways = [await one.there() for one in browsers]
    answers = await asyncio.gather(*(one.http.get(way) for one, way in zip(browsers, ways, strict=True)))
    assert {answer.status_code for answer in answers} <= {303, 409}
    assert 303 in {answer.status_code for answer in answers}
    assert len(accounts(admin)) == 1
    assert admin.execute("select count(*) from access.account where kind = 'user'").fetchone() == (1,)


# ---- what is refused ----


async def refused(browser, admin, answer, status=400):
    assert answer.status_code == status, answer.text
    assert browser.cookie(COOKIE) is None
    assert not await browser.is_in()
    assert (sessions(admin), accounts(admin)) == ([], [])


def other_nonce(claims):
    claims["nonce"] = "x" * 43


def no_nonce(claims):
    del claims["nonce"]


def other_audience(claims):
    claims["aud"] = "another client"


def other_audience_that_names_us(claims):
    claims |= {"aud": "another client", "azp": CLIENT}


def two_audiences(claims):
    claims["aud"] = [CLIENT, "another client"]
    claims["azp"] = "another client"


def other_issuer(claims):
    claims["iss"] = "https://evil.example"


def expired(claims):
    claims |= {"iat": claims["iat"] - 7200, "exp": claims["exp"] - 7200}


def no_expiry(claims):
    del claims["exp"]


def from_the_future(claims):
    claims["nbf"] = claims["exp"] = int(time.time()) + 3600


def nobody(claims):
    del claims["sub"]


def empty_subject(claims):
    claims["sub"] = ""


def number_as_subject(claims):
    claims["sub"] = 7


def long_subject(claims):
    claims["sub"] = "x" * 256


@pytest.mark.parametrize(
    "spoil",
    [
        other_nonce, no_nonce, other_audience, other_audience_that_names_us, two_audiences, other_issuer, expired,
        no_expiry, from_the_future, nobody, empty_subject, number_as_subject, long_subject,
    ],
)  # fmt: skip
async def test_a_token_that_is_not_right_lets_nobody_in(browser, admin, provider, spoil):
    provider.spoil = spoil
    await refused(browser, admin, await browser.sign_in())


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
async def test_a_token_that_the_providers_key_did_not_sign_lets_nobody_in(browser, admin, provider, algorithm):
    provider.sign = algorithm
    await refused(browser, admin, await browser.sign_in())


async def test_a_token_signed_by_another_key_lets_nobody_in(browser, admin, provider):
    provider.published = [provider.key]
    provider.key = RSAKey.generate_key(2048, {"kid": provider.key.kid})
    await refused(browser, admin, await browser.sign_in())


async def test_no_token_or_one_that_is_none(browser, admin, provider):
    for body in ({}, {"id_token": 5}, {"id_token": ""}, {"id_token": "a.b.c"}, {"id_token": "x" * 2_000_000}):
        provider.answer = lambda _, body=body: body
        await refused(browser, admin, await browser.sign_in())


async def test_a_code_works_once(browser, admin):
    way = await browser.there()
    kept = browser.cookie(FLOW)
    assert (await browser.http.get(way)).status_code == 303
    assert browser.cookie(FLOW) is None, "the cookie goes with the first use"
    # Whoever saw the address has no cookie; whoever has both finds the code used up.
    for cookies in ({}, {FLOW: kept}):
        async with httpx2.AsyncClient(base_url=browser.http.base_url, cookies=cookies) as other:
            answer = await other.get(way)
            assert answer.status_code == 400
            assert COOKIE not in answer.cookies
    assert len(sessions(admin)) == 1


async def test_the_state_of_another_browser_lets_nobody_in(base, admin):
    """Somebody sends a victim the way back of their own sign-in."""
    attacker, victim = Browser(base), Browser(base)
    way = await attacker.there()
    await refused(victim, admin, await victim.http.get(way))
    await victim.there()
    answer = await victim.http.get(way)
    assert "not begun in this browser" in answer.text, "the code is not even tried"
    await refused(victim, admin, answer)


async def test_a_cookie_that_is_not_ours_or_too_old_lets_nobody_in(base, admin, booted):
    key = booted.signer.derived(KEY)
    for kept in ("", "x", "x.y", "\u00e4.y"):
        assert opened(kept, key) is None
    for flow, seal in (
        (Flow("house", Attempt("s" * 43, "n" * 43, "v" * 43), "/", int(time.time()) - 1), key),
        (Flow("house", Attempt("s" * 43, "n" * 43, "v" * 43), "/", int(time.time()) + 100), b"k" * 32),
        (Flow("other", Attempt("s" * 43, "n" * 43, "v" * 43), "/", int(time.time()) + 100), key),
    ):
        browser = Browser(base)
        browser.http.cookies.set(FLOW, flow.sealed(seal))
        answer = await browser.http.get(f"/login/oidc/house/callback?code=x&state={'s' * 43}")
        assert "not begun in this browser" in answer.text
        await refused(browser, admin, answer)
    fine = Flow("house", Attempt("s", "n", "v"), "/models", int(time.time()) + 100)
    assert opened(fine.sealed(key), key) == fine


async def test_who_says_no_at_the_provider_comes_back_to_a_page(browser, admin):
    way = await browser.there()
    state = parse_qs(urlsplit(way).query)["state"][0]
    answer = await browser.http.get(f"/login/oidc/house/callback?error=access_denied&state={state}")
    assert "House &amp; Co did not let you in" in answer.text
    await refused(browser, admin, answer)


async def test_another_issuer_on_the_way_back_is_a_mix_up(browser, admin):
    way = await browser.there()
    await refused(browser, admin, await browser.http.get(f"{way}&iss=https://evil.example"))


@pytest.mark.parametrize("there", ["//evil.example", "https://evil.example", "/\\evil.example", "x", "javascript:1"])
async def test_nobody_is_sent_elsewhere(browser, there):
    begun = await browser.http.get("/login/oidc/house", params={"next": there})
    assert begun.status_code == 303
    way = await browser.there(f"/login/oidc/house?{urlsplit(str(begun.request.url)).query}")
    assert (await browser.http.get(way)).headers["location"] == "/"


async def test_a_provider_that_there_is_not(browser):
    for path in ("/login/oidc/nobody", "/login/oidc/nobody/callback", "/login/oidc/House"):
        assert (await browser.http.get(path)).status_code == 404


async def test_a_provider_that_is_away_or_another(booted, admin):
    async with oidc_server() as gone:
        pass
    async with site(booted, gone) as base:
        browser = Browser(base)
        answer = await browser.begin()
        assert (answer.status_code, FLOW in answer.cookies) == (503, False)
    async with oidc_server() as provider:
        wrong = {"name": "house", "issuer": f"{provider.issuer}/", "client_id": CLIENT, "client_secret": SECRET}
        async with serving(replace(booted, server=None), oidc=[wrong]) as base:
            assert (await Browser(base).begin()).status_code == 503, "it names another issuer than we were told"


async def test_a_new_key_of_the_provider_is_found(browser, provider):
    assert (await browser.sign_in()).status_code == 303
    assert (await browser.sign_in()).status_code == 303
    assert (provider.asked.count("metadata"), provider.asked.count("keys")) == (1, 1), "kept meanwhile"
    provider.key = RSAKey.generate_key(2048, {"kid": "two"})
    assert (await browser.sign_in()).status_code == 303
    assert provider.asked.count("keys") == 2


async def test_nothing_of_a_person_or_a_secret_is_logged(browser, provider, capfd):
    provider.spoil = other_nonce
    way = await browser.there()
    await browser.http.get(way)
    said = "".join(capfd.readouterr())
    assert "the ID token is not right (nonce)" in said
    for secret in ("ann", SECRET, parse_qs(urlsplit(way).query)["code"][0]):
        assert secret not in said
