"""Buckets with state over HTTP: the JSON API as far as the official client asks it, and tokens.

Generations, preconditions and checksums are as the real one has them.
API: https://cloud.google.com/storage/docs/json_api/v1.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from support.json_server import JsonHandler, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "a-token-for-tests"


@dataclass
class Blob:
    """An object in a bucket."""

    content: bytes
    generation: int
    content_type: str


@dataclass
class Storage:
    """What there is, and what goes wrong."""

    url: str = ""
    buckets: dict[str, dict[str, Blob]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    """``METHOD bucket`` pairs that may not be."""
    failures: dict[str, list[int]] = field(default_factory=dict)
    """By HTTP method, the statuses that the next requests get instead."""
    requests: list[str] = field(default_factory=list)
    number: int = 123456
    _generation: int = 1_700_000_000_000_000

    def put(self, bucket: str, name: str, content: bytes, content_type: str) -> Blob:
        """Write an object."""
        self._generation += 1
        blob = Blob(content=content, generation=self._generation, content_type=content_type)
        self.buckets[bucket][name] = blob
        return blob


class _Handler(JsonHandler):
    storage: Storage

    def get(self) -> None:
        self._answer(*self._get())

    def post(self) -> None:
        self._answer(*self._post())

    def _refusal(self, bucket: str) -> int:
        self.storage.requests.append(f"{self.command} {self.path}")
        if waiting := self.storage.failures.get(self.command):
            return waiting.pop(0)
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return 401
        return 403 if f"{self.command} {bucket}" in self.storage.denied else 0

    def _get(self) -> tuple[int, Any]:
        parts = [unquote(part) for part in urlsplit(self.path).path.split("/")[3:]]
        bucket = parts[1]
        if status := self._refusal(bucket):
            return status, None
        if bucket not in self.storage.buckets:
            return 404, None
        if len(parts) == 2:
            return 200, {"name": bucket, "projectNumber": str(self.storage.number)}
        blob = self.storage.buckets[bucket].get(parts[3])
        return (200, _described(bucket, parts[3], blob)) if blob else (404, None)

    def _post(self) -> tuple[int, Any]:
        url = urlsplit(self.path)
        if url.path == "/token":
            self.body()
            return 200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}
        query = parse_qs(url.query)
        if not url.path.startswith("/upload/storage/v1/b/"):
            return 501, None
        bucket = url.path.split("/")[5]
        metadata, content = self.parts()
        if status := self._refusal(bucket):
            return status, None
        if bucket not in self.storage.buckets:
            return 404, None
        name = json.loads(metadata.get_payload(decode=True))["name"]
        there = self.storage.buckets[bucket].get(name)
        if "ifGenerationMatch" in query:
            wanted = int(query["ifGenerationMatch"][0])
            if wanted != (there.generation if there else 0):
                return 412, None
        blob = self.storage.put(
            bucket, name, content.get_payload(decode=True), content.get_content_type()
        )
        return 200, _described(bucket, name, blob)

    def _answer(self, status: int, document: Any) -> None:
        if document is None:
            told = {403: "caller does not have storage access", 404: "Not Found"}
            document = {"error": {"code": status, "message": told.get(status, f"no: {status}")}}
        self.answer(status, document)


def _described(bucket: str, name: str, blob: Blob) -> dict[str, str]:
    md5 = hashlib.md5(blob.content, usedforsecurity=False).digest()
    return {
        "bucket": bucket,
        "name": name,
        "generation": str(blob.generation),
        "size": str(len(blob.content)),
        "contentType": blob.content_type,
        "md5Hash": base64.b64encode(md5).decode(),
    }


@contextlib.contextmanager
def storage_server() -> Iterator[Storage]:
    """Serve empty storage."""
    storage = Storage()
    with serving(type("Handler", (_Handler,), {"storage": storage})) as port:
        storage.url = f"http://127.0.0.1:{port}"
        yield storage
