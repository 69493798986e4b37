"""All that is kept of a person, and taking the person out of it while the sums stay."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from tokenhouse.domain import access, market, payouts, wallets
from tokenhouse.domain.access.acts import KeptAct
from tokenhouse.domain.access.rules import opaque_id
from tokenhouse.domain.access.types import Account, ApiKeyView, Credential, External, InvitedTo, Role, SessionView
from tokenhouse.domain.catalog.types import Catalog
from tokenhouse.domain.ledger.types import Party
from tokenhouse.domain.market.types import Review
from tokenhouse.domain.metering.statements import Statement, statement
from tokenhouse.domain.payouts.types import MethodSet, Schedule
from tokenhouse.domain.wallets.types import Enrolment, GrantView, WalletView
from tokenhouse.infra.database import Tx, load_queries, sqlstate
from tokenhouse.infra.kernel.errors import Conflict, NotFound
from tokenhouse.infra.kernel.ids import uuid7


@dataclass(frozen=True, slots=True)
class Charges:
    """How many receipts an account has, and from when to when; None where it has none."""

    count: int
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Owned:
    """A model that an account owns or made. relation: owner or creator."""

    model_id: str
    relation: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Said:
    """What an app wrote of an account elsewhere than on its charges. kind: reversal, report or hold."""

    kind: str
    id: UUID
    at: datetime
    words: dict[str, object]


@dataclass(frozen=True, slots=True)
class Kept:
    """All that is kept of an account; memberships by the organization's id, in whose records other words may stand.

    named_by_others: how many uses of other accounts name this one as their user: what stands there is theirs to give.
    acts: what the account did and what was done to it. Left out are only the names that an app gave its own calls
    (idempotency keys).
    """

    account: Account
    enrolment: Enrolment | None
    memberships: dict[str, Role]
    keys: list[ApiKeyView]
    credential: Credential | None
    sessions: list[SessionView]
    externals: list[External]
    wallets: list[WalletView]
    grants: list[GrantView]
    models: list[Owned]
    reviews: list[Review]
    charges: Charges
    said: list[Said]
    named_by_others: int
    earnings: Statement
    invitations: list[InvitedTo]
    acts: list[KeptAct]
    paid_by: MethodSet | None
    schedule: Schedule | None


_Q = load_queries(__file__)
_ERASE = _Q.rows("erase", bool)
_CHARGES_OF = _Q.rows("charges_of", Charges)
_MODELS_OF = _Q.rows("models_of", Owned)
_SAID_OF = _Q.rows("said_of", Said)
_NAMED_BY_OTHERS = _Q.rows("named_by_others", int)

_REFUSED = "TH409"
_GRANTS_AT_ONCE = 1000
_REVIEWS_AT_MOST = 100_000


async def kept_of(tx: Tx, catalog: Catalog, account: Account, maturity_days: int) -> Kept:
    """Gather what is kept of an account, receipts and accruals by their number only. Needs the platform's token.

    Letters that wait stand in alerts, above.
    """
    party = Party(account.id, account.bucket, account.external_id)
    roles = await access.organizations_of(tx, account.id)
    organizations = await access.accounts_by_number(tx, roles)
    grants: list[GrantView] = []
    while not grants or len(grants) % _GRANTS_AT_ONCE == 0:
        before = grants[-1].id if grants else None
        more = await wallets.grants_of(tx, party, before=before, most=_GRANTS_AT_ONCE)
        grants += more
        if not more:
            break
    return Kept(
        account=account,
        enrolment=await wallets.enrolment_of(tx, party),
        memberships={organizations[number].external_id: role for number, role in roles.items()},
        keys=await access.list_keys(tx, account.id),
        credential=await access.credential_of(tx, account.id),
        sessions=await access.kept_sessions(tx, account.id),
        externals=await access.externals_of(tx, account.id),
        wallets=(await wallets.wallets_of(tx, catalog, party))[0],
        grants=grants,
        models=await tx.all(_MODELS_OF, account_id=account.id),
        reviews=await market.list_reviews(tx, account_id=account.id, most=_REVIEWS_AT_MOST),
        charges=await tx.one(_CHARGES_OF, bucket=account.bucket, account_id=account.id),
        said=await tx.all(_SAID_OF, bucket=account.bucket, account_id=account.id),
        named_by_others=await tx.one(_NAMED_BY_OTHERS, account_id=account.id, name=account.external_id),
        earnings=await statement(tx, account.id, maturity_days),
        invitations=await access.invitations_to(tx, account.id),
        acts=await access.acts_of(tx, account.id),
        paid_by=await payouts.paid_by(tx, account.id),
        schedule=await payouts.schedule_of(tx, account.id),
    )


async def erase(tx: Tx, account_id: int) -> str:
    """Take a person out of all records: the id that the account has from now on.

    Id, name and e-mail go; keys and memberships end; what the app wrote of the person goes: metadata and users' labels
    of charges, notes, reasons, idempotency keys, payees' details. Every sum stays. Needs the platform's token.
    NotFound: no such account. Conflict (last_owner): an organization with other members would have no owner.
    """
    opaque = opaque_id(uuid7())
    try:
        there = await tx.one(_ERASE, account_id=account_id, opaque=opaque)
    except Exception as error:
        if sqlstate(error) == _REFUSED:
            raise Conflict(
                "This person is the last owner of an organization that has other members. Make another of them an "
                "owner first.",
                code="last_owner",
            ) from error
        raise
    if not there:
        raise NotFound("There is no such account. It may have been erased before.")
    return opaque
