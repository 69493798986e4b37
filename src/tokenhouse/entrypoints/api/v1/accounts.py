"""Accounts: users and organizations, their plans, wallets and grants."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import Query, Response
from pydantic import ConfigDict, Field

from tokenhouse.domain import access, wallets
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.access.types import Account, AccountChanges, NewAccount
from tokenhouse.entrypoints.api.call import party_of
from tokenhouse.entrypoints.api.cursor import cursor_of, number_after
from tokenhouse.entrypoints.api.patience import patiently
from tokenhouse.entrypoints.api.reference import LIST, READ, WRITE, created, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, page, router
from tokenhouse.entrypoints.api.types import Answer, Body, Email, Id, Name, Word
from tokenhouse.infra.database import PLATFORM, Actor, Tx
from tokenhouse.infra.kernel.errors import NotFound

routes = router("Accounts")

_FIRST_PLAN = {"user": "free", "organization": "starter"}
_BOTH = Actor((0,), teller=True)


class AccountBody(Body):
    """A user or an organization to be made."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"id": "u-42", "kind": "user", "name": "Ada", "plan": "pro"}]}
    )

    id: Id | None = None
    """The app's own id; made here where it is left out."""
    kind: Literal["user", "organization"]
    name: Name
    email: Email | None = None
    plan: Word | None = None
    """A plan of the catalog; `free` for a user and `starter` for an organization unless given."""
    time_zone: Word = "UTC"
    """An IANA name such as Europe/Berlin: months are counted in it."""


class AccountPatch(Body):
    """What to change; what is left out stays."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Ada Lovelace"}]})

    name: Name | None = None
    email: Email | None = None
    time_zone: Word | None = None


class AccountOut(Answer):
    """A user or an organization."""

    id: str
    kind: str
    name: str
    email: str | None
    plan: str | None
    time_zone: str
    created_at: datetime


class PlanBody(Body):
    """The plan to move to."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"plan": "pro"}]})

    plan: Word


class EntitlementsOut(Answer):
    """What the plan allows."""

    plan: str | None
    limits: dict[str, int] = Field(description="-1: no limit.")


async def _told(tx: Tx, account: Account) -> dict[str, Any]:
    """Give an account ready to be written as JSON."""
    enrolment = await wallets.enrolment_of(tx, party_of(account))
    return {
        "id": account.external_id,
        "kind": account.kind,
        "name": account.name,
        "email": account.email,
        "plan": enrolment.plan_id if enrolment else None,
        "time_zone": account.time_zone,
        "created_at": account.created_at,
    }


def _act(name: str, account: Account, before: object, after: object) -> Act:
    return Act(name, "account", str(account.id), account.id, before, after)


async def _found(tx: Tx, external_id: str) -> Account:
    account = await access.find_account(tx, external_id)
    if account is None:
        raise NotFound("There is no such account. Create it with POST /v1/accounts.")
    return account


@routes.post(
    "/v1/accounts",
    operation_id="accounts_create",
    summary="Create an account",
    status_code=201,
    responses={**created(AccountOut, description="Made."), **WRITE},
)
async def accounts_create(call: TheCall, body: AccountBody) -> Response:
    """Make a user or an organization, on a plan from the start. For platform keys and admins."""
    call.require_admin()
    catalog = (await call.runtime.commit.rates()).catalog
    new = NewAccount(body.kind, body.name, body.id, body.email, body.time_zone)
    async with call.runtime.database.transaction(_BOTH) as tx:
        account = await access.create_account(tx, new)
        plan = body.plan or _FIRST_PLAN[body.kind]
        await wallets.enrol(tx, catalog, party_of(account), plan, account.time_zone)
        told = await _told(tx, account)
        await access.record(tx, call.by(), _act("account.create", account, None, told))
    return answer(told, 201)


@routes.get(
    "/v1/accounts",
    operation_id="accounts_list",
    summary="List accounts",
    responses={**found(AccountOut, listed=True), **LIST},
)
async def accounts_list(
    call: TheCall,
    kind: Literal["user", "organization"] | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """List all accounts, the newest first. For platform keys and admins."""
    call.require_admin()
    before = number_after(cursor)
    async with call.runtime.database.read(PLATFORM) as tx:
        rows = await access.list_accounts(tx, before=before, kind=kind, most=limit + 1)
        data = [await _told(tx, row) for row in rows[:limit]]
    return answer(page(data, cursor_of(rows[limit - 1].id) if len(rows) > limit else None))


@routes.get(
    "/v1/accounts/{account_id}",
    operation_id="accounts_get",
    summary="Read an account",
    responses={**found(AccountOut), **READ},
)
async def accounts_get(call: TheCall, account_id: str) -> Response:
    """Read an account and its plan."""
    identity = await call.account(account_id, "wallets:read")
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        return answer(await _told(tx, await _found(tx, account_id)))


@routes.patch(
    "/v1/accounts/{account_id}",
    operation_id="accounts_update",
    summary="Change an account",
    responses={**found(AccountOut, description="Changed."), **WRITE},
)
async def accounts_update(call: TheCall, account_id: str, body: AccountPatch) -> Response:
    """Change name, e-mail (null takes it away) or time zone. For platform keys and admins."""
    await call.account(account_id, "admin")
    email = "" if body.email is None and "email" in body.model_fields_set else body.email
    changes = AccountChanges(body.name, email, body.time_zone)
    async with call.runtime.database.transaction(PLATFORM) as tx:
        before = await _told(tx, await access.lock_account(tx, account_id))
        account = await access.update_account(tx, account_id, changes)
        told = await _told(tx, account)
        await access.record(tx, call.by(), _act("account.update", account, before, told))
    return answer(told)


@routes.put(
    "/v1/accounts/{account_id}/plan",
    operation_id="accounts_change_plan",
    summary="Change the plan",
    responses={**found(AccountOut, description="Changed."), **WRITE},
)
async def accounts_change_plan(call: TheCall, account_id: str, body: PlanBody) -> Response:
    """Move to another plan, at once, up or down. For platform keys and admins.

    What is left of the allowance is the new allowance less what was used this period; bought credits stay, and so
    does the day of renewal.
    """
    identity = await call.account(account_id, "admin")
    catalog = (await call.runtime.commit.rates()).catalog

    async def change(tx: Tx) -> dict[str, Any]:
        account = await _found(tx, account_id)
        before = await wallets.change_plan(tx, catalog, party_of(identity), body.plan)
        told = await _told(tx, account)
        await access.record(tx, call.by(), _act("plan.change", account, before, told["plan"]))
        return told

    return answer(await patiently(call.runtime.database, Actor((identity.id,), teller=True), change))


@routes.get(
    "/v1/accounts/{account_id}/entitlements",
    operation_id="accounts_entitlements",
    summary="Read what the plan allows",
    responses={**found(EntitlementsOut), **READ},
)
async def accounts_entitlements(call: TheCall, account_id: str) -> Response:
    """Read the limits that the plan brings, such as how many agents; -1 is none."""
    identity = await call.account(account_id, "wallets:read")
    catalog = (await call.runtime.commit.rates()).catalog
    async with call.runtime.database.read(Actor((identity.id,))) as tx:
        enrolment = await wallets.enrolment_of(tx, party_of(identity))
    plan = catalog.plans.get(enrolment.plan_id) if enrolment else None
    return answer({"plan": enrolment.plan_id if enrolment else None, "limits": dict(plan.limits) if plan else {}})
