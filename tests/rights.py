"""The roles and the requests of the matrix of rights (rights.txt): who tries what on whose account."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenhouse.domain import access
from tokenhouse.domain.access.types import SessionLimits, Visitor
from tokenhouse.infra.database import PLATFORM, Database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from http_face import Client, Reply

TABLE = Path(__file__).with_name("rights.txt")
SCOPES = {
    "charges": "charges:write", "wallets": "wallets:read", "market": "market:write", "usage": "usage:write",
    "audit": "audit:read", "admin": "admin",
}  # fmt: skip
# Whose key tries, or whose session: ann's own, or that of somebody who is something to the platform.
SESSIONS = {"session": None, "session:admin": "admin", "session:support": "support", "session:auditor": "auditor"}
ROLES = [
    "nobody", "own", "other", "member", "manager", "owner",
    *(f"own:{name}" for name in SCOPES), "platform", *(f"platform:{name}" for name in SCOPES), *SESSIONS,
]  # fmt: skip
IN_ORGANIZATION = {"member", "manager", "owner"}


@dataclass
class Try:
    """One request. user: whom a platform key names. deep: how to read the outcome where the status is always 200."""

    method: str
    path: str
    body: Any = None
    user: str | None = None
    deep: Callable[[Reply], int] | None = None


class World:
    """An account, a stranger, an organization with people in every role; a client for each role."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.names: dict[str, str] = {}
        self.by: dict[str, Client] = {}
        self.people: dict[str, int] = {}
        self.database: Database

    async def settle(self, database: Database) -> World:
        """Make everybody. The database stays open while the world is used."""
        client, names = self.client, self.names
        self.database = database
        names["ann"] = await client.account("ann", credits_left=100_000, email=f"{uuid.uuid4().hex}@example.org")
        names["bea"] = await client.account("bea", credits_left=100_000)
        names["org"] = await client.account("org", "organization", credits_left=100_000, plan="enterprise")
        self.by = {"platform": client, "nobody": client.by(None)}
        self.by["own"], self.by["other"] = await client.key_of(names["ann"]), await client.key_of(names["bea"])
        for role, word in (("member", "member"), ("manager", "admin"), ("owner", "owner")):
            names[role] = await client.account(role)
            await client.must(f"/v1/accounts/{names['org']}/members", {"user_id": names[role], "role": word})
            self.by[role] = await client.key_of(names[role])
        for short, scope in SCOPES.items():
            self.by[f"own:{short}"] = await client.key_of(names["ann"], scopes=[scope])
            async with database.transaction(PLATFORM) as tx:
                _, secret = await access.create_key(tx, None, short, [scope], live=False)
            self.by[f"platform:{short}"] = client.by(secret)
        for role, word in SESSIONS.items():
            names[role] = names["ann"] if word is None else await client.account(word)
            self.by[role] = client.by(None)
            async with database.transaction(PLATFORM) as tx:
                account = await access.find_account(tx, names[role])
                email = account.email or f"{uuid.uuid4().hex}@example.org"
                await access.add_credential(tx, account, email, None, verified=True)
                await access.set_platform_role(tx, account.id, word)
            self.people[role] = account.id
        return self

    async def session(self, account_id: int) -> str:
        """Sign somebody in anew: the session's token."""
        async with self.database.transaction(PLATFORM) as tx:
            token = await access.open_session(tx, account_id, Visitor(), SessionLimits(3600, 3600))
        assert token is not None
        return token

    def target(self, role: str) -> str:
        """The account that a role tries its hand at."""
        return self.names["org" if role in IN_ORGANIZATION else "ann"]

    async def attempt(self, role: str, one: Try, **more: Any) -> tuple[int, Reply]:
        """Send a request as that role: its outcome as a status, and the answer."""
        headed = role.startswith(("platform", "session:")) or role in ("other", "own:admin", *IN_ORGANIZATION)
        if role in SESSIONS:
            token = await self.session(self.people[role])
            more["headers"] = {"Cookie": f"tokenhouse={token}", "Sec-Fetch-Site": "same-origin"}
        user = one.user if headed else None
        idem = uuid.uuid4().hex if one.method == "POST" else None
        reply = await self.by[role].call(one.method, one.path, one.body, idem=idem, user=user, **more)
        return one.deep(reply) if one.deep and reply.status == 200 else reply.status, reply


TRIES: dict[str, Callable[[World, str], Awaitable[Try]]] = {}


