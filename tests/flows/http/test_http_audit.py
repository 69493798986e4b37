"""Who did what: every administrative route leaves its act, in its own transaction, and auditors read it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from house.test_acts import RECORDED
from http_face import is_problem, key
from rights_awards import REVIEWS, review_of
from tokenhouse.domain import access, catalog, ledger, market
from tokenhouse.domain.access.types import SessionLimits, Visitor
from tokenhouse.infra.database import PLATFORM, Database


async def acts(client, **filters):
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    reply = await client.get(f"/v1/audit?limit=100&{query}")
    assert reply.status == 200, reply
    return reply.json["data"]


@pytest_asyncio.fixture
async def session(client, shared_database):
    """Opens a session of a new person: the account, and the session's id."""
    async with Database(shared_database.app_conninfo, shared_database.signer) as database:

        async def opened():
            name = await client.account("person", email=f"{key()}@example.com")
            async with database.transaction(PLATFORM) as tx:
                account = await access.find_account(tx, name)
                await access.add_credential(tx, account, account.email, "$argon2id$none", verified=True)
                assert await access.open_session(tx, account.id, Visitor("192.0.2.9"), SessionLimits(600, 600))
            return name, (await client.get("/v1/sessions", user=name)).json["data"][0]["id"]

        yield opened


async def _routes(client, database, session):
    """operation_id → what to call: method, path, body, target of the act ({} being of the answer), and for whom."""
    org, user, boss = (
        await client.account("org", "organization"), await client.account("ann", credits_left=50),
        await client.account("boss"),
    )  # fmt: skip
    charge = await client.must("/v1/charges", {"account_id": user, "amount": 3})
    made = [await client.must(f"/v1/accounts/{user}/api-keys", {}) for _ in range(2)]
    model, gone = await client.model(), await client.model()
    new, members = f"new-{key()[:12]}", f"/v1/accounts/{org}/members"
    mates = [await client.account("mate", email=f"{key()}@example.com") for _ in range(2)]
    await client.must(members, {"user_id": mates[0], "role": "member"})
    email = (await client.get(f"/v1/accounts/{mates[1]}")).json["email"]
    invitations = f"/v1/accounts/{org}/invitations"
    link = (await client.must(invitations, {"email": email, "role": "member"}))["link"]
    invited = await client.must(invitations, {"email": f"{key()}@example.com", "role": "member"})
    (one, open_one), (two, _) = await session(), await session()
    grant = {"credit_type": "general", "amount": 5, "source": "gift"}
    return {
        "accounts_create": ("POST", "/v1/accounts", {"id": new, "kind": "user", "name": "x"}, f"account:{new}"),
        "accounts_update": ("PATCH", f"/v1/accounts/{user}", {"name": "Ada"}, f"account:{user}"),
        "accounts_change_plan": ("PUT", f"/v1/accounts/{user}/plan", {"plan": "pro"}, f"account:{user}"),
        "accounts_erase": ("POST", f"/v1/accounts/{boss}/erase", None, "account:{id}"),
        "members_set": ("POST", members, {"user_id": user, "role": "admin"}, None),
        "members_remove": ("DELETE", f"{members}/{mates[0]}", None, None),
        "invitations_create": ("POST", invitations, {"email": "a@example.com", "role": "admin"}, "invitation:{id}"),
        "invitations_revoke": ("DELETE", f"{invitations}/{invited['id']}", None, f"invitation:{invited['id']}"),
        "invitations_accept": (
            "POST", "/v1/invitations/accept", {"token": link.rpartition("/")[2]}, None, mates[1],
        ),
        "sessions_end": ("DELETE", f"/v1/sessions/{open_one}", None, f"session:{open_one}", one),
        "sessions_end_all": ("POST", "/v1/sign-out-everywhere", None, f"account:{two}", two),
        "api_keys_create": ("POST", f"/v1/accounts/{user}/api-keys", {"name": "k"}, "key:{id}"),
        "api_keys_rotate": ("POST", f"/v1/keys/{made[1]['id']}/rotate", {}, f"key:{made[1]['id']}"),
        "api_keys_revoke": ("DELETE", f"/v1/accounts/{user}/api-keys/{made[0]['id']}", None, f"key:{made[0]['id']}"),
        "grants_create": ("POST", f"/v1/accounts/{user}/grants", grant, "grant:{id}"),
        "charges_reverse": ("POST", f"/v1/charges/{charge['id']}/reverse", {"reason": "x"}, f"charge:{charge['id']}"),
        "models_create": ("POST", "/v1/models", {"name": "x", "category": "c"}, "model:{id}"),
        "models_update": ("PATCH", f"/v1/models/{model}", {"active": False}, f"model:{model}"),
        "models_remove": ("DELETE", f"/v1/models/{gone}", None, f"model:{gone}"),
        **await _market(client, database, user),
        "characters_create": ("POST", "/v1/characters", {"name": "x", "model_id": model}, "character:{id}"),
    }  # fmt: skip


