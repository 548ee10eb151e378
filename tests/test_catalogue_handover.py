"""Data crosses from one environment to another: extracted, split, learned from, registered."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from eggcrate.matrix.example_server import served
from eggcrate.pipelines.compile import Compiled, compile_components
from eggcrate.pipelines.run import InputArtifact, make_task
from eggcrate.registry.layout import Layout
from eggcrate.repo.components import read_component
from eggcrate.repo.settings import read_settings
from eggcrate.runtimes.protocol import Limits
from eggcrate.runtimes.sandbox import Sandbox
from support.repository import HERE

if TYPE_CHECKING:
    from pathlib import Path

    from eggcrate.pipelines.outputs import Outputs

pytestmark = [pytest.mark.network, pytest.mark.sandbox, pytest.mark.xdist_group("pairs")]

STEPS = {
    "extract_bigquery": "gcp-data",
    "split_data": "dataframes",
    "train_model": "sklearn-1-7",
    "register_model": "vertex-sdk",
}
QUERY = "SELECT * FROM shop.orders WHERE total >= @least ORDER BY `order`"
LIMITS = Limits(memory=2 << 30, seconds=120)


def test_from_bigquery_to_a_registered_model(tmp_path: Path) -> None:
    """Parquet of one environment is a table for the next; each step as compiled, in its own image.

    They have Python 3.13 and 3.11, pandas 3 and 2, with pyarrow and without.
    """
    environ = {**os.environ, "PYTHONPATH": str(HERE / "ci")}
    argv = [sys.executable, "-m", "eggcrate", "build", *STEPS.values()]
    subprocess.run(argv, cwd=HERE, env=environ, check=True, capture_output=True)
    settings = read_settings(HERE, os.environ)
    layout = Layout(settings.store)
    runtime = Sandbox(layout, settings.cache)
    read = (read_component(HERE / "components" / name) for name in STEPS)
    compiled = compile_components(read, HERE)

    def run(step: str, artifacts: dict[str, Path], serve: str = "", **given: object) -> Outputs:
        component = compiled[step]
        assert isinstance(component, Compiled), component
        (tmp_path / step).mkdir()
        task = make_task(
            component,
            parameters=given,
            artifacts={
                each: InputArtifact(path=path, metadata={}, name=path.name)
                for each, path in artifacts.items()
            },
            folder=tmp_path / step,
            limits=LIMITS,
            env={"OMP_NUM_THREADS": "1"},
        )
        if serve:
            tests = HERE / "components" / step / "tests"
            task = replace(task, command=served(task.command, tests, serve))
        found = layout.resolve(STEPS[step])
        assert found is not None
        result = runtime.run(runtime.prepare(found.digest), task.command)
        assert result.exit_code == 0, result.output
        return task.outputs()

    def file(outputs: Outputs, name: str) -> Path:
        path = outputs.artifacts[name].path
        assert path is not None
        return path

    asked = {"query": QUERY, "parameters": {"least": 1.0}, "project": "ml-production"}
    extracted = run("extract_bigquery", {}, "fake_bigquery.py", **asked)
    data = file(extracted, "data")
    assert data.read_bytes().startswith(b"PAR1")
    split = run("split_data", {"data": data}, key="order", test_share=0.2)
    trained = run("train_model", {"train_data": file(split, "train_data")}, target="returned")
    assert trained.parameters["features"] == 3
    registered = run("register_model", {"model": file(trained, "model")}, name="returns")
    assert "# returns, version" in (file(registered, "entry") / "MODEL_CARD.md").read_text()
