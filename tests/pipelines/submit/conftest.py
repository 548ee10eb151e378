"""Platforms on loopback, and the command line in this process."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate import cli
from support import pipelines
from support.kubeflow_server import kubeflow_server
from support.repository import make_repository

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.kubeflow_server import KubeflowServer
    from support.template_server import Templates
    from support.vertex_server import Vertex

# google-auth reads it when it is imported, by whichever test is first.
os.environ.setdefault("NO_GCE_CHECK", "true")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy", "no_grpc_proxy")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Google's clients take seconds to import: one worker does it, where they are installed."""
    for item in items:
        if "vertex" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.vertex)
            item.add_marker(pytest.mark.xdist_group("vertex"))


@pytest.fixture
def vertex(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Vertex]:
    """Vertex AI and storage, with a bucket ``artifacts``; a service account is logged in."""
    from support.vertex_server import environment, vertex_server  # noqa: PLC0415 - an extra

    with vertex_server() as made:
        for name in _PROXIES:
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.upper(), raising=False)
        for name, value in environment(made, tmp_path).items():
            monkeypatch.setenv(name, value)
        made.storage.buckets["artifacts"] = {}
        yield made
        assert made.tunnel.refused == [], "a client asked for a host of the real world"


@pytest.fixture
def templates(vertex: Vertex, monkeypatch: pytest.MonkeyPatch) -> Iterator[Templates]:
    """A registry of pipelines, where requests looks for Artifact Registry's."""
    from support.template_server import HOST, template_server  # noqa: PLC0415 - an extra
    from support.tunnel import authority  # noqa: PLC0415 - as above

    with template_server() as made:
        vertex.tunnel.routes[HOST] = made.port
        monkeypatch.setenv("https_proxy", vertex.tunnel.url)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority().roots))
        yield made


@pytest.fixture
def kubeflow(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[KubeflowServer]:
    """An installation of Kubeflow; nobody is logged in, and none is asked to be."""
    for name in _PROXIES:
        monkeypatch.delenv(name, raising=False)
    with kubeflow_server() as made:
        yield made


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command line ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@pytest.fixture
def eggcrate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> Callable[..., Ran]:
    """Runs the command line."""
    made = make_repository(tmp_path / "repo", tmp_path / "cache")
    monkeypatch.setenv("EGGCRATE_CACHE", str(made.cache))

    def call(*arguments: str) -> Ran:
        code = cli.main(["--repo", str(made.root), *arguments])
        told = capsys.readouterr()
        return Ran(code=code, out=told.out, err=told.err)

    return call


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A compiled pipeline."""
    return pipelines.write(tmp_path, pipelines.compiled())
