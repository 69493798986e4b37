"""Paid by any provider: a signed request to the operator's own address, which answers what became of it.

Signed by Standard Webhooks. Sent once: where no answer came, the payout is asked for by its id, and only the answer
`not_sent` lets it be sent again.
"""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import time
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import httpx2

from tokenhouse.domain.payouts.methods import manual
from tokenhouse.domain.payouts.types import AnswerLost, Instruction, Outcome, Payee, Sender, Setup, Unreachable, Verdict
from tokenhouse.infra.kernel.money import usd_text

KIND = "webhook"
WHOLE_CENTS = True

_STATES: dict[str, Verdict] = {"processing": "accepted", "completed": "paid", "failed": "refused"}
_NOT_SENT: Verdict = "not_sent"
_SECONDS, _CONNECT_SECONDS = 30, 5
_MOST_BYTES = 65_536
_REFERENCE_LENGTH, _REASON_LENGTH = 128, 500


def payee(given: Mapping[str, str]) -> Payee:
    """Take whatever the provider needs to know of a payee."""
    return manual.payee(given)


def sender(setup: Setup) -> Sender | None:
    """Send to the address that the settings name, if they do."""
    if setup.webhook_url is None or setup.webhook_secret is None:
        return None
    return _Webhook(setup.webhook_url, setup.webhook_secret, private=setup.webhook_private)


class _Webhook:
    """The operator's address. private: whether it may be of a network that is not everybody's."""

    def __init__(self, url: str, secret: str, *, private: bool) -> None:
        self._url = url.rstrip("/")
        self._secret = base64.b64decode(secret.removeprefix("whsec_"))
        self._private = private

    async def send(self, instruction: Instruction) -> Outcome:
        """Tell the provider to pay."""
        told = {
            "type": "payout.send",
            "id": str(instruction.id),
            "account_id": instruction.account or None,
            "amount_nano_usd": instruction.amount,
            "amount_usd": usd_text(instruction.amount),
            "details": dict(instruction.details),
        }
        content = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
        status, said = await self._ask("POST", self._url, instruction, content)
        if not 200 <= status < 300:
            raise AnswerLost
        return _outcome(said)

    async def look_up(self, instruction: Instruction) -> Outcome:
        """Ask what became of it. `not_sent` counts with 200 or 404: a bare 404 may be anybody's."""
        status, said = await self._ask("GET", f"{self._url}/{instruction.id}", instruction, b"")
        if status in (200, 404) and said.get("state") == _NOT_SENT:
            return Outcome(_NOT_SENT)
        if not 200 <= status < 300:
            raise AnswerLost
        return _outcome(said)

    async def _ask(
        self, method: Literal["GET", "POST"], url: str, instruction: Instruction, content: bytes
    ) -> tuple[int, dict[str, Any]]:
        """Send a signed request; its status, and the object in its body ({} for anything else). Never a redirect's.

        Unreachable: no connection was made. AnswerLost: one was, and no whole answer came.
        """
        parts = urlsplit(url)
        host = parts.hostname or ""
        address = await self._address(host, parts.port or (443 if parts.scheme == "https" else 80))
        # To the address that was looked at: a name may lead elsewhere when it is looked up again.
        literal = f"[{address}]" if ":" in address else address
        target = urlunsplit(parts._replace(netloc=literal if parts.port is None else f"{literal}:{parts.port}"))
        headers = {"Host": parts.netloc, "Accept": "application/json", **self._signed(str(instruction.id), content)}
        if content:
            headers |= {"Content-Type": "application/json", "Idempotency-Key": str(instruction.id)}
        timeout = httpx2.Timeout(_SECONDS, connect=_CONNECT_SECONDS)
        body = b""
        try:
            async with (
                asyncio.timeout(_SECONDS),
                httpx2.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False) as client,
                client.stream(
                    method, target, content=content or None, headers=headers, extensions={"sni_hostname": host}
                ) as answer,
            ):
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > _MOST_BYTES:
                        raise AnswerLost
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
            raise Unreachable from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError):
            raise AnswerLost from None
        try:
            said = json.loads(body)
        except ValueError:
            said = None
        return answer.status_code, said if isinstance(said, dict) else {}

    async def _address(self, host: str, port: int) -> str:
        """Look a name up. Unreachable: there is none, or it lies in a network that it may not."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError, UnicodeError):
            raise Unreachable from None
        addresses = [str(one[4][0]) for one in found]
        if not addresses or not (self._private or all(is_public(one) for one in addresses)):
            raise Unreachable
        return addresses[0]

    def _signed(self, webhook_id: str, content: bytes) -> dict[str, str]:
        """Sign as Standard Webhooks has it."""
        at = str(int(time.time()))  # noqa: TID251 - tells the receiver when it was sent; nothing is decided by it
        message = f"{webhook_id}.{at}.".encode() + content
        signature = base64.b64encode(hmac.digest(self._secret, message, hashlib.sha256)).decode()
        return {"webhook-id": webhook_id, "webhook-timestamp": at, "webhook-signature": f"v1,{signature}"}


def is_public(address: str) -> bool:
    """Whether an address is one of the internet's, and leads to no network of ours by a detour of IPv6."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = parsed.ipv4_mapped or parsed.sixtofour or (parsed.teredo[1] if parsed.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if parsed in ipaddress.ip_network("64:ff9b::/96"):
            return is_public(str(ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)))
    return parsed.is_global and not parsed.is_multicast


def _outcome(said: Mapping[str, Any]) -> Outcome:
    """Read an answer. AnswerLost: it says nothing that is understood."""
    verdict = _STATES.get(str(said.get("state")))
    if verdict is None:
        raise AnswerLost
    return Outcome(verdict, _text(said, "reference", _REFERENCE_LENGTH), _text(said, "reason", _REASON_LENGTH))


def _text(said: Mapping[str, Any], name: str, most: int) -> str | None:
    value = said.get(name)
    return value.replace("\0", "")[:most] if isinstance(value, str) and value else None
