"""Mails that pages send: a link, and for what."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import structlog

from tokenhouse.infra.database import Tx

if TYPE_CHECKING:
    from tokenhouse.domain.access.types import Account, Credential, Purpose
    from tokenhouse.entrypoints.web.site import Site

_log = structlog.stdlib.get_logger("tokenhouse.web")

_TEMPLATES = {"verify": ("verify_email", "/verify?token="), "reset": ("reset_password", "/reset/")}


class Send(Protocol):
    """Sends a mail once the transaction is committed."""

    async def __call__(self, tx: Tx, *, to: str, template: str, values: Mapping[str, str]) -> None:
        """Write the mail down in this transaction. to: an address. values: what the template shows."""


async def send_link(
    site: "Site", tx: Tx, person: "Account | Credential", purpose: "Purpose", token: str | None
) -> None:
    """Mail a person the link of a token that can be used once. None: they have been sent enough of them.

    Before an address is confirmed, whoever typed it may have typed anything as the name: such a letter greets the
    address.
    """
    if token is None:
        return
    if site.base is None:
        _log.error("TOKENHOUSE_PUBLIC_URL is not set: no link can be mailed")
        return
    template, path = _TEMPLATES[purpose]
    to = person.email or ""
    values = {"link": f"{site.base}{path}{token}", "name": to if purpose == "verify" else person.name}
    await site.send(tx, to=to, template=template, values=values)
