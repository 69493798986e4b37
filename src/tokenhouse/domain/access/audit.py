"""The audit record: every administrative and security act, written in the transaction that does it."""

import secrets
from datetime import datetime

from tokenhouse.domain.access import rules
from tokenhouse.domain.access.acts import ACTS, Act, ActView, By, KeptAct
from tokenhouse.infra.database import Tx, load_queries

_Q = load_queries(__file__, "audit.sql")
_RECORD_ACT = _Q.rows("record_act", int)
_ACTS = _Q.rows("acts", ActView)
_ACTS_OF = _Q.rows("acts_of", KeptAct)
_FORGET_ACTS = _Q.nothing("forget_acts")

_SALT_BYTES = 16


async def record(tx: Tx, by: By, act: Act) -> int:
    """Write down an act in the transaction that does it, and return its number.

    Needs the platform's token, or a teller's that names the account concerned. Raises ValueError for an act that
    ACTS does not name.
    """
    if act.name not in ACTS:
        raise ValueError(f"{act.name!r} is no act: name it in ACTS, with what it says")
    salt = secrets.token_bytes(_SALT_BYTES)
    return await tx.one(
        _RECORD_ACT,
        via=by.via,
        actor=by.actor_id,
        key=by.key_id,
        session=by.session_id,
        act=act.name,
        target_kind=act.target_kind,
        target=act.target_id,
        account=act.account_id,
        before=rules.digest_of_state(salt, act.before),
        after=rules.digest_of_state(salt, act.after),
        origin=rules.digest_of_state(salt, by.address),
        request=by.request_id,
        salt=salt,
        address=by.address,
    )


async def list_acts(
    tx: Tx,
    *,
    actor_id: int | None = None,
    act: str | None = None,
    target_kind: str | None = None,
    target_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before: int | None = None,
    most: int = 100,
) -> list[ActView]:
    """Return acts, the newest first; the platform's alone. target_id: of an account, its number as text.

    since, until: recorded at or after, and before. before: of a lower number than this.
    """
    return await tx.all(
        _ACTS,
        actor=actor_id,
        act=act,
        target_kind=target_kind,
        target=target_id,
        since=since,
        until=until,
        before=before,
        most=most,
    )


async def acts_of(tx: Tx, account_id: int) -> list[KeptAct]:
    """Return what an account did and what was done to it, the newest first. Needs the platform's token."""
    return await tx.all(_ACTS_OF, account=account_id)


async def forget_acts(tx: Tx, account_id: int) -> None:
    """Take away addresses and the salts of digests of the acts by an account and about it: its person was erased."""
    await tx.run(_FORGET_ACTS, account=account_id)
