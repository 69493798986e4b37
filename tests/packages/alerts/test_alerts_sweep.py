"""What becomes of letters in time: sent ones go, and what waits for too long is not sent any more."""

from tokenhouse.domain import alerts
from tokenhouse.entrypoints.jobs.runner import once
from tokenhouse.entrypoints.jobs.tasks import TASKS, Context
from tokenhouse.infra.database import PLATFORM

SWEEP = next(task for task in TASKS if task.name == "sweep mail")
LETTERS = ("young", "waiting", "failing", "new sent", "old sent", "given up", "on the way")


async def outbox(db, admin):
    """A letter of every sort, by the name in its address; on the way: somebody delivers it just now."""
    for name in LETTERS:
        async with db.transaction(PLATFORM) as tx:
            values = {"link": "https://app.example/x", "name": name}
            await alerts.send(tx, to=f"{name.replace(' ', '-')}@example.com", template="verify_email", values=values)
    ids = dict(admin.execute("select vals ->> 'name', id from alerts.mail").fetchall())
    gone = "due_at = null, recipient = null, vals = null"
    for name, change in {
        "young": "created_at = clock_timestamp() - interval '6 days 23 hours'",
        "waiting": "created_at = clock_timestamp() - interval '8 days'",
        "failing": "created_at = clock_timestamp() - interval '8 days', trouble = 'it was refused'",
        "new sent": f"sent_at = clock_timestamp() - interval '29 days', {gone}",
        "old sent": f"sent_at = clock_timestamp() - interval '31 days', {gone}",
        "given up": f"given_up_at = clock_timestamp() - interval '31 days', trouble = 'no', {gone}",
        "on the way": "created_at = clock_timestamp() - interval '8 days', tries = 1,"
        " due_at = clock_timestamp() + interval '3 minutes'",
    }.items():
        admin.execute(f"update alerts.mail set {change} where id = %s", [ids[name]])
    return ids


async def test_sent_letters_go_and_old_ones_are_given_up(db, worker_db, admin):
    ids = await outbox(db, admin)
    assert await once(SWEEP, Context(worker_db, lambda: False)) == 4
    assert await once(SWEEP, Context(worker_db, lambda: False)) == 0
    found = {
        key: rest
        for key, *rest in admin.execute(
            "select id, recipient, vals, trouble, sent_at is not null, given_up_at is not null from alerts.mail"
        )
    }
    assert ids["old sent"] not in found
    assert len(found) == len(LETTERS) - 1
    assert found[ids["young"]][0] == "young@example.com"
    assert found[ids["new sent"]][3]
    after = "given up after 7 days"
    assert found[ids["waiting"]] == [None, None, f"nothing delivered it; {after}", False, True]
    assert found[ids["failing"]] == [None, None, f"it was refused; {after}", False, True]
    assert found[ids["given up"]] == [None, None, "no", False, True]
    # It arrived after all: that counts.
    async with db.transaction(PLATFORM) as tx:
        await tx.connection.execute("select alerts.end_mail(%s)", [ids["on the way"]])
    sent = "select sent_at is not null, given_up_at, trouble from alerts.mail where id = %s"
    assert admin.execute(sent, [ids["on the way"]]).fetchone() == (True, None, None)
