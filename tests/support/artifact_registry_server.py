"""Artifact Registry's API on loopback, with state: repositories, images, deletions."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from support.json_server import JsonHandler, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION = re.compile(r"/v1/(.+/repositories/[^/]+)/packages/([^/]+)/versions/(.+)")


@dataclass(kw_only=True)
class ArtifactRegistryServer:
    """The API; what it holds is made and read by tests."""

    endpoint: str = ""
    repositories: dict[str, dict[str, Any]] = field(default_factory=dict)
    images: list[dict[str, Any]] = field(default_factory=list)
    forbidden: bool = False
    page: int = 2
    """Images a page."""
    updates: list[str] = field(default_factory=list)
    """Masks of what was changed."""


@contextlib.contextmanager
def artifact_registry_server() -> Iterator[ArtifactRegistryServer]:  # noqa: C901 - one handler
    """Serve it."""
    state = ArtifactRegistryServer()

    class Handler(JsonHandler):
        def get(self) -> None:
            url = urlsplit(self.path)
            name = url.path.removeprefix("/v1/")
            if self._refused():
                return
            if name.endswith("/dockerImages"):
                start = int(parse_qs(url.query).get("pageToken", ["0"])[0])
                end = start + state.page
                more = {"nextPageToken": str(end)} if end < len(state.images) else {}
                self.answer(200, {"dockerImages": state.images[start:end], **more})
            elif name in state.repositories:
                self.answer(200, state.repositories[name])
            else:
                self._error(404, "NOT_FOUND")

        def post(self) -> None:
            url = urlsplit(self.path)
            body = self._json()
            if self._refused():
                return
            name = f"{url.path.removeprefix('/v1/')}/{parse_qs(url.query)['repositoryId'][0]}"
            state.repositories[name] = {**body, "name": name}
            self._done("google.devtools.artifactregistry.v1.Repository", {"name": name})

        def do_PATCH(self) -> None:  # noqa: N802 - http.server's name
            url = urlsplit(self.path)
            body = self._json()
            mask = parse_qs(url.query)["updateMask"][0]
            state.updates.append(mask)
            name = url.path.removeprefix("/v1/")
            state.repositories[name] |= {key: body[key] for key in mask.split(",") if key in body}
            self.answer(200, state.repositories[name])

        def do_DELETE(self) -> None:  # noqa: N802 - ditto
            # A resource's name holds the package's percent-encoded; its URL encodes that again.
            match = _VERSION.fullmatch(unquote(urlsplit(self.path).path))
            assert match, self.path
            assert parse_qs(urlsplit(self.path).query)["force"] == ["true"]
            end = f"/{unquote(match[2])}@{match[3]}"
            left = [one for one in state.images if not one["uri"].endswith(end)]
            if len(left) == len(state.images):
                self._error(404, "NOT_FOUND")
                return
            state.images[:] = left
            self._done("google.protobuf.Empty", {})

        def _json(self) -> Any:
            return json.loads(self.body() or b"{}")

        def _done(self, kind: str, value: dict[str, Any]) -> None:
            response = {"@type": f"type.googleapis.com/{kind}", **value}
            self.answer(200, {"name": "operations/1", "done": True, "response": response})

        def _refused(self) -> bool:
            if state.forbidden:
                self._error(403, "PERMISSION_DENIED")
            return state.forbidden

        def _error(self, code: int, status: str) -> None:
            self.answer(code, {"error": {"code": code, "message": status, "status": status}})

    with serving(Handler) as port:
        state.endpoint = f"http://127.0.0.1:{port}"
        yield state
