"""What is recorded of whom: the acts, who does them, and how they are listed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal
from uuid import UUID

Via = Literal["api", "cli", "service"]

ACTS: Mapping[str, str] = MappingProxyType(
    {
        "account.create": "An account was made.",
        "account.update": "Name, e-mail or time zone of an account changed.",
        "account.erase": "A person was taken out of the records.",
        "plan.change": "An account moved to another plan.",
        "member.set": "A user became a member of an organization, or the role changed.",
        "member.remove": "A member left an organization.",
        "invitation.create": "Somebody was invited to an organization.",
        "invitation.revoke": "An invitation was taken back.",
        "invitation.accept": "An invitation was accepted: a member joined.",
        "key.create": "A key was made.",
        "key.rotate": "A key was replaced by a new one.",
        "key.revoke": "A key was ended.",
        "grant.create": "Credits were granted.",
        "charge.reverse": "A charge was given back.",
        "payout.request": "Earnings were asked to be paid out.",
        "payout.approve": "A payout was approved.",
        "payout.complete": "A payout was sent.",
        "payout.fail": "A payout failed; its money went back.",
        "payout.cancel": "A payout was cancelled; its money went back.",
        "payout.method": "How an account is paid changed.",
        "payout.reveal": "The payee's details of an account were read.",
        "batch.create": "Payouts were gathered into a file for a bank.",
        "batch.read": "The file of a batch was read, payees' details in it.",
        "payout.schedule": "What is paid out to an account by itself changed.",
        "model.create": "A model was put on the market.",
        "model.update": "A model changed.",
        "model.remove": "A model was taken off the market.",
        "model.refund": "A purchase of a model was undone.",
        "model.transfer": "A model went from one owner to another.",
        "model.approve": "A model that its creator submitted was put on the market.",
        "model.reject": "A model that its creator submitted was refused.",
        "character.create": "A character was made.",
        "character.update": "A character changed.",
        "character.remove": "A character was taken off.",
        "review.moderate": "A review was published or hidden.",
        "catalog.apply": "A catalog was put in force.",
        "usage.import": "Charging for the uses in a file began.",
        "session.open": "A person signed in.",
        "session.end": "A session was ended.",
        "sign_in.refuse": "A sign-in was refused.",
        "password.set": "A person's password was set.",
        "password.refuse": "A change of a password was refused: the present one was wrong.",
        "email.confirm": "A person's e-mail was confirmed by the link that was mailed to it.",
        "person.update": "How a person signs in, or the platform role, changed.",
        "seal.rotate": "Sealed values were sealed with another key.",
    }
)
"""What is recorded, and what each act says. A new one is a line here."""


@dataclass(frozen=True, slots=True)
class By:
    """Who does something, and whence: what an entry point knows of its caller.

    via: the API, a command, or the service by itself. actor_id: the account's number, None where it is none's: the
    platform's own key, a command, the service. address: the caller's, as the server sees it.
    """

    via: Via
    actor_id: int | None = None
    key_id: UUID | None = None
    session_id: UUID | None = None
    request_id: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """What is done to what. before, after: what it was and what it is, as JSON; None: it was not, or is no more.

    target_id: an account's number, any other thing's own id. account_id: the account that it concerns.
    """

    name: str
    target_kind: str
    target_id: str
    account_id: int | None = None
    before: object = None
    after: object = None


@dataclass(frozen=True, slots=True)
class KeptAct:
    """An act by an account or about it, as its person may see it. own: by the account itself.

    address: whence, where that was the person or somebody who tried to sign in as them; another's is another's.
    """

    at: datetime
    act: str
    via: Via
    own: bool
    address: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class ActView:
    """An act as it is listed. actor, account and the target of an account: the app's ids, None where erased or none.

    before, after: digests in hex, of the salt and the canonical JSON. address: None where forgotten or unknown.
    """

    id: int
    at: datetime
    via: Via
    actor_number: int | None
    actor: str | None
    key_id: UUID | None
    session_id: UUID | None
    act: str
    target_kind: str
    target: str | None
    account_number: int | None
    account: str | None
    before: str | None
    after: str | None
    request_id: str | None
    address: str | None
