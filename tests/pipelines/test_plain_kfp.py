"""Plain KFP components, compiled by KFP alone, in images on a ``-debug`` base.

Their command needs a shell, ``mktemp`` and kfp, none of which an image of ours has by itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from eggcrate.build.context import INSTALLER
from eggcrate.packages.pip_config import read_pip_config
from eggcrate.pipelines.launch import executor_input, resolved
from eggcrate.pipelines.outputs import Outputs, read_outputs
from eggcrate.runtimes.protocol import Command, Ending, Limits, Mount, Result
from eggcrate.runtimes.sandbox import Sandbox
from support.repository import HERE, Repository, locked_packages, make_repository, take_debs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Run = Callable[..., tuple[Result, Outputs | None]]

pytestmark = [pytest.mark.network, pytest.mark.sandbox]

OUTPUTS = "/eggcrate/outputs"
INSTALLED = "/tmp/installed"  # noqa: S108 - inside the sandbox it is a private tmpfs
COMPONENTS = """
import sys

from kfp import compiler, dsl


@dsl.component(base_image="x/y@sha256:0", install_kfp_package=False)
def held(x: int, table: dsl.Output[dsl.Dataset]) -> int:
    with open(table.path, "w") as file:
        file.write("from a plain component")
    return x + 1


@dsl.component(base_image="x/y@sha256:0")
def installs(x: int, table: dsl.Output[dsl.Dataset]) -> int:
    with open(table.path, "w") as file:
        file.write("from a plain component")
    return x + 1


for component in (held, installs):
    compiler.Compiler().compile(component, f"{sys.argv[1]}/{component.name}.yaml")
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Repository, Mapping[str, str]]:
    """Digests of images that hold kfp, on either sort of base, and of one that holds pip."""
    folder = tmp_path_factory.mktemp("plain")
    repository = make_repository(folder / "repo", folder / "cache")
    take_debs(repository.cache)
    kfp = locked_packages(HERE / "poetry.lock", "kfp")
    pip = locked_packages(INSTALLER / "poetry.lock", "pip")
    for name, base, held in (
        ("kfp", "python-3.13-debug", kfp),
        ("no-shell", "python-3.13", kfp),
        ("pip", "python-3.13-debug", pip),
    ):
        repository.environment(name, held, settings=f'base = "{base}"\ncompile = false')
    digests = repository.build()
    return repository, {name.partition(" ")[0]: digest for name, digest in digests.items()}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the components as KFP's own compiler writes them."""
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "components.py").write_text(COMPONENTS)
    command = [sys.executable, folder / "components.py", folder]
    subprocess.run(command, check=True, capture_output=True, env={"PATH": os.environ["PATH"]})
    return folder


@pytest.fixture
def run(images: tuple[Repository, Mapping[str, str]], compiled: Path, tmp_path: Path) -> Run:
    """Runs a compiled component in one of the images, its command as it is."""
    repository, digests = images

    def call(
        name: str, image: str, *, network: bool = False, env: Mapping[str, str] | None = None
    ) -> tuple[Result, Outputs | None]:
        document: dict[str, Any] = yaml.safe_load((compiled / f"{name}.yaml").read_text())
        (definition,) = document["components"].values()
        (executor,) = document["deploymentSpec"]["executors"].values()
        container = executor["container"]
        given = executor_input(definition, parameters={"x": 3}, artifacts={}, folder=OUTPUTS)
        outputs = tmp_path / "outputs"
        outputs.mkdir()
        runtime = Sandbox(repository.store, repository.cache)
        result = runtime.run(
            runtime.prepare(digests[image]),
            Command(
                argv=(*container["command"], *resolved(container["args"], given)),
                limits=Limits(memory=512 << 20, seconds=120, scratch=64 << 20),
                env=dict(env or {}),
                mounts=(Mount(source=outputs, target=OUTPUTS, writable=True),),
                network=network,
            ),
        )
        if result.exit_code != 0:
            return result, None
        return result, read_outputs(definition, outputs, OUTPUTS)

    return call


def test_it_runs_where_the_environment_holds_kfp(run: Run, tmp_path: Path) -> None:
    """On a ``-debug`` base, without a network and not as root: parameters and artifacts come."""
    result, outputs = run("held", "kfp")
    assert result.exit_code == 0, result
    assert outputs is not None
    assert outputs.parameters == {"Output": 4}
    assert (tmp_path / "outputs" / "table").read_text() == "from a plain component"


def test_it_runs_where_pip_can_install_kfp(run: Run) -> None:
    """KFP's default: kfp is installed when the task starts, into a folder that can be written."""
    variables = {
        "PIP_INDEX_URL": read_pip_config().index_url,
        "PIP_TARGET": INSTALLED,
        "PYTHONPATH": INSTALLED,
    }
    result, outputs = run("installs", "pip", network=True, env=variables)
    assert result.exit_code == 0, result
    assert outputs is not None
    assert outputs.parameters == {"Output": 4}


def test_images_have_no_shell_by_default(run: Run) -> None:
    """The same command cannot start on another base, and what is missing is told."""
    result, _ = run("held", "no-shell")
    assert result.ending is Ending.BROKEN
    assert "start sh: No such file or directory" in result.reason


def test_a_debug_base_has_neither_kfp_nor_pip(run: Run) -> None:
    """What the environment does not hold is missing, by its name."""
    result, _ = run("held", "pip")
    assert result.exit_code == 1
    assert "No module named 'kfp'" in result.output


def test_pip_is_missed_by_its_name(run: Run) -> None:
    """KFP's default needs pip, which no base has: the environment's lock must."""
    result, _ = run("installs", "kfp")
    assert result.exit_code == 1
    assert "No module named pip" in result.output
