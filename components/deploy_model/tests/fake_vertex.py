"""Vertex AI's models and endpoints on loopback, over REST as the official client speaks it.

Long-running operations are done when they are looked at for the second time.
API: https://cloud.google.com/vertex-ai/docs/reference/rest.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

PARENT = "projects/ml-production/locations/europe-west4"
_TYPE = "type.googleapis.com/google.cloud.aiplatform.v1."
_STATUS = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
_STATUS |= {429: "RESOURCE_EXHAUSTED"}


class ApiError(Exception):
    """An error as the API has it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Vertex:
    """What there is, and what goes wrong."""

    url: str = ""
    models: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Versions of each model, by its resource name."""
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: dict[str, tuple[int, str]] = field(default_factory=dict)
    """By method, such as ``deployModel``: what its requests get instead."""
    requests: list[str] = field(default_factory=list)
    operations: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add_model(self, name: str, version: str = "1") -> str:
        """Put a version there; its resource name."""
        resource = f"{PARENT}/models/{name}"
        told = {"name": f"{resource}@{version}", "versionId": version, "displayName": name}
        self.models.setdefault(resource, []).append(told)
        return told["name"]

    def upload(self, body: dict[str, Any]) -> dict[str, Any]:
        """A model's first version, or another one."""
        model = body["model"]
        for needed in ("displayName", "containerSpec"):
            if not model.get(needed):
                raise ApiError(400, f"model.{needed} is required")
        parent = body.get("parentModel") or f"{PARENT}/models/{1000 + len(self.models)}"
        versions = self.models.setdefault(parent, [])
        number = str(len(versions) + 1)
        for other in versions:
            kept = set(other.get("versionAliases", ())) - set(model.get("versionAliases", ()))
            other["versionAliases"] = sorted(kept)
        versions.append(model | {"name": f"{parent}@{number}", "versionId": number})
        return self._later("UploadModelResponse", {"model": parent, "modelVersionId": number})

    def find(self, name: str) -> dict[str, Any]:
        """A version; without one in the name, the newest."""
        resource, _, version = name.partition("@")
        for each in reversed(self.models.get(resource, [])):
            if version in ("", each["versionId"], *each.get("versionAliases", ())):
                return each
        raise ApiError(404, f"Model {name} is not found.")

    def create_endpoint(self, body: dict[str, Any]) -> dict[str, Any]:
        """An endpoint without models."""
        name = f"{PARENT}/endpoints/{2000 + len(self.endpoints)}"
        self.endpoints[name] = {"deployedModels": [], "trafficSplit": {}, **body, "name": name}
        return self._later("Endpoint", self.endpoints[name])

    def deploy(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Deploy, with the traffic as it is to be; ``0`` stands for the new one."""
        endpoint, model = self.endpoints[name], body["deployedModel"]
        split = body.get("trafficSplit", {})
        known = {each["id"] for each in endpoint["deployedModels"]} | {"0"}
        if sum(split.values()) != 100 or not set(split) <= known:
            raise ApiError(400, f"bad traffic split {split}")
        version = self.find(model["model"])
        identity = str(3000 + len(self.requests))
        deployed = {
            **model,
            "id": identity,
            "model": version["name"].partition("@")[0],
            "modelVersionId": version["versionId"],
        }
        endpoint["deployedModels"].append(deployed)
        endpoint["trafficSplit"] = {
            identity if each == "0" else each: part for each, part in split.items()
        }
        return self._later("DeployModelResponse", {"deployedModel": deployed})

    def undeploy(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Take a model away that gets no traffic."""
        endpoint, identity = self.endpoints[name], body["deployedModelId"]
        if endpoint["trafficSplit"].get(identity):
            raise ApiError(400, f"{identity} has traffic")
        left = [each for each in endpoint["deployedModels"] if each["id"] != identity]
        endpoint["deployedModels"] = left
        return self._later("UndeployModelResponse", {})

    def _later(self, kind: str, response: dict[str, Any]) -> dict[str, Any]:
        name = f"{PARENT}/operations/{len(self.operations) + 1}"
        self.operations[name] = {
            "name": name,
            "done": True,
            "response": {"@type": _TYPE + kind, **response},
        }
        return {"name": name}


class _Handler(BaseHTTPRequestHandler):
    vertex: Vertex

    def do_GET(self) -> None:
        self._do()

    def do_POST(self) -> None:
        self._do()

    def do_PATCH(self) -> None:
        self._do()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _do(self) -> None:
        parts = urlsplit(self.path)
        name = re.sub("^/(v1|ui)/", "", unquote(parts.path))  # the client asks /ui for operations
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        self.vertex.requests.append(f"{self.command} {name}")
        try:
            status, told = 200, self._answer(name, body, parse_qs(parts.query))
        except ApiError as error:
            status = error.status
            code = _STATUS.get(status, "INTERNAL")
            told = {"error": {"code": status, "message": str(error), "status": code}}
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer(self, name: str, body: dict[str, Any], asked: dict[str, list[str]]) -> Any:
        vertex = self.vertex
        resource, _, method = name.partition(":")
        kind = resource.split("/")[4]
        if failure := vertex.failures.get(method or f"{self.command} {kind}"):
            raise ApiError(*failure)
        if kind == "operations":
            return vertex.operations[resource]
        wanted = re.search(r'display_name="(.*)"', asked.get("filter", [""])[0])
        if name == f"{PARENT}/models:upload":
            return vertex.upload(body)
        if name == f"{PARENT}/models":
            newest = [versions[-1] for versions in vertex.models.values()]
            plain = [each | {"name": each["name"].partition("@")[0]} for each in newest]
            return {"models": [one for one in plain if one["displayName"] == wanted[1]]}
        if kind == "models":
            return self._model(resource, method, body)
        if name == f"{PARENT}/endpoints" and self.command == "GET":
            found = [one for one in vertex.endpoints.values() if one["displayName"] == wanted[1]]
            return {"endpoints": found}
        return self._endpoint(resource, method, body)

    def _endpoint(self, resource: str, method: str, body: dict[str, Any]) -> Any:
        vertex = self.vertex
        if resource == f"{PARENT}/endpoints":
            return vertex.create_endpoint(body)
        if resource not in vertex.endpoints:
            raise ApiError(404, f"Endpoint {resource} is not found.")
        if method == "deployModel":
            return vertex.deploy(resource, body)
        if method == "undeployModel":
            return vertex.undeploy(resource, body)
        if self.command == "PATCH":
            vertex.endpoints[resource]["trafficSplit"] = body["trafficSplit"]
        return vertex.endpoints[resource]

    def _model(self, resource: str, method: str, body: dict[str, Any]) -> Any:
        if method == "listVersions":
            return {"models": self.vertex.models.get(resource, [])}
        found = self.vertex.find(resource)
        if method == "mergeVersionAliases":
            found["versionAliases"] = body["versionAliases"]
        return found


@contextlib.contextmanager
def vertex_server() -> Iterator[Vertex]:
    """Serve Vertex AI, empty."""
    vertex = Vertex()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"vertex": vertex}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    vertex.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield vertex
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def serving() -> Iterator[dict[str, str]]:
    """What the examples are run beside: one model, and no endpoint."""
    with vertex_server() as vertex:
        vertex.add_model("iris", "2")
        yield {"VERTEX_AI_ENDPOINT": vertex.url}
