"""What small fakes over HTTP have in common."""

from __future__ import annotations

import contextlib
import email.parser
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class JsonHandler(BaseHTTPRequestHandler):
    """A handler that answers with JSON, or with text, or not at all."""

    protocol_version = "HTTP/1.1"

    def get(self) -> None:
        """Answer ``GET``."""

    def post(self) -> None:
        """Answer ``POST``."""

    def do_GET(self) -> None:
        self.get()

    def do_POST(self) -> None:
        self.post()

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def parts(self) -> list[Any]:
        """The parts of a multipart body."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        found = email.parser.BytesParser().parsebytes(head + self.body()).get_payload()
        assert isinstance(found, list)
        return found

    def answer(self, status: int, given: Any) -> None:
        text = isinstance(given, str)
        content = given.encode() if text else json.dumps(given).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if text else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def cut(self) -> None:
        """End the connection without an answer."""
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving(
    handler: type[BaseHTTPRequestHandler], certificate: Path | None = None
) -> Iterator[int]:
    """Serve on a port of loopback, over TLS with a certificate and key in one file."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    server = Server(("127.0.0.1", 0), handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
