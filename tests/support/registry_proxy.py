"""A loopback proxy before a registry: counts the bytes of each kind and injects faults."""

from __future__ import annotations

import base64
import contextlib
import hmac
import http.client
import http.server
import json
import re
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    Gate = Callable[[str, str, Mapping[str, str]], "Answer | None"]

_PIECE = 1 << 16
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the proxy says by itself."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with requests that match, a number of times."""

    method: str = ".*"
    path: str = ""
    """A regular expression that is searched for in path and query."""
    times: int = 1
    answer: Answer | None = None
    """Said instead of asking the registry."""
    cut_up: int | None = None
    """Both connections are closed when this many bytes of the request's body have passed."""
    cut_down: int | None = None
    """The same for the answer's body."""
    lose_answer: bool = False
    """The registry does what it was asked, and nobody is told."""
    slow: float = 0.0
    """Seconds before each piece of 64 KiB."""
    before: Callable[[], None] | None = None
    """Called when it strikes: restart the registry, for one."""

    def strikes(self, method: str, path: str) -> bool:
        """Whether it is this request's turn to fail."""
        return (
            self.times > 0
            and bool(re.fullmatch(self.method, method))
            and bool(re.search(self.path, path))
        )


class RegistryProxy:
    """Speaks for the registry at ``upstream``; a context manager."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.faults: list[Fault] = []
        self.gates: list[Gate] = []
        self.up: Counter[str] = Counter()
        """Bytes of request bodies, by kind: manifest, upload, blob, tags, other."""
        self.down: Counter[str] = Counter()
        self.requests: list[tuple[str, str, int]] = []
        """Method, path with query, status; 0 where the connection was cut."""
        self._lock = threading.Lock()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                _Exchange(proxy, self).run()

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _any  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
                """Say nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def forget(self) -> None:
        """Begin counting anew."""
        with self._lock:
            self.up.clear()
            self.down.clear()
            self.requests.clear()

    def count(self, method: str, path: str = "") -> int:
        """How many requests there were."""
        return sum(
            1 for seen, where, _ in self.requests if seen == method and re.search(path, where)
        )

    def fault(self, method: str, path: str) -> Fault | None:
        """The fault that strikes this request; it is used up."""
        with self._lock:
            for fault in self.faults:
                if fault.strikes(method, path):
                    fault.times -= 1
                    return fault
        return None

    def note(self, counter: Counter[str], kind: str, size: int) -> None:
        """Count bytes."""
        with self._lock:
            counter[kind] += size

    def log(self, method: str, path: str, status: int) -> None:
        """Note that a request has ended."""
        with self._lock:
            self.requests.append((method, path, status))


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are what many tests are about."""


class _Cut(Exception):  # noqa: N818 - not an error here
    pass


class _Exchange:
    """One request and its answer."""

    def __init__(self, proxy: RegistryProxy, handler: http.server.BaseHTTPRequestHandler) -> None:
        self.proxy, self.handler = proxy, handler
        self.method, self.path = handler.command, handler.path
        self.kind = kind_of(self.path)
        self.fault = proxy.fault(self.method, self.path) or Fault()

    def run(self) -> None:
        if self.fault.before:
            self.fault.before()
        try:
            self._run()
        except (_Cut, OSError, http.client.HTTPException):
            self.proxy.log(self.method, self.path, 0)
            self.handler.close_connection = True
            with contextlib.suppress(OSError):
                self.handler.connection.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        own = self.fault.answer
        for gate in self.proxy.gates:
            own = own or gate(self.method, self.path, self.handler.headers)
        if own:
            for _ in self._body():
                pass
            self._say(own)
            return
        upstream = http.client.HTTPConnection(self.proxy.upstream, timeout=60)
        try:
            self._ask(upstream)
            answer = upstream.getresponse()
            if self.fault.lose_answer:
                answer.read()
                raise _Cut
            self._pass_on(answer)
        finally:
            upstream.close()

    def _ask(self, upstream: http.client.HTTPConnection) -> None:
        upstream.putrequest(self.method, self.path, skip_host=True, skip_accept_encoding=True)
        chunked = "chunked" in self.handler.headers.get("Transfer-Encoding", "")
        for name, value in self.handler.headers.items():
            if name.lower() not in _HOP:
                upstream.putheader(name, value)
        if chunked:
            upstream.putheader("Transfer-Encoding", "chunked")
        elif "Content-Length" in self.handler.headers:
            upstream.putheader("Content-Length", self.handler.headers["Content-Length"])
        upstream.endheaders()
        left = self.fault.cut_up
        for piece in self._body():
            sent = piece if left is None else piece[:left]
            upstream.send(b"%x\r\n%s\r\n" % (len(sent), sent) if chunked else sent)
            if left is not None:
                left -= len(sent)
                if not left:
                    # Long enough for the registry to have written what it has.
                    time.sleep(0.2)
                    raise _Cut
        if chunked:
            upstream.send(b"0\r\n\r\n")

    def _body(self) -> Iterator[bytes]:
        """The request's body in pieces, counted."""
        reader = self.handler.rfile
        if "chunked" in self.handler.headers.get("Transfer-Encoding", ""):
            while size := int(reader.readline().split(b";")[0], 16):
                yield self._count(reader.read(size))
                reader.readline()
            reader.readline()
            return
        left = int(self.handler.headers.get("Content-Length") or 0)
        while left:
            piece = reader.read(min(_PIECE, left))
            if not piece:
                raise _Cut
            left -= len(piece)
            yield self._count(piece)

    def _count(self, piece: bytes) -> bytes:
        if self.fault.slow:
            time.sleep(self.fault.slow)
        self.proxy.note(self.proxy.up, self.kind, len(piece))
        return piece

    def _pass_on(self, answer: http.client.HTTPResponse) -> None:
        handler = self.handler
        # Before the client has it, so that nothing is counted late.
        self.proxy.log(self.method, self.path, answer.status)
        handler.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                handler.send_header(name, value)
        length = answer.getheader("Content-Length")
        bodiless = self.method == "HEAD" or answer.status == 204
        if length is not None:
            handler.send_header("Content-Length", length)
        elif not bodiless:
            handler.send_header("Connection", "close")
            handler.close_connection = True
        handler.end_headers()
        left = self.fault.cut_down
        while not bodiless and (piece := answer.read(_PIECE)):
            if self.fault.slow:
                time.sleep(self.fault.slow)
            sent = piece if left is None else piece[:left]
            self.proxy.note(self.proxy.down, self.kind, len(sent))
            handler.wfile.write(sent)
            if left is not None:
                left -= len(sent)
                if not left:
                    raise _Cut

    def _say(self, answer: Answer) -> None:
        handler = self.handler
        self.proxy.log(self.method, self.path, answer.status)
        handler.send_response_only(answer.status)
        for name, value in answer.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        if self.method != "HEAD":
            handler.wfile.write(answer.body)


