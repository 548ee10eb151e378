"""Whether all that a registry has published is whole, as others than our own client see it."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import docker

from support.published import pull
from support.repository import PYTHON

if TYPE_CHECKING:
    from pathlib import Path

    from support.services import RegistryServer

_INDEX = "application/vnd.oci.image.index.v1+json"
_TYPES = f"{_INDEX}, application/vnd.oci.image.manifest.v1+json"
_HELD = "import importlib.metadata as m; print(*sorted(d.name for d in m.distributions()))"


@dataclass(kw_only=True)
class Docker:
    """A daemon that pulls what was published and runs it; a context manager that tidies up."""

    pulled: set[str] = field(default_factory=set)

    def __enter__(self) -> Self:
        self._client = docker.from_env()
        return self

    def __exit__(self, *_: object) -> None:
        for image in self.pulled:
            with contextlib.suppress(docker.errors.ImageNotFound):
                self._client.images.remove(image, force=True)
        self._client.close()

    def distributions(self, image: str) -> list[str]:
        """Names of the distributions that an image's Python sees, after pulling it."""
        repository, _, tag = image.rpartition(":")
        self.pulled.add(image)
        self._client.images.pull(repository, tag=tag)
        run = self._client.containers.run
        told = run(image, [PYTHON, "-c", _HELD], remove=True, network_mode="none", read_only=True)
        return sorted(told.decode().split())


def every_manifest_is_whole(
    server: RegistryServer, scratch: Path, *, daemon: Docker | None = None, runs: str = ""
) -> set[str]:
    """Walk the catalogue, and find every manifest with all that it names.

    Manifests without a tag count too: the registry's own files tell them. Each blob is asked
    for and read, and its hash taken; each tag is copied with skopeo.

    Args:
        server: a registry that lets everybody read.
        scratch: a folder for what is copied; what it has from before is copied faster.
        daemon: pulls one image with Docker and asks the Python in it what it holds.
        runs: which one (``NAME:TAG``), by default the one whose tag sorts first.

    Returns:
        Every ``NAME:TAG``.
    """
    with contextlib.closing(http.client.HTTPConnection(server.address, timeout=60)) as registry:
        names = _json(registry, "/v2/_catalog?n=1000")["repositories"]
        tags = {
            f"{name}:{tag}"
            for name in names
            for tag in _json(registry, f"/v2/{name}/tags/list")["tags"] or ()
        }
        held: dict[str, list[str]] = {}
        for image in tags:
            held[image] = _whole(registry, *image.rsplit(":", 1))
        for name in names:
            for revision in _revisions(server.folder / "data", name):
                _whole(registry, name, revision)
    for image in tags:
        pull(f"docker://{server.address}/{image}", scratch)
    if daemon and tags:
        chosen = runs or min(tags)
        assert daemon.distributions(f"{server.address}/{chosen}") == held[chosen], chosen
    return tags


def _whole(registry: http.client.HTTPConnection, name: str, reference: str) -> list[str]:
    """Find everything that a manifest names; the packages that it says it holds."""
    path = f"/v2/{name}/manifests/{reference}"
    status, headers, content = _get(registry, "GET", path)
    where = f"{name} {reference}"
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert (status, headers["Docker-Content-Digest"]) == (200, digest), where
    assert ":" not in reference or reference == digest
    manifest = json.loads(content)
    for child in manifest.get("manifests", ()):
        _whole(registry, name, child["digest"])
    for blob in (manifest["config"], *manifest["layers"]) if "layers" in manifest else ():
        path = f"/v2/{name}/blobs/{blob['digest']}"
        status, headers, _ = _get(registry, "HEAD", path)
        assert (status, headers["Content-Length"]) == (200, str(blob["size"])), where
        status, _, found = _get(registry, "GET", path)
        assert (status, len(found)) == (200, blob["size"]), where
        assert f"sha256:{hashlib.sha256(found).hexdigest()}" == blob["digest"], where
    return sorted(json.loads(manifest.get("annotations", {}).get("dev.eggcrate.packages", "{}")))


def _revisions(data: Path, name: str) -> list[str]:
    """Digests of all manifests that CNCF Distribution keeps for an image."""
    folder = data / "docker/registry/v2/repositories" / name / "_manifests/revisions/sha256"
    return [f"sha256:{path.parent.name}" for path in folder.glob("*/link")]


def _json(registry: http.client.HTTPConnection, path: str) -> dict[str, Any]:
    status, _, content = _get(registry, "GET", path)
    assert status == 200, path
    found: dict[str, Any] = json.loads(content)
    return found


def _get(
    registry: http.client.HTTPConnection, method: str, path: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    registry.request(method, path, headers={"Accept": _TYPES})
    answer = registry.getresponse()
    return answer.status, answer.headers, answer.read()
