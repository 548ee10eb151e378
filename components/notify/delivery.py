"""A message on its way: a webhook, a mail server. What is told of a failure holds no secret."""

from __future__ import annotations

import json
import smtplib
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from components.shared.errors import ComponentError

if TYPE_CHECKING:
    from components.notify.message import Message

_TIMES = 4
_SECONDS = 20
_BUSY = (429, 500, 502, 503, 504)


@dataclass(frozen=True, kw_only=True)
class Mail:
    """Where an e-mail goes, and through whom."""

    recipients: tuple[str, ...]
    sender: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    security: str


def post(address: str, message: Message) -> None:
    """Post ``{"text": …}``; again, with growing pauses, while the server is busy.

    Raises:
        ComponentError: it was not taken; the address, a secret, is told by its host alone.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ComponentError("the webhook's secret is no address that begins with https://")
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked
        address,
        data=json.dumps({"text": message.body}).encode(),
        headers={"Content-Type": "application/json; charset=utf-8"},
    )
    for attempt in range(1, _TIMES + 1):
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS):  # noqa: S310 - as above
                return
        except urllib.error.HTTPError as error:
            reason = f"it answered {error.code}"
            if error.code not in _BUSY:
                break
            pause = error.headers.get("Retry-After", "")
        except (OSError, ValueError) as error:
            reason, pause = type(getattr(error, "reason", error)).__name__, ""
        if attempt < _TIMES:
            time.sleep(min(float(pause) if pause.isdigit() else 0.2 * 2**attempt, _SECONDS))
    raise ComponentError(f"the webhook at {parts.hostname} did not take the message: {reason}")


def send(mail: Mail, message: Message) -> None:
    """Send an e-mail.

    Raises:
        ComponentError: the mail server did not take it.
    """
    letter = EmailMessage()
    letter["Subject"] = message.subject
    letter["From"] = mail.sender
    letter["To"] = ", ".join(mail.recipients)
    letter.set_content(message.body)
    try:
        if mail.security == "tls":
            context = ssl.create_default_context()
            server = smtplib.SMTP_SSL(mail.host, mail.port, timeout=_SECONDS, context=context)
        else:
            server = smtplib.SMTP(mail.host, mail.port, timeout=_SECONDS)
        with server:
            if mail.security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if mail.user:
                server.login(mail.user, mail.password)
            server.send_message(letter)
    except (smtplib.SMTPException, OSError) as error:
        told = f"{type(error).__name__}: {error}".replace(mail.password or "\0", "…")
        raise ComponentError(f"the mail server {mail.host} did not take it: {told}") from None