def kind_of(path: str) -> str:
    """What a request is about."""
    where = urlsplit(path).path
    for part, kind in (
        ("/manifests/", "manifest"),
        ("/blobs/uploads", "upload"),
        ("/blobs/", "blob"),
        ("/tags/", "tags"),
    ):
        if part in where:
            return kind
    return "other"


def error(status: int, code: str, message: str = "", **headers: str) -> Answer:
    """A refusal as the specification writes it."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers={"Content-Type": "application/json", **named}, body=body)


def read_only(method: str, path: str, headers: Mapping[str, str]) -> Answer | None:
    """A gate: whoever asks may read alone."""
    if method in ("GET", "HEAD"):
        return None
    return error(403, "DENIED", "requested access to the resource is denied")


def immutable_tags(upstream: str) -> Gate:
    """A gate: a tag that exists is never written again."""

    def gate(method: str, path: str, headers: Mapping[str, str]) -> Answer | None:
        if method != "PUT" or "/manifests/" not in path or "/manifests/sha256:" in path:
            return None
        connection = http.client.HTTPConnection(upstream, timeout=30)
        try:
            accept = "application/vnd.oci.image.manifest.v1+json"
            connection.request("HEAD", path, headers={"Accept": accept})
            there = connection.getresponse().status == 200
        finally:
            connection.close()
        text = "cannot update tag: the repository has enabled tag immutability"
        return error(400, "MANIFEST_INVALID", text) if there else None

    return gate


def upload_status(
    data: Path, secret: str
) -> Callable[[str, str, Mapping[str, str]], Answer | None]:
    """A gate: how far an upload has come, which CNCF Distribution 2.8 does not tell after a cut.

    It refuses an upload whose file is longer than the address it gave says; with its secret a
    new address can be made, after which it continues as the specification asks.
    """

    def gate(method: str, path: str, headers: Mapping[str, str]) -> Answer | None:
        if method != "GET" or "/blobs/uploads/" not in path:
            return None
        where, _, query = path.partition("?")
        state = base64.urlsafe_b64decode(parse_qs(query)["_state"][0])[32:]
        identity = where.rpartition("/")[2]
        (file,) = data.rglob(f"_uploads/{identity}/data")
        size = file.stat().st_size
        value = json.dumps({**json.loads(state), "Offset": size}, separators=(",", ":")).encode()
        signed = base64.urlsafe_b64encode(hmac.digest(secret.encode(), value, "sha256") + value)
        location = f"{where}?{urlencode({'_state': signed.decode()})}"
        return Answer(status=204, headers={"Location": location, "Range": f"0-{size - 1}"})

    return gate
