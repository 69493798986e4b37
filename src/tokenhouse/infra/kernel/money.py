"""Exact money. Amounts are integer nano-dollars, multipliers integer basis points; no float comes near.

Rounding is half-even and happens once, at the end of a formula, here.
"""

import re
from decimal import Decimal, localcontext

NANOS = 10**9
"""Nano-dollars in a dollar (and nano-credits in a credit)."""
MAX_NANOS = 2**63 - 1
"""The most that a bigint column holds: about 9.2 billion dollars."""
BPS = 10_000
"""Basis points in one whole."""

_DECIMAL = re.compile(r"(-?)([0-9]{1,24})(?:\.([0-9]+))?", re.ASCII)


def round_half_even(numerator: int, denominator: int) -> int:
    """Divide two integers (denominator > 0) and round the exact quotient half to even."""
    if denominator <= 0:
        raise ValueError("the denominator of a rounding must be above 0")
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient & 1):
        return quotient + 1
    return quotient


def ceil_div(numerator: int, denominator: int) -> int:
    """Divide two integers (denominator > 0), rounding up."""
    if denominator <= 0:
        raise ValueError("the denominator of a rounding must be above 0")
    return -(-numerator // denominator)


def scaled_of(text: str, places: int) -> int:
    """Read a plain decimal string as an integer of 10**-places, exactly.

    ValueError for anything else: an exponent, spaces, a sign `+`, more places than there are.
    """
    found = _DECIMAL.fullmatch(text)
    if found is None:
        raise ValueError(f'{text!r} is not a plain decimal number such as "0.0001"')
    sign, whole, fraction = found[1], found[2], (found[3] or "").rstrip("0")
    if len(fraction) > places:
        raise ValueError(f"{text!r} has more than {places} decimal places")
    value: int = int(whole) * 10**places + int(fraction.ljust(places, "0") or "0")
    return -value if sign else value


def scaled_text(value: int, places: int, at_least: int = 0) -> str:
    """Write an integer of 10**-places as a decimal string with as many places as it needs."""
    whole, fraction = divmod(abs(value), 10**places)
    digits = str(fraction).rjust(places, "0").rstrip("0").ljust(at_least, "0") if places else ""
    return f"{'-' if value < 0 else ''}{whole}{'.' if digits else ''}{digits}"


def nanos_of_usd(text: str) -> int:
    """Nano-dollars of a decimal string of dollars, exact to nine places; else ValueError."""
    return scaled_of(text, 9)


def usd_text(nanos: int) -> str:
    """Dollars of nano-dollars as a decimal string of at least two places: "0.0001", "30.00"."""
    if nanos % 10_000_000 == 0:
        cents = nanos // 10_000_000
        whole, rest = divmod(abs(cents), 100)
        return f"{'-' if nanos < 0 else ''}{whole}.{rest:02d}"
    return scaled_text(nanos, 9, 2)


def usd_said(nanos: int) -> str:
    """Dollars of nano-dollars for people: "$1,000.00", "-$0.0001"."""
    whole, _, places = usd_text(abs(nanos)).partition(".")
    return f"{'-' if nanos < 0 else ''}${int(whole):,}.{places}"


def usd_number(nanos: int) -> int | Decimal:
    """Dollars of nano-dollars as an exact number: an int where whole, else a Decimal with no spare zeros."""
    whole, rest = divmod(nanos, NANOS)
    return Decimal(scaled_text(nanos, 9)) if rest else whole


def bps_of(text: str) -> int:
    """Basis points of a decimal string ("1.2": 12 000), exact to four places, or ValueError."""
    return scaled_of(text, 4)


def bps_text(bps: int) -> str:
    """Write basis points as a multiplier: 12 000 is "1.2"."""
    return scaled_text(bps, 4)


def nanos_of_decimal(amount: Decimal) -> int:
    """Nano-dollars of a Decimal of dollars, half-even at the ninth place: for figures from outside."""
    with localcontext() as context:
        context.prec = 60
        return int((amount * NANOS).to_integral_value("ROUND_HALF_EVEN"))
