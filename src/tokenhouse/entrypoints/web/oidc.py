"""Signing in by a provider of OpenID Connect: `/login/oidc/NAME`, and `…/callback`, where it sends people back.

What binds the way back to this browser (state, nonce, the code's verifier) travels in a signed cookie of ten minutes.
"""

import hashlib
import hmac
import json
import secrets
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

import structlog
from fastapi import FastAPI, Request
from starlette.responses import RedirectResponse, Response

from tokenhouse.domain import access, wallets
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.access.types import NewAccount
from tokenhouse.domain.ledger.types import Party
from tokenhouse.entrypoints.web.budget import sign_in_budget
from tokenhouse.entrypoints.web.forms import local_path
from tokenhouse.entrypoints.web.oidc_provider import Attempt, Provider, ProviderFailed, Said
from tokenhouse.entrypoints.web.site import Site, by, notice, visitor_of
from tokenhouse.infra.database import Actor, Tx
from tokenhouse.infra.kernel.errors import Conflict, NotFound, ValidationFailed

_BOTH = Actor((0,), teller=True)
_FIRST_PLAN = "free"
FLOW_SECONDS = 600
_MOST_CODE = 4096
_NAME_MAX = 200
_AGAIN = ("/login", "Back to signing in")

_log = structlog.stdlib.get_logger("tokenhouse.web")


class _Refused(Exception):
    """Nobody is signed in; the words are for the person."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A sign-in under way: with which provider, its secrets, where the person wants to go, until when (Unix time)."""

    provider: str
    attempt: Attempt
    there: str
    until: int

    def sealed(self, key: bytes) -> str:
        """Write it for a cookie, so that nobody else can write one."""
        plain = [self.provider, self.attempt.state, self.attempt.nonce, self.attempt.verifier, self.there, self.until]
        body = urlsafe_b64encode(json.dumps(plain).encode()).decode()
        return f"{body}.{_mac(key, body)}"


def opened(text: str, key: bytes) -> Flow | None:
    """Read a cookie back; None where it is not ours, or too old."""
    body, _, mac = text.partition(".")
    if not text.isascii() or not hmac.compare_digest(mac, _mac(key, body)):
        return None
    provider, state, nonce, verifier, there, until = json.loads(urlsafe_b64decode(body))
    flow = Flow(provider, Attempt(state, nonce, verifier), there, until)
    return flow if flow.until >= time.time() else None


def _mac(key: bytes, body: str) -> str:
    return hmac.new(key, body.encode(), hashlib.sha256).hexdigest()


def mount(app: FastAPI, site: Site) -> None:
    """Serve the way there and back, for each provider of the settings."""
    providers = {provider.name: provider for provider in site.providers}

    async def begin(request: Request) -> Response:
        provider = _named(providers, request)
        if site.base is None:
            _log.error("TOKENHOUSE_PUBLIC_URL is not set: a provider cannot send anybody back")
            return _not_now()
        attempt = Attempt(*(secrets.token_urlsafe(32) for _ in range(3)))
        there = local_path(request.query_params.get("next", "/"))
        try:
            address = await provider.authorization_url(attempt, _callback(site, provider))
        except ProviderFailed as error:
            _log.warning("sign-in by a provider failed", provider=provider.name, reason=str(error))
            return _not_now()
        flow = Flow(provider.name, attempt, there, int(time.time()) + FLOW_SECONDS)
        response = RedirectResponse(address, 303, headers={"Cache-Control": "no-store"})
        site.flow_cookie.set(response, flow.sealed(site.flow_key))
        return response

    async def back(request: Request) -> Response:
        provider = _named(providers, request)
        response = await _back(site, provider, request)
        site.flow_cookie.clear(response)  # once, whatever came of it
        return response

    app.add_route("/login/oidc/{name}", begin, methods=["GET"], include_in_schema=False)
    app.add_route("/login/oidc/{name}/callback", back, methods=["GET"], include_in_schema=False)


