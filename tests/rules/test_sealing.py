"""Sealed values: they open in their own place, with their own key, whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenhouse.infra.kernel.sealing import Place, Sealer, Unsealable, new_key, parse_keys

OLD, NEW = parse_keys(f"{new_key('old')},{new_key('new')}")
PLACE = Place("payouts.payee", "details", "7")


@given(st.binary(max_size=2000), st.text(max_size=40))
def test_what_is_sealed_opens_again(plain, row):
    sealer = Sealer([OLD])
    place = Place("payouts.payee", "details", row)
    sealed = sealer.seal(plain, place)
    assert sealer.open(sealed, place) == plain
    assert sealer.seal(plain, place) != sealed
    assert len(plain) < 8 or plain not in sealed


@pytest.mark.parametrize(
    "other",
    [
        Place("payouts.payee", "details", "8"),
        Place("payouts.payee", "other", "7"),
        Place("access.payee", "details", "7"),
        Place("payouts.payeed", "etails", "7"),
        Place("payouts.payee", "details7", ""),
    ],
)
def test_a_swapped_value_does_not_open(other):
    sealer = Sealer([OLD])
    with pytest.raises(Unsealable):
        sealer.open(sealer.seal(b"iban", PLACE), other)


def test_an_altered_value_does_not_open():
    sealer = Sealer([OLD, NEW])
    sealed = sealer.seal(b"iban", PLACE)
    for at in range(len(sealed)):
        changed = bytearray(sealed)
        changed[at] ^= 1
        with pytest.raises(Unsealable):
            sealer.open(bytes(changed), PLACE)
    for cut in range(len(sealed)):
        with pytest.raises(Unsealable):
            sealer.open(sealed[:cut], PLACE)
    with pytest.raises(Unsealable):
        sealer.open(sealed + b"x", PLACE)


def test_keys_follow_each_other():
    before, between, after = Sealer([OLD]), Sealer([NEW, OLD]), Sealer([NEW])
    sealed = before.seal(b"iban", PLACE)
    assert between.open(sealed, PLACE) == b"iban"
    assert (before.is_current(sealed), between.is_current(sealed)) == (True, False)
    fresh = between.seal(b"iban", PLACE)
    assert after.open(fresh, PLACE) == b"iban"
    with pytest.raises(Unsealable, match="'old'"):
        after.open(sealed, PLACE)
    # Another key of the same id is another key.
    with pytest.raises(Unsealable):
        Sealer(parse_keys(new_key("old"))).open(sealed, PLACE)


def test_a_key_is_not_shown():
    assert repr(OLD) == "SealKey(id='old')"