async def _market(client, database, user):
    """The routes of what becomes of a model, its characters and its reviews."""
    kept, sold, handed, other = [await client.model() for _ in range(4)]
    for model in (sold, handed):
        await client.must(f"/v1/models/{model}/purchase", {}, user=user)
    heir = await client.account("heir")
    faces = [(await client.must("/v1/characters", {"name": "x", "model_id": kept}))["id"] for _ in range(2)]
    used = await client.model(owner=heir)
    await client.must("/v1/charges", {"account_id": user, "model_id": used, "amount": 1})
    review = (await client.call("PUT", f"/v1/models/{used}/review", {"stars": 2}, user=user)).json["id"]
    drafts = [await client.model() for _ in range(2)]
    async with database.transaction(PLATFORM) as tx:
        terms = await catalog.load(tx)
        for draft in drafts:
            await market.update_model(tx, terms, draft, {"approval": "pending"})
    return {
        "models_approve": ("POST", f"/v1/models/{drafts[0]}/approve", None, f"model:{drafts[0]}"),
        "models_reject": ("POST", f"/v1/models/{drafts[1]}/reject", {"reason": "x"}, f"model:{drafts[1]}"),
        "models_bulk": ("POST", "/v1/models/bulk", {"ids": [other], "action": "deactivate"}, f"model:{other}"),
        "models_refund": ("POST", f"/v1/models/{sold}/refund", {"account_id": user}, f"model:{sold}"),
        "models_transfer": (
            "POST", f"/v1/models/{handed}/transfer", {"from_account_id": user, "to_account_id": heir},
            f"model:{handed}",
        ),
        "characters_update": ("PATCH", f"/v1/characters/{faces[0]}", {"name": "y"}, f"character:{faces[0]}"),
        "characters_remove": ("DELETE", f"/v1/characters/{faces[1]}", None, f"character:{faces[1]}"),
        "model_reviews_moderate": ("POST", f"/v1/reviews/{review}/moderate", {"state": "hidden"}, f"review:{review}"),
    }  # fmt: skip


async def _awards(client, own):
    """The same of adjustments, referrals and reviews."""
    ann, bea = await client.account("ann", credits_left=50), await client.account("bea")
    reviews = [await review_of(client, own, ann, bea) for _ in range(2)]
    amount, said = {"amount_nano_usd": 5, "reason": "x"}, {"reason": "x"}
    paths = [f"{REVIEWS}/{one}" for one in reviews]
    return {
        "accounts_set_referrer": ("PUT", f"/v1/accounts/{ann}/referrer", {"referred_by": bea}, f"account:{ann}"),
        "earnings_adjust": ("POST", f"/v1/accounts/{bea}/earnings-adjustments", amount, "adjustment:{id}"),
        "earnings_reviews_clear": ("POST", f"{paths[0]}/clear", said, f"review:{reviews[0]}"),
        "earnings_reviews_reject": ("POST", f"{paths[1]}/reject", said, f"review:{reviews[1]}"),
    }