async def _back(site: Site, provider: Provider, request: Request) -> Response:
    """Take a person who comes back from a provider."""
    told = request.query_params
    flow = opened(request.cookies.get(site.flow_cookie.name, ""), site.flow_key)
    same = flow is not None and hmac.compare_digest(flow.attempt.state.encode(), told.get("state", "").encode())
    if flow is None or not same or flow.provider != provider.name:
        return notice("Sign in again", "This sign-in was not begun in this browser, or too long ago.", 400, link=_AGAIN)
    code = told.get("code", "")
    if not code or len(code) > _MOST_CODE or told.get("iss", provider.issuer) != provider.issuer:
        return notice("You are not signed in", f"{provider.title} did not let you in.", 400, link=_AGAIN)
    wait = await sign_in_budget(site, "oidc", flow.attempt.state, visitor_of(request).address)
    if wait:
        headers = {"Retry-After": str(wait)}
        return notice("Too many tries", f"Wait {wait} seconds, then try again.", 429, link=_AGAIN, headers=headers)
    try:
        said = await provider.said(flow.attempt, code, _callback(site, provider))
    except ProviderFailed as error:
        _log.warning("sign-in by a provider failed", provider=provider.name, reason=str(error))
        return notice("You are not signed in", f"{provider.title} could not tell us who you are.", 400, link=_AGAIN)
    try:
        return await complete(site, request, said, flow.there)
    except _Refused as refusal:
        return notice("You are not signed in", str(refusal), 403, link=_AGAIN)
    except Conflict:
        return notice("Sign in again", "Somebody signed in the same way this very moment.", 409, link=_AGAIN)


async def complete(site: Site, request: Request, said: Said, there: str) -> Response:
    """Open a session for the person whom a provider names, and send them on. _Refused says why not."""
    async with site.database.transaction(_BOTH) as tx:
        account_id = await _account_of(site, tx, said, request)
        token = await access.open_session(
            tx, account_id, visitor_of(request), site.sessions.limits, instead=site.token(request)
        )
    if token is None:
        raise _Refused("This account is shut out. Ask the operator.")
    response = RedirectResponse(there, 303)
    site.cookie.set(response, token)
    return response


async def _account_of(site: Site, tx: Tx, said: Said, request: Request) -> int:
    """Find the account of a person, or tie them to one: to that of their verified e-mail, else to a new one.

    An e-mail counts where both sides know it to be theirs: the provider says so, and here its link was opened. Else
    whoever claims an address first would get into what its owner does later.
    """
    known = await access.find_external(tx, said.issuer, said.subject)
    if known is not None:
        return known
    # Only ASCII: an address is matched in a simpler form, and the simpler form of another's letters may be an owner's.
    email = said.email if said.email_verified and said.email and said.email.isascii() else None
    account_id = None
    if email is not None:
        try:
            found = await access.find_credential(tx, email)
        except ValidationFailed:
            found = email = None
        if found is not None and not found.verified:
            raise _Refused(
                "There is an account of your e-mail that nobody confirmed yet. Set a new password for it, "
                "which confirms it; then sign in this way again."
            )
        account_id = found.account_id if found is not None else None
    if account_id is None:
        account_id = await _new_account(site, tx, said, email)
        made = Act("account.create", "account", str(account_id), account_id, after=_FIRST_PLAN)
        await access.record(tx, by(request, account_id), made)
    await access.tie_external(tx, said.issuer, said.subject, account_id)
    tied = Act("person.update", "account", str(account_id), account_id, after={"issuer": said.issuer})
    await access.record(tx, by(request, account_id), tied)
    return account_id


async def _new_account(site: Site, tx: Tx, said: Said, email: str | None) -> int:
    """Make an account without a password. email: theirs for certain; None: they sign in by the provider alone."""
    if not site.sign_up:
        raise _Refused("Nobody can sign up here by themselves. Ask the operator for an account.")
    name = " ".join((said.name or "").split())[:_NAME_MAX]
    name = name if name.isprintable() else ""
    account = await access.create_account(tx, NewAccount("user", name or email or "New user", email=email))
    # Of `.invalid` (RFC 2606) nobody gets mail and nobody signs up: it stands where an address must stand.
    address = email or f"{account.external_id}@oidc.invalid"
    await access.add_credential(tx, account, address, None, verified=email is not None)
    party = Party(account.id, account.bucket, account.external_id)
    await wallets.enrol(tx, await site.catalog(), party, _FIRST_PLAN, account.time_zone)
    return account.id


def _named(providers: dict[str, Provider], request: Request) -> Provider:
    provider = providers.get(request.path_params["name"])
    if provider is None:
        raise NotFound("There is no such provider. The sign-in page lists those there are.")
    return provider


def _callback(site: Site, provider: Provider) -> str:
    return f"{site.base}/login/oidc/{provider.name}/callback"


def _not_now() -> Response:
    text = "The provider cannot be reached. Try again, or sign in by password."
    return notice("Not for the moment", text, 503, link=_AGAIN)
