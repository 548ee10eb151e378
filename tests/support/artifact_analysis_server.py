"""Artifact Analysis' API on loopback: occurrences of images, told in pages."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from support.json_server import JsonHandler, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILTER = re.compile(
    r'\(kind = "VULNERABILITY" OR kind = "DISCOVERY"\) AND resourceUrl = "(https://[^"]+)"'
)


@dataclass(kw_only=True)
class ArtifactAnalysisServer:
    """The API; what it knows is made by tests."""

    endpoint: str = ""
    project: str = "acme"
    occurrences: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By ``HOST/PATH@DIGEST``."""
    refusals: list[tuple[int, str]] = field(default_factory=list)
    """Status and message that the next requests are answered with."""
    always: tuple[int, str] | None = None
    """The same for all requests."""
    begins: int = 0
    """Requests after which a scan that is under way has succeeded; 0: never."""
    page: int = 2
    asked: list[str] = field(default_factory=list)
    """Images, one for each page."""

    def scanned(
        self, image: str, *issues: dict[str, Any], status: str = "FINISHED_SUCCESS"
    ) -> None:
        """An image that was looked at, with what was found."""
        self.occurrences[image] = [discovery(status), *issues]


def discovery(status: str, *, continuous: str = "ACTIVE", error: str = "") -> dict[str, Any]:
    """How far an image was looked at."""
    told = {"analysisStatus": status, "continuousAnalysis": continuous}
    more = {"analysisStatusError": {"code": 3, "message": error}} if error else {}
    return {
        "kind": "DISCOVERY",
        "noteName": "projects/goog-analysis/notes/PACKAGE_VULNERABILITY",
        "discovery": {**told, **more, "lastScanTime": "2029-01-02T03:04:05Z"},
    }


def issue(
    identifier: str,
    package: str,
    version: str,
    *,
    fixed: str = "",
    severity: str = "HIGH",
    general: str = "CRITICAL",
    kind: str = "OS",
) -> dict[str, Any]:
    """A vulnerability as Google tells it: of Debian by the source package."""
    known = {"kind": "NORMAL", "fullName": fixed} if fixed else {"kind": "MAXIMUM"}
    return {
        "kind": "VULNERABILITY",
        "noteName": f"projects/goog-vulnz/notes/{identifier}",
        "vulnerability": {
            **({"severity": general} if general else {}),
            "effectiveSeverity": severity,
            "cvssScore": 7.5,
            "shortDescription": f"{identifier} of {package}",
            "packageIssue": [
                {
                    "affectedPackage": package,
                    "affectedVersion": {"kind": "NORMAL", "fullName": version},
                    "fixedVersion": known,
                    "packageType": kind,
                }
            ],
        },
    }


@contextlib.contextmanager
def artifact_analysis_server() -> Iterator[ArtifactAnalysisServer]:
    """Serve it."""
    state = ArtifactAnalysisServer()

    class Handler(JsonHandler):
        def get(self) -> None:
            url = urlsplit(self.path)
            if refusal := state.always or (state.refusals.pop(0) if state.refusals else None):
                code, message = refusal
                status = {403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED"}.get(code, "INTERNAL")
                error = {"code": code, "message": message, "status": status}
                self.answer(code, {"error": error})
                return
            assert url.path == f"/v1/projects/{state.project}/occurrences", url.path
            query = parse_qs(url.query)
            match = _FILTER.fullmatch(query["filter"][0])
            assert match, query["filter"]
            image = match[1].removeprefix("https://")
            state.asked.append(image)
            if state.begins and len(state.asked) > state.begins:
                state.scanned(image)
            found = state.occurrences.get(image, [])
            start = int(query.get("pageToken", ["0"])[0])
            end = start + state.page
            more = {"nextPageToken": str(end)} if end < len(found) else {}
            self.answer(200, {"occurrences": found[start:end], **more})

    with serving(Handler) as port:
        state.endpoint = f"http://127.0.0.1:{port}"
        yield state
