"""What every payout method keeps, whatever files are found: add one, and it is tested on arrival."""

import inspect

import pytest

from tokenhouse.domain.payouts.methods import found, method_of
from tokenhouse.domain.payouts.types import Payee, Sender, Setup
from tokenhouse.infra.kernel.errors import UnknownReference, ValidationFailed

KINDS = sorted(found())
# Details of an ordinary payee: a method takes from them what it needs, or says what is missing.
ADA = {
    "name": "Ada Lovelace",
    "iban": "DE02120300000000202051",
    "bic": "BYLADEM1001",
    "country": "DE",
    "email": "ada@example.com",
}


def test_there_are_some():
    assert "manual" in KINDS
    with pytest.raises(UnknownReference, match="manual"):
        method_of("pigeon")


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_what_it_is(kind):
    module = method_of(kind)
    assert kind.isidentifier()
    assert kind == module.KIND
    assert isinstance(module.WHOLE_CENTS, bool)


@pytest.mark.parametrize("kind", KINDS)
def test_a_payee_is_taken_or_refused_and_the_hint_tells_little(kind):
    payee = method_of(kind).payee(ADA)
    assert isinstance(payee, Payee)
    assert all(isinstance(name, str) and isinstance(value, str) for name, value in payee.details.items())
    assert 0 < len(payee.hint) <= 60
    for value in ADA.values():
        assert len(value) <= 4 or value not in payee.hint
    with pytest.raises(ValidationFailed):
        method_of(kind).payee({})


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_not_there_where_it_is_not_set_up(kind):
    sender: Sender | None = method_of(kind).sender(Setup())
    if sender is not None:
        assert inspect.iscoroutinefunction(sender.send)
        assert inspect.iscoroutinefunction(sender.look_up)


@pytest.mark.parametrize("given", [{"account": "12345678"}, {"paypal": "ada@example.com"}, {"note": "ask"}])
def test_by_hand_whatever_tells_a_person_where_to_pay(given):
    payee = method_of("manual").payee(given)
    (value,) = given.values()
    assert payee.details == given
    assert payee.hint == (f"•••• {value[-4:]}" if len(value) >= 8 else "••••")
