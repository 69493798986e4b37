"""A provider of OpenID Connect as we ask it: discovery, the code for an ID token, and whether that token is right.

Its metadata and keys are kept for an hour; a token signed by a key that we do not know makes us ask for the keys again.
"""

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx2
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import get_well_known_url
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""Signatures by a key that only the provider has: neither `none` nor one made with a shared secret."""

SCOPES = "openid email profile"
_KEPT_SECONDS = 3600.0
_REST_SECONDS = 1.0
_PATIENCE_SECONDS = 10.0
_MOST_BYTES = 1 << 20
_LEEWAY_SECONDS = 60
_MOST_SUBJECT = 255
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class ProviderFailed(Exception):
    """The provider cannot be asked, or what it said is not right. The reason is for the log: it names no person."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a provider says of a person. email_verified: whether it says that the e-mail is theirs."""

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str | None


@dataclass(frozen=True, slots=True)
class Attempt:
    """The secrets of one sign-in: `state` binds the way back to the browser, `nonce` the token, `verifier` the code."""

    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class _Metadata:
    authorization: str
    token: str
    keys: str
    by_post: bool


@dataclass(slots=True)
class Provider:
    """One provider. name: as it stands in our addresses; title: as people know it."""

    name: str
    title: str
    issuer: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    _metadata: tuple[float, _Metadata] | None = field(default=None, init=False, repr=False)
    _keys: tuple[float, KeySet] | None = field(default=None, init=False, repr=False)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock, init=False, repr=False)
    _rests_until: float = field(default=0.0, init=False, repr=False)

    async def authorization_url(self, attempt: Attempt, redirect_uri: str) -> str:
        """Give the address where the person signs in. ProviderFailed."""
        metadata = await self._discovered()
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self.client_id,
                "redirect_uri": redirect_uri,
                "scope": SCOPES,
                "state": attempt.state,
                "nonce": attempt.nonce,
                "code_challenge": create_s256_code_challenge(attempt.verifier),
                "code_challenge_method": "S256",
            }
        )
        return f"{metadata.authorization}{'&' if '?' in metadata.authorization else '?'}{query}"

    async def said(self, attempt: Attempt, code: str, redirect_uri: str) -> Said:
        """Exchange a code for what the provider says of the person. ProviderFailed: it is refused, or not right."""
        metadata = await self._discovered()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": attempt.verifier,
        }
        headers = {"Accept": "application/json"}
        if self.client_secret is None:
            form["client_id"] = self.client_id
        elif metadata.by_post:
            form |= {"client_id": self.client_id, "client_secret": self.client_secret}
        else:
            pair = f"{quote(self.client_id, safe='')}:{quote(self.client_secret, safe='')}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        answer = await _asked("POST", metadata.token, data=form, headers=headers)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise ProviderFailed("the answer has no ID token")
        return self._said(await self._verified(token, attempt.nonce, answer.get("access_token"), metadata))

    def _said(self, claims: Mapping[str, Any]) -> Said:
        subject, email, name = claims["sub"], claims.get("email"), claims.get("name")
        if not isinstance(subject, str) or not 1 <= len(subject) <= _MOST_SUBJECT or not subject.isprintable():
            raise ProviderFailed("the ID token's subject is none")
        return Said(
            self.issuer,
            subject,
            email if isinstance(email, str) and email else None,
            claims.get("email_verified") is True,
            name if isinstance(name, str) and name else None,
        )

    async def _verified(self, token: str, nonce: str, access_token: object, metadata: _Metadata) -> Mapping[str, Any]:
        """Give the claims of an ID token that this provider signed for us, for this attempt, not long ago."""
        try:
            try:
                decoded = jwt.decode(token, await self._keys_now(metadata), algorithms=ALGORITHMS)
            except InvalidKeyIdError:
                decoded = jwt.decode(token, await self._keys_now(metadata, anew=True), algorithms=ALGORITHMS)
            checks = CodeIDToken(
                decoded.claims,
                decoded.header,
                {
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": self.client_id},
                },
                {"nonce": nonce, "client_id": self.client_id, "access_token": access_token},
            )
            checks.validate(leeway=_LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
            # Only what kind of error: its words may hold what the token says of a person.
            about = getattr(error, "claim", None) or type(error).__name__
            raise ProviderFailed(f"the ID token is not right ({about})") from None
        return decoded.claims

    async def _discovered(self) -> _Metadata:
        """Give what the provider says of itself. Whoever comes while it is asked shares the answer, a failure too."""
        async with self._asking:
            now = time.monotonic()
            if self._metadata is None or now - self._metadata[0] > _KEPT_SECONDS:
                if now < self._rests_until:
                    raise ProviderFailed("the provider failed a moment ago")
                try:
                    self._metadata = (now, await self._found())
                except ProviderFailed:
                    self._rests_until = time.monotonic() + _REST_SECONDS
                    raise
            return self._metadata[1]

    async def _found(self) -> _Metadata:
        found = await _asked("GET", get_well_known_url(self.issuer, external=True))
        if found.get("issuer") != self.issuer:
            raise ProviderFailed("the provider names another issuer than the settings; they must be the same")
        methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return _Metadata(
            self._endpoint(found, "authorization_endpoint"),
            self._endpoint(found, "token_endpoint"),
            self._endpoint(found, "jwks_uri"),
            by_post="client_secret_basic" not in methods,
        )

    def _endpoint(self, found: Mapping[str, Any], name: str) -> str:
        address = found.get(name)
        if not isinstance(address, str) or not is_safe_address(address):
            raise ProviderFailed(f"the provider's {name} is no https address")
        if urlsplit(self.issuer).scheme == "https" and urlsplit(address).scheme != "https":
            raise ProviderFailed(f"the provider's {name} is no https address")
        return address

    async def _keys_now(self, metadata: _Metadata, *, anew: bool = False) -> KeySet:
        now = time.monotonic()
        if anew or self._keys is None or now - self._keys[0] > _KEPT_SECONDS:
            found = await _asked("GET", metadata.keys)
            try:
                self._keys = (now, KeySet.import_key_set({"keys": found["keys"]}))
            except (JoseError, ValueError, TypeError, KeyError, AttributeError):
                raise ProviderFailed("the provider's keys cannot be read") from None
        return self._keys[1]


def is_safe_address(address: str) -> bool:
    """Whether an address may be asked: by https, or on this very machine."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    if parts.username is not None or parts.fragment or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)


async def _asked(method: str, address: str, **sent: Any) -> dict[str, Any]:  # noqa: ANN401 - what the client takes
    """Ask a provider for a JSON object of at most 1 MiB; redirects are not followed."""
    body = b""
    try:
        async with (
            httpx2.AsyncClient(timeout=_PATIENCE_SECONDS, follow_redirects=False) as client,
            client.stream(method, address, **sent) as answer,
        ):
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _MOST_BYTES:
                    raise ProviderFailed("the provider answers with more than 1 MiB")
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise ProviderFailed(f"the provider cannot be reached ({type(error).__name__})") from None
    if answer.status_code != 200:
        raise ProviderFailed(f"the provider answers {answer.status_code}")
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ProviderFailed("the provider answers with something else than a JSON object")
    return found
