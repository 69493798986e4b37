"""Mail: by SMTP where a server is set up; else, where a folder is, as .eml files in it, to be read while developing.

The server's URL is `smtp://user:password@host:587` or `smtps://…` (TLS from the first byte, port 465). `smtp://` turns
to TLS by STARTTLS and refuses a server that does not, unless it is on loopback; `?starttls=true|false` says otherwise.
"""

import asyncio
import os
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import aiosmtplib

from tokenhouse.domain.alerts.types import Letter, Outlet, Setup, Undelivered

KIND = "mail"

_STEP_SECONDS = 30
_DELIVERY_SECONDS = 90
_PORTS = {"smtp": 587, "smtps": 465}
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def outlet(setup: Setup) -> Outlet | None:
    """Give what delivers mail: the server, else the folder, else nothing. ValueError: a URL or sender that is none."""
    sender = _sender_of(setup.mail_from)
    if setup.mail_url is not None:
        return _server_of(setup.mail_url, sender)
    if setup.folder is not None:
        return Folder(setup.folder, sender)
    return None


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server. `tls`: from the first byte; `starttls`: before anything is said that matters."""

    host: str
    port: int
    user: str | None
    password: str | None = field(repr=False)
    tls: bool
    starttls: bool
    sender: Address

    @property
    def where(self) -> str:
        """Where mail goes, for an operator."""
        guarded = "TLS" if self.tls else "STARTTLS" if self.starttls else "not encrypted"
        return f"by SMTP to {self.host}:{self.port} ({guarded}), from {self.sender.addr_spec}"

    async def deliver(self, letter: Letter) -> None:
        """Hand the letter to the server. Undelivered: it did not take it, or we cannot know."""
        message = message_of(letter, self.sender)
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.tls,
            start_tls=self.starttls,
            timeout=_STEP_SECONDS,
        )
        try:
            async with asyncio.timeout(_DELIVERY_SECONDS):
                await self._enter(client)
                await self._hand_over(client, message)
        except TimeoutError:
            raise Undelivered("the mail server is too slow", away=True) from None
        finally:
            # The letter is handed over or not by now: how the server takes its leave changes nothing.
            with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await client.quit()
            client.close()

    async def _enter(self, client: aiosmtplib.SMTP) -> None:
        try:
            await client.connect()
            if self.user is not None:
                await client.login(self.user, self.password or "")
        except aiosmtplib.SMTPAuthenticationError as error:
            raise Undelivered(f"the mail server refused our user or password ({error.code})", away=True) from None
        except aiosmtplib.SMTPResponseException as error:
            raise Undelivered(f"the mail server does not let us in ({error.code})", away=True) from None
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
            raise Undelivered(f"the mail server cannot be used ({type(error).__name__})", away=True) from None

    async def _hand_over(self, client: aiosmtplib.SMTP, message: EmailMessage) -> None:
        (recipient,) = message["To"].addresses
        try:
            await client.send_message(message, sender=self.sender.addr_spec, recipients=[recipient.addr_spec])
        except aiosmtplib.SMTPRecipientsRefused as error:
            code = error.recipients[0].code
            raise Undelivered(f"the recipient was refused ({code})", lasting=code >= 500) from None
        except aiosmtplib.SMTPDataError as error:
            raise Undelivered(f"the letter was refused ({error.code})", lasting=error.code >= 500) from None
        except aiosmtplib.SMTPSenderRefused as error:
            raise Undelivered(f"our sender was refused ({error.code})", away=True) from None
        except aiosmtplib.SMTPResponseException as error:
            raise Undelivered(f"the mail server refused ({error.code})") from None
        except aiosmtplib.SMTPNotSupported:
            raise Undelivered("the mail server takes no address with letters beyond ASCII", lasting=True) from None
        except (aiosmtplib.SMTPException, OSError, ssl.SSLError) as error:
            raise Undelivered(f"the connection was lost ({type(error).__name__})") from None


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of .eml files. A twin takes its own place: each letter is there once."""

    path: Path
    sender: Address

    @property
    def where(self) -> str:
        """Where mail goes, for an operator."""
        return f"to the folder {self.path}"

    async def deliver(self, letter: Letter) -> None:
        """Write the letter. Undelivered: the folder cannot be written."""
        raw = message_of(letter, self.sender).as_bytes()
        try:
            await asyncio.to_thread(self._write, f"{letter.created_at:%Y%m%dT%H%M%S}-{letter.id}.eml", raw)
        except OSError as error:
            raise Undelivered(f"the mail folder cannot be written ({error.strerror})", away=True) from None

    def _write(self, name: str, raw: bytes) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self.path.joinpath(f".{name}")
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
        unfinished.replace(self.path.joinpath(name))


def message_of(letter: Letter, sender: Address) -> EmailMessage:
    """Write a letter as a message. Its Message-ID and Date are the same at every try, so a twin can be told.

    Undelivered: nobody can have that address.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    # Only an address: whoever made it, no name and no second one can stand in it.
    user, _, domain = letter.recipient.rpartition("@")
    try:
        message["To"] = Address(username=user, domain=domain.encode("idna").decode())
    except ValueError:
        raise Undelivered("the domain of the address is none", lasting=True) from None
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(letter.created_at)
    message["Message-ID"] = f"<{letter.id}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    # Short lines of ASCII, which every server takes.
    message.set_content(letter.text, cte="quoted-printable")
    message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    return message


def _sender_of(text: str) -> Address:
    name, address = parseaddr(text)
    user, at, domain = address.rpartition("@")
    if not (user and at and domain) or "\n" in text or "\r" in text:
        raise ValueError("mail_from must be an address such as `Tokenhouse <no-reply@example.com>`")
    return Address(name, user, domain)


def _server_of(url: str, sender: Address) -> Server:
    """Read a server's URL; the words of a ValueError have nothing of it, for it may hold a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("mail_url cannot be read; write it as smtp://user:password@host:587") from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    starttls = options.pop("starttls", None)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path not in ("", "/") or options:
        raise ValueError("mail_url must be smtp://user:password@host:587 or smtps://…, at most with ?starttls=")
    if starttls not in (None, "true", "false") or (parts.scheme == "smtps" and starttls == "true"):
        raise ValueError("mail_url: starttls is true or false, and not for smtps://")
    tls = parts.scheme == "smtps"
    return Server(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=tls,
        starttls=not tls and (starttls == "true" if starttls else parts.hostname not in _LOOPBACK),
        sender=sender,
    )
