"""Channels: how people are told of alarms, by e-mail or by a webhook."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from typing import Any, Literal
from uuid import UUID

from messaging.calling import caller, out_of_reach
from messaging.http import HTTPError
from messaging.reach import PUBLIC, Reach

PATIENCE = 20.0
"""Seconds that a channel gets for one telling."""


class NotTold(Exception):
    """Nobody was told; the text says why in words of ours, and it is tried again."""


@dataclass(frozen=True, slots=True)
class Told:
    """What somebody is told: for people a subject and a text, for systems the facts."""

    id: UUID
    at: datetime
    subject: str
    text: str
    facts: Mapping[str, Any]


class Mail:
    """A server that takes e-mail by SMTP (RFC 5321)."""

    def __init__(
        self,
        host: str,
        port: int,
        sender: str,
        *,
        security: Literal["starttls", "tls", "none"] = "starttls",
        user: str | None = None,
        password: str | None = None,
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        self.host, self.port, self.sender = host, port, sender
        self._security, self._user, self._password = security, user, password
        self._trusted = trusted or ssl.create_default_context()

    async def tell(self, told: Told, to: Sequence[str]) -> None:
        """Send one e-mail to all of them. Raises NotTold."""
        try:
            async with asyncio.timeout(2 * PATIENCE):
                await asyncio.to_thread(self._send, told, to)
        except TimeoutError:
            raise NotTold("the mail server does not answer") from None
        except smtplib.SMTPRecipientsRefused:
            raise NotTold("the mail server takes mail for none of the addresses") from None
        except smtplib.SMTPAuthenticationError:
            raise NotTold("the mail server refuses the user name or the password") from None
        except smtplib.SMTPResponseException as error:
            raise NotTold(f"the mail server answered {error.smtp_code}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise NotTold(f"the mail server cannot be used: {type(error).__name__}") from None

    def _send(self, told: Told, to: Sequence[str]) -> None:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.sender, ", ".join(to), told.subject
        message["Date"] = format_datetime(told.at)
        message["Message-ID"] = make_msgid(str(told.id), domain=self.sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(told.text)
        if self._security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=PATIENCE, context=self._trusted)
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=PATIENCE)
        with server:
            if self._security == "starttls":
                server.starttls(context=self._trusted)
            if self._user is not None:
                server.login(self._user, self._password or "")
            server.send_message(message)


class Webhook:
    """A URL that takes alarms as JSON, signed as Standard Webhooks says."""

    def __init__(self, url: str, secret: bytes, *, her_id: int | None = None, reach: Reach = PUBLIC) -> None:
        self.url, self.her_id = url, her_id
        self._secret, self._reach = secret, reach

    async def tell(self, told: Told) -> None:
        """Post it; the same telling may come again, and then bears the same id. Raises NotTold."""
        content = json.dumps(told.facts, ensure_ascii=False).encode()
        stamp = str(int(told.at.timestamp()))
        headers = {
            "content-type": "application/json",
            "webhook-id": str(told.id),
            "webhook-timestamp": stamp,
            "webhook-signature": self._signature(str(told.id), stamp, content),
        }
        try:
            async with asyncio.timeout(PATIENCE), caller(self._reach, timeout=PATIENCE) as client:
                answer = await client.post(self.url, content=content, headers=headers)
        except TimeoutError:
            raise NotTold("it does not answer") from None
        except HTTPError as error:
            raise NotTold(str(out_of_reach(error) or type(error).__name__)) from error
        if not answer.is_success:
            raise NotTold(f"it answered {answer.status_code}")

    def _signature(self, name: str, stamp: str, content: bytes) -> str:
        signed = hmac.digest(self._secret, f"{name}.{stamp}.".encode() + content, hashlib.sha256)
        return f"v1,{base64.b64encode(signed).decode()}"


@dataclass(frozen=True, slots=True)
class Channels:
    """The ways that the settings name."""

    mail: Mail | None = None
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    mail_to: tuple[str, ...] = ()
    """Who gets e-mail about the exchange as a whole where a rule names nobody."""

    def webhooks_for(self, her_id: int | None, *, oversees: bool) -> list[str]:
        """Name the webhooks that a rule about a party, or about the whole exchange, may name."""
        return [
            name for name, one in self.webhooks.items() if oversees or (her_id is not None and one.her_id == her_id)
        ]