async def _payouts(client):
    """The same of payouts, how accounts are paid, and exports."""
    who = await client.account("payee", credits_left=10)
    payer, model = await client.account("payer", credits_left=3_000), await client.model(owner=who)
    long_ago = {"account_id": payer, "model_id": model, "amount": 2_000, "occurred_at": "2025-01-01T00:00:00Z"}
    await client.must("/v1/charges", long_ago)
    base, one = f"/v1/accounts/{who}", {"account_id": who, "amount_nano_usd": 1}
    steps = ("approve", "complete", "fail", "cancel")
    waiting = {step: (await client.must("/v1/payouts", one))["id"] for step in steps}
    bank = {"method": "bank", "details": {"name": "Ann", "iban": "DE02120300000000202051"}}
    by_bank = await client.account("by-bank")
    sold = await client.model(owner=by_bank)
    await client.must("/v1/charges", {**long_ago, "model_id": sold, "amount": 500})
    await client.call("PUT", f"/v1/accounts/{by_bank}/payout-method", bank)
    batched = await client.must("/v1/payouts", {"account_id": by_bank, "amount_nano_usd": 10_000_000})
    return {
        "payouts_create": ("POST", "/v1/payouts", one, "payout:{id}"),
        **{
            f"payouts_{step}": ("POST", f"/v1/payouts/{payout}/{step}", {}, f"payout:{payout}")
            for step, payout in waiting.items()
        },
        "payouts_bulk": ("POST", "/v1/payouts/bulk", {"payouts": [one]}, None),
        "payout_batches_create": (
            "POST", "/v1/payout-batches", {"format": "csv", "ids": [batched["id"]]}, "batch:{id}",
        ),
        "payout_method_set": (
            "PUT", f"{base}/payout-method", {"method": "manual", "details": {"iban": "12345678"}}, f"account:{who}",
        ),
        "payout_method_reveal": ("POST", f"{base}/payout-method/reveal", None, f"account:{who}"),
        "payout_schedule_set": ("PUT", f"{base}/payout-schedule", {"every": "week", "day": 1}, f"account:{who}"),
        "payout_schedule_drop": ("DELETE", f"{base}/payout-schedule", None, f"account:{who}"),
        "exports_create": ("POST", "/v1/exports", {"account_id": who, "kind": "usage", "format": "csv"}, "export:{id}"),
    }  # fmt: skip


# Besides what is created.
BEGUN = {
    "charges_reverse", "members_set", "invitations_accept", "accounts_erase", "accounts_set_referrer",
    "earnings_adjust", "earnings_reviews_clear", "earnings_reviews_reject", "payouts_bulk", "payout_method_set",
    "payout_method_reveal", "payout_schedule_set",
}  # fmt: skip
ENDED = {
    "api_keys_revoke", "characters_remove", "models_remove", "members_remove", "invitations_revoke", "sessions_end",
    "sessions_end_all", "payout_schedule_drop", "payout_method_reveal",
}  # fmt: skip


