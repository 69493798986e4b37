"""What an act says a thing was before is what the act before it made of it, however many change it at once."""

import asyncio
from datetime import datetime

import pytest

from tokenhouse.domain.access.rules import digest_of_state


def state(told):
    """What was answered, as the act's digest is of it: with times, not their texts."""
    return {name: datetime.fromisoformat(one) if name.endswith("_at") else one for name, one in told.items()}


@pytest.mark.parametrize("what", ["account", "model", "plan"])
async def test_each_change_begins_where_the_last_one_ended(client, superuser, what):
    if what == "model":
        path = f"/v1/models/{await client.model()}"
        changes = [("PATCH", path, {"name": f"n{n}"}) for n in range(10)]
    else:
        path = f"/v1/accounts/{await client.account('ann', plan='free')}"
        changes = [("PATCH", path, {"name": f"n{n}"}) for n in range(10)]
    if what == "plan":
        changes = [("PUT", f"{path}/plan", {"plan": ("pro", "free")[n % 2]}) for n in range(10)]
    first = (await client.get(path)).json
    done = await asyncio.gather(*(client.call(*change) for change in changes))
    assert {one.status for one in done} == {200}
    told = {one.headers["x-request-id"]: one.json for one in done}
    acts = superuser.execute(
        "select a.request_id, a.before, a.after, p.salt from access.audit a "
        "join access.audit_private p on p.audit_id = a.id where a.request_id = any(%s) order by a.id",
        [list(told)],
    ).fetchall()
    assert len(acts) == 10
    was = first
    for request, before, after, salt in acts:
        now = told[request]
        pick = (lambda one: one["plan"]) if what == "plan" else state
        assert digest_of_state(salt, pick(now)) == after
        assert digest_of_state(salt, pick(was)) == before, f"not what the act before left: {was}"
        was = now