def tries(name: str) -> Callable[[Any], Any]:
    """Register what tries an operation: given the world and whose account, it prepares and gives the request."""

    def register(make: Any) -> Any:
        TRIES[name] = make
        return make

    return register


def fixed(name: str, method: str, path: str, body: Any = None, *, named: bool = False) -> None:
    """Register a request that needs no preparation; `{who}` in it is whose account."""

    async def make(world: World, who: str) -> Try:
        def fill(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: fill(one) for key, one in value.items()}
            return value.replace("{who}", who) if isinstance(value, str) else value

        return Try(method, fill(path), fill(body), who if named else None)

    TRIES[name] = make


for _name in ("livez", "readyz", "metrics"):
    fixed(_name, "GET", f"/{_name}")
fixed("compat_deduct_token", "POST", "/api/deduct-token", {"userId": "{who}", "amount": 1})
fixed("compat_model_earnings", "GET", "/api/model-earnings?userId={who}")
fixed("compat_check_balance", "POST", "/api/v1/tokens/check-balance",
      {"action": "deduct", "organizationId": "{who}", "feature": "chat"})  # fmt: skip
fixed("compat_token_stats", "GET", "/api/v1/tokens/stats?organizationId={who}")
fixed("compat_models", "GET", "/api/models", named=True)
fixed("compat_creator_analytics", "GET", "/api/creator-analytics", named=True)
fixed("accounts_create", "POST", "/v1/accounts", {"kind": "user", "name": "x"})
fixed("accounts_list", "GET", "/v1/accounts?limit=1")
fixed("audit_list", "GET", "/v1/audit?limit=1")
fixed("accounts_get", "GET", "/v1/accounts/{who}")
fixed("accounts_update", "PATCH", "/v1/accounts/{who}", {"name": "x"})
fixed("accounts_entitlements", "GET", "/v1/accounts/{who}/entitlements")
fixed("accounts_export", "GET", "/v1/accounts/{who}/export")
fixed("charges_create", "POST", "/v1/charges", {"account_id": "{who}", "amount": 1})
fixed("charges_list", "GET", "/v1/charges?account_id={who}")
fixed("check", "POST", "/v1/check", {"account_id": "{who}", "amount": 1})
fixed("earnings_get", "GET", "/v1/earnings?account_id={who}")
fixed("analytics_creator", "GET", "/v1/analytics/creator?account_id={who}")
fixed("analytics_creator_peak_hours", "GET", "/v1/analytics/creator/peak-hours?account_id={who}")
fixed("analytics_creator_retention", "GET", "/v1/analytics/creator/retention?account_id={who}")
fixed("holds_create", "POST", "/v1/holds", {"account_id": "{who}", "amount": 1})
fixed("wallets_list", "GET", "/v1/accounts/{who}/wallets")
fixed("grants_create", "POST", "/v1/accounts/{who}/grants", {"credit_type": "general", "amount": 1, "source": "gift"})
fixed("grants_list", "GET", "/v1/accounts/{who}/grants")
fixed("api_keys_create", "POST", "/v1/accounts/{who}/api-keys", {"name": "x"})
fixed("api_keys_list", "GET", "/v1/accounts/{who}/api-keys")
fixed("models_create", "POST", "/v1/models", {"name": "x", "category": "c", "credit_cost": 1, "price_credits": 1})
fixed("models_list", "GET", "/v1/models?limit=1")


@tries("accounts_change_plan")
async def _plan(world: World, who: str) -> Try:
    plan = "enterprise" if who == world.names["org"] else "pro"
    return Try("PUT", f"/v1/accounts/{who}/plan", {"plan": plan})


@tries("accounts_erase")
async def _erase(world: World, who: str) -> Try:
    """Of somebody else than the caller, where the caller may."""
    spare = await world.client.account("spare")
    return Try("POST", f"/v1/accounts/{spare if who == '(spare)' else who}/erase")


@tries("charges_create_batch")
async def _batch(world: World, who: str) -> Try:
    item = {"account_id": who, "amount": 1, "idempotency_key": uuid.uuid4().hex}
    return Try("POST", "/v1/charges/batch", {"charges": [item]}, deep=lambda reply: reply.json["data"][0]["status"])


async def _charge(world: World, who: str) -> str:
    return (await world.client.must("/v1/charges", {"account_id": who, "amount": 2}))["id"]


async def _hold(world: World, who: str) -> str:
    return (await world.client.must("/v1/holds", {"account_id": who, "amount": 2}))["id"]


