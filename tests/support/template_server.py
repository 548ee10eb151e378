"""A registry of pipelines with state, as ``kfp.registry.RegistryClient`` speaks to it over TLS.

Versions are named by content; a tag moves. API: Artifact Registry's KFP format.
"""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from support.json_server import JsonHandler, serving
from support.storage_server import TOKEN
from support.tunnel import authority

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "europe-west4-kfp.pkg.dev"
REPOSITORY = "/ml-production/pipelines"


@dataclass
class Templates:
    """What there is, and what goes wrong."""

    port: int = 0
    packages: dict[str, dict[str, bytes]] = field(default_factory=dict)
    """Content by version, by package."""
    tags: dict[str, str] = field(default_factory=dict)
    """Version by ``package/tag``."""
    faults: list[int] = field(default_factory=list)

    def take(self, content: bytes, tags: list[str]) -> tuple[int, Any]:
        """Take a template, or say what is wrong with it."""
        documents = [one for one in yaml.safe_load_all(content) if one]
        if len(documents) != 1 or "pipelineInfo" not in documents[0]:
            return 400, "the file is not a KFP pipeline spec"
        package = documents[0]["pipelineInfo"]["name"]
        version = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.packages.setdefault(package, {})[version] = content
        self.tags |= {f"{package}/{tag}": version for tag in tags}
        return 200, f"{package}/{version}"


class _Handler(JsonHandler):
    templates: Templates

    def post(self) -> None:
        parts = {
            part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
            for part in self.parts()
        }
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401, "unauthenticated")
        elif self.templates.faults:
            fault = self.templates.faults.pop(0)
            self.answer(fault, f"the registry says {fault}") if fault else self.cut()
        elif self.path != REPOSITORY:
            self.answer(404, f"repository {self.path} not found")
        else:
            tags = parts.get("tags", b"").decode()
            self.answer(*self.templates.take(parts["content"], tags.split(",") if tags else []))

    def get(self) -> None:
        _, _, _, package, reference = self.path.split("/")
        version = self.templates.tags.get(f"{package}/{reference}", reference)
        content = self.templates.packages.get(package, {}).get(version)
        self.answer(200, content.decode()) if content else self.answer(404, "not found")


@contextlib.contextmanager
def template_server() -> Iterator[Templates]:
    """Serve an empty repository."""
    templates = Templates()
    handler = type("Handler", (_Handler,), {"templates": templates})
    with serving(handler, authority().pair) as templates.port:
        yield templates