async def test_every_recorded_route_leaves_its_act(client, own, session):
    stranger = await client.key_of(await client.account("eve"))
    routes = await _routes(client, own, session) | await _awards(client, own) | await _payouts(client)
    assert routes.keys() == RECORDED.keys()
    for name, (method, path, body, target, *user) in routes.items():
        request = f"{name}-{key()}"
        whom = user[0] if user else None
        done = await client.call(method, path, body, idem=key(), user=whom, headers={"X-Request-ID": request})
        assert done.status in (200, 201, 202, 204), (name, done)
        found = [act for act in await acts(client, act=RECORDED[name]) if act["request_id"] == request]
        assert len(found) == 1, name
        (act,) = found
        assert (act["via"], act["actor"], act["address"]) == ("api", None, "127.0.0.1")
        if target is not None:
            assert act["target"] == target.format(**(done.json or {})), name
        begun, ended = name.endswith("_create") or name in BEGUN, name in ENDED or name == "accounts_erase"
        assert (act["before"] is None, act["after"] is None) == (begun, ended), name
        # What is refused leaves none.
        for caller in (client.by("nobody's"), stranger):
            if name in ("sessions_end_all", "payouts_bulk") and caller is stranger:
                continue  # anybody may, of their own; of payouts each item is refused
            refused = await caller.call(method, path, body, idem=key(), headers={"X-Request-ID": "no"})
            assert refused.status in (401, 403, 404), (name, refused)
    assert [act for act in await acts(client) if act["request_id"] == "no"] == []


async def test_signing_in_is_recorded(client, session):
    person, _ = await session()
    (act,) = await acts(client, act="session.open", actor=person)
    assert (act["account"], act["address"], act["target"]) == (person, "192.0.2.9", f"session:{act['session_id']}")
    email = (await client.get(f"/v1/accounts/{person}")).json["email"]
    for address, account in ((email, person), (f"{key()}@example.com", None)):
        base = str(client.http.base_url).rstrip("/")
        form = {"email": address, "password": "not the right one"}
        tried = await client.http.post("/login", data=form, headers={"Origin": base})
        assert tried.status_code == 401
        act = (await acts(client, act="sign_in.refuse"))[0]
        assert (act["actor"], act["account"], act["address"]) == (None, account, "127.0.0.1")


async def test_an_erased_person_is_in_no_act(client, shared_database):
    person = await client.account("gone")
    own = await client.key_of(person)
    await own.must(f"/v1/accounts/{person}/api-keys", {})
    opaque = (await client.must(f"/v1/accounts/{person}/erase"))["id"]
    mine = await acts(client, target=f"account:{opaque}")
    assert [(act["act"], act["account"], act["address"] is None) for act in mine] == [
        ("account.erase", opaque, False), ("account.create", opaque, True),
    ]  # fmt: skip
    async with Database(shared_database.worker_conninfo, shared_database.signer) as database:
        await ledger.close_block(database, margin_seconds=0)
        await client.must("/v1/accounts", {"kind": "user", "name": "x"})
        await ledger.close_block(database, margin_seconds=0)
        proof = await ledger.verify_chain(database)
    assert proof.fault is None
    assert proof.blocks >= 1


async def test_an_act_goes_with_what_was_done(client):
    """Refused half-way, or done before: no act."""
    user = await client.account("ann", credits_left=0)
    is_problem(await client.post("/v1/accounts", {"id": user, "kind": "user", "name": "x"}), 409)
    body = {"credit_type": "general", "amount": 10, "source": "gift"}
    for _ in range(3):
        assert (await client.post(f"/v1/accounts/{user}/grants", body, idem="once")).status == 201
    is_problem(await client.post(f"/v1/accounts/{user}/grants", {**body, "amount": 11}, idem="once"), 422)
    is_problem(await client.call("PUT", f"/v1/accounts/{user}/plan", {"plan": "none"}), 422)
    mine = [act["act"] for act in await acts(client) if act["account"] == user]
    assert mine == ["grant.create", "account.create"]


async def test_who_acted(client):
    org, boss = await client.account("org", "organization"), await client.account("boss")
    mate = await client.account("mate")
    for user, role in ((boss, "admin"), (mate, "member")):
        await client.must(f"/v1/accounts/{org}/members", {"user_id": user, "role": role})
    own = await client.key_of(boss)
    await own.must(f"/v1/accounts/{org}/members", {"user_id": mate, "role": "admin"})
    (act,) = await acts(client, actor=boss)
    (number,) = {one["account_number"] for one in await acts(client, target=f"account:{boss}")}
    assert (act["act"], act["actor"], act["actor_number"]) == ("member.set", boss, number)
    (made,) = [one for one in await acts(client, act="key.create") if one["account"] == boss]
    assert f"key:{act['key_id']}" == made["target"]
    assert act["before"] != act["after"]


