"""Numbers of accounts, letters that banks take, cents of a rate."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenhouse.domain.payouts.banking import account_of, bic_of, cents_paid, cents_text, iban_of, latin, routing_of
from tokenhouse.domain.payouts.methods import bank
from tokenhouse.infra.kernel.cells import text_cell
from tokenhouse.infra.kernel.errors import ValidationFailed

IBAN = "DE02120300000000202051"
ALLOWED = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ ")


def test_ibans():
    assert iban_of(" de02 1203 0000 0000 2020 51 ") == IBAN
    for right in ("GB82WEST12345698765432", "NO9386011117947", "MT84MALT011000012345MTLCAST001S"):
        assert iban_of(right) == right
    for wrong in ("", "DE", IBAN[:-1], IBAN + "0", "DE03120300000000202051", "XX00", "DE0212030000000020205Ä"):
        with pytest.raises(ValueError, match="IBAN"):
            iban_of(wrong)


@given(st.integers(4, 21), st.integers(0, 9))
def test_one_wrong_digit_is_seen(place, digit):
    altered = IBAN[:place] + str(digit) + IBAN[place + 1 :]
    if altered != IBAN:
        with pytest.raises(ValueError, match="IBAN"):
            iban_of(altered)


def test_other_numbers():
    assert (bic_of("deutdeff 500"), routing_of("021000021"), account_of("12-34 567")) == (
        "DEUTDEFF500", "021000021", "1234567",
    )  # fmt: skip
    for read, wrong in ((bic_of, "DEUTDEF"), (bic_of, "1EUTDEFF"), (routing_of, "021000022"), (routing_of, "02100002"),
                        (account_of, "123"), (account_of, "12a45"), (account_of, "1" * 18)):  # fmt: skip
        with pytest.raises(ValueError, match="is no"):
            read(wrong)


@given(st.text(max_size=120), st.integers(1, 140))
def test_letters_that_every_bank_takes(text, most):
    said = latin(text, most)
    assert set(said) <= ALLOWED
    assert len(said) <= most
    assert "//" not in said
    assert said == said.strip(" /")


def test_letters_of_names():
    assert latin("Łukasz Müller-Ångström & Søn", 70) == "Lukasz Mueller-Angstroem + Son"
    assert latin("Иван", 70) == ""
    assert latin("e\u0301milie\n\t<x>", 70) == "emilie x"


@given(st.integers(1, 10**15), st.integers(1, 10**12))
def test_cents_are_rounded_down(nanos, rate):
    exact = Fraction(nanos, 10**7) * Fraction(rate, 10**9)
    assert 0 <= exact - cents_paid(nanos, rate) < 1
    assert cents_paid(nanos, 10**9) == nanos // 10**7
    assert cents_text(12345) == "123.45"


def test_payees():
    told = bank.payee({"name": " Ada ", "iban": "de02 1203 0000 0000 2020 51", "bic": "deutdeff"})
    assert (dict(told.details), told.hint) == ({"name": "Ada", "iban": IBAN, "bic": "DEUTDEFF"}, "•••• 2051")
    usa = {"name": "Ada", "account_number": "123456789", "routing_number": "021000021"}
    assert bank.payee(usa).hint == "•••• 6789"
    assert dict(bank.payee({"name": "Ada", "iban": IBAN, "colour": "red"}).details) == {"name": "Ada", "iban": IBAN}
    for wrong in (
        {}, {"name": "Ada"}, {"iban": IBAN}, {"name": "Иван", "iban": IBAN}, {"name": "Ada", "iban": IBAN[:-1] + "2"},
        {"name": "Ada", "iban": IBAN, "account_number": "1234"}, {"name": "Ada", "account_number": "1234"},
        {"name": "Ada", "iban": IBAN, "routing_number": "021000021"},
        {"name": "Ada", "iban": IBAN, "bic": "X"},
    ):  # fmt: skip
        with pytest.raises(ValidationFailed):
            bank.payee(wrong)


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", "\0x"])
def test_no_cell_is_a_formula(text):
    assert text_cell(text) == f"'{text}"
    assert text_cell(f"a{text}") == f"a{text}"
