"""Paid by a bank: payouts are gathered into a file that the operator hands to the bank (batches.py)."""

from collections.abc import Callable, Mapping

from tokenhouse.domain.payouts.banking import account_of, bic_of, iban_of, latin, routing_of
from tokenhouse.domain.payouts.types import Payee, Sender, Setup
from tokenhouse.infra.kernel.errors import ValidationFailed

KIND = "bank"
WHOLE_CENTS = True

_READ: dict[str, Callable[[str], str]] = {
    "iban": iban_of,
    "bic": bic_of,
    "account_number": account_of,
    "routing_number": routing_of,
}
_NAME_LENGTH = 70
_SHOWN = 4


def payee(given: Mapping[str, str]) -> Payee:
    """Take `name` and `iban` (and `bic`, where the bank asks for it), or `account_number` and `routing_number`.

    Of what else is given nothing is kept.
    """
    name = given.get("name", "").strip()
    if not latin(name, _NAME_LENGTH):
        raise ValidationFailed.of("details.name", "say whose account it is, in Latin letters, as the bank knows it")
    details = {"name": name}
    for key, read in _READ.items():
        if key in given:
            try:
                details[key] = read(given[key])
            except ValueError as error:
                raise ValidationFailed.of(f"details.{key}", str(error)) from None
    if ("iban" in details) == ("account_number" in details):
        raise ValidationFailed.of("details", "give an iban, or an account_number and a routing_number")
    if ("account_number" in details) != ("routing_number" in details):
        raise ValidationFailed.of("details.routing_number", "belongs to account_number, and that to it")
    number = details.get("iban") or details["account_number"]
    return Payee(details, f"•••• {number[-_SHOWN:]}")


def sender(setup: Setup) -> Sender | None:
    """Give None: the bank is handed a file, and its answer is told by completing or failing each payout."""
    del setup
    return None
