"""Fixtures of the matrix's tests: components that end in every way there is, run for real."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.runtimes import sandbox
from support.matrix import BASE, add_component
from support.repository import Ran, Repository, make_repository, take_debs

if TYPE_CHECKING:
    from pathlib import Path

ENDINGS: dict[str, tuple[str, str]] = {
    "passes": ("", "assert flavour == ''"),
    "fails": ("", "assert 1 + 1 == 3, 'sums are off'"),
    "sleeps": ("timeout = 3", "import time; time.sleep(600)"),
    "eats": ("memory = '128MiB'", "held = [bytearray(b'x' * (1 << 20)) for _ in range(1 << 12)]"),
    "connects": ("", "import socket; socket.create_connection(('192.0.2.1', 80), timeout=20)"),
    "serves": (
        "network = true",
        """
        import socket
        server = socket.create_server(("127.0.0.1", 0))
        with socket.create_connection(server.getsockname(), timeout=20):
            pass
        assert len(socket.if_nameindex()) > 1
        """,
    ),
    "crashes": ("", "import ctypes; ctypes.string_at(0)"),
    "floods": (
        "",
        """
        for number in range(1 << 10):
            print(f"FAILED {number} " + "y" * 50_000)
        assert False, "after the flood"
        """,
    ),
    "spawns": (
        "",
        """
        import subprocess, sys
        script = "import time; time.sleep(600)"
        for _ in range(3):
            subprocess.Popen([sys.executable, "-c", script, "left-by-eggcrate-tests"])
        """,
    ),
    "fills": (
        "",
        """
        with open("big", "wb") as file:
            while True:
                file.write(bytes(1 << 20))
        """,
    ),
    "lives": ("env = {TZ = 'Mars/Olympus'}", "import os; assert os.environ['TZ'][:4] == 'Mars'"),
    "exits": ("", "import os; os._exit(0)"),
    "skips": ("", "import pytest; pytest.skip('not today')"),
    "stops": ("", "import pytest; pytest.exit('enough', returncode=0)"),
    "writes": ("", "import pathlib; pathlib.Path('/eggcrate/repo/components/x').write_text('')"),
    "writes_root": ("", "import pathlib; pathlib.Path('/opt/env/x').write_text('')"),
}
"""Name of each component with its settings and the body of its test."""


def catalogue(folder: Path, cache: Path) -> Repository:
    """A repository with one environment, which holds no package, and all those components."""
    repository = make_repository(folder, cache)
    repository.environment("bare", ())
    for name, (settings, body) in ENDINGS.items():
        lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        test = f"def test_it(flavour):\n{lines}\n"
        add_component(repository, name, settings=settings, test=test)
    add_component(repository, "imports", test="import not_there\n")
    add_component(repository, "testless", test="X = 1\n")
    add_component(repository, "folderless", test=None)
    add_component(repository, "homeless", needs=("numpy>=2",))
    configured = add_component(repository, "misconfigured")
    (configured / "tests" / "conftest.py").write_text("raise ValueError('no such setting')\n")
    leaving = add_component(repository, "leaves")
    (leaving / "tests" / "conftest.py").write_text("import sys\n\nsys.exit(0)\n")
    return repository


@dataclass(frozen=True, kw_only=True)
class Proven:
    """A run over all those components in one runtime."""

    runtime: str
    repository: Repository
    ran: Ran
    document: dict[str, Any]

    def cell(self, component: str) -> dict[str, Any]:
        found: dict[str, Any] = next(
            cell for cell in self.document["cells"] if cell["component"] == component
        )
        return found

    def matrix(self, *arguments: str) -> Ran:
        return self.repository.run("matrix", "--runtime", self.runtime, *arguments, extra=BASE)


@pytest.fixture(scope="session")
def matrix_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the runs in all runtimes."""
    cache = tmp_path_factory.mktemp("matrix-cache")
    take_debs(cache)
    return cache


def _prove(runtime: str, folder: Path, cache: Path) -> Proven:
    repository = catalogue(folder / "repo", cache)
    # The runtimes share a cache: one must not tell what the other has proven.
    ran = repository.run("matrix", "--rerun", "--runtime", runtime, "--json", extra=BASE)
    assert ran.out, ran.err
    return Proven(runtime=runtime, repository=repository, ran=ran, document=json.loads(ran.out))


@pytest.fixture(scope="session")
def proven_in_sandbox(matrix_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Proven:
    if reason := sandbox.available():
        pytest.skip(f"the sandbox does not work here: {reason}")
    return _prove("sandbox", tmp_path_factory.mktemp("sandbox"), matrix_cache)


@pytest.fixture(scope="session")
def proven_in_docker(
    matrix_cache: Path, tmp_path_factory: pytest.TempPathFactory, docker_daemon: str
) -> Proven:
    return _prove("docker", tmp_path_factory.mktemp("docker"), matrix_cache)


@pytest.fixture(
    params=[
        pytest.param("sandbox", marks=[pytest.mark.sandbox, pytest.mark.xdist_group("matrix")]),
        pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.xdist_group("docker")]),
    ]
)
def proven(request: pytest.FixtureRequest) -> Proven:
    """Everything proven once in each runtime."""
    found: Proven = request.getfixturevalue(f"proven_in_{request.param}")
    return found
