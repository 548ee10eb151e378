"""Vertex AI's Model Registry for one model that is new: what the example is run beside.

The tests use the whole fake, ``components/deploy_model/tests/fake_vertex.py``; an example sees no
folder of tests but its own.
"""

from __future__ import annotations

import contextlib
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARENT = "projects/ml-production/locations/europe-west4"
_RESPONSE = {
    "@type": "type.googleapis.com/google.cloud.aiplatform.v1.UploadModelResponse",
    "model": f"{_PARENT}/models/1000",
    "modelVersionId": "1",
}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._send({} if "/models" in self.path else {"done": True, "response": _RESPONSE})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        needed = body["model"]["artifactUri"] and body["model"]["containerSpec"]["imageUri"]
        self._send({"name": f"{_PARENT}/operations/1"} if needed else {})

    def _send(self, told: dict[str, Any]) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serving() -> Iterator[dict[str, str]]:
    """Serve it."""
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield {"VERTEX_AI_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
    server.shutdown()
