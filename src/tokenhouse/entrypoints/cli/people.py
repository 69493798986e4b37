"""`accounts set-password`, `set-role`, `disable`: who signs in. The first admin is made here."""

import sys
from typing import Annotated, Literal

import typer

from tokenhouse.entrypoints.cli.output import say

Id = Annotated[str, typer.Argument(help="The account's id.")]


def register(accounts: typer.Typer) -> None:
    """Add the commands to `accounts`."""
    accounts.command("set-password")(set_password)
    accounts.command("set-role")(set_role)
    accounts.command("disable")(disable)


def set_password(
    account: Id,
    email: Annotated[
        str | None, typer.Option(help="What to sign in by, the first time.", show_default="the account's e-mail")
    ] = None,
) -> None:
    """Let a person sign in, or set their password anew. It is asked for, or read from stdin; all sessions end.

    The first admin: `accounts create ada --email ada@example.com`, `accounts set-password ada`,
    `accounts set-role ada admin`.
    """
    from tokenhouse.entrypoints.cli.session import run

    run(_set_password(account, email, _password()))
    say("The password is set.")


def set_role(
    account: Id,
    role: Annotated[Literal["admin", "support", "auditor", "none"], typer.Argument(help="What they are from now on.")],
) -> None:
    """Say what a person is to the platform: admins act for anyone, support looks, auditors read the audit.

    Their sessions end: they sign in anew.
    """
    from tokenhouse.entrypoints.cli.session import run

    run(_set_role(account, role))
    say(f"{account} is {'nothing to the platform' if role == 'none' else role} from now on.")


def disable(
    account: Id,
    undo: Annotated[bool, typer.Option("--undo", help="Let them in again.")] = False,
) -> None:
    """Shut a person out: their sessions end, and they cannot sign in. Keys of the account live on."""
    from tokenhouse.entrypoints.cli.session import run

    run(_disable(account, disabled=not undo))
    say(f"{account} can sign in again." if undo else f"{account} is shut out.")


def _password() -> str:
    """Ask for a password on a terminal, twice; else read it from stdin."""
    if sys.stdin.isatty():
        answer: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return answer
    return sys.stdin.readline().rstrip("\r\n")


async def _set_password(external_id: str, email: str | None, password: str) -> None:
    from tokenhouse.domain import access
    from tokenhouse.domain.access import Passwords
    from tokenhouse.domain.access.acts import Act, By
    from tokenhouse.domain.access.signing import check_email, check_password
    from tokenhouse.entrypoints.cli.session import account_of, opened
    from tokenhouse.infra.database import PLATFORM
    from tokenhouse.infra.kernel.errors import ValidationFailed

    async with opened() as session:
        account = await account_of(session, external_id)
        async with session.database.read(PLATFORM) as tx:
            known = await access.credential_of(tx, account.id)
        if known is not None and email is not None and check_email(email) != known.email:
            raise ValidationFailed.of("email", f"cannot change here: {external_id} signs in by another")
        address = known.email if known else check_email(email or account.email or "")
        hashed = await Passwords().hash(check_password(password, address))
        async with session.database.transaction(PLATFORM) as tx:
            if known is None:
                await access.add_credential(tx, account, address, hashed, verified=True)
            else:
                await access.set_password(tx, account.id, hashed)
            await access.record(tx, By("cli"), Act("password.set", "account", str(account.id), account.id))


async def _set_role(external_id: str, role: Literal["admin", "support", "auditor", "none"]) -> None:
    from tokenhouse.domain import access
    from tokenhouse.domain.access.acts import Act, By
    from tokenhouse.entrypoints.cli.session import account_of, opened
    from tokenhouse.infra.database import PLATFORM

    async with opened() as session:
        account = await account_of(session, external_id)
        async with session.database.transaction(PLATFORM) as tx:
            await access.set_platform_role(tx, account.id, None if role == "none" else role)
            act = Act("person.update", "account", str(account.id), account.id, after={"platform_role": role})
            await access.record(tx, By("cli"), act)


async def _disable(external_id: str, *, disabled: bool) -> None:
    from tokenhouse.domain import access
    from tokenhouse.domain.access.acts import Act, By
    from tokenhouse.entrypoints.cli.session import account_of, opened
    from tokenhouse.infra.database import PLATFORM

    async with opened() as session:
        account = await account_of(session, external_id)
        async with session.database.transaction(PLATFORM) as tx:
            await access.disable(tx, account.id, disabled=disabled)
            act = Act("person.update", "account", str(account.id), account.id, after={"disabled": disabled})
            await access.record(tx, By("cli"), act)
