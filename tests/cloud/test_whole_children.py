"""Child builds whose steps really run on Docker, beside a loopback Cloud Build and a registry."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from cloud.conftest import commit
from eggcrate.cloud import cloud_build, fleet, logs
from support.ci_builder import package_settings
from support.cloud_build_docker import OnDocker
from support.cloud_build_server import PROJECT, REGION, cloud_build_server
from support.matrix import add_component, wait_until
from support.repository import HERE, make_repository, real_packages, take_debs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.cloud_build_server import CloudBuildServer
    from support.repository import Repository

pytestmark = [
    pytest.mark.docker,
    pytest.mark.network,
    pytest.mark.vertex,
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("docker"),
]

# What `make setup-all` makes of a whole repository takes a minute; here it is mounted.
_MAKEFILE = """setup-all:
	mkdir -p .venv/bin
	printf '#!/bin/sh\\nPYTHONPATH=/eggcrate/ci:/eggcrate/site exec python3 -m eggcrate "$$@"\\n' \\
		>.venv/bin/eggcrate
	chmod +x .venv/bin/eggcrate
"""


@dataclass(frozen=True, kw_only=True)
class Parent:
    """A checkout in a parent build."""

    repository: Repository
    server: CloudBuildServer
    work: OnDocker
    environ: dict[str, str]

    def argv(self, *arguments: str) -> list[str]:
        return [
            sys.executable,
            "-m",
            "eggcrate",
            *arguments,
            "--on",
            "cloud-build",
            "--poll",
            "0.3",
        ]

    def run(self, *arguments: str) -> tuple[int, Any, str]:
        """Run the command line to its end."""
        done = subprocess.run(
            [*self.argv(*arguments), "--json"],
            cwd=self.repository.root,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, json.loads(done.stdout or "null"), done.stderr

    def told(self, err: str) -> str:
        """All that can be known of a failure."""
        log = [line for child in self.server.tagged(fleet.ANY) for line in child.log[-30:]]
        return "\n".join([err, *log])


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of parents, and of their children: what is under way in one is told by its processes."""
    made = (tmp_path_factory.mktemp("cache"), tmp_path_factory.mktemp("theirs"))
    for folder in made:
        take_debs(folder)
    return made


@pytest.fixture
def parent(
    builder: str, registry_server: str, caches: tuple[Path, Path], tmp_path: Path
) -> Iterator[Parent]:
    cache, theirs = caches
    repository = make_repository(tmp_path / "repo", cache)
    repository.environment("one", real_packages("gcp-data", "idna"))
    repository.environment("two", real_packages("gcp-data", "six"))
    for name in ("good", "bad"):
        wrong = "    assert six is None\n" if name == "bad" else ""
        module = "six" if name == "bad" else "sys"
        test = f"import {module}\n\n\ndef test_it():\n{wrong or '    pass'}\n"
        add_component(repository, name, needs=("six",) if name == "bad" else (), test=test)
    (repository.root / "components" / "__init__.py").touch()
    (repository.root / "Makefile").write_text(_MAKEFILE)
    (repository.root / ".gitignore").write_text(".eggcrate\n.venv\nbuild\n")
    commit(repository.root, "everything")
    name = "".join(letter for letter in tmp_path.name.lower() if letter.isalnum())
    registry = f"{registry_server}/{name}"
    arguments = [
        *package_settings(),
        f"--mount={theirs}:/builder/home/.cache/eggcrate",
        f"--mount={HERE / 'ci'}:/eggcrate/ci:ro",
        f"--mount={sysconfig.get_path('purelib')}:/eggcrate/site:ro",
        # Steps cannot reach the loopback service; they only look at it once a minute.
        f"--env={cloud_build.ENDPOINT}=http://host.docker.internal:1",
    ]
    with cloud_build_server() as server:
        work = OnDocker(
            root=repository.root,
            scratch=tmp_path,
            registry=registry,
            arguments=arguments,
            environ=repository.variables(),
        )
        server.work = work
        source = {"gitSource": {"url": "https://git.example/eggs.git", "revision": "main"}}
        build = server.add(source=source, steps=[{"name": builder}], timeout="600s")
        environ = repository.variables(
            {
                "BUILD_ID": build.id,
                "PROJECT_ID": PROJECT,
                "LOCATION": REGION,
                "EGGCRATE_REGISTRY": registry,
                "DOCKER_CONFIG": str(tmp_path / "no-docker"),
                cloud_build.ENDPOINT: server.endpoint,
                logs.ENDPOINT: server.endpoint,
            }
        )
        yield Parent(repository=repository, server=server, work=work, environ=environ)


@pytest.mark.sandbox
def test_children_build_publish_and_prove(parent: Parent) -> None:
    """One image is built here and one by a child, then two cells here and one by a child.

    The child's is a real build from its own clone, whose image is in the registry; a cell that
    fails there is told here with its log. What passed is remembered for everybody.
    """
    arguments = ("--all", "--push", "--work", "30")
    code, document, err = parent.run("build", *arguments)
    assert code == 0, parent.told(err)
    found = {one["name"]: one for one in document["environments"]}
    assert {name: one["verdict"] for name, one in found.items()} == {"one": "built", "two": "built"}
    assert all(one["pushed"]["tag"] for one in found.values())
    [first] = parent.server.tagged(fleet.ANY)
    assert first.status == "SUCCESS"

    code, document, err = parent.run("matrix", "--work", "10", "--machines", "1")
    assert code == 1, parent.told(err)
    outcomes = {
        (cell["component"], cell["environment"]): cell
        for cell in document["cells"]
        if cell["outcome"] != "incompatible"
    }
    assert {name: cell["outcome"] for name, cell in outcomes.items()} == {
        ("good", "one"): "passed",
        ("good", "two"): "passed",
        ("bad", "two"): "failed",
    }, [cell["reason"] for cell in outcomes.values()]
    log = parent.repository.root / "build/matrix" / outcomes["bad", "two"]["log"]
    assert "assert six is None" in log.read_text()
    [_, second] = parent.server.tagged(fleet.ANY)
    assert second.status in {"SUCCESS", "FAILURE"}
    assert {one["image"] for one in outcomes.values()} == {
        found["one"]["digest"],
        found["two"]["digest"],
    }
    assert not parent.work.left()


def test_a_parent_that_is_ended_leaves_no_step_running(parent: Parent) -> None:
    """SIGTERM while a child's step runs: the child is cancelled, its containers are gone."""
    makefile = parent.repository.root / "Makefile"
    makefile.write_text("setup-all:\n\techo begun; sleep 300\n")
    commit(parent.repository.root, "slow")
    process = subprocess.Popen(
        parent.argv("build", "two", "one", "--push", "--work", "30"),
        cwd=parent.repository.root,
        env={**parent.environ, "EGGCRATE_JOBS": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: any(name.endswith("step_0") for name in parent.work.left()), process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "cancelled 1 child build" in err
    [child] = parent.server.tagged(fleet.ANY)
    assert child.status == "CANCELLED"
    wait_until(lambda: not parent.work.left())
