"""Cloud Storage's JSON API on loopback, as far as gcsfs asks for it.

Listing, metadata, ranges, simple and resumable uploads, with generations and MD5.
API: https://cloud.google.com/storage/docs/json_api/v1.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Storage:
    """What there is, and what goes wrong."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    """By ``bucket/name``; a bucket is there when something was ever in it."""
    buckets: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)
    """Objects whose content comes with a byte changed."""
    requests: list[str] = field(default_factory=list)
    uploads: dict[str, str] = field(default_factory=dict)

    def put(self, bucket: str, name: str, content: bytes) -> None:
        """Put an object there."""
        self.buckets.add(bucket)
        self.objects[f"{bucket}/{name}"] = content

    def told(self, bucket: str, name: str) -> dict[str, Any]:
        """An object's metadata."""
        content = self.objects[f"{bucket}/{name}"]
        md5 = hashlib.md5(content, usedforsecurity=False).digest()
        return {
            "kind": "storage#object",
            "id": f"{bucket}/{name}/1",
            "name": name,
            "bucket": bucket,
            "size": str(len(content)),
            "md5Hash": base64.b64encode(md5).decode(),
            "generation": "1",
            "metageneration": "1",
            "contentType": "application/octet-stream",
            "timeCreated": "2027-01-31T06:00:00.000Z",
            "updated": "2027-01-31T06:00:00.000Z",
        }


class _Handler(BaseHTTPRequestHandler):
    storage: Storage
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._route()

    def do_POST(self) -> None:
        self._route()

    def do_PUT(self) -> None:
        self._route()

    def do_DELETE(self) -> None:
        self._route()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _route(self) -> None:
        parts = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.storage.requests.append(f"{self.command} {unquote(parts.path)}")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = re.sub("^/(upload/|download/)?storage/v1/", "", parts.path)
        match = re.fullmatch("b/([^/]+)(?:/o(?:/(.+))?)?", path)
        bucket, name = (unquote(each or "") for each in match.groups())
        if bucket in self.storage.denied:
            self._error(403, "the caller does not have storage.objects access")
        elif bucket not in self.storage.buckets:
            self._error(404, f"The specified bucket {bucket} does not exist.")
        elif parts.path.startswith("/upload/"):
            self._upload(bucket, asked, body)
        elif not name:
            self._list(bucket, asked) if path.endswith("/o") else self._json({"name": bucket})
        elif f"{bucket}/{name}" not in self.storage.objects:
            self._error(404, f"No such object: {bucket}/{name}")
        elif self.command == "DELETE":
            del self.storage.objects[f"{bucket}/{name}"]
            self._send(204, b"")
        elif asked.get("alt") == "media" or parts.path.startswith("/download/"):
            self._content(f"{bucket}/{name}")
        else:
            self._json(self.storage.told(bucket, name))

    def _list(self, bucket: str, asked: dict[str, str]) -> None:
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter")
        items, prefixes = [], set()
        for each in sorted(self.storage.objects):
            owner, _, name = each.partition("/")
            if owner != bucket or not name.startswith(prefix):
                continue
            rest = name.removeprefix(prefix)
            if delimiter and delimiter in rest:
                prefixes.add(prefix + rest.partition(delimiter)[0] + delimiter)
            else:
                items.append(self.storage.told(bucket, name))
        self._json({"kind": "storage#objects", "items": items, "prefixes": sorted(prefixes)})

    def _content(self, key: str) -> None:
        content = self.storage.objects[key]
        if key in self.storage.damaged:
            content = bytes([content[0] ^ 1]) + content[1:]
        size = len(content)
        if given := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            start, end = int(given[1]), min(int(given[2] or size), size - 1)
            if start >= size:
                self._error(416, "Requested range not satisfiable")
                return
            head = {"Content-Range": f"bytes {start}-{end}/{size}"}
            self._send(206, content[start : end + 1], head)
            return
        self._send(200, content)

    def _upload(self, bucket: str, asked: dict[str, str], body: bytes) -> None:
        if "upload_id" in asked:
            name = self.storage.uploads[asked["upload_id"]]
            self.storage.put(bucket, name, body)
            self._json(self.storage.told(bucket, name))
        elif asked["uploadType"] == "resumable":
            name = asked.get("name") or json.loads(body)["name"]
            number = str(len(self.storage.uploads))
            self.storage.uploads[number] = name
            place = f"{self.storage.url}/upload/storage/v1/b/{bucket}/o?upload_id={number}"
            self._send(200, b"", {"Location": place})
        else:  # multipart: metadata, then content
            mark = re.search("boundary=['\"]?([^'\";]+)", self.headers["Content-Type"])[1]
            _, told, content, _ = body.split(f"--{mark}".encode())
            split = re.compile(b"\r?\n\r?\n")
            name = json.loads(split.split(told, maxsplit=1)[1])["name"]
            content = split.split(content, maxsplit=1)[1]
            self.storage.put(bucket, name, re.sub(rb"\r?\n\Z", b"", content))
            self._json(self.storage.told(bucket, name))

    def _json(self, told: dict[str, Any]) -> None:
        self._send(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _error(self, status: int, message: str) -> None:
        told = {"error": {"code": status, "message": message, "errors": [{"message": message}]}}
        content = json.dumps(told).encode()
        self._send(status, content, {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, head: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (head or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextlib.contextmanager
def storage_server() -> Iterator[Storage]:
    """Serve Cloud Storage, empty."""
    storage = Storage()
    handler = type("Handler", (_Handler,), {"storage": storage})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    storage.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield storage
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def serving() -> Iterator[dict[str, str]]:
    """What the examples are run beside."""
    with storage_server() as storage:
        storage.put("shop", "orders/2027/01.csv", b"order,total\n1,2\n")
        storage.put("shop", "orders/2027/02.csv", b"order,total\n2,3\n")
        storage.put("shop", "orders/2027/notes.txt", b"not an order")
        yield {"STORAGE_EMULATOR_HOST": storage.url}
