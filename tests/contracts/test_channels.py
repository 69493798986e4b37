"""What every alert channel keeps, whatever files are found: add one, and it is tested on arrival."""

import inspect
from pathlib import Path

import pytest

from tokenhouse.domain.alerts.channels import found, outlet_of
from tokenhouse.domain.alerts.types import Outlet, Setup

KINDS = sorted(found())
SETUP = Setup("smtp://us:s3cret@mail.example:2525", "House <no-reply@house.example>", Path("/nowhere/mail"))


def test_there_are_some():
    assert "mail" in KINDS
    with pytest.raises(ValueError, match="mail"):
        outlet_of("pigeon", SETUP)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_not_there_where_it_is_not_set_up(kind):
    assert kind.isidentifier()
    assert kind == found()[kind].KIND
    assert outlet_of(kind, Setup()) is None


@pytest.mark.parametrize("kind", KINDS)
def test_it_tells_where_it_leads_and_no_secret(kind):
    outlet: Outlet | None = outlet_of(kind, SETUP)
    if outlet is None:
        pytest.skip("this setup is none for it")
    assert outlet.where
    assert "s3cret" not in outlet.where + repr(outlet)
    assert inspect.iscoroutinefunction(outlet.deliver)
