"""Lets the demo's four people sign in: with the password of the settings, or with one made up and told once."""

import secrets

from tokenhouse.domain import access
from tokenhouse.domain.access import Passwords
from tokenhouse.domain.access.signing import as_typed
from tokenhouse.domain.access.types import Account, Credential, PlatformRole
from tokenhouse.entrypoints.cli.demo.cast import SIGN_IN
from tokenhouse.infra.database import PLATFORM, Database

_RANDOM_BYTES = 12


async def open_doors(database: Database, password: str | None) -> str | None:
    """Let the demo's people sign in, where they do not; the password to tell, None where there is nothing new to tell.

    password: from the settings; it becomes theirs whatever they had. None: who signs in already keeps what they have.
    """
    passwords = Passwords()
    async with database.read(PLATFORM) as tx:
        accounts = await access.find_accounts(tx, [name for name, _ in SIGN_IN])
        known = {name: await access.credential_of(tx, account.id) for name, account in accounts.items()}
    new = password if password is not None else secrets.token_urlsafe(_RANDOM_BYTES)
    made = False
    for name, role in SIGN_IN:
        made |= await _open(database, passwords, accounts[name], known[name], role, new, change=password is not None)
    return new if made and password is None else None


async def _open(
    database: Database,
    passwords: Passwords,
    account: Account,
    known: Credential | None,
    role: PlatformRole | None,
    password: str,
    *,
    change: bool,
) -> bool:
    """Let one of them sign in; whether they could not before."""
    if known is not None and (not change or await passwords.fits(known.hash, password)):
        return False
    hashed = await passwords.hash(as_typed(password))
    async with database.transaction(PLATFORM) as tx:
        if known is not None:
            await access.set_password(tx, account.id, hashed)
            return False
        await access.add_credential(tx, account, account.email or "", hashed, verified=True)
        if role is not None:
            await access.set_platform_role(tx, account.id, role)
    return True
