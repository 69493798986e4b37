"""The verbs of mail: put a letter into the outbox, deliver the next that is due, look at the outbox."""

from collections.abc import Iterable

from tokenhouse.domain.alerts import rules
from tokenhouse.domain.alerts.letters import written
from tokenhouse.domain.alerts.types import Delivered, MailState, Outlet, Taken, Undelivered, Values, Waiting
from tokenhouse.infra.database import PLATFORM, Database, Tx, arrays, load_queries
from tokenhouse.infra.kernel.ids import uuid7

_Q = load_queries(__file__)
_SEND_MAIL = _Q.nothing("send_mail")
_TAKE_MAIL = _Q.rows("take_mail", Taken)
_END_MAIL = _Q.nothing("end_mail")
_FAIL_MAIL = _Q.nothing("fail_mail")
_FORGET_PERSON = _Q.nothing("forget_person")
_WAITING_FOR = _Q.rows("waiting_for", Waiting)
_SWEEP_MAIL = _Q.rows("sweep_mail", int)
_MAIL_STATE = _Q.rows("mail_state", MailState)

_LEASE_SECONDS = 180  # longer than any outlet takes
_SENT_DAYS = 30
_WAITING_DAYS = 7


async def send(tx: Tx, *, to: str, template: str, values: Values) -> None:
    """Put a letter into the outbox, in the caller's transaction of the platform: it goes out if that commits.

    ValidationFailed: `to` is no e-mail address. ValueError: not a template of ours, or not its values.
    """
    kept = rules.check_values(template, values)
    await tx.run(_SEND_MAIL, id=uuid7(), template=template, recipient=rules.check_address(to), vals=kept)


async def forget(tx: Tx, addresses: Iterable[str]) -> None:
    """Take somebody who was erased, in this transaction, out of what waits: letters to them, and their name in others.

    Needs the platform's token.
    """
    await tx.run(_FORGET_PERSON, recipients=arrays.texts(addresses))


async def deliver_next(database: Database, outlet: Outlet) -> Delivered | None:
    """Deliver the letter that is due the longest, and say what became of it; None where none is due.

    At least once: who is killed on the way leaves it to be sent again when the lease is over, under the same
    Message-ID. Nothing is sent inside a transaction.
    """
    async with database.transaction(PLATFORM) as tx:
        taken = await tx.first(_TAKE_MAIL, lease_seconds=_LEASE_SECONDS)
    if taken is None:
        return None
    failure: Undelivered | None = None
    try:
        await outlet.deliver(written(taken))
    except Undelivered as error:
        failure = error
    except Exception as error:  # noqa: BLE001 - one letter that cannot be written must not hold up the others
        failure = Undelivered(f"it cannot be written or sent ({type(error).__name__})")
    async with database.transaction(PLATFORM) as tx:
        if failure is None:
            await tx.run(_END_MAIL, id=taken.id)
            return Delivered(taken.id, taken.tries)
        wait = None if failure.lasting else rules.wait_after(taken.tries)
        await tx.run(_FAIL_MAIL, id=taken.id, tries=taken.tries, trouble=failure.reason, wait_seconds=wait)
    return Delivered(taken.id, taken.tries, failure.reason, again=wait is not None, away=failure.away)


async def waiting_for(tx: Tx, addresses: Iterable[str]) -> list[Waiting]:
    """Return the letters that wait to be sent to somebody, the oldest first. Needs the platform's token."""
    return await tx.all(_WAITING_FOR, recipients=arrays.texts(addresses))


async def sweep_mail(tx: Tx) -> int:
    """Delete letters sent 30 days ago, and give up those that wait for 7 days; how many. Needs the platform's token."""
    return await tx.one(_SWEEP_MAIL, sent_days=_SENT_DAYS, waiting_days=_WAITING_DAYS)


async def mail_state(tx: Tx) -> MailState:
    """Return how many letters wait, fail and were given up; what the platform sees."""
    return await tx.one(_MAIL_STATE)
