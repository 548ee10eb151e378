"""A webhook and a mail server on loopback, as far as Slack's format and SMTP are needed."""

from __future__ import annotations

import base64
import contextlib
import json
import socketserver
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "/services/T000/B000/s3cret"


@dataclass
class Receivers:
    """What has arrived, and what goes wrong."""

    posts: list[Any] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """Statuses that the next posts get instead of 200."""
    refuses: str = ""
    """An SMTP command that is answered by 550."""
    webhook: str = ""
    port: int = 0


class _Webhook(BaseHTTPRequestHandler):
    receivers: Receivers

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.receivers.answers.pop(0) if self.receivers.answers else 200
        if self.path != PATH:
            status = 404
        if status == 200:
            self.receivers.posts.append(json.loads(content))
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Mail(socketserver.StreamRequestHandler):
    receivers: Receivers

    def handle(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline().decode().strip():
            word = line.split(maxsplit=1)[0].upper()
            if word == self.receivers.refuses:
                self._say("550 refused")
            elif word == "EHLO":
                self._say("250-here\r\n250 AUTH PLAIN")
            elif word == "AUTH":
                self.receivers.logins.append(base64.b64decode(line.split()[2]).decode())
                self._say("235 welcome")
            elif word == "DATA":
                self._say("354 go on")
                lines = iter(lambda: self.rfile.readline().decode(), ".\r\n")
                self.receivers.mails.append("".join(lines))
                self._say("250 taken")
            else:
                self._say("221 bye" if word == "QUIT" else "250 fine")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextlib.contextmanager
def receiving() -> Iterator[Receivers]:
    """Serve both."""
    found = Receivers()
    web = ThreadingHTTPServer(("127.0.0.1", 0), type("Web", (_Webhook,), {"receivers": found}))
    mail = socketserver.ThreadingTCPServer(
        ("127.0.0.1", 0), type("Mail", (_Mail,), {"receivers": found})
    )
    mail.daemon_threads = True
    found.webhook = f"http://127.0.0.1:{web.server_port}{PATH}"
    found.port = mail.server_address[1]
    servers = (web, mail)
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield found
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


@contextlib.contextmanager
def serving() -> Iterator[dict[str, str]]:
    """What the examples are run beside."""
    with receiving() as found:
        yield {"NOTIFY_WEBHOOK": found.webhook}
