"""Tell people how a pipeline ended: by webhook or e-mail."""

from typing import NamedTuple

from kfp.dsl import PipelineTaskFinalStatus

from components.notify.delivery import Mail, post, send
from components.notify.message import Message, message_of
from components.notify.secrets import secret
from components.shared.errors import ComponentError
from eggcrate import component

OCCASIONS = ("always", "failure", "success")


class Notified(NamedTuple):
    """By which ways it was told: ``webhook``, ``e-mail``."""

    sent: list
    subject: str


@component
def notify(  # noqa: PLR0917 - KFP passes them by name
    status: PipelineTaskFinalStatus,
    title: str = "",
    text: str = "",
    when: str = "always",
    webhook: str = "",
    mail_to: str = "",
    mail_from: str = "",
    smtp_host: str = "",
    smtp_port: int = 587,
    smtp_user: str = "",
    smtp_password: str = "",
    smtp_security: str = "starttls",
    required: bool = False,
) -> Notified:
    """Tell how a pipeline ended; the task of an exit handler, which passes the status by itself.

    Secrets are named, never given: ``env:NAME`` is an environment variable and ``file:PATH`` a
    mounted file, so that none stands in a pipeline's parameters or logs.

    Args:
        status: How the tasks of the exit handler ended.
        title: What the message is about; the run's name when not given.
        text: Added to the message.
        when: ``always``, ``failure`` or ``success``.
        webhook: The secret that is the address to post to, as Slack, Mattermost, Google Chat and
            Teams' workflows take it: JSON with ``text``.
        mail_to: Addresses, separated by commas.
        mail_from: The sender's address.
        smtp_host: The mail server.
        smtp_port: Its port.
        smtp_user: Whom to log in as; nobody when not given.
        smtp_password: The secret that is the password.
        smtp_security: ``starttls``, ``tls`` or ``none``.
        required: Whether the task fails when a message cannot be delivered; else that is printed.

    Returns:
        By which ways it was told, and the first line of the message.

    Raises:
        ComponentError: the settings do not fit, or with ``required`` a message was not delivered.
    """
    if when not in OCCASIONS:
        raise ComponentError(f"there is no occasion {when!r}; use one of: {', '.join(OCCASIONS)}")
    address = secret("webhook", webhook)
    mail = _mail(
        mail_to=mail_to,
        mail_from=mail_from,
        host=smtp_host,
        port=smtp_port,
        user=smtp_user,
        password=secret("smtp_password", smtp_password),
        security=smtp_security,
    )
    message = message_of(status, title=title, text=text)
    if when not in ("always", "success" if message.succeeded else "failure"):
        return Notified(sent=[], subject=message.subject)
    ways = {}
    if address:
        ways["webhook"] = lambda: post(address, message)
    if mail:
        ways["e-mail"] = lambda: send(mail, message)
    if not ways:
        print(message.body)
    return Notified(sent=_deliver(ways, message, required=required), subject=message.subject)


def _deliver(ways: dict, message: Message, *, required: bool) -> list:
    sent, problems = [], []
    for name, deliver in ways.items():
        try:
            deliver()
            sent.append(name)
        except ComponentError as error:
            problems.append(str(error))
    if problems:
        told = "; ".join(problems)
        if required:
            raise ComponentError(told)
        print(f"not delivered: {told}\n{message.body}")
    return sent


def _mail(*, mail_to: str, mail_from: str, host: str, security: str, **given: object) -> object:
    recipients = tuple(filter(None, (each.strip() for each in mail_to.split(","))))
    if not recipients:
        return None
    if odd := [each for each in (*recipients, mail_from) if "@" not in each or "\n" in each]:
        raise ComponentError(f"{odd[0]!r} is no e-mail address")
    if not host:
        raise ComponentError("e-mail needs smtp_host, the mail server")
    if security not in ("starttls", "tls", "none"):
        raise ComponentError(f"smtp_security is {security!r}; use starttls, tls or none")
    return Mail(recipients=recipients, sender=mail_from, host=host, security=security, **given)
