"""The demo: the same for one seed and day, safely repeated, with clean books; and `up`, which loads it."""

import signal

import psycopg
import pytest

from service import until
from tokenhouse.entrypoints.cli.demo import days
from tokenhouse.entrypoints.cli.demo.cast import PEOPLE
from tokenhouse.infra.kernel.errors import Forbidden

DIGEST = """
select count(*), md5(string_agg(concat_ws('|', i.external_id, u.occurred_at, u.kind, u.operation, u.usage_type,
         u.amount, u.credits, u.balance_after, u.nanos, u.reason, m.external_id, c.external_id, u.user_label,
         u.upstream_model, u.cost_nanos, u.quantity, u.metadata), E'\n' order by i.external_id, u.occurred_at, u.id))
from metering.usage u
join access.identity i on i.account_id = u.account_id
left join market.model m on m.id = u.model_id
left join market.character c on c.id = u.character_id
"""
ENTRIES = "select count(*) from ledger.entry"


@pytest.fixture
def short(monkeypatch):
    """Eight days are as good as ninety, and quicker."""
    monkeypatch.setattr(days, "DAYS", 8)


def test_the_demo_is_the_same_everywhere_and_safely_repeated(cli, admin, other_database, monkeypatch, short):
    first = cli.json("demo", "--end-day", "2026-03-31")
    assert first["new"] == first["uses"] > 400
    assert first["refused"] == {}
    digest = admin.execute(DIGEST).fetchone()
    entries = admin.execute(ENTRIES).fetchone()
    again = cli.json("demo", "--end-day", "2026-03-31")
    assert (again["uses"], again["new"]) == (first["uses"], 0)
    assert admin.execute(DIGEST).fetchone() == digest
    assert admin.execute(ENTRIES).fetchone() == entries
    assert cli.json("verify")["holds"] is True
    # Loaded on the next day it gains that day alone.
    later = cli.json("demo", "--end-day", "2026-04-01")
    assert 0 < later["new"] < later["uses"] / 4

    monkeypatch.setenv("TOKENHOUSE_DATABASE_URL", other_database)
    cli.json("demo", "--end-day", "2026-03-31")
    with psycopg.connect(other_database) as other:
        assert other.execute(DIGEST).fetchone() == digest


def test_creators_were_paid_and_wait(cli, admin, short):
    states = (
        "select i.external_id, p.state::text, p.amount > 0 from payouts.payout p "
        "join access.identity i using (account_id) order by p.id"
    )
    for _ in range(2):
        cli.json("demo", "--end-day", "2026-03-31")
        assert admin.execute(states).fetchall() == [
            ("demo-creator", "completed", True), ("demo-creator", "failed", True), ("demo-creator", "pending", True),
            ("demo-kenji", "completed", True), ("demo-kenji", "cancelled", True),
        ]  # fmt: skip
    assert cli.json("verify")["holds"] is True


def test_the_new_person_owns_and_earned_nothing(cli, admin, short):
    cli.json("demo", "--end-day", "2026-03-31")
    (new,) = admin.execute("select account_id from access.identity where external_id = 'demo-new'").fetchone()
    assert admin.execute("select count(*) from market.ownership where account_id = %s", [new]).fetchone() == (0,)
    assert admin.execute("select count(*) from metering.usage where account_id = %s", [new]).fetchone() == (0,)
    emails = {name for (name,) in admin.execute("select email from access.identity where email like '%@example.com'")}
    assert {f"{who}@example.com" for who in ("admin", "creator", "user", "new")} <= emails
    plans = {plan for (plan,) in admin.execute("select distinct plan_id from wallets.enrolment")}
    assert plans == {"free", "pro", "starter", "pro-org", "enterprise"}
    reasons = {reason for (reason,) in admin.execute("select distinct reason from metering.usage")}
    assert reasons >= {None, "self_use", "not_monetized", "no_model"}
    assert admin.execute("select array_agg(distinct state) from ledger.hold").fetchone() == (["captured"],)


def test_a_day_is_told_by_its_seed(monkeypatch):
    monkeypatch.setattr(days, "DAYS", 3)
    (day, *_) = days.days_until(days.date(2026, 3, 31))
    told = days.uses_of(day, 1)
    assert told == days.uses_of(day, 1)
    assert told != days.uses_of(day, 2)
    assert [use.number for use in told] == list(range(len(told)))
    assert [use.body["occurred_at"] for use in told] == sorted(use.body["occurred_at"] for use in told)
    assert {use.account for use in told} <= {one.account.external_id for one in PEOPLE}


def test_production_has_no_demo(cli, monkeypatch):
    monkeypatch.setenv("TOKENHOUSE_ENV", "production")
    assert isinstance(cli("demo", status=1), Forbidden)
    assert isinstance(cli("up", status=1), Forbidden)


def test_up_serves_and_loads_the_demo_beside(service):
    service.start("up")
    until(lambda: "The demo is loaded" in service.said(), 60, service.said)
    status, wallets = service.call("GET", "/v1/accounts/demo-user/wallets")
    assert status == 200
    assert next(one["used"] for one in wallets if one["credit_type"] == "general") > 0
    assert "th_test_" not in service.said()  # there is an admin key, so none was made
    service.signal(signal.SIGTERM, group=True)
    assert service.process.wait(25) == 0, service.said()
