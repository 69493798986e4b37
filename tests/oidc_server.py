"""A small real provider of OpenID Connect, which can be made to lie, and a browser that goes there and back."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import socket
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import httpx2
import uvicorn
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

CLIENT, SECRET = "tokenhouse at tests", "s3cret:of/tests"
COOKIE, FLOW = "tokenhouse", "tokenhouse-oidc"


@cache
def a_key(name: str = "one") -> RSAKey:
    """A key of that name, the same all session: making one takes a while."""
    return RSAKey.generate_key(2048, {"kid": name})


@dataclass
class OidcServer:
    """person: who signs in there. spoil: changes the claims before they are signed. sign: `RS256`, `none`, `HS256`.

    key: what tokens are signed with; published: the keys that it tells.
    """

    person: dict[str, Any] = field(default_factory=lambda: {"sub": "there-1"})
    spoil: Callable[[dict[str, Any]], object] = lambda _: None
    sign: str = "RS256"
    answer: Callable[[dict[str, Any]], dict[str, Any]] = lambda body: body
    key: RSAKey = field(default_factory=a_key)
    published: list[RSAKey] = field(default_factory=list)
    issuer: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        app = Starlette()
        app.add_route("/.well-known/openid-configuration", self.metadata)
        app.add_route("/authorize", self.authorize)
        app.add_route("/token", self.token, methods=["POST"])
        app.add_route("/keys", self.keys)
        return app

    async def metadata(self, _: Request) -> Response:
        self.asked.append("metadata")
        return JSONResponse(
            {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
        )

    async def keys(self, _: Request) -> Response:
        self.asked.append("keys")
        return JSONResponse(KeySet(self.published or [self.key]).as_dict(private=False))

    async def authorize(self, request: Request) -> Response:
        """The person is there and says yes."""
        told = dict(request.query_params)
        assert told["response_type"] == "code"
        assert told["client_id"] == CLIENT
        assert told["code_challenge_method"] == "S256"
        assert "openid" in told["scope"].split()
        code = secrets.token_urlsafe(16)
        self.codes[code] = told
        query = urlencode({"code": code, "state": told["state"]})
        return RedirectResponse(f"{told['redirect_uri']}?{query}", 303)

    async def token(self, request: Request) -> Response:
        """A code once, by its client, at the same address, with the verifier of its challenge."""
        form = dict(parse_qsl((await request.body()).decode()))
        given = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
        told = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        right = (
            told is not None
            and tuple(map(unquote, given.split(":"))) == (CLIENT, SECRET)
            and form.get("grant_type") == "authorization_code"
            and form.get("redirect_uri") == told["redirect_uri"]
            and challenge == told["code_challenge"]
        )
        if not right:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": told["nonce"]} | self.person
        self.spoil(claims)
        body = {"access_token": "x", "token_type": "Bearer", "id_token": self.signed(claims)}
        return JSONResponse(self.answer(body))

    def signed(self, claims: dict[str, Any]) -> str:
        if self.sign == "none":
            parts = (json.dumps(one).encode() for one in ({"alg": "none"}, claims))
            return ".".join(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts) + "."
        if self.sign == "HS256":
            return jwt.encode({"alg": "HS256", "kid": "one"}, claims, OctKey.import_key(SECRET))
        return jwt.encode({"alg": self.sign, "kid": self.key.kid}, claims, self.key)


class Browser:
    """A browser that follows nothing by itself, and carries cookies to our service alone."""

    def __init__(self, base):
        self.http = httpx2.AsyncClient(base_url=base, timeout=30, follow_redirects=False)

    def cookie(self, name):
        return self.http.cookies.get(name)

    async def begin(self, path="/login/oidc/house"):
        return await self.http.get(path)

    async def there(self, path="/login/oidc/house"):
        """Sign in at the provider; where it sends the browser back to, without the host."""
        begun = await self.begin(path)
        assert begun.status_code == 303, begun.text
        async with httpx2.AsyncClient(timeout=30, follow_redirects=False) as elsewhere:
            sent = await elsewhere.get(begun.headers["location"])
        assert sent.status_code == 303
        parts = urlsplit(sent.headers["location"])
        return f"{parts.path}?{parts.query}"

    async def sign_in(self, path="/login/oidc/house"):
        return await self.http.get(await self.there(path))

    async def is_in(self):
        return (await self.http.get("/v1/sessions")).status_code == 200


class _Server(uvicorn.Server):
    """It leaves the signals to pytest."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def oidc_server() -> AsyncIterator[OidcServer]:
    """Serve on a free port of loopback."""
    provider = OidcServer()
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        provider.issuer = f"http://127.0.0.1:{listening.getsockname()[1]}"
        server = _Server(uvicorn.Config(provider.app(), lifespan="off", log_config=None, access_log=False))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
        try:
            yield provider
        finally:
            server.should_exit = True
            await task
