"""[[bonus]] of the catalog file: what may be said, what is refused, how a change is told."""

import pytest

from tokenhouse.domain.catalog import parse, read_source
from tokenhouse.domain.catalog.rules import diff
from tokenhouse.domain.catalog.types import Bonus, CatalogInvalid

SHIPPED = read_source().text


def read(*lines: str):
    return parse(SHIPPED + "\n[[bonus]]\n" + "\n".join(lines))


def test_none_is_shipped():
    assert parse(SHIPPED).bonuses == {}


@pytest.mark.parametrize(("lines", "bonus"), [
    (('kind = "uses"', "at = 100"), Bonus("b", "uses", 100, 10**9)),
    (('kind = "uses"', "at = 100", 'scope = "creator"', "active = false"),
     Bonus("b", "uses", 100, 10**9, "creator", active=False)),
    (('kind = "first_sale"',), Bonus("b", "first_sale", 1, 10**9)),
    (('kind = "referral"', "at = 5000"), Bonus("b", "referral", 5000, 10**9)),
    (('kind = "performance"', "at = 3"), Bonus("b", "performance", 3, 10**9)),
])  # fmt: skip
def test_a_bonus(lines, bonus):
    assert read('id = "b"', 'amount_usd = "1"', *lines).bonuses == {"b": bonus}


@pytest.mark.parametrize(("lines", "field"), [
    (('kind = "uses"', 'amount_usd = "1"'), "at"),
    (('kind = "uses"', 'amount_usd = "1"', "at = 0"), "at"),
    (('kind = "first_sale"', 'amount_usd = "1"', "at = 2"), "at"),
    (('kind = "referral"', 'amount_usd = "1"', "at = 2", 'scope = "model"'), "scope"),
    (('kind = "performance"', 'amount_usd = "1"', "at = 2", 'scope = "creator"'), "scope"),
    (('kind = "uses"', 'amount_usd = "1"', "at = 2", 'scope = "planet"'), "scope"),
    (('kind = "uses"', 'amount_usd = "0"', "at = 2"), "amount_usd"),
    (('kind = "uses"', "at = 2"), "amount_usd"),
    (('kind = "luck"', 'amount_usd = "1"', "at = 2"), "kind"),
    (('kind = "uses"', 'amount_usd = "1"', "at = 2", "often = true"), "often"),
])  # fmt: skip
def test_what_is_no_bonus(lines, field):
    with pytest.raises(CatalogInvalid) as refused:
        read('id = "b"', *lines)
    assert any(problem["field"].endswith(field) for problem in refused.value.errors)


def test_changes_are_told():
    one = read('id = "b"', 'amount_usd = "1"', 'kind = "uses"', "at = 100")
    more = read('id = "b"', 'amount_usd = "2.50"', 'kind = "uses"', "at = 100")
    plain = parse(SHIPPED)
    assert [change.sort for change in diff(plain, one)] == ["added"]
    assert diff(plain, one)[0].text.startswith("bonus b: new; kind uses; threshold 100; amount $1.00")
    assert [change.text for change in diff(one, more)] == ["bonus b: amount $1.00 -> amount $2.50"]
    assert [change.text for change in diff(one, plain)] == ["bonus b: withdrawn"]
