"""Rules of banks: the numbers of accounts, the letters that they take, and the cents of a currency. Pure."""

import re
import unicodedata

from tokenhouse.domain.payouts.rules import CENT
from tokenhouse.domain.payouts.types import WHOLE_RATE
from tokenhouse.infra.kernel.money import scaled_text

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}", re.ASCII)
_BIC = re.compile(r"[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?", re.ASCII)
_ROUTING = re.compile(r"[0-9]{9}", re.ASCII)
_ACCOUNT = re.compile(r"[0-9]{4,17}", re.ASCII)
_ROUTING_WEIGHTS = (3, 7, 1, 3, 7, 1, 3, 7, 1)
_LENGTHS = {
    "AD": 24, "AT": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22, "DK": 18, "EE": 20, "ES": 24,
    "FI": 18, "FR": 27, "GB": 22, "GI": 23, "GR": 27, "HR": 21, "HU": 28, "IE": 22, "IS": 26, "IT": 27, "LI": 21,
    "LT": 20, "LU": 20, "LV": 21, "MC": 27, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "SE": 24,
    "SI": 19, "SK": 24, "SM": 27, "VA": 22,
}  # fmt: skip
"""How long an IBAN is, in the countries of SEPA; others are checked by their digits alone."""

# Letters that do not come apart into a plain one and a mark, or are written otherwise by banks.
_LETTERS = str.maketrans({
    "ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D",
    "ð": "d", "Ð": "D", "þ": "th", "Þ": "TH", "ł": "l", "Ł": "L", "\u0131": "i", "ħ": "h", "Ħ": "H",
    "ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue",
    "\u2018": "'", "\u2019": "'", "\u2013": "-", "\u2014": "-", "&": "+", "_": "-", "@": "(at)",
})  # fmt: skip
_NOT_TAKEN = re.compile(r"[^A-Za-z0-9/\-?:().,'+ ]")
_LETTER = re.compile(r"[A-Za-z]")


def iban_of(text: str) -> str:
    """Read an IBAN, spaces or not; ValueError where its check digits or its length are wrong."""
    iban = "".join(text.split()).upper()
    if not _IBAN.fullmatch(iban) or len(iban) != _LENGTHS.get(iban[:2], len(iban)):
        raise ValueError("is no IBAN: two letters, two digits, then the account, as the bank writes it")
    if int("".join(str(int(letter, 36)) for letter in iban[4:] + iban[:4])) % 97 != 1:
        raise ValueError("is no IBAN: its check digits are wrong; look for a typing error")
    return iban


def bic_of(text: str) -> str:
    """Read a BIC of 8 or 11 characters; ValueError for anything else."""
    bic = "".join(text.split()).upper()
    if not _BIC.fullmatch(bic):
        raise ValueError("is no BIC, which has 8 or 11 letters and digits")
    return bic


def routing_of(text: str) -> str:
    """Read a routing number of a bank of the United States; ValueError where its check digit is wrong."""
    number = "".join(text.split())
    if not _ROUTING.fullmatch(number) or sum(w * int(d) for w, d in zip(_ROUTING_WEIGHTS, number, strict=True)) % 10:
        raise ValueError("is no routing number: nine digits, the last of which checks the others")
    return number


def account_of(text: str) -> str:
    """Read the number of an account in the United States; ValueError for anything but 4 to 17 digits."""
    number = text.replace("-", " ").replace(" ", "")
    if not _ACCOUNT.fullmatch(number):
        raise ValueError("is no account number: 4 to 17 digits")
    return number


def latin(text: str, most: int) -> str:
    """Write a text with the characters that every bank of SEPA takes, at most so many; "" where none is left."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFC", text).translate(_LETTERS))
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    plain = " ".join(_NOT_TAKEN.sub(" ", plain).split())
    while "//" in plain:  # has a meaning of its own between banks
        plain = plain.replace("//", "/")
    plain = plain[:most].strip(" /")
    return plain if _LETTER.search(plain) else ""


def cents_paid(nanos: int, rate: int) -> int:
    """Say how many whole cents of a currency so many nano-dollars pay, rounded down. rate: 10^-9 a dollar."""
    return nanos * rate // (WHOLE_RATE * CENT)


def cents_text(cents: int) -> str:
    """Write cents as a decimal number with two places."""
    return scaled_text(cents, 2, 2)


def rate_text(rate: int) -> str:
    """Write a rate as a decimal number."""
    return scaled_text(rate, 9, 2)
