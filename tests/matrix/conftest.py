"""Fixtures of the matrix's tests: components that end in every way there is, run for real."""

from __future__ import annotations

import json
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from eggcrate.runtimes import sandbox
from support.endings import ENDINGS
from support.matrix import BASE, add_component
from support.repository import Ran, Repository, make_repository, take_debs

if TYPE_CHECKING:
    from pathlib import Path


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
