"""`accounts`, `keys`, `grant`: people and what they may spend, without the API."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from tokenhouse.entrypoints.cli.output import Json, give, give_json, pairs, say

if TYPE_CHECKING:
    from datetime import datetime

    from tokenhouse.domain.access.types import Account

accounts = typer.Typer(no_args_is_help=True, help="Users and organizations.")
keys = typer.Typer(no_args_is_help=True, help="API keys.")

Id = Annotated[str, typer.Argument(help="The account's id.")]
FIRST_PLAN = {"user": "free", "organization": "starter"}


@accounts.command("create")
def create_account(
    account: Id,
    kind: Annotated[Literal["user", "organization"], typer.Option(help="What it is.")] = "user",
    name: Annotated[str | None, typer.Option(help="Shown to people.", show_default="the id")] = None,
    email: Annotated[str | None, typer.Option(help="Where to write.")] = None,
    plan: Annotated[str | None, typer.Option(help="Its plan.", show_default="free, starter")] = None,
    time_zone: Annotated[str, typer.Option(help="An IANA name.")] = "UTC",
    as_json: Json = False,
) -> None:
    """Make an account on a plan."""
    from tokenhouse.entrypoints.cli.session import run

    made = run(_create_account(account, kind, name or account, email, plan or FIRST_PLAN[kind], time_zone))
    if as_json:
        give_json({"id": made.external_id, "kind": made.kind, "name": made.name, "email": made.email})
    else:
        say(f"{kind} {made.external_id} made.")


@keys.command("create")
def create_key(
    account: Annotated[str | None, typer.Option(help="Whose key; none: a platform key, which acts for anyone.")] = None,
    name: Annotated[str, typer.Option(help="To tell it from others.")] = "",
    scope: Annotated[list[str] | None, typer.Option(help="What it may do; none: all that its account may.")] = None,
    days: Annotated[int | None, typer.Option(min=1, help="How many days it lives.", show_default="for ever")] = None,
    rate_limit: Annotated[
        int | None, typer.Option(min=1, max=1_000_000, help="Requests a minute.", show_default="as the settings say")
    ] = None,
    as_json: Json = False,
) -> None:
    """Make an API key. Its secret is shown this once and kept nowhere."""
    from tokenhouse.entrypoints.cli.session import run

    made = run(_create_key(account, name, scope or None, days, rate_limit))
    if as_json:
        give_json(made)
        return
    say("Keep this; it is not shown again:")
    give(str(made["key"]))


@keys.command("list")
def list_keys(
    account: Annotated[str | None, typer.Option(help="Whose keys; none: the platform's.")] = None,
    as_json: Json = False,
) -> None:
    """List keys without their secrets."""
    from tokenhouse.entrypoints.cli.output import table
    from tokenhouse.entrypoints.cli.session import run

    found = run(_list_keys(account))
    if as_json:
        give_json(found)
        return
    columns = ["id", "name", "hint", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at"]
    table(columns, [[row[column] for column in columns] for row in found])


@keys.command("rotate")
def rotate_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="The key's id, from `keys list`.")],
    overlap: Annotated[int, typer.Option(min=0, max=604_800, help="Seconds that the old key still works.")] = 86_400,
    as_json: Json = False,
) -> None:
    """Put a new key in the place of an old one, an account's or the platform's. Its secret is shown this once."""
    from tokenhouse.entrypoints.cli.session import run

    made = run(_rotate_key(key_id, overlap))
    if as_json:
        give_json(made)
        return
    say(f"The old key ends at {made['replaced_ends_at']}. Keep this; it is not shown again:")
    give(str(made["key"]))


@keys.command("revoke")
def revoke_key(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="The key's id, from `keys list`.")],
    account: Annotated[str | None, typer.Option(help="Whose key; none: the platform's.")] = None,
) -> None:
    """End a key at once."""
    from tokenhouse.entrypoints.cli.session import run

    run(_revoke_key(key_id, account))
    say("Revoked.")


def grant(
    account: Id,
    amount: Annotated[int, typer.Argument(min=1, max=10**15, help="Credits.")],
    credit_type: Annotated[str, typer.Option(help="Of which type.")] = "general",
    source: Annotated[
        Literal["top_up", "gift", "refund", "bonus", "promotion", "adjustment"], typer.Option(help="Why.")
    ] = "adjustment",
    note: Annotated[str | None, typer.Option(help="For the record.")] = None,
    key: Annotated[
        str | None, typer.Option(help="Idempotency key: the same again grants nothing.", show_default="a new one")
    ] = None,
    as_json: Json = False,
) -> None:
    """Give credits to an account."""
    from tokenhouse.entrypoints.cli.session import run

    body: dict[str, object] = {"credit_type": credit_type, "amount": amount, "source": source}
    if note is not None:
        body["note"] = note
    answer, replayed = run(_grant(account, body, key))
    if as_json:
        give_json({**answer, "replayed": replayed})
        return
    pairs(answer)
    if replayed:
        say("That key was used for this before: nothing was granted again.")


async def _create_account(
    external_id: str, kind: Literal["user", "organization"], name: str, email: str | None, plan: str, zone: str
) -> "Account":
    from dataclasses import asdict

    from tokenhouse.domain import access, wallets
    from tokenhouse.domain import catalog as catalogs
    from tokenhouse.domain.access.acts import Act, By
    from tokenhouse.domain.access.types import NewAccount
    from tokenhouse.domain.ledger.types import Party
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import Actor

    async with opened() as session, session.database.transaction(Actor((0,), teller=True)) as tx:
        catalog = await catalogs.load(tx)
        account = await access.create_account(tx, NewAccount(kind, name, external_id, email, zone))
        await wallets.enrol(tx, catalog, Party(account.id, account.bucket, external_id), plan, zone)
        act = Act("account.create", "account", str(account.id), account.id, after=[asdict(account), plan])
        await access.record(tx, By("cli"), act)
        return account


async def _create_key(
    external_id: str | None, name: str, scopes: list[str] | None, days: int | None, rate_limit: int | None
) -> dict[str, object]:
    from dataclasses import asdict

    from tokenhouse.domain import access
    from tokenhouse.domain.access.acts import Act, By
    from tokenhouse.entrypoints.cli.session import account_of, opened
    from tokenhouse.infra.database import PLATFORM

    async with opened() as session:
        account = await account_of(session, external_id) if external_id is not None else None
        async with session.database.transaction(PLATFORM) as tx:
            view, secret = await access.create_key(
                tx,
                account.id if account else None,
                name,
                scopes,
                await _in_days(tx, days),
                live=session.settings.production,
                rate_limit_per_minute=rate_limit,
            )
            act = Act("key.create", "key", str(view.id), account.id if account else None, after=asdict(view))
            await access.record(tx, By("cli"), act)
    return {
        "id": view.id,
        "key": secret,
        "account_id": external_id,
        "name": view.name,
        "scopes": view.scopes,
        "expires_at": view.expires_at,
        "rate_limit_per_minute": view.rate_limit_per_minute,
    }


async def _in_days(tx: object, days: int | None) -> "datetime | None":
    from datetime import timedelta
    from typing import cast

    from tokenhouse.domain import ledger
    from tokenhouse.infra.database import Tx

    return None if days is None else await ledger.now(cast("Tx", tx)) + timedelta(days=days)


async def _list_keys(external_id: str | None) -> list[dict[str, object]]:
    from dataclasses import asdict

    from tokenhouse.domain import access
    from tokenhouse.entrypoints.cli.session import account_of, opened
    from tokenhouse.infra.database import PLATFORM

    async with opened() as session:
        account = await account_of(session, external_id) if external_id is not None else None
        async with session.database.read(PLATFORM) as tx:
            return [asdict(view) for view in await access.list_keys(tx, account.id if account else None)]


async def _rotate_key(key_id: str, overlap_seconds: int) -> dict[str, object]:
    from uuid import UUID

    from tokenhouse.domain import access
    from tokenhouse.entrypoints.cli.session import opened
    from tokenhouse.infra.database import PLATFORM
    from tokenhouse.infra.kernel.errors import NotFound

    async with opened() as session, session.database.transaction(PLATFORM) as tx:
        try:
            old = await access.key_owner(tx, UUID(key_id))
        except ValueError:
            old = None
        if old is None:
            raise NotFound("There is no key of that id. `tokenhouse keys list` shows them.")
        live = session.settings.production
        key, secret, ends_at = await access.rotate_key(tx, old, overlap_seconds, live=live)
    return {"id": str(key.id), "key": secret, "replaces": str(old.id), "replaced_ends_at": ends_at.isoformat()}


async def _revoke_key(key_id: str, external_id: str | None) -> None:
    from uuid import UUID

    from tokenhouse.domain import access
    from tokenhouse.domain.access.acts import Act, By
    from tokenhouse.entrypoints.cli.session import account_of, opened
    from tokenhouse.infra.database import PLATFORM
    from tokenhouse.infra.kernel.errors import NotFound

    async with opened() as session:
        account = await account_of(session, external_id) if external_id is not None else None
        owner = account.id if account else None
        async with session.database.transaction(PLATFORM) as tx:
            try:
                ended = await access.revoke_key(tx, owner, UUID(key_id))
            except ValueError:
                ended = False
            if ended:
                act = Act("key.revoke", "key", str(UUID(key_id)), owner, before={"live": True})
                await access.record(tx, By("cli"), act)
    if not ended:
        raise NotFound("There is no live key of that id. `tokenhouse keys list` shows them.")


async def _grant(external_id: str, body: dict[str, object], key: str | None) -> tuple[dict[str, object], bool]:
    from tokenhouse.domain import access, wallets
    from tokenhouse.domain import catalog as catalogs
    from tokenhouse.domain.access.acts import Act, By
    from tokenhouse.domain.ledger.types import Command, Party
    from tokenhouse.domain.wallets.types import NewGrant
    from tokenhouse.entrypoints.cli.session import account_of, opened
    from tokenhouse.infra.database import Actor
    from tokenhouse.infra.kernel import strict_json
    from tokenhouse.infra.kernel.ids import new_id

    # The same request through the API, under the same key, is the same command.
    fingerprint = strict_json.digest(f"/v1/accounts/{external_id}/grants", body).hex()
    async with opened() as session:
        account = await account_of(session, external_id)
        party = Party(account.id, account.bucket, external_id)
        async with session.database.transaction(Actor((account.id,), teller=True)) as tx:
            catalog = await catalogs.load(tx)
            command = Command(party, key or f"cli-{new_id()}", fingerprint)
            told, replayed = await wallets.grant(tx, catalog, command, NewGrant(**body))  # type: ignore[arg-type] # checked
            if not replayed:
                act = Act("grant.create", "grant", str(told["id"]), account.id, after=told)
                await access.record(tx, By("cli"), act)
            return told, replayed
