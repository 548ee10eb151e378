"""pip's view of the package world as one simple index on loopback.

A resolver knows one index and no pip configuration. This one presents what pip would see:
main index, extra indexes and links, credentials and certificates included; of files with one
name the first wins. Pages are PEP 503 and PEP 691, metadata (PEP 658) and ranges pass through.
"""

from __future__ import annotations

import contextlib
import hashlib
import html
import json
import re
import secrets
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import httpx2
from packaging.utils import canonicalize_name

from eggcrate.errors import EggcrateError
from eggcrate.files import sha256_file
from eggcrate.packages.offers import offers, project_links
from eggcrate.packages.web import TransientError, retrying, transient_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.version import Version
    from unearth.link import Link

    from eggcrate.packages.indexes import Indexes, Source
    from eggcrate.packages.offers import Offer

_JSON = "application/vnd.pypi.simple.v1+json"
_BINARY = "application/octet-stream"
_CHUNK = 1 << 16
_PASSED_ON = ("Content-Type", "Content-Length", "Content-Range", "Accept-Ranges")
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, kw_only=True)
class _Offer:
    """A file as our pages offer it."""

    link: Link
    key: str
    hashes: dict[str, str]


class LoopbackIndex:
    """The index while it serves; made by :func:`loopback_index`.

    Attributes:
        url: of the simple index. It holds a secret: other users of the machine cannot use it
            to borrow our credentials.
        missing: projects that were asked for and are nowhere.
        failures: what went wrong upstream, for the error message when resolving fails.
    """

    def __init__(self, indexes: Indexes, sources: Sequence[Source]) -> None:
        self.missing: set[str] = set()
        self.failures: list[EggcrateError] = []
        self._indexes = indexes
        self._sources = tuple(sources)
        self._offers: dict[str, _Offer] = {}
        self._secret = secrets.token_urlsafe(16)
        handler = type("_BoundHandler", (_Handler,), {"index": self})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True

    @property
    def url(self) -> str:
        """The simple index's URL, without a slash at the end."""
        return f"http://127.0.0.1:{self.server.server_address[1]}/{self._secret}/simple"

    def route(self, path: str) -> tuple[str, ...]:
        """The parts of a path behind the secret; none for a path without it."""
        secret, *rest = path.split("?", maxsplit=1)[0].strip("/").split("/")
        return tuple(rest) if secrets.compare_digest(secret, self._secret) else ()

    def project(self, name: str) -> list[_Offer] | None:
        """What all sources together offer for a project; ``None`` when none knows it."""
        links = project_links(self._indexes, self._sources, name)
        if links is None:
            self.missing.add(name)
            return None
        return [self._offer(link) for link in links]

    def offers(self, name: str) -> Mapping[Version, Offer] | None:
        """What is offered of a project, by version, oldest first; ``None`` when it is unknown."""
        links = project_links(self._indexes, self._sources, canonicalize_name(name))
        return None if links is None else offers(canonicalize_name(name), links)

    def versions(self, name: str) -> list[str]:
        """The versions that are offered of a project, oldest first."""
        return [str(version) for version in self.offers(name) or ()]

    def offer(self, key: str) -> _Offer | None:
        """A file that a page told of."""
        return self._offers.get(key)

    def _offer(self, link: Link) -> _Offer:
        key = hashlib.sha256(link.url.encode()).hexdigest()[:24]
        if (known := self._offers.get(key)) is not None:
            return known
        hashes = {name: values[0] for name, values in (link.hash_option or {}).items()}
        if not hashes and link.is_file and link.file_path.is_file():
            hashes = {"sha256": sha256_file(link.file_path)}
        return self._offers.setdefault(key, _Offer(link=link, key=key, hashes=hashes))

    @contextlib.contextmanager
    def upstream(self, url: str, method: str, range_: str) -> Iterator[httpx2.Response]:
        """A response of an upstream server, its body not yet read."""
        headers = {"Accept-Encoding": "identity"} | ({"Range": range_} if range_ else {})
        client = self._indexes.client

        def send() -> httpx2.Response:
            with transient_network(url):
                response = client.send(
                    client.build_request(method, url, headers=headers), stream=True
                )
            if response.status_code == 429 or response.status_code >= 500:  # noqa: PLR2004
                response.close()
                raise TransientError(f"it answered {response.status_code}")
            return response

        name = url.rpartition("/")[2]
        response = retrying(send, what=name, url=url, retries=self._indexes.retries)
        try:
            yield response
        finally:
            response.close()


