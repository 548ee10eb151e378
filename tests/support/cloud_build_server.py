"""Cloud Build's API on loopback, with state: builds are made, listed by tag, told, cancelled.

What a build does is the test's to say: by script, or by executing its steps on Docker. Faults are
asked for before they happen, each for as often as it is to happen.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import re
import shlex
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from support.json_server import JsonHandler, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT, REGION = "acme", "europe-west4"
LIVE = ("QUEUED", "WORKING")
_BUILDS = re.compile(r"/v1/projects/([^/]+)/locations/([^/]+)/builds(?:/([^/:]+))?(:cancel)?")
_FILTER = re.compile(r'tags="([^"]+)"')
_CODES = {
    400: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
}

Work = Callable[["FakeBuild"], None]


@dataclass(kw_only=True)
class FakeBuild:
    """A build as the server keeps it."""

    document: dict[str, Any]
    log: list[str] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def id(self) -> str:
        return str(self.document["id"])

    @property
    def status(self) -> str:
        return str(self.document["status"])

    @property
    def tags(self) -> list[str]:
        return list(self.document.get("tags", ()))

    @property
    def script(self) -> str:
        """What its last step runs."""
        return str(self.document["steps"][-1]["script"])

    @property
    def env(self) -> dict[str, str]:
        """Variables of all steps, as the steps see them."""
        pairs = (item.split("=", 1) for item in self.document["options"]["env"])
        return {name: value.replace("$BUILD_ID", self.id) for name, value in pairs}

    def end(self, status: str, detail: str = "", failure: str = "") -> None:
        """End it, unless it has ended."""
        if self.status in LIVE:
            if detail or failure:
                kind = {"type": failure} if failure else {}
                self.document["failureInfo"] = {"detail": detail, **kind}
            self.document["finishTime"] = datetime.now(UTC).isoformat()
            self.document["status"] = status


def succeed(build: FakeBuild) -> None:
    """Do nothing, well."""
    build.end("SUCCESS")


@dataclass(kw_only=True)
class CloudBuildServer:
    """The service; what it holds is made and read by tests."""

    endpoint: str = ""
    builds: dict[str, FakeBuild] = field(default_factory=dict)
    work: Work = succeed
    """What each build does, in a thread of its own; it is QUEUED first, then WORKING."""
    page: int = 2
    """Builds a page."""
    create_faults: list[int | str] = field(default_factory=list)
    """Answers to the next creations: a status, or ``lost`` (made, and the answer is cut off)."""
    list_faults: list[int | str] = field(default_factory=list)
    """Answers to the next lists: a status, ``cut``, ``stale`` (as it was the last time), or
    ``torn`` (half an answer)."""
    cancel_faults: list[int] = field(default_factory=list)
    get_faults: list[int] = field(default_factory=list)
    log_faults: list[int] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    """Ids of builds that no list shows."""
    gone: set[str] = field(default_factory=set)
    """Ids of builds that nobody knows any more."""
    asked: list[str] = field(default_factory=list)
    """Method and kind of each request."""
    filters: set[str] = field(default_factory=set)
    _stale: dict[str, Any] = field(default_factory=dict)

    @property
    def live(self) -> list[str]:
        """Ids of the builds that go on."""
        return [one.id for one in self.builds.values() if one.status in LIVE]

    def tagged(self, tag: str) -> list[FakeBuild]:
        """All builds with a tag, the oldest first."""
        return [one for one in self.builds.values() if tag in one.tags]

    def add(self, **document: Any) -> FakeBuild:
        """A build that somebody else made."""
        made = FakeBuild(
            document={
                "id": str(uuid.uuid4()),
                "status": "WORKING",
                "createTime": datetime.now(UTC).isoformat(),
                **document,
            }
        )
        self.builds[made.id] = made
        return made

    def start(self, document: dict[str, Any]) -> FakeBuild:
        """Take a build and begin it; it is read as strictly as the service reads it."""
        kind: Any = importlib.import_module("google.cloud.devtools.cloudbuild_v1").Build
        text = kind.to_json(
            kind.from_json(json.dumps(document)),
            use_integers_for_enums=False,
            always_print_fields_with_no_presence=False,
        )
        made = self.add(**{**json.loads(text), "status": "QUEUED"})
        made.document["logUrl"] = f"https://console.example/builds/{made.id}"

        def run() -> None:
            if not made.cancelled.is_set():
                made.document["startTime"] = datetime.now(UTC).isoformat()
                made.document["status"] = "WORKING"
                self.work(made)

        threading.Thread(target=run, daemon=True).start()
        return made


@contextlib.contextmanager
def cloud_build_server() -> Iterator[CloudBuildServer]:  # noqa: C901 - one handler
    """Serve it."""
    state = CloudBuildServer()

    class Handler(JsonHandler):
        def get(self) -> None:
            url = urlsplit(self.path)
            match = _BUILDS.fullmatch(url.path)
            assert match, self.path
            if match[3]:
                state.asked.append("get")
                self._one(match[3])
                return
            state.asked.append("list")
            self._list(parse_qs(url.query))

        def _one(self, build_id: str) -> None:
            if state.get_faults:
                self._error(state.get_faults.pop(0))
                return
            if build_id not in state.builds or build_id in state.gone:
                self._error(404)
                return
            self.answer(200, state.builds[build_id].document)

        def _list(self, query: dict[str, list[str]]) -> None:
            fault = state.list_faults.pop(0) if state.list_faults else ""
            if fault == "cut":
                self.cut()
                return
            if isinstance(fault, int):
                self._error(fault)
                return
            asked = query["filter"][0]
            state.filters.add(asked)
            match = _FILTER.fullmatch(asked)
            assert match, asked
            start = int(query.get("pageToken", ["0"])[0])
            found = [
                one.document
                for one in reversed(list(state.builds.values()))
                if match[1] in one.tags and one.id not in state.hidden | state.gone
            ]
            end = start + state.page
            more = {"nextPageToken": str(end)} if end < len(found) else {}
            fresh = json.loads(json.dumps({"builds": found[start:end], **more}))
            told = state._stale.get(f"{asked} {start}", {}) if fault == "stale" else fresh
            state._stale[f"{asked} {start}"] = told
            text = json.dumps(told)
            self.answer(200, text[: len(text) // 2] if fault == "torn" else told)

        def post(self) -> None:
            url = urlsplit(self.path)
            body = json.loads(self.body() or b"{}")
            if url.path == "/v2/entries:list":
                self._log(body)
                return
            match = _BUILDS.fullmatch(url.path)
            assert match, self.path
            if match[4]:
                self._cancel(match[3])
                return
            state.asked.append("create")
            assert (match[1], match[2]) == (PROJECT, REGION)
            fault = state.create_faults.pop(0) if state.create_faults else ""
            if isinstance(fault, int):
                self._error(fault)
                return
            made = state.start(body)
            if fault == "lost":
                self.cut()
                return
            kind = "type.googleapis.com/google.devtools.cloudbuild.v1.BuildOperationMetadata"
            metadata = {"@type": kind, "build": made.document}
            self.answer(200, {"name": f"operations/build/{made.id}", "metadata": metadata})

        def _cancel(self, build_id: str) -> None:
            state.asked.append("cancel")
            if state.cancel_faults:
                self._error(state.cancel_faults.pop(0))
                return
            found = state.builds[build_id]
            if found.status not in LIVE:
                self._error(400)
                return
            found.cancelled.set()
            found.end("CANCELLED")
            self.answer(200, found.document)

        def _log(self, body: dict[str, Any]) -> None:
            if state.log_faults:
                self._error(state.log_faults.pop(0))
                return
            match = re.search(r'build_id="([^"]+)"', body["filter"])
            assert match
            start = int(body.get("pageToken", 0))
            lines = state.builds[match[1]].log
            end = start + 2
            more = {"nextPageToken": str(end)} if end < len(lines) else {}
            entries = [{"textPayload": line} for line in lines[start:end]]
            self.answer(200, {"entries": entries, **more})

        def _error(self, code: int) -> None:
            told = {"code": code, "message": f"no: {code}", "status": _CODES[code]}
            self.answer(code, {"error": told})

    with serving(Handler) as port:
        state.endpoint = f"http://127.0.0.1:{port}"
        yield state


def command_of(build: FakeBuild) -> tuple[list[str], str]:
    """The arguments of the ``eggcrate`` that a child build runs, and its standard input."""
    line = next(one for one in build.script.splitlines() if ".venv/bin/eggcrate" in one)
    command, _, end = line.partition(" <<")
    words = [word.replace("$BUILD_ID", build.id) for word in shlex.split(command)]
    stdin = ""
    if end:
        mark = end.strip("'")
        stdin = build.script.partition(f"{line}\n")[2].rpartition(f"{mark}\n")[0]
    return words[1:], stdin