@tries("charges_get")
async def _charge_get(world: World, who: str) -> Try:
    return Try("GET", f"/v1/charges/{await _charge(world, who)}")


@tries("charges_reverse")
async def _reverse(world: World, who: str) -> Try:
    return Try("POST", f"/v1/charges/{await _charge(world, who)}/reverse", {"reason": "x"})


@tries("holds_get")
async def _hold_get(world: World, who: str) -> Try:
    return Try("GET", f"/v1/holds/{await _hold(world, who)}")


@tries("holds_capture")
async def _capture(world: World, who: str) -> Try:
    return Try("POST", f"/v1/holds/{await _hold(world, who)}/capture", {"amount": 1})


@tries("holds_void")
async def _void(world: World, who: str) -> Try:
    return Try("POST", f"/v1/holds/{await _hold(world, who)}/void", {})


async def _key(world: World, who: str) -> str:
    return (await world.client.must(f"/v1/accounts/{who}/api-keys", {}))["id"]


@tries("api_keys_revoke")
async def _key_revoke(world: World, who: str) -> Try:
    return Try("DELETE", f"/v1/accounts/{who}/api-keys/{await _key(world, who)}")


@tries("api_keys_rotate")
async def _key_rotate(world: World, who: str) -> Try:
    return Try("POST", f"/v1/keys/{await _key(world, who)}/rotate", {})


async def _mate(world: World) -> str:
    mate = await world.client.account("mate", email=f"{uuid.uuid4().hex}@example.org")
    await world.client.must(f"/v1/accounts/{world.names['org']}/members", {"user_id": mate, "role": "member"})
    return mate


# Members and invitations are an organization's: whoever tries, it is at that one.


@tries("members_set")
async def _member_set(world: World, who: str) -> Try:
    return Try("POST", f"/v1/accounts/{world.names['org']}/members", {"user_id": await _mate(world), "role": "member"})


@tries("members_remove")
async def _member_remove(world: World, who: str) -> Try:
    return Try("DELETE", f"/v1/accounts/{world.names['org']}/members/{await _mate(world)}")


@tries("members_list")
async def _members(world: World, who: str) -> Try:
    return Try("GET", f"/v1/accounts/{world.names['org']}/members")


async def _invited(world: World, email: str) -> tuple[str, str]:
    body = {"email": email, "role": "member"}
    made = await world.client.must(f"/v1/accounts/{world.names['org']}/invitations", body)
    return made["id"], made["link"].rpartition("/")[2]


@tries("invitations_create")
async def _invite(world: World, who: str) -> Try:
    body = {"email": f"{uuid.uuid4().hex}@example.org", "role": "member"}
    return Try("POST", f"/v1/accounts/{world.names['org']}/invitations", body)


@tries("invitations_list")
async def _invitations(world: World, who: str) -> Try:
    return Try("GET", f"/v1/accounts/{world.names['org']}/invitations")


@tries("invitations_revoke")
async def _invitation_revoke(world: World, who: str) -> Try:
    number, _ = await _invited(world, f"{uuid.uuid4().hex}@example.org")
    return Try("DELETE", f"/v1/accounts/{world.names['org']}/invitations/{number}")


@tries("invitations_accept")
async def _accept(world: World, who: str) -> Try:
    """An invitation of ann, to an organization of its own."""
    ann = world.names["ann"]
    email = (await world.client.get(f"/v1/accounts/{ann}")).json["email"]
    org = await world.client.account("club", "organization")
    made = await world.client.must(f"/v1/accounts/{org}/invitations", {"email": email, "role": "member"})
    return Try("POST", "/v1/invitations/accept", {"token": made["link"].rpartition("/")[2]}, ann)


fixed("sessions_list", "GET", "/v1/sessions", named=True)


@tries("sessions_end")
async def _session_end(world: World, who: str) -> Try:
    """One of ann's."""
    async with world.database.read(PLATFORM) as tx:
        ann = await access.find_account(tx, world.names["ann"])
    await world.session(ann.id)
    async with world.database.read(PLATFORM) as tx:
        first, *_ = await access.list_sessions(tx, ann.id, SessionLimits(3600, 3600))
    return Try("DELETE", f"/v1/sessions/{first.id}", None, world.names["ann"])


fixed("sessions_end_all", "POST", "/v1/sign-out-everywhere", named=True)
fixed("audit_list", "GET", "/v1/audit?limit=1")
