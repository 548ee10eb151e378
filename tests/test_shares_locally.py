"""Every way of sharing helper code, in a pipeline of this repository, run on this machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.checkout import bare_copy
from support.local_runs import eggcrate, run_pipeline

pytestmark = [pytest.mark.network, pytest.mark.sandbox]
ROOT = Path(__file__).resolve().parent.parent
VALUES = (
    *("--set", "source=components/prepare_data/examples/iris/iris.csv"),
    *("--set", "target=species", "--runtime", "sandbox"),
)
WAYS = ("inject", "config-map", "volume", "image")
PIPELINE = """
from components.prepare_data.component import prepare_data
from kfp import dsl


@dsl.pipeline
def shares(source: str, target: str):
    table = dsl.importer(artifact_uri=source, artifact_class=dsl.Dataset, reimport=False)
    for way in {ways}:
        task = prepare_data(source=table.output, target=target, share=way)
        task.set_display_name(way)
"""


def test_code_arrives_by_every_way(tmp_path: Path) -> None:
    """One component, its helpers in the command, a config map, a volume and an image: one result.

    A volume that no folder stands for is refused before anything runs.
    """
    root = tmp_path / "eggcrate"
    subprocess.run(["git", "clone", "-q", bare_copy(ROOT, tmp_path), root], check=True)
    (root / "pipelines" / "shares").mkdir()
    (root / "pipelines" / "shares" / "pipeline.py").write_text(PIPELINE.format(ways=WAYS))
    with (root / "pyproject.toml").open("a") as file:
        file.write('\n[tool.eggcrate]\nvolume = "helpers"\n')
    told = run_pipeline(root, "shares", *VALUES, "--volume", f"helpers={root}")
    tasks = [task for task in told["tasks"] if task["kind"] == "container"]
    assert [task["state"] for task in tasks] == ["succeeded"] * len(WAYS)
    folder = root / ".eggcrate" / "runs" / "shares" / told["run"]
    written = {
        (folder / task["outputs"]["artifacts"]["train_data"][0]["path"]).read_bytes()
        for task in tasks
    }
    assert len(written) == 1
    refused = eggcrate(root, "run", "shares", *VALUES)
    assert refused.returncode == 1
    assert "mounts helpers, and no folder is given for it" in refused.stderr
