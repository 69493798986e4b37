"""What is kept of a person: giving it out whole, and taking the person out of it."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from fastapi import Response
from pydantic import Field

from tokenhouse.domain import access, alerts, insights, metering
from tokenhouse.domain.access.acts import Act
from tokenhouse.domain.access.types import Account, Credential
from tokenhouse.domain.alerts.types import Waiting
from tokenhouse.domain.market.types import Review
from tokenhouse.domain.metering import Kept
from tokenhouse.entrypoints.api.reference import READ, WRITE, found
from tokenhouse.entrypoints.api.routing import TheCall, answer, router
from tokenhouse.entrypoints.api.types import Answer
from tokenhouse.entrypoints.api.v1.holds import NoBody
from tokenhouse.entrypoints.api.v1.keys import KeyOut, key_json, managed
from tokenhouse.entrypoints.api.v1.wallets import GrantRowOut
from tokenhouse.infra.database import PLATFORM
from tokenhouse.infra.kernel.errors import NotFound
from tokenhouse.infra.kernel.money import usd_text

routes = router("Privacy")

_NO_ACCOUNT = "There is no such account, or it is not yours."


class ErasedOut(Answer):
    """What is left of a person."""

    id: str = Field(description="The account's id from now on; it says nothing of the person.")


class ExportedAccountOut(Answer):
    """Who the account is."""

    id: str
    kind: str
    name: str
    email: str | None
    time_zone: str
    plan: str | None
    created_at: datetime


class MembershipOut(Answer):
    """An organization that the person belongs to."""

    organization_id: str
    role: str


class ExportedSessionOut(Answer):
    """A browser where the person is or was signed in."""

    created_at: datetime
    seen_at: datetime
    address: str | None
    user_agent: str | None


class ExportedProviderOut(Answer):
    """Whom a provider of OpenID Connect says that the person is."""

    issuer: str
    subject: str
    created_at: datetime


class ExportedSignInOut(Answer):
    """By what the person signs in, and where they did."""

    email: str | None
    verified: bool
    platform_role: str | None
    providers: list[ExportedProviderOut]
    sessions: list[ExportedSessionOut]


class ExportedWalletOut(Answer):
    """What is in a wallet."""

    credit_type: str
    balance: int
    held: int
    used: int


class ExportedModelOut(Answer):
    """A model that the account owns or made."""

    model_id: str
    relation: str = Field(description="`owner` or `creator`.")
    since: datetime


class ExportedReviewOut(Answer):
    """What the account said of a model."""

    model_id: str
    stars: int
    text: str | None
    state: str
    created_at: datetime
    updated_at: datetime


class ExportedChargesOut(Answer):
    """How many charges there are, and where they are read, with all that the app wrote into them."""

    count: int
    first_at: datetime | None
    last_at: datetime | None
    href: str


class ExportedEarningsOut(Answer):
    """What was earned, and where it is read use by use."""

    accrued_nano_usd: int
    accrued_usd: str
    payable_nano_usd: int
    payable_usd: str
    paid_nano_usd: int
    paid_usd: str
    href: str


class ExportedSaidOut(Answer):
    """What an app wrote elsewhere than on a charge: the reason of a reversal, a report of a use, a hold."""

    kind: str = Field(description="`reversal`, `report` or `hold`.")
    id: str
    at: datetime
    words: dict[str, Any]


class ExportedInvitationOut(Answer):
    """An invitation to an address of the person."""

    organization_id: str
    role: str
    created_at: datetime
    expires_at: datetime


class ExportedLetterOut(Answer):
    """A letter that waits to be sent to the person; of those that were sent nothing is kept."""

    letter: str
    recipient: str
    created_at: datetime


class ExportedActOut(Answer):
    """What the account did, or what was done to it."""

    at: datetime
    act: str
    via: str
    own: bool = Field(description="Whether the account did it itself.")
    address: str | None = Field(description="Whence; null for what others did.")
    request_id: str | None


class ExportedPayoutsOut(Answer):
    """How an account is paid, as far as it may be shown, what is paid out by itself, and where payouts are read."""

    method: str | None
    hint: str | None
    every: str | None
    day: int | None
    minimum_nano_usd: int | None
    href: str


class ExportOut(Answer):
    """All that is kept of an account."""

    account: ExportedAccountOut
    memberships: list[MembershipOut]
    keys: list[KeyOut]
    sign_in: ExportedSignInOut
    wallets: list[ExportedWalletOut]
    grants: list[GrantRowOut]
    models: list[ExportedModelOut]
    reviews: list[ExportedReviewOut]
    charges: ExportedChargesOut
    said: list[ExportedSaidOut]
    named_by_others: int = Field(description="How many uses of other accounts name this one as their user.")
    earnings: ExportedEarningsOut
    invitations: list[ExportedInvitationOut]
    letters: list[ExportedLetterOut]
    acts: list[ExportedActOut]
    payouts: ExportedPayoutsOut


@routes.get(
    "/v1/accounts/{account_id}/export",
    operation_id="accounts_export",
    summary="Export all that is kept",
    responses={**found(ExportOut, description="All of it."), **READ},
)
async def accounts_export(call: TheCall, account_id: str) -> Response:
    """Give out all that is kept of a person or organization: for themselves, for its admins and for the platform.

    Keys are without their secrets. Charges and earnings are counted here and read, page by page, at `href`. Left out
    are only the names that an app gave its own calls (idempotency keys).
    """
    identity = await managed(call, account_id)
    catalog = (await call.runtime.commit.rates()).catalog
    async with call.runtime.database.read(PLATFORM) as tx:
        account = await access.find_account(tx, identity.external_id)
        if account is None:
            raise NotFound(_NO_ACCOUNT)
        kept = await metering.kept_of(tx, catalog, account, call.runtime.maturity_days)
        letters = await alerts.waiting_for(tx, _addresses(account, kept.credential))
    return answer(_exported(kept) | {"letters": [_letter_json(one) for one in letters]})


def _addresses(account: Account | None, sign_in: Credential | None) -> set[str]:
    return {one.email for one in (account, sign_in) if one is not None and one.email}


def _letter_json(letter: Waiting) -> dict[str, Any]:
    return {"letter": letter.template, "recipient": letter.recipient, "created_at": letter.created_at}


def _exported(kept: Kept) -> dict[str, Any]:
    account = kept.account
    return {
        "account": {
            "id": account.external_id,
            "kind": account.kind,
            "name": account.name,
            "email": account.email,
            "time_zone": account.time_zone,
            "plan": kept.enrolment.plan_id if kept.enrolment else None,
            "created_at": account.created_at,
        },
        "memberships": [{"organization_id": name, "role": role} for name, role in sorted(kept.memberships.items())],
        "keys": [key_json(key) for key in kept.keys],
        "sign_in": _sign_in(kept),
        "wallets": [
            {"credit_type": one.credit_type, "balance": one.balance, "held": one.held, "used": one.used}
            for one in kept.wallets
        ],
        "grants": [
            {
                "id": str(one.id),
                "credit_type": one.credit_type,
                "source": one.source,
                "amount": one.amount,
                "remaining": one.remaining,
                "priority": one.priority,
                "expires_at": one.expires_at,
                "note": one.note,
                "created_at": one.created_at,
            }
            for one in kept.grants
        ],
        "models": [{"model_id": one.model_id, "relation": one.relation, "since": one.since} for one in kept.models],
        "reviews": [_review(one) for one in kept.reviews],
        "charges": {
            "count": kept.charges.count,
            "first_at": kept.charges.first_at,
            "last_at": kept.charges.last_at,
            "href": f"/v1/charges?account_id={account.external_id}",
        },
        "earnings": _earned(kept),
        "said": [{"kind": one.kind, "id": str(one.id), "at": one.at, "words": one.words} for one in kept.said],
        "named_by_others": kept.named_by_others,
        "invitations": [
            {
                "organization_id": one.organization,
                "role": one.role,
                "created_at": one.created_at,
                "expires_at": one.expires_at,
            }
            for one in kept.invitations
        ],
        "acts": [asdict(one) for one in kept.acts],
        "payouts": _paid(kept),
    }


def _earned(kept: Kept) -> dict[str, Any]:
    sums = kept.earnings
    money = {"accrued": sums.accrued, "payable": sums.payable, "paid": sums.paid}
    return {
        **{f"{name}_nano_usd": nanos for name, nanos in money.items()},
        **{f"{name}_usd": usd_text(nanos) for name, nanos in money.items()},
        "href": f"/v1/earnings?account_id={kept.account.external_id}",
    }


def _review(one: Review) -> dict[str, Any]:
    return {
        "model_id": one.model_id,
        "stars": one.stars,
        "text": one.text,
        "state": one.state,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def _paid(kept: Kept) -> dict[str, Any]:
    return {
        "method": kept.paid_by.kind if kept.paid_by else None,
        "hint": kept.paid_by.hint if kept.paid_by else None,
        "every": kept.schedule.every if kept.schedule else None,
        "day": kept.schedule.day or None if kept.schedule else None,
        "minimum_nano_usd": kept.schedule.minimum if kept.schedule else None,
        "href": f"/v1/payouts?account_id={kept.account.external_id}",
    }


def _sign_in(kept: Kept) -> dict[str, Any]:
    credential = kept.credential
    return {
        "email": credential.email if credential else None,
        "verified": credential is not None and credential.verified,
        "platform_role": credential.platform_role if credential else None,
        "providers": [
            {"issuer": one.issuer, "subject": one.subject, "created_at": one.created_at} for one in kept.externals
        ],
        "sessions": [
            {
                "created_at": one.created_at,
                "seen_at": one.seen_at,
                "address": one.address,
                "user_agent": one.user_agent,
            }
            for one in kept.sessions
        ],
    }


@routes.post(
    "/v1/accounts/{account_id}/erase",
    operation_id="accounts_erase",
    summary="Erase a person",
    responses={200: {"model": ErasedOut, "description": "Erased; it cannot be undone."}, **WRITE},
)
async def accounts_erase(call: TheCall, account_id: str, body: NoBody | None = None) -> Response:  # noqa: ARG001 - an empty object is fine, anything else is not
    """Take a person out of all records, and leave every sum as it is. For platform keys and admins.

    Id, name and e-mail go, keys, sessions and memberships end at once, and what the app wrote of the person goes:
    metadata and users of charges, notes of grants, reasons, idempotency keys; so do payees' details. Receipts and books
    still read.
    """
    identity = await call.account(account_id, "admin")
    async with call.runtime.database.transaction(PLATFORM) as tx:
        account = await access.find_account(tx, account_id)
        sign_in = await access.credential_of(tx, identity.id)
        opaque = await metering.erase(tx, identity.id)
        await insights.forget(tx, identity.id, account.external_id if account else account_id, opaque)
        await alerts.forget(tx, _addresses(account, sign_in))
        await access.forget_acts(tx, identity.id)
        act = Act("account.erase", "account", str(identity.id), identity.id)
        await access.record(tx, call.by(), act)
    call.runtime.identities.forget(account_id)
    return answer({"id": opaque})
