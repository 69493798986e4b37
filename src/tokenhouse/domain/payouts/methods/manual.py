"""Paid by hand: somebody sends the money, however they do, and says that it is done."""

from collections.abc import Mapping

from tokenhouse.domain.payouts.types import Payee, Sender, Setup
from tokenhouse.infra.kernel.errors import ValidationFailed

KIND = "manual"
WHOLE_CENTS = False

_SHOWN = 4
_LONG_ENOUGH = 8


def payee(given: Mapping[str, str]) -> Payee:
    """Take whatever tells a person where to pay; the end of the longest number or address is shown."""
    if not given:
        raise ValidationFailed.of("details", "say at least one thing by which somebody can be paid")
    numbers = [value for value in given.values() if any(letter.isdigit() for letter in value)]
    longest = max(numbers or given.values(), key=len).strip()
    return Payee(dict(given), f"•••• {longest[-_SHOWN:]}" if len(longest) >= _LONG_ENOUGH else "••••")


def sender(setup: Setup) -> Sender | None:
    """Give None: a person pays."""
    del setup
    return None
