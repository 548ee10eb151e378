"""A small real package index on loopback: both page formats, PEP 658, Range, auth, faults."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, cast

from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename

from support.wheels import wheel_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_JSON = "application/vnd.pypi.simple.v1+json"


@dataclass(kw_only=True)
class Fault:
    """What goes wrong with the next ``times`` requests whose path contains ``path``."""

    path: str
    times: int = 1
    status: int = 0
    """Answer with this status instead; 0: answer, but see ``truncate``."""
    headers: dict[str, str] = field(default_factory=dict)
    truncate: int = -1
    """Close the connection after this many bytes of the body; -1: whole body."""
    corrupt: bool = False
    """Send as many bytes, but not the right ones."""


@dataclass(kw_only=True)
class Served:
    """A file of the index and what its page says of it."""

    filename: str
    content: bytes
    sha256: str
    metadata: bytes | None
    requires_python: str = ""
    yanked: str | None = None


class PackageIndex:
    """The index: add files, read ``url``, look at ``requests`` afterwards.

    Attributes:
        url: of the simple index, without a slash at the end; with credentials when they are
            needed.
        requests: ``(method, path, headers)`` of each request, in order.
        faults: what goes wrong; the first that matches and has ``times`` left is used.
        json: answer with PEP 691 pages to clients that ask for them.
        metadata: offer PEP 658 metadata files.
        ranges: honour ``Range``.
    """

    def __init__(self, *, credentials: str = "") -> None:
        self.projects: dict[str, list[Served]] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.faults: list[Fault] = []
        self.credentials = credentials
        self.json = True
        self.hashes = True
        self.metadata = True
        self.ranges = True
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.index = self  # type: ignore[attr-defined]  # the handler's way back to us
        self._thread = threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()

    @property
    def origin(self) -> str:
        """``http://127.0.0.1:port``, never with credentials."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def url(self) -> str:
        """The simple index's URL, what ``index-url`` is set to."""
        at = f"{self.credentials}@" if self.credentials else ""
        return f"http://{at}{self.origin.removeprefix('http://')}/simple"

    def add(self, path: Path, *, requires_python: str = "", yanked: str | None = None) -> Served:
        """Serve a wheel or sdist."""
        name = (
            parse_wheel_filename(path.name)[0]
            if path.suffix == ".whl"
            else parse_sdist_filename(path.name)[0]
        )
        content = path.read_bytes()
        served = Served(
            filename=path.name,
            content=content,
            sha256=hashlib.sha256(content).hexdigest(),
            metadata=wheel_metadata(path) if path.suffix == ".whl" else None,
            requires_python=requires_python,
            yanked=yanked,
        )
        self.projects.setdefault(canonicalize_name(name), []).append(served)
        return served

    def count(self, part: str) -> int:
        """How many requests had ``part`` in their path."""
        with self.lock:
            return sum(part in path for _, path, _ in self.requests)

    def close(self) -> None:
        """Stop serving."""
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


@contextmanager
def package_index(*, credentials: str = "") -> Iterator[PackageIndex]:
    """A package index for the length of the block; ``credentials`` as ``user:password``."""
    index = PackageIndex(credentials=credentials)
    try:
        yield index
    finally:
        index.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def index(self) -> PackageIndex:
        return cast("PackageIndex", cast("Any", self.server).index)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Stay silent."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        index = self.index
        with index.lock:
            index.requests.append((self.command, self.path, dict(self.headers)))
            fault = next((f for f in index.faults if f.times > 0 and f.path in self.path), None)
            if fault:
                fault.times -= 1
        if fault and fault.status:
            self._send(fault.status, b"fault", "text/plain", headers=fault.headers)
        elif index.credentials and self.headers.get("Authorization") != _basic(index.credentials):
            challenge = {"WWW-Authenticate": 'Basic realm="tests"'}
            self._send(401, b"who are you?", "text/plain", headers=challenge)
        else:
            self._answer(fault)

    def _answer(self, fault: Fault | None) -> None:
        match self.path.split("?")[0].strip("/").split("/"):
            case ["simple", name] if files := self.index.projects.get(name):
                if self.index.json and _JSON in self.headers.get("Accept", ""):
                    self._send(200, _json_page(self.index, name, files), _JSON, fault=fault)
                else:
                    self._send(200, _html_page(self.index, files), "text/html", fault=fault)
            case ["files", filename]:
                content = self._file(filename)
                if content is None:
                    self._send(404, b"no such file", "text/plain")
                else:
                    self._send_file(content, fault)
            case _:
                self._send(404, b"not found", "text/plain")

    def _file(self, filename: str) -> bytes | None:
        for files in self.index.projects.values():
            for served in files:
                if filename == served.filename:
                    return served.content
                if filename == f"{served.filename}.metadata" and self.index.metadata:
                    return served.metadata
        return None

    def _send_file(self, content: bytes, fault: Fault | None) -> None:
        kind = "application/octet-stream"
        wanted = self.headers.get("Range", "")
        if not (self.index.ranges and wanted.startswith("bytes=")):
            self._send(200, content, kind, fault=fault)
            return
        first, _, last = wanted.removeprefix("bytes=").partition("-")
        total = len(content)
        if first:
            start, end = int(first), min(int(last), total - 1) if last else total - 1
        else:
            start, end = max(0, total - int(last)), total - 1
        if start >= total:
            self._send(416, b"", kind, headers={"Content-Range": f"bytes */{total}"})
            return
        shown = {"Content-Range": f"bytes {start}-{end}/{total}"}
        self._send(206, content[start : end + 1], kind, headers=shown, fault=fault)

    def _send(
        self,
        status: int,
        body: bytes,
        kind: str,
        *,
        headers: dict[str, str] | None = None,
        fault: Fault | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if self.index.ranges:
            self.send_header("Accept-Ranges", "bytes")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault and fault.corrupt:
            body = bytes(byte ^ 0xFF for byte in body)
        if fault and fault.truncate >= 0:
            body = body[: fault.truncate]
            self.close_connection = True
        self.wfile.write(body)


def _basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


def _html_page(index: PackageIndex, files: list[Served]) -> bytes:
    lines = []
    for served in files:
        fragment = f"#sha256={served.sha256}" if index.hashes else ""
        attributes = ""
        if served.requires_python:
            attributes += f' data-requires-python="{html.escape(served.requires_python)}"'
        if served.yanked is not None:
            attributes += f' data-yanked="{html.escape(served.yanked)}"'
        if index.metadata and served.metadata is not None:
            digest = hashlib.sha256(served.metadata).hexdigest()
            attributes += f' data-core-metadata="sha256={digest}"'
        href = f"../../files/{served.filename}{fragment}"
        lines.append(f'<a href="{href}"{attributes}>{served.filename}</a><br>')
    return ("<!DOCTYPE html><html><body>\n" + "\n".join(lines) + "\n</body></html>\n").encode()


def _json_page(index: PackageIndex, name: str, files: list[Served]) -> bytes:
    rows = []
    for served in files:
        row: dict[str, object] = {
            "filename": served.filename,
            "url": f"../../files/{served.filename}",
            "hashes": {"sha256": served.sha256} if index.hashes else {},
            "yanked": served.yanked if served.yanked is not None else False,
            "size": len(served.content),
        }
        if served.requires_python:
            row["requires-python"] = served.requires_python
        if index.metadata and served.metadata is not None:
            row["core-metadata"] = {"sha256": hashlib.sha256(served.metadata).hexdigest()}
        rows.append(row)
    page = {"meta": {"api-version": "1.1"}, "name": name, "files": rows}
    return json.dumps(page).encode()