@contextlib.contextmanager
def loopback_index(indexes: Indexes, sources: Sequence[Source]) -> Iterator[LoopbackIndex]:
    """Serve ``sources`` as one index for the length of the block."""
    index = LoopbackIndex(indexes, sources)
    thread = threading.Thread(
        target=index.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield index
    finally:
        index.server.shutdown()
        thread.join()
        index.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    index: LoopbackIndex
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing; what matters is in ``failures``."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        try:
            self._answer()
        except EggcrateError as error:
            # 424 Failed Dependency: a client would try a 5xx again, and we already did.
            self.index.failures.append(error)
            self._send(424, error.what.encode(), "text/plain")
        except (ConnectionError, TimeoutError, httpx2.TransportError):
            # Either side went away in the middle of a file: the client must not take what
            # it has for the whole.
            self.close_connection = True

    def _answer(self) -> None:
        match self.index.route(self.path):
            case ("simple", name):
                offers = self.index.project(name)
                if offers is not None:
                    self._send_page(name, offers)
                    return
            case ("files", key, filename):
                offer = self.index.offer(key)
                if offer is not None:
                    url = offer.link.url_without_fragment
                    metadata = filename == f"{offer.link.filename}.metadata"
                    self._send_file(offer, f"{url}.metadata" if metadata else url, metadata)
                    return
        self._send(404, b"not found", "text/plain")

    def _send_page(self, name: str, offers: list[_Offer]) -> None:
        if _JSON in self.headers.get("Accept", ""):
            rows = [_row(offer) for offer in offers]
            page = {"meta": {"api-version": "1.1"}, "name": name, "files": rows}
            self._send(200, json.dumps(page).encode(), _JSON)
        else:
            lines = "".join(f"{_anchor(offer)}<br>\n" for offer in offers)
            page_text = f"<!DOCTYPE html><html><body>\n{lines}</body></html>\n"
            self._send(200, page_text.encode(), "text/html; charset=utf-8")

    def _send_file(self, offer: _Offer, url: str, metadata: bool) -> None:
        range_ = self.headers.get("Range", "")
        if offer.link.is_file:
            path = offer.link.file_path
            path = path.with_name(f"{path.name}.metadata") if metadata else path
            self._send_local(path, range_)
            return
        with self.index.upstream(url, self.command, range_) as response:
            self.send_response(response.status_code)
            for name in _PASSED_ON:
                if name in response.headers:
                    self.send_header(name, response.headers[name])
            if "Content-Length" not in response.headers:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            if self.command != "HEAD":
                for block in response.iter_raw(_CHUNK):
                    self.wfile.write(block)

    def _send_local(self, path: Path, range_: str) -> None:
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            self._send(404, b"not found", "text/plain")
            return
        start, end = _interval(range_, size)
        with path.open("rb") as file:
            file.seek(start)
            body = file.read(end - start)
        headers = {"Accept-Ranges": "bytes"}
        if range_:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        self._send(206 if range_ else 200, body, _BINARY, headers)

    def _send(
        self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        # Our port changes with each run, so nothing of ours is worth a place in an HTTP cache.
        self.send_header("Cache-Control", "no-store")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _row(offer: _Offer) -> dict[str, Any]:
    """A file of a PEP 691 page."""
    link = offer.link
    row: dict[str, Any] = {
        "filename": link.filename,
        "url": f"../../files/{offer.key}/{link.filename}",
        "hashes": offer.hashes,
        "yanked": (link.yank_reason or True) if link.is_yanked else False,
    }
    if link.requires_python:
        row["requires-python"] = link.requires_python
    if link.dist_info_metadata:
        row["core-metadata"] = link.dist_info_metadata
    if link.upload_time:
        row["upload-time"] = link.upload_time.isoformat()
    return row


def _anchor(offer: _Offer) -> str:
    """A file of a PEP 503 page."""
    link = offer.link
    fragment = next((f"#{name}={value}" for name, value in offer.hashes.items()), "")
    href = f"../../files/{offer.key}/{link.filename}{fragment}"
    attributes = {"href": href}
    if link.requires_python:
        attributes["data-requires-python"] = link.requires_python
    if link.is_yanked:
        attributes["data-yanked"] = str(link.yank_reason or "")
    if link.dist_info_metadata:
        known = link.dist_info_metadata
        pairs = known.items() if isinstance(known, dict) else ()
        attributes["data-core-metadata"] = next((f"{k}={v}" for k, v in pairs), "true")
    text = " ".join(f'{name}="{html.escape(value)}"' for name, value in attributes.items())
    return f"<a {text}>{html.escape(link.filename)}</a>"


def _interval(range_: str, size: int) -> tuple[int, int]:
    """Start and end (exclusive) of an RFC 9110 byte range within ``size`` bytes."""
    match = _RANGE.fullmatch(range_.strip())
    if match is None or match.groups() == ("", ""):
        return 0, size
    first, last = match.groups()
    if not first:
        return max(0, size - int(last)), size
    return min(int(first), size), min(int(last) + 1, size) if last else size
