"""What is sent, how it is written, and what became of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Setup:
    """What the settings say of channels.

    mail_url: `smtp://` or `smtps://`, with its password. mail_from: who mail is from, as a header has it. folder: where
    mail is put instead while there is no server; None: nowhere, it waits.
    """

    mail_url: str | None = None
    mail_from: str = "Tokenhouse <tokenhouse@localhost>"
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """A row of the outbox that is ours until its lease ends. tries: which try this is, from 1."""

    id: UUID
    template: str
    recipient: str
    vals: dict[str, str]
    created_at: datetime
    tries: int


@dataclass(frozen=True, slots=True)
class Letter:
    """What is written to one person. id and created_at are the same at every try."""

    id: UUID
    recipient: str
    subject: str
    text: str
    html: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Delivered:
    """What became of a try. trouble: None where it was sent; again: whether there will be another try.

    away: whether the trouble is the server's, so that it makes no sense to go on with the next.
    """

    id: UUID
    tries: int
    trouble: str | None = None
    again: bool = False
    away: bool = False


@dataclass(frozen=True, slots=True)
class Waiting:
    """A letter that waits to be sent: which, to whom, since when."""

    template: str
    recipient: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class MailState:
    """How many wait, how many of those failed at least once, and how many were given up."""

    waiting: int
    failing: int
    given_up: int


class Undelivered(Exception):
    """A letter was not delivered. `reason` is in our own words: what servers say may hold the address.

    lasting: another try would fail as well. away: the server cannot be used at all.
    """

    def __init__(self, reason: str, *, lasting: bool = False, away: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.lasting = lasting
        self.away = away


class Outlet(Protocol):
    """A channel that is set up. `where` tells an operator where it leads, without any secret."""

    @property
    def where(self) -> str: ...  # noqa: D102 - said above

    async def deliver(self, letter: Letter) -> None:
        """Deliver, or raise Undelivered."""


class ChannelModule(Protocol):
    """What a file in channels exports: its name, and the outlet that a setup makes of it, if any."""

    KIND: str

    def outlet(self, setup: Setup) -> Outlet | None: ...  # noqa: D102 - said above


Values = Mapping[str, str]