async def test_filters_and_pages(client):
    user = await client.account("ann")
    for name in ("a", "b", "c"):
        assert (await client.call("PATCH", f"/v1/accounts/{user}", {"name": name})).status == 200
    mine = await acts(client, target=f"account:{user}")
    assert [act["act"] for act in mine] == ["account.update"] * 3 + ["account.create"]
    assert [act["id"] for act in mine] == sorted((act["id"] for act in mine), key=int, reverse=True)
    seen, more = [], ""
    for _ in range(4):
        page = (await client.get(f"/v1/audit?target=account:{user}&limit=1{more}")).json
        seen += page["data"]
        more = f"&cursor={page['next_cursor']}"
    assert (seen, page["has_more"]) == (mine, False)
    assert await acts(client, target=f"account:{user}", act="account.create") == mine[3:]
    assert {act["target"].partition(":")[0] for act in await acts(client, target="account")} == {"account"}
    middle = datetime.fromisoformat(mine[1]["at"]).astimezone(UTC).isoformat().replace("+00:00", "Z")
    assert await acts(client, target=f"account:{user}", **{"from": middle}) == mine[:2]
    assert await acts(client, target=f"account:{user}", to=middle) == mine[2:]
    later = (datetime.now(UTC) + timedelta(days=1)).isoformat().replace("+00:00", "Z")
    is_problem(await client.get(f"/v1/audit?from={later}&to={middle}"), 422)
    is_problem(await client.get("/v1/audit?act=nonsense"), 422)
    is_problem(await client.get("/v1/audit?from=2030-01-01T00:00:00"), 422)
    is_problem(await client.get("/v1/audit?target=a%00"), 422)
    is_problem(await client.get("/v1/audit?actor=nobody-at-all"), 404)
    is_problem(await client.get("/v1/audit?cursor=zzz"), 422)


@pytest.mark.parametrize(
    ("scopes", "status"),
    [(["audit:read"], 200), (["admin"], 200), (None, 403), (["wallets:read"], 403), (["usage:write"], 403)],
)
async def test_who_may_read(client, scopes, status):
    user = await client.account("ann")
    caller = await client.key_of(user, **({"scopes": scopes} if scopes else {}))
    assert (await caller.get("/v1/audit")).status == status
    assert (await client.by(None).get("/v1/audit")).status == 401


async def test_only_the_platform_gives_the_right_to_read(client):
    user = await client.account("ann")
    own = await client.key_of(user)
    is_problem(await own.post(f"/v1/accounts/{user}/api-keys", {"scopes": ["audit:read"]}), 403)


async def test_no_personal_data_in_an_act(client, shared_database, postgres):
    """Names, mail and addresses stand in no row that cannot be changed."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    canary = f"canary{key()[:8]}"
    body = {"id": canary, "kind": "user", "name": f"{canary} Smith", "email": f"{canary}@example.com"}
    await client.must("/v1/accounts", body)
    assert (await client.call("PATCH", f"/v1/accounts/{canary}", {"name": f"{canary} Jones"})).status == 200
    await client.must(f"/v1/accounts/{canary}/api-keys", {"name": canary})
    grant = {"credit_type": "general", "amount": 1, "source": "gift", "note": canary}
    await client.must(f"/v1/accounts/{canary}/grants", grant)
    name = conninfo_to_dict(shared_database.app_conninfo)["dbname"]
    with psycopg.connect(postgres.conninfo(str(name)), autocommit=True) as admin:
        rows = admin.execute("select to_jsonb(a) from access.audit a").fetchall()
    text = json.dumps(rows)
    assert canary not in text
    assert "127.0.0.1" not in text
    assert (await acts(client, target=f"account:{canary}"))[0]["account"] == canary
