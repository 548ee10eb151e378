"""Models cross from one environment to another: trained in one image, applied in the next."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from eggcrate.pipelines.compile import Compiled, compile_components
from eggcrate.pipelines.run import InputArtifact, make_task
from eggcrate.registry.layout import Layout
from eggcrate.repo.components import read_component
from eggcrate.repo.settings import read_settings
from eggcrate.runtimes.protocol import Limits
from eggcrate.runtimes.sandbox import Sandbox
from support.repository import HERE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eggcrate.pipelines.outputs import Outputs

pytestmark = [pytest.mark.network, pytest.mark.sandbox, pytest.mark.xdist_group("pairs")]

PAIRS = {
    "xgboost": (("xgboost-1-7", "xgboost-2"), ("xgboost-1-7", "xgboost-3")),
    "lightgbm": (("lightgbm-3", "lightgbm-4"),),
    "catboost": (("catboost-1-2-7", "catboost-1-2"),),
    "tensorflow": (("tensorflow-2-15", "tensorflow-2-20"),),
}
REFUSED = (
    ("sklearn", "sklearn-1-5", "sklearn-1-9", "written with scikit-learn 1.5.2"),
    ("xgboost", "xgboost-3", "xgboost-1-7", "written with xgboost 3."),
)
LIMITS = Limits(memory=2 << 30, seconds=120)
FLOWERS = HERE / "components/predict/examples/iris/flowers.csv"
IRIS = HERE / "components/prepare_data/examples/iris/iris.csv"


@pytest.fixture(scope="module")
def compiled() -> Mapping[str, Compiled]:
    """The components, as pipelines run them."""
    names = ("prepare_data", "train_model", "predict")
    found = compile_components((read_component(HERE / "components" / name) for name in names), HERE)
    assert all(isinstance(each, Compiled) for each in found.values()), found
    return {name: each for name, each in found.items() if isinstance(each, Compiled)}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, compiled: Mapping[str, Compiled]):
    """Run a component in an environment's image, which is built when it is not there."""
    settings = read_settings(HERE, os.environ)
    runtime = Sandbox(Layout(settings.store), settings.cache)

    @functools.cache
    def image(environment: str):
        argv = [sys.executable, "-m", "eggcrate", "build", environment]
        environ = {**os.environ, "PYTHONPATH": str(HERE / "ci")}
        subprocess.run(argv, cwd=HERE, env=environ, check=True, capture_output=True)
        found = Layout(settings.store).resolve(environment)
        return runtime.prepare(found.digest)

    def call(
        component: str, environment: str, artifacts: Mapping[str, Path], **parameters: object
    ) -> tuple[Outputs | None, str]:
        task = make_task(
            compiled[component],
            parameters=parameters,
            artifacts={
                name: InputArtifact(path=path, metadata={}, name=path.name)
                for name, path in artifacts.items()
            },
            folder=tmp_path_factory.mktemp("outputs"),
            limits=LIMITS,
            env={"OMP_NUM_THREADS": "1"},
        )
        result = runtime.run(image(environment), task.command)
        return (task.outputs() if result.exit_code == 0 else None), result.output

    return call


@pytest.fixture(scope="module")
def trained(run):
    """A model of iris, trained by a flavour in an environment on a table from another."""
    split, told = run("prepare_data", "text", {"source": IRIS}, target="species", stratify=True)
    assert split is not None, told
    data = split.artifacts["train_data"].path

    @functools.cache
    def make(flavour: str, environment: str) -> Path:
        asked = {"target": "species", "flavour": flavour, "seed": 1}
        given, told = run("train_model", environment, {"train_data": data}, **asked)
        assert given is not None, told
        return given.artifacts["model"].path

    return make


def predictions(outputs: Outputs | None, told: str) -> list[list[str]]:
    assert outputs is not None, told
    path = outputs.artifacts["predictions"].path
    assert path is not None
    with zipfile.ZipFile(path) as archive:
        return [line.split(",") for line in archive.read("data.csv").decode().splitlines()]


@pytest.mark.parametrize(
    ("flavour", "before", "after"),
    [(flavour, *pair) for flavour, pairs in PAIRS.items() for pair in pairs],
)
def test_a_model_says_the_same_in_a_later_version(
    run, trained, flavour: str, before: str, after: str
) -> None:
    """Other library, Python, numpy and pandas: the same classes, the same probabilities."""
    given = {"data": FLOWERS, "model": trained(flavour, before)}
    one, other = (predictions(*run("predict", where, given)) for where in (before, after))
    assert [row[0] for row in one] == [row[0] for row in other]
    for row, same in zip(one[1:], other[1:], strict=True):
        assert list(map(float, row[1:])) == pytest.approx(list(map(float, same[1:])), abs=1e-6)


@pytest.mark.parametrize(("flavour", "before", "after", "says"), REFUSED)
def test_a_model_that_cannot_be_trusted_is_refused(  # noqa: PLR0917 - of fixtures and a case
    run, trained, flavour: str, before: str, after: str, says: str
) -> None:
    """Before a byte of it is read, with both versions and what to do; nothing is written."""
    given = {"data": FLOWERS, "model": trained(flavour, before)}
    outputs, told = run("predict", after, given)
    assert outputs is None
    assert says in told
    assert "use the environment it was trained in" in told
