"""Fixtures of the runtimes' tests: an image with Python in a store, and each runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from eggcrate.registry.layout import Layout
from eggcrate.runtimes import sandbox
from eggcrate.runtimes.docker import Docker
from eggcrate.runtimes.protocol import Command, Limits, Mount, Result, Runtime
from eggcrate.runtimes.sandbox import Sandbox
from support.images import put_image
from support.python_image import PYTHON, python_layer

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Bench:
    """A runtime and an image ready in it."""

    runtime: Runtime
    store: Layout
    cache: Path
    digest: str

    def argv(self, script: str, *arguments: str) -> tuple[str, ...]:
        return (PYTHON, "-I", "-S", "-c", script, *arguments)

    def run(
        self,
        script: str,
        *,
        seconds: float = 60,
        memory: int = 256 << 20,
        mounts: tuple[Mount, ...] = (),
        network: bool = False,
        env: dict[str, str] | None = None,
    ) -> Result:
        command = Command(
            argv=self.argv(script),
            limits=Limits(memory=memory, seconds=seconds, scratch=64 << 20, processes=64),
            mounts=mounts,
            network=network,
            env=env or {},
        )
        return self.runtime.run(self.runtime.prepare(self.digest), command)


@pytest.fixture(scope="session")
def python_store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Layout, str]:
    layout = Layout(tmp_path_factory.mktemp("python") / "store")
    made = put_image(layout, "python", [python_layer()], env={"FROM_IMAGE": "yes"})
    return layout, made.digest


@pytest.fixture(scope="session")
def sandbox_bench(
    python_store: tuple[Layout, str], tmp_path_factory: pytest.TempPathFactory
) -> Bench:
    if reason := sandbox.available():
        pytest.skip(f"the sandbox does not work here: {reason}")
    cache = tmp_path_factory.mktemp("cache")
    layout, digest = python_store
    return Bench(runtime=Sandbox(layout, cache), store=layout, cache=cache, digest=digest)


@pytest.fixture(scope="session")
def docker_bench(
    python_store: tuple[Layout, str], tmp_path_factory: pytest.TempPathFactory, docker_daemon: str
) -> Bench:
    cache = tmp_path_factory.mktemp("cache")
    layout, digest = python_store
    return Bench(runtime=Docker(layout, cache), store=layout, cache=cache, digest=digest)


@pytest.fixture(
    params=[
        pytest.param("sandbox", marks=pytest.mark.sandbox),
        pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.xdist_group("docker")]),
    ]
)
def bench(request: pytest.FixtureRequest) -> Bench:
    found: Bench = request.getfixturevalue(f"{request.param}_bench")
    return found


@pytest.fixture
def processes() -> Callable[[str], list[str]]:
    """Processes of the machine whose command line holds a text."""

    def find(text: str) -> list[str]:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if text in line:
                found.append(line)
        return found

    return find
