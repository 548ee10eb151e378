"""GitHub and GitLab as far as comments go: small servers on loopback that behave like theirs.

Status codes, bodies, ``Link`` headers and rate limits are as the REST documentation of each
gives them (https://docs.github.com/en/rest/issues/comments,
https://docs.gitlab.com/api/notes/).
"""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "secret-token"
GITHUB_LIST = "/api/repos/acme/images/issues/7/comments"
GITHUB_ONE = "/api/repos/acme/images/issues/comments/"
GITLAB_LIST = "/api/v4/projects/acme%2Fimages/merge_requests/7/notes"


@dataclass
class FakeForge:
    """The comments of request 7 of acme/images, and what was asked."""

    kind: str
    """``github`` or ``gitlab``."""
    comments: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    """Method and path with query."""
    faults: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Status and headers to answer the next requests with instead."""
    write_faults: list[int] = field(default_factory=list)
    """Statuses to answer the next requests with that would change something."""
    write_headers: dict[str, str] = field(default_factory=dict)
    """Headers of these answers."""
    writable: bool = True
    vanish: bool = False
    """Whether a comment is deleted between being listed and being changed."""
    url: str = ""

    @property
    def environ(self) -> dict[str, str]:
        """What a CI job of it has in its environment."""
        if self.kind == "github":
            return {
                "GITHUB_API_URL": f"{self.url}/api",
                "GITHUB_REPOSITORY": "acme/images",
                "GITHUB_REF": "refs/pull/7/merge",
                "GITHUB_TOKEN": TOKEN,
            }
        return {
            "CI_API_V4_URL": f"{self.url}/api/v4",
            "CI_PROJECT_ID": "acme/images",
            "CI_MERGE_REQUEST_IID": "7",
            "GITLAB_TOKEN": TOKEN,
        }

    def add(self, body: str, count: int = 1) -> None:
        """Have comments of others."""
        for _ in range(count):
            self.comments.append({"id": 100 + len(self.comments), "body": body})

    @property
    def bodies(self) -> list[str]:
        """What stands there now."""
        return [comment["body"] for comment in self.comments]

    @property
    def written(self) -> list[str]:
        """The methods of requests that change something."""
        return [method for method, _ in self.requests if method != "GET"]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def do_GET(self) -> None:
        self._handle()

    do_POST = do_PATCH = do_PUT = do_GET  # noqa: N815 - the base's names

    def _handle(self) -> None:
        forge = self.server.forge
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        forge.requests.append((self.command, self.path))
        if forge.faults:
            status, headers = forge.faults.pop(0)
            self._send(status, {"message": "as told"} if status >= 400 else [], headers)
        elif not self._authorised():
            self._send(401, {"message": "Bad credentials"})
        elif self.command == "GET":
            self._page()
        elif forge.write_faults:
            told = {"message": "as told"}
            self._send(forge.write_faults.pop(0), told, forge.write_headers)
        elif not forge.writable:
            self._send(403, {"message": "Resource not accessible by integration"})
        else:
            self._write(json.loads(body)["body"])

    def _authorised(self) -> bool:
        if self.server.forge.kind == "github":
            return self.headers.get("Authorization") == f"Bearer {TOKEN}"
        return self.headers.get("PRIVATE-TOKEN") == TOKEN

    def _page(self) -> None:
        forge, parts = self.server.forge, urlsplit(self.path)
        listed = GITHUB_LIST if forge.kind == "github" else GITLAB_LIST
        if parts.path != listed:
            self._send(404, {"message": "Not Found"})
            return
        query = parse_qs(parts.query)
        size, page = int(query.get("per_page", ["30"])[0]), int(query.get("page", ["1"])[0])
        assert size <= 100
        shown = forge.comments[(page - 1) * size : page * size]
        link = f'<{forge.url}{listed}?per_page={size}&page=1>; rel="first"'
        if page * size < len(forge.comments):
            link = f'<{forge.url}{listed}?per_page={size}&page={page + 1}>; rel="next", {link}'
        self._send(200, shown, {"Link": link})

    def _write(self, body: str) -> None:
        forge = self.server.forge
        if self.command == "POST":
            assert self.path in (GITHUB_LIST, GITLAB_LIST)
            made = {"id": 1000 + len(forge.comments), "body": body}
            forge.comments.append(made)
            self._send(201, made)
            return
        assert self.command == ("PATCH" if forge.kind == "github" else "PUT")
        assert self.path.startswith(GITHUB_ONE if forge.kind == "github" else f"{GITLAB_LIST}/")
        number = int(self.path.rpartition("/")[2])
        if forge.vanish:
            forge.comments = [one for one in forge.comments if one["id"] != number]
        for one in forge.comments:
            if one["id"] == number:
                one["body"] = body
                self._send(200, one)
                return
        self._send(404, {"message": "Not Found"})

    def _send(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    forge: FakeForge


@contextlib.contextmanager
def fake_forge(kind: str) -> Iterator[FakeForge]:
    """Run one until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.forge = FakeForge(kind=kind, url=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.forge
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
